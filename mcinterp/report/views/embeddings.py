"""Embeddings over training: tokens by value, positions by their labels."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.analysis.passes.near_loss import NEAR
from mcinterp.report.figures import (
    over_steps_figure,
    position_pictures_figure,
    token_norm_figure,
    token_pictures_figure,
)
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import curve_name
from mcinterp.report.tables import table_view
from mcinterp.report.views.leads import leads_sentence
from mcinterp.report.views.plateau import start_words, transition_of
from mcinterp.results import Result

MEASURED = {
    "norm_symmetry": "the norms of v and −v agree by",
    "sign_separable": "share on its sign's side of a line",
    "magnitude_order": "rank correlation of |v| with a direction",
    "continuity": "continuity in |v|",
}
"""What is measured of the tokens, in the words of the sentence."""


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show the embeddings of a run."""
    tokens, positions, lead = (result.tables[name] for name in ("tokens", "positions", "lead"))
    start, loss, place = result.facts["plateau_step"], _loss(result, beside), start_words(beside)
    return Section(
        result.name,
        result.title,
        [
            *_position_sentences(positions.frame, start),
            _token_sentence(tokens.frame, start, "on the plateau" if place == "plateau" else f"at the {place}"),
            leads_sentence(lead.frame, start, loss, place),
        ],
        _figures(result, transition_of(beside)),
        [
            table_view(lead.frame, lead.columns, f"When each number takes its last value (loss: {loss})"),
            table_view(tokens.frame, tokens.columns, "Token embeddings at every checkpoint", folded=True),
            table_view(positions.frame, positions.columns, "Positional embeddings at every checkpoint", folded=True),
        ],
    )


def _loss(result: Result, beside: Mapping[str, Result]) -> str:
    """What the loss of the table is, and over what it is averaged."""
    training = beside.get("training")
    name = curve_name(training, training.facts["progress_score"]) if training else "the progress score"
    return f"{name}, {result.facts.get('loss_source', NEAR)}"


def _figures(result: Result, transition: Mapping[str, object]) -> list[FigureView]:
    positions = result.table("positions")
    labels = result.facts["position_labels"]
    pictures = [
        FigureView(
            f"Positional embeddings, t-SNE to two dimensions, each position written {','.join(labels)} and coloured by "
            f"its {name}. Each picture is made by itself and then turned to lie as the last one's.",
            position_pictures_figure(result, name),
        )
        for name in labels
    ]
    return [
        FigureView(
            "Share of the positional embeddings' variance between the groups of each label, by step (shaded: the drop "
            "of the loss); dashed: the mean and the 97.5 % quantile with shuffled labels.",
            over_steps_figure(
                positions,
                "explained",
                "labels",
                "variance between groups",
                transition,
                ["explained_shuffled", "explained_top"],
            ),
        ),
        FigureView("Norm of the token embeddings against the token's value.", token_norm_figure(result)),
        FigureView(
            "Token embeddings on the last checkpoint's first two principal components (first across, second up), "
            "coloured by value.",
            token_pictures_figure(result),
        ),
        *pictures,
    ]


def _token_sentence(frame: pd.DataFrame, start: int, where: str) -> str:
    plateau, last = frame[frame["step"] == start].iloc[0], frame.iloc[-1]
    said = "; ".join(
        f"{words} {number(plateau[name])} and {number(last[name])} (untrained {number(last[f'untrained_{name}'])})"
        for name, words in MEASURED.items()
    )
    whole = f"of the variance {where} and {number(100 * last['explained'])} % at the end"
    return (
        f"Token embeddings ({number(int(last['n']))} values that occur), at step {number(start)} {where} and "
        f"at the last checkpoint: {said}. The last one's two components hold {number(100 * plateau['explained'])} % "
        f"{whole}; the alignment with the last checkpoint is {number(plateau['alignment'])} {where} (untrained "
        f"{number(last['untrained_alignment'])})."
    )


def _position_sentences(frame: pd.DataFrame, start: int) -> list[str]:
    sentences = []
    for name, rows in frame.groupby("labels", sort=False):
        plateau, last = rows[rows["step"] == start].iloc[0], rows.iloc[-1]
        sentences.append(
            f"Positional embeddings {_grouped(plateau, str(name))} at step {number(start)}, and "
            f"{_grouped(last, str(name))} at the last checkpoint."
        )
    return sentences


def _grouped(row: pd.Series, name: str) -> str:
    not_seen = "are not measurably grouped"
    verb = Judged.of(row, "excess").say("are grouped", not_seen, not_seen)
    share, shuffled = number(100 * row["explained"]), number(100 * row["explained_shuffled"])
    excess = interval(*(100 * row[f"excess{end}"] for end in ("", "_low", "_high")))
    return (
        f"{verb} by {name} ({share} % of the variance lies between groups, {shuffled} % with shuffled labels; the "
        f"difference is {excess} points, and one of {number(100 * row['detectable'])} would mostly be seen)"
    )
