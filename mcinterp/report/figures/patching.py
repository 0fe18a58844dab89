"""How far each patch moves the output towards the source's answers."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.palette import part_colours
from mcinterp.report.scores import Scores
from mcinterp.results import Result

SYMBOLS = ("circle", "diamond-open")


def patching_figure(patching: Result, heads: bool | None = None) -> go.Figure:
    """How much nearer the output is to the source's answers than to the base's, for each part of them.

    Args:
        patching: the stored patching of a checkpoint.
        heads: only single heads (True), only groups and controls (False), or both.
    """
    frame = patching.table("patching")
    if heads is not None:
        frame = frame[(frame["kind"] == "head") == heads]
    scores = Scores.of(patching)
    colours = part_colours(scores.parts)
    figure = blank(300, text(f"{scores.short} to base − {scores.short} to source"))
    figure.update_xaxes(rangemode="tozero")
    directions = frame["direction"].unique().tolist()
    for number_, (names, rows) in enumerate(frame.groupby(["direction", "entries"], sort=False)):
        direction, part = map(str, names)
        shown = number_ == 0 or (direction == directions[0])
        _add(figure, rows, f"{direction}, {scores.places[part]}", colours[part], directions.index(direction), shown)
    return on_rows(figure, frame["group"].unique().tolist(), around=138)


def _add(figure: go.Figure, rows: pd.DataFrame, name: str, colour: str, symbol: int, shown: bool) -> None:
    figure.add_scatter(
        x=rows["nearer"].tolist(),
        y=[text(group) for group in rows["group"]],
        error_x={**error_bars(rows, "nearer"), "color": colour},
        mode="markers",
        name=text(name),
        visible=True if shown else "legendonly",
        cliponaxis=False,
        marker={"size": 9, "color": colour, "symbol": SYMBOLS[symbol % 2]},
        customdata=intervals(rows, "nearer"),
        hovertemplate="%{y}: %{customdata}",
    )
