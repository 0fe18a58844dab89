"""Circuits: what each head reads and writes by its weights alone, and how much of what it does that is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from mcinterp.report.figures import circuits_figure
from mcinterp.report.numbers import number, plural
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result

CAPTION = (
    "Share of the squares of each head's attention scores that its QK circuits account for, with 95 % interval: 1 is "
    "all of it, 0 no more than equal scores, and what lies below −0.5 is drawn there. Crosses: positions and tokens "
    "shuffled."
)
ABOUT = (
    "The circuits follow the embeddings along the residual stream alone, with the scales of LayerNorms frozen: beyond "
    "the first layer they leave out what earlier heads and MLPs write. They tell what the weights read and write, not "
    "whether the model has learned anything: an untrained head's circuits account for its scores, too."
)
HEADING = "Attention scores that the QK circuits account for, mean share over heads"
FIRST, LATER = "first layer", "later layers"
ROWS = (
    (FIRST, "position_r2", "first layer, positions alone"),
    (FIRST, "token_r2", "first layer, tokens alone"),
    (FIRST, "direct_r2", "first layer, together"),
    (LATER, "position_r2", "later layers, positions alone"),
    (LATER, "token_r2", "later layers, tokens alone"),
    (LATER, "direct_r2", "later layers, together"),
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the circuits of a checkpoint; their pictures stand on the heads' pages."""
    table = result.tables["heads"]
    return Section(
        result.name,
        result.title,
        [*sentences(table.frame, result.facts["sample_names"][1]), ABOUT],
        [FigureView(CAPTION, circuits_figure(result))],
        [table_view(table.frame, table.columns, "Circuits of every head; their pictures are on the heads' pages")],
    )


def rows(steps: Steps) -> list[Row]:
    """The mean shares of the first layer's heads and of all later ones at every checkpoint."""
    frames = [result.table("heads") for result in found(steps, "circuits")]
    deep = any(len(_of(frame, LATER)) for frame in frames)
    return [
        (HEADING, label, "", each(steps, "circuits", partial(_cell, part, column)))
        for part, column, label in ROWS
        if frames and (part == FIRST or deep)
    ]


def sentences(frame: pd.DataFrame, samples: str) -> list[str]:
    """What the circuits account for in the first layer and in later ones."""
    return [_sentence(part, own, samples) for part in (FIRST, LATER) if len(own := _of(frame, part))]


def _of(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    first = frame["head"].str.startswith("L0H")
    return frame[first if part == FIRST else ~first]


def _sentence(part: str, rows_: pd.DataFrame, samples: str) -> str:
    known = rows_[rows_["direct_r2"].notna()]
    heads = plural(len(rows_), "head")
    if known.empty:
        return (
            f"In the {part} ({heads}) no head's scores differ from key to key, so that there is nothing to account for."
        )
    best, worst = (known.iloc[int(at)] for at in (known["direct_r2"].argmax(), known["direct_r2"].argmin()))
    missing = f", {len(rows_) - len(known)} without any to account for" if len(known) < len(rows_) else ""
    return (
        f"In the {part} ({heads}{missing}; n = {number(known['n'].iloc[0])} {samples}) positions and tokens account "
        f"together for a share of {number(known['direct_r2'].mean())} of the attention scores on average over heads, "
        f"from {number(worst['direct_r2'])} in {worst['head']} to {number(best['direct_r2'])} in {best['head']}; "
        f"positions alone for {number(known['position_r2'].mean())}, tokens alone for "
        f"{number(known['token_r2'].mean())}, and with shuffled labels both for {number(known['shuffled_r2'].mean())}."
    )


def _cell(part: str, column: str, result: Result) -> Cell:
    shares = _of(result.table("heads"), part)[column].dropna()
    return Cell(number(shares.mean()), note=f"of {plural(len(shares), 'head')}") if len(shares) else NOTHING
