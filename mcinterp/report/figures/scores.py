"""The score of every head for every class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, on_rows, text
from mcinterp.report.numbers import fixed, interval, number
from mcinterp.report.palette import BLUES, INK, MUTED
from mcinterp.results import Result


def scores_figure(taxonomy: Result) -> go.Figure:
    """Heads × classes, kind by kind; a check mark where the head fits the class.

    Args:
        taxonomy: the stored taxonomy of a checkpoint.
    """
    frame = taxonomy.table("scores")
    heads, classes = frame["head"].unique().tolist(), frame["class"].unique().tolist()
    cells = {(row["head"], row["class"]): row for row in frame.to_dict("records")}
    grid = [[cells.get((head, name)) for name in classes] for head in heads]
    figure = blank(300, "")
    figure.add_heatmap(
        x=[text(name) for name in classes],
        y=[text(head) for head in heads],
        z=[[cell["score"] if cell else None for cell in row] for row in grid],
        text=[[_mark(cell) for cell in row] for row in grid],
        customdata=[[_detail(cell) for cell in row] for row in grid],
        texttemplate="%{text}",
        textfont={"size": 10, "color": INK},
        hovertemplate="%{y}, %{x}<br>%{customdata}<extra></extra>",
        colorscale=BLUES,
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
        showscale=False,
    )
    sizes = frame.groupby("kind", sort=False)["class"].nunique()
    for end in sizes.cumsum()[:-1]:
        figure.add_vline(x=end - 0.5, line={"color": MUTED, "width": 1})
    figure.update_xaxes(side="top", showgrid=False, ticks="", type="category", tickangle=-40)
    figure.update_yaxes(showgrid=False, ticks="")
    return on_rows(figure, heads, around=150)


def _mark(cell: Mapping[Any, Any] | None) -> str:
    if cell is None:
        return ""
    score = fixed(cell["score"], 2)
    return f"{score}✓" if cell["fits"] else score


def _detail(cell: Mapping[Any, Any] | None) -> str:
    if cell is None:
        return "not scored"
    score = interval(cell["score"], cell["score_low"], cell["score_high"])
    controls = f"uniform head {number(cell['uniform'])}, untrained model {number(cell['untrained'])}"
    where = "" if cell.get("everywhere", True) else f"<br>below uniform attention at {text(cell['least_place'])}"
    return f"score {score}<br>threshold {number(cell['threshold'])}{where}<br>{controls}"
