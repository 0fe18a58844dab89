"""What a component of another checkpoint does to a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.numbers import interval, number
from mcinterp.report.palette import INK, MUTED, SERIES, part_colours
from mcinterp.report.scores import Scores
from mcinterp.results import Result

LABELS = 16
"""So many steps are written below a heat map; the others are told when pointed at."""
DIVERGING = [[0.0, SERIES[0]], [0.5, "#FFFFFF"], [1.0, SERIES[1]]]
LIMITS = {"into the last": 1.0, "later → earlier": 0.25, "earlier → later": 0.25}
"""Shares of the plateau at which the colours of each heat map end."""


def switching_figure(switching: Result, recipient: str) -> go.Figure:
    """Errors of a checkpoint with each component of the other one, and of an untrained model.

    Args:
        switching: the stored comparison of a run.
        recipient: 'before' or 'after', the checkpoint that components go into.
    """
    frame = switching.table("pre_post")
    frame = frame[frame["direction"].str.endswith(f"→ {recipient}")]
    trained = frame[frame["kind"] != "untrained"]
    scores = Scores.of(switching)
    figure = blank(300, text(scores.full), xaxis_type="log")
    figure.update_xaxes(tickangle=0)
    for part, colour in part_colours(scores.parts).items():
        name, switched = text(scores.words[part]), f"switched_{scores.unit}"
        _add(figure, trained[trained["entries"] == part], switched, name, colour, "circle")
        untrained = frame[(frame["kind"] == "untrained") & (frame["entries"] == part)]
        _add(figure, untrained, switched, f"{name}, untrained", colour, "x-thin-open")
    main, components = trained[trained["entries"] == scores.main], list(trained["component"].unique())
    for whose, name, dash in (("recipient", "unswitched", "solid"), ("donor", "donor", "dot")):
        level = float(main[f"{whose}_{scores.unit}"].iloc[0])
        _level(figure, components, level, text(f"{scores.said}, {name}"), dash)
    return on_rows(figure, components, around=165)


def exchange_figure(
    switching: Result, comparison: str, transition: Mapping[str, Any] | None = None
) -> go.Figure | None:
    """Change of the main score as a share of the plateau, step × component; None without such switches.

    Args:
        switching: the stored comparison of a run.
        comparison: which rows of its table `exchange`.
        transition: of the run; its drop is marked.
    """
    frame = switching.table("exchange")
    frame = frame[frame["comparison"] == comparison]
    if frame.empty:
        return None
    place = frame[["donor_step", "recipient_step"]].max(axis=1) if "→" in comparison else frame["donor_step"]
    frame = frame.assign(step=place)
    steps, components = sorted(frame["step"].unique().tolist()), frame["component"].unique().tolist()
    cells = {(row["component"], row["step"]): row for row in frame.to_dict("records")}
    grid = [[cells.get((component, step)) for step in steps] for component in components]
    plateau, limit = switching.facts["plateau"], LIMITS[comparison]
    figure = blank(300, "step of the later checkpoint" if "→" in comparison else "step the component comes from")
    figure.add_heatmap(
        x=list(range(len(steps))),
        y=[text(component) for component in components],
        z=[[cell["change"] / plateau if cell else None for cell in row] for row in grid],
        customdata=[[_detail(cell, Scores.of(switching)) for cell in row] for row in grid],
        hovertemplate="%{y}, %{customdata}<extra></extra>",
        colorscale=DIVERGING,
        zmin=-limit,
        zmax=limit,
        xgap=1,
        ygap=2,
        colorbar={
            "title": {"text": "of the plateau", "side": "right", "font": {"size": 11}},
            "tickformat": "+.0%",
            "tickfont": {"size": 11},
            "thickness": 10,
        },
    )
    # Counted from the last, so that the last is always written.
    labelled = list(range(len(steps) - 1, -1, -max(1, -(-len(steps) // LABELS))))
    figure.update_xaxes(tickvals=labelled, ticktext=[number(steps[at]) for at in labelled], tickangle=-60)
    figure.update_xaxes(tickfont_size=11, range=[-0.5, len(steps) - 0.5], zeroline=False, showgrid=False)
    figure.update_yaxes(showgrid=False, ticks="")
    _mark_drop(figure, steps, transition or {})
    return on_rows(figure, components, around=190)


def _add(figure: go.Figure, rows: pd.DataFrame, column: str, name: str, colour: str, symbol: str) -> None:
    if rows.empty:
        return
    details = zip(intervals(rows, column), intervals(rows, "change"), strict=True)
    figure.add_scatter(
        x=rows[column].tolist(),
        y=[text(component) for component in rows["component"]],
        error_x={**error_bars(rows, column), "color": colour},
        mode="markers",
        name=text(name),
        cliponaxis=False,
        opacity=0.55 if symbol != "circle" else 1,
        marker={"size": 9, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
        customdata=[list(detail) for detail in details],
        hovertemplate="%{y}: %{customdata[0]}<br>change %{customdata[1]}",
    )


def _level(figure: go.Figure, components: list[str], value: float, name: str, dash: str) -> None:
    """A level of the main score to compare with, across all rows."""
    figure.add_scatter(
        x=[value] * len(components),
        y=[text(component) for component in components],
        mode="lines",
        name=name,
        line={"color": MUTED, "width": 1.5, "dash": dash},
        hovertemplate="%{fullData.name}: %{x:.3g}<extra></extra>",
    )


def _detail(cell: Mapping[Any, Any] | None, scores: Scores) -> str:
    if cell is None:
        return "not switched"
    change = interval(cell["change"], cell["change_low"], cell["change_high"])
    own = f"{number(cell[f'recipient_{scores.unit}'])} → change {change}"
    return f"from {number(cell['donor_step'])} into {number(cell['recipient_step'])}<br>{text(scores.said)} {own}"


def _mark_drop(figure: go.Figure, steps: list[int], transition: Mapping[str, Any]) -> None:
    drops = transition.get("drops") or ([transition] if transition.get("found") else [])
    for drop, key in ((drop, key) for drop in drops for key in ("start", "end")):
        at = float(np.interp(drop[key], steps, range(len(steps))))
        figure.add_vline(x=at, line={"color": INK, "width": 1, "dash": "dash"})
        figure.add_annotation(
            text=f"drop {key}s",
            x=at,
            yref="paper",
            y=1,
            yanchor="bottom",
            xanchor="right" if key == "start" else "left",
            showarrow=False,
            font={"color": MUTED, "size": 11},
        )
