"""Which entries are right first: rows, columns, and what is observed of them, and which heads the rows hang on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mcinterp.analysis.judged import Judged, Side
from mcinterp.report.numbers import interval, listed, number, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import batch
from mcinterp.report.tables import table_view
from mcinterp.report.views.plateau import transition_of
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.stairs import stairs_figure
from mcinterp.studies.matrix_completion.passes.stairs_bins import COLUMN, CONDITIONING, OBSERVED, ROW

LITTLE = 0.05
"""Errors that differ by a smaller share of that of answering 0 are told as the same."""
CAPTION = (
    "L_mask over that of answering 0 at every kept checkpoint, of masked entries by row, column, by how many entries "
    "of their row and column are observed, and by conditioning (the largest pivot of a vanishing minor that gives "
    "them), with 95 % interval; shaded: the drop of the loss."
)
MANY = 0.05
"""Bins of a smaller share of the entries are left out where the first and the last are told."""
TITLES = {"bins": "Every bin at every checkpoint", "heads": "What each head is worth in every row and column"}


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show the errors of entries by step and bin, and what heads are worth to rows and columns."""
    drops = list(transition_of(beside).get("drops") or [])  # type: ignore[call-overload]
    figures = [FigureView(CAPTION, stairs_figure(result, drops))]
    tables = [
        table_view(result.tables[name].frame, result.tables[name].columns, title, folded=True)
        for name, title in TITLES.items()
    ]
    return Section(result.name, result.title, sentences(result), figures, tables)


def sentences(result: Result) -> list[str]:
    """Where rows and columns differ most, which are right first, what of that is left, and which heads they hang on."""
    step = result.facts["looked_at"]
    rows = result.table("bins")
    here, last = rows[rows["step"] == step], rows[rows["step"] == rows["step"].max()]
    first = here.iloc[0]
    about = f"At step {number(step)} ({batch(first['n'], first['seed'], 'matrices')})"
    said = [_placed(about, here), *_given(here)]
    if int(last["step"].iloc[0]) != step:
        said.append(_placed(f"At the last checkpoint, step {number(int(last['step'].iloc[0]))},", last))
    return [*said, _control(here), _heads(result.table("heads"))]


def _placed(about: str, here: pd.DataFrame) -> str:
    parts = [_favoured(here[here["by"] == kind], kind) for kind in (ROW, COLUMN)]
    return f"{about} {'; '.join(parts)}."


def _favoured(rows: pd.DataFrame, kind: str) -> str:
    """Which bins are surely better than the others, and by how much."""
    known = rows[rows["left"].notna()]
    # What is no better than 0 is not right, however much worse the others are.
    ahead = _surely(known, "below")
    less = [Judged.of(row, "left", 1.0).side == "below" for _, row in ahead.iterrows()]
    better = ahead[np.array(less, dtype=bool)]
    if better.empty:
        return f"no {kind} is measurably right before the others (L_mask {_span(known)} of that of answering 0)"
    rest, one = known.drop(better.index), len(better) == 1
    return (
        f"{kind if one else f'{kind}s'} {listed([str(name) for name in better['bin']])} {'is' if one else 'are'} right "
        f"before the others (L_mask "
        f"{_span(better)} of that of answering 0, {_span(rest)} in the others)"
    )


def _surely(rows: pd.DataFrame, side: Side) -> pd.DataFrame:
    """Those that are apart from the others on that side."""
    sides = [Judged.of(row, "apart", negligible=LITTLE).side for _, row in rows.iterrows()]
    return rows[np.array([own == side for own in sides], dtype=bool)]


def _span(rows: pd.DataFrame) -> str:
    if rows.empty:
        return number(float("nan"))
    low, high = number(rows["left"].min(), 2), number(rows["left"].max(), 2)
    return low if low == high else f"{low} to {high}"


def _given(here: pd.DataFrame) -> Iterator[str]:
    """What the number observed and the conditioning do, between their first and their last bin."""
    for kind, words in ((OBSERVED, "least and most is observed"), (CONDITIONING, "the pivot is smallest and largest")):
        rows = here[(here["by"] == kind) & here["left_low"].notna()].sort_values("high", kind="stable")
        rows = rows[rows["entries"] >= MANY * rows["entries"].sum()]
        if len(rows) < 2:
            continue
        few, most = rows.iloc[0], rows.iloc[-1]
        said = Judged.beside(few, "left", most, "left", LITTLE).say(
            "falls", "rises", "is not told apart", "is the same"
        )
        yield f"Where {words}, L_mask over that of answering 0 {said}: {_ends(few, 'left')} and {_ends(most, 'left')}."


def _control(here: pd.DataFrame) -> str:
    known = here[here["shuffled_apart_low"].notna()]
    outside = sum(Judged.of(row, "shuffled_apart").side != "undecided" for _, row in known.iterrows())
    return (
        f"Control: with the bins shuffled {number(outside)} of {plural(len(known), 'bin')} come out apart from the "
        "others (chance alone gives 1 in 20)."
    )


def _heads(heads: pd.DataFrame) -> str:
    """The head whose loss is the most unequal over rows and columns."""
    known = heads[heads["apart_low"].notna()]
    harmed = _surely(known, "above").sort_values("apart", kind="stable")
    if harmed.empty:
        return "No head is measurably worth more to one row or column than to the others."
    most = harmed.iloc[-1]
    return (
        f"{plural(len(harmed), 'pair')} of a head and a row or column {'goes' if len(harmed) == 1 else 'go'} together, "
        f"most of all {most['head']} and {most['by']} {most['bin']}: without the head L_mask rises there by "
        f"{_ends(most, 'harm')} of that of answering 0, by {_ends(most, 'apart')} more than elsewhere (bins shuffled: "
        f"{_ends(most, 'shuffled_apart')})."
    )


def _ends(row: pd.Series, column: str) -> str:
    return interval(*(row[f"{column}{end}"] for end in ("", "_low", "_high")))
