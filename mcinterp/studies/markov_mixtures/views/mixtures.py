"""Which mixture of the four algorithms each network is, over its training, and what the mixture leaves and predicts."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.numbers import interval, listed, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.markov_mixtures.figures.mixtures import weights_figure
from mcinterp.studies.markov_mixtures.mixtures import ALL_FOUR, OTHERS, SINGLE, WITHOUT
from mcinterp.studies.markov_mixtures.networks import TOKENS

WEIGHTS = (
    "{network}: weights of the mixture of the four algorithms by step, on sequences of the training chains, and below "
    "KL(model ‖ mixture) at late places, weights fitted on the other half of the sequences."
)


def mixtures(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the weights and what they leave."""
    weights, left = result.table("weights"), result.table("left")
    own = weights[(weights["family"] == "ID") & (weights["role"] != TOKENS)]
    firsts = list(own.groupby("role", sort=False)["network"].first())
    figures = [
        FigureView(
            WEIGHTS.format(network=network),
            weights_figure(own[own["network"] == network], left[left["network"] == network]),
        )
        for network in firsts
    ]
    titles = {
        "weights": "Weights at the last checkpoint",
        "left": "What mixtures leave there",
        "predicted": "What they predict",
    }
    views = [
        table_view(at_last(result.table(name)), result.tables[name].columns, title, folded=name != "weights")
        for name, title in titles.items()
    ]
    sentences = [_sentence(str(network), at_last(own), at_last(left)) for network in firsts]
    return Section(
        result.name, result.title, [*sentences, _predicted(at_last(result.table("predicted")))], figures, views
    )


def at_last(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of every network's last checkpoint."""
    return frame[frame["step"] == frame.groupby("network")["step"].transform("max")]


def _sentence(network: str, weights: pd.DataFrame, left: pd.DataFrame) -> str:
    """A network's mixture in the end, and what it leaves beside simpler bases."""
    own = weights[weights["network"] == network].sort_values("weight", ascending=False)
    told = listed([f"{_ends(row, 'weight')} {row['oracle']}" for _, row in own.iterrows() if row["weight"] >= 0.005])
    of = {row["base"]: row for _, row in left[left["network"] == network].iterrows()}
    bases = ", ".join(f"{name} {_ends(of[name], 'left')}" for name in (SINGLE, WITHOUT, OTHERS))
    return (
        f"{network} at step {number(int(own['step'].iloc[0]))} is nearest to a mixture of {told}, which leaves "
        f"{_ends(of[ALL_FOUR], 'left')} nats; others leave — {bases}."
    )


def _predicted(rows: pd.DataFrame) -> str:
    told = "; ".join(
        f"{row['network']} {_ends(row, 'predicted')}, measured {_ends(row, 'measured')}"
        for _, row in rows[rows["role"] != TOKENS].iterrows()
    )
    return f"On unseen chains these mixtures predict a KL from the truth of — {told}."


def _ends(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
