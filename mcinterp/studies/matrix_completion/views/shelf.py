"""The hidden shelf of a run: where it is, what is answered on it, what that is worth, and which heads make it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, is_absent, listed, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import batch
from mcinterp.report.tables import table_view
from mcinterp.report.views.plateau import transition_of
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.shelf import shelf_figure, shelf_heads_figure
from mcinterp.studies.matrix_completion.passes.shelf_answers import CUBE, TRUTH
from mcinterp.studies.matrix_completion.passes.shelf_verdicts import LITTLE, explained_by, stretch_words

HALF = 0.5
"""More of the slope goes with a head that makes it alone."""
AS_GOOD = 0.25
"""What is gained is as much as what could be where they differ by a smaller share of that."""
ZERO = 0.05
"""Answers whose mean square is a smaller share of the entries' are 0 to the bound of the paper's first claim."""
CAPTION = (
    "L_mask; the share of the answers' variance between matrices, and their correlation with what they are once the "
    "observed entries are dealt out anew (symmetric); their correlation with candidates; their size. At every kept "
    "checkpoint (shaded: the drop of the loss), with 95 % interval."
)
HEADS_CAPTION = (
    "Share of the answers' slope on the best symmetric answer that goes with heads, at step {step}, with 95 % "
    "interval: their attention made uniform, their z made its mean, or put into the run on −X."
)
TITLES = {
    "answers": "The answers at every checkpoint",
    "candidates": "What they correlate with",
    "heads": "Which heads carry the best symmetric answer",
}


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show the shelf of a run, or that there is none."""
    drops = list(transition_of(beside).get("drops") or [])  # type: ignore[call-overload]
    figures = [
        FigureView(CAPTION, shelf_figure(result, drops)),
        FigureView(HEADS_CAPTION.format(step=number(result.facts["looked_at"])), shelf_heads_figure(result)),
    ]
    tables = [
        table_view(result.tables[name].frame, result.tables[name].columns, title, folded=True)
        for name, title in TITLES.items()
    ]
    return Section(result.name, result.title, sentences(result), figures, tables)


def sentences(result: Result) -> list[str]:
    """Whether there is a shelf; what is answered there, what it is worth, which heads make it, what of answering 0."""
    return [_where(result), _between(result), *_followed(result), _worth(result), _heads(result), _not_zero(result)]


def _looked_at(result: Result, table: str) -> pd.DataFrame:
    """The rows of the step that is told of."""
    frame = result.table(table)
    return frame[frame["step"] == result.facts["looked_at"]]


def _where(result: Result) -> str:
    facts = result.facts
    parts = [number(facts[name]) for name in ("before", "after") if facts[name] is not None]
    around = f" (at {listed(parts)} not, or not surely)" if parts else ""
    return {
        "shelf": f"There is a hidden shelf {stretch_words(facts)}{around}: before the loss falls, the answers at "
        "masked entries are mostly one number a matrix, which goes with the best symmetric answer.",
        "undecided": "Whether there is a hidden shelf is undecided.",
    }.get(
        facts["state"],
        "There is no hidden shelf: at no kept checkpoint before the loss falls are the answers mostly one number a "
        "matrix that goes with the best symmetric answer.",
    )


def _between(result: Result) -> str:
    row = _looked_at(result, "answers").iloc[0]
    return (
        f"At step {number(result.facts['looked_at'])} ({batch(row['n'], row['seed'], 'matrices')}) a share of "
        f"{_ends(row, 'between')} of the answers' variance is between matrices ({_ends(row, 'dealt_between')} when "
        f"they are dealt out to other matrices). With the observed entries dealt out anew to their places the answers "
        f"correlate with what they were by {_ends(row, 'symmetry')} (with those to another matrix: "
        f"{_ends(row, 'other_symmetry')})."
    )


