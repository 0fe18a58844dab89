"""The pass's section of a page, made of its stored result alone."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars
from mcinterp.report.numbers import interval, number
from mcinterp.report.palette import SERIES
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

INSIDE, OUTSIDE = "bits of the parity", "other bits"


def influence(result: Result, _: Mapping[str, Result]) -> Section:
    """Say how far influences reach among the bits of the parity and among the others, and draw all of them."""
    table = result.tables["influence"]
    frame = table.frame
    groups = {INSIDE: frame[frame["in_parity"]], OUTSIDE: frame[~frame["in_parity"]]}
    sentences = [_reach(name, rows) for name, rows in groups.items() if len(rows)]
    caption = (
        f"Influence of each bit of the input with its 95 % interval, {number(frame['n'].max())} samples: 0 where the "
        "answer stays as it is when the bit is flipped, 1 where 1 and −1 change places."
    )
    figures = [FigureView(caption, _bars(groups))]
    tables = [table_view(frame, table.columns, "Influence of each bit", folded=True)]
    return Section(result.name, result.title, sentences, figures, tables)


def _reach(name: str, rows: pd.DataFrame) -> str:
    """From the least to the most influential of some bits, in words that are right whatever the numbers are."""
    least, most = rows.loc[rows["influence"].idxmin()], rows.loc[rows["influence"].idxmax()]
    ends = (
        f"{interval(*(row[f'influence{end}'] for end in ('', '_low', '_high')))} (bit {row['bit']})"
        for row in (least, most)
    )
    return f"The influence of {name} goes from {' to '.join(ends)}."


def _bars(groups: Mapping[str, pd.DataFrame]) -> go.Figure:
    figure = blank(300, "bit", "influence")
    for (name, rows), colour in zip(groups.items(), SERIES, strict=False):
        bars = error_bars(rows, "influence")
        figure.add_bar(
            x=rows["bit"].tolist(), y=rows["influence"].tolist(), error_y=bars, name=name, marker_color=colour
        )
    return figure