def _followed(result: Result) -> Iterator[str]:
    rows = [row for _, row in _looked_at(result, "candidates").iterrows() if row["candidate"] != TRUTH]
    nearest, alike = explained_by(rows)
    if not nearest:
        yield f"No candidate goes with them: none has a correlation that is surely above {LITTLE:g}."
        return
    known = {str(row["candidate"]): row for row in rows}
    also = f"not told apart from {listed(alike)}" if alike else "told apart from the others"
    own, cube = known[nearest], known[CUBE]
    control = "" if is_absent(own["control"]) else f" (with that of another matrix: {_ends(own, 'control')})"
    yield (
        f"Of {len(rows)} candidates they go most with {nearest}, {also}: a correlation of "
        f"{_ends(own, 'correlation')}{control}."
    )
    if nearest != CUBE:
        said = Judged.of(cube, "behind").say(
            "goes with them less", "goes with them more", "is not told apart from that"
        )
        yield (
            f"The cube of the sum of the observed entries {said}: {_ends(cube, 'correlation')}, a difference of "
            f"{_ends(cube, 'behind')}; the sum itself {_ends(known['sum'], 'correlation')}."
        )


def _worth(result: Result) -> str:
    row = _looked_at(result, "answers").iloc[0]
    said = Judged.of(row, "short", negligible=AS_GOOD * abs(float(row["possible"]))).say(
        "more", "less", "not told apart from that", "as much"
    )
    return (
        f"L_mask is a share of {_ends(row, 'gain')} below that of answering 0. With the best symmetric answer of "
        f"degree 5 it would be {_ends(row, 'possible')} below: {said} (difference {_ends(row, 'short')}, paired)."
    )


def _heads(result: Result) -> str:
    """What goes with layers, with the head that most goes with, and with the choice that attention makes."""
    rows = result.table("heads")
    rows = rows[rows["share_low"].notna()]
    if rows.empty:
        return "No slope of the answers on the best symmetric answer is told from 0, so that no head carries one."
    by = {(row["group"], row["method"]): row for _, row in rows.iterrows()}
    layers = [name for name in dict.fromkeys(rows["group"]) if name.startswith("layer:")]
    parts = [f"{name.replace(':', ' ')} {_ends(by[name, 'mean'], 'share')}" for name in layers]
    single = rows[(rows["method"] == "mean") & rows["group"].str.fullmatch(r"L\d+H\d+")]
    most = single.sort_values("share", kind="stable").iloc[-1]
    half = Judged.of(most, "share", HALF).say("more than half", "less than half", "about half")
    return (
        f"The slope of the answers on the best symmetric answer goes with heads (z made its mean, share that goes): "
        f"{listed(parts)}; with one head most of all with {most['group']}, {half}, {_ends(most, 'share')} (slope on "
        f"that of another matrix: {_ends(most, 'other_share')}). With all attention made uniform a share of "
        f"{_ends(by['all', 'uniform'], 'share')} goes."
    )


def _not_zero(result: Result) -> str:
    """What it is of the claim that masked entries are answered by 0 before the drop."""
    row = _looked_at(result, "answers").iloc[0]
    size = Judged.of(row, "size", ZERO)
    apart = size.say("more than", "less than", "not told apart from")
    said = f"The mean square of the answers is {_ends(row, 'size')} times that of the entries, {apart} {ZERO:g}"
    if result.facts["state"] != "shelf":
        return f"{said}, up to which they count as 0."
    better = Judged.of(row, "gain").say("they already say something of the entries", "they are worse than 0", "")
    stands = (
        "the paper's first claim, that masked entries are answered by 0 before the drop, stands to its bound, not to "
        "the letter"
    )
    return (
        f"{said}: "
        + size.say(
            "masked entries are no longer answered by 0 here, as the paper's first claim has it of the whole plateau",
            f"{stands}{f'; {better}' if better else ''}",
            "whether they are answered by 0 here, as the paper's first claim has it, is not told",
        )
        + "."
    )


def _ends(row: pd.Series, column: str) -> str:
    return interval(*(row[f"{column}{end}"] for end in ("", "_low", "_high")))
