"""Pictures of stepwise inference: accuracies, temperatures, lengths, what is learned first, and exemplars."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows
from mcinterp.report.palette import CONTROL, MUTED, SERIES

LOG_STEPS = {"type": "log", "tickformat": ",d", "dtick": "D2"}
REFERENCES = (
    ("walker", "random walk", "x"),
    ("closure", "trained pairs put end to end", "line-ns-open"),
    ("shown", "shown edges put end to end", "triangle-left-open"),
)
BELOW = {"y": -0.24, "yanchor": "top"}


def accuracy_figure(rows: pd.DataFrame) -> go.Figure:
    """Accuracies of a kind of held-out pairs by what was trained on, with the references.

    Args:
        rows: of the table `accuracy`.
    """
    figure = blank(300, "accuracy")
    places = [f"{row['graph']}, ≤ {row['longest']} edges" for row in rows.to_dict("records")]
    for column, name, colour in (("stepwise", "steps written", SERIES[0]), ("direct", "answered at once", SERIES[1])):
        figure.add_scatter(
            x=rows[column].tolist(),
            y=places,
            error_x=error_bars(rows, column, width=4),
            mode="markers",
            name=name,
            marker={"color": colour, "size": 10},
            text=intervals(rows, column),
            hovertemplate=f"{name}: %{{text}}<extra></extra>",
        )
    for column, name, symbol in REFERENCES:
        figure.add_scatter(
            x=rows[column].tolist(),
            y=places,
            mode="markers",
            name=name,
            marker={"color": MUTED, "size": 9, "symbol": symbol, "line": {"width": 2, "color": MUTED}},
            hovertemplate=f"{name}: %{{x:.3g}}<extra></extra>",
        )
    figure.add_vline(x=0.5, line={"color": CONTROL, "width": 1, "dash": "dot"})
    figure.update_xaxes(range=[0.42, 1.03])
    return on_rows(figure, places, around=210)


def trade_figure(trade: pd.DataFrame) -> go.Figure:
    """Accuracy, and the share of paths that samples find, over temperature."""
    figure = blank(340, "temperature", "probability, or share of paths")
    lines = (
        ("accuracy", "accuracy", SERIES[0], "solid"),
        ("found", "paths found in 30 samples", SERIES[1], "solid"),
        ("found_of_many", "paths found in 300 samples", SERIES[2], "solid"),
        ("oracle_found", "found in 30 of the path law", MUTED, "dash"),
    )
    for column, name, colour, dash in lines:
        _line(figure, trade, "temperature", column, name, {"color": colour, "dash": dash})
    figure.update_yaxes(range=[-0.03, 1.05])
    figure.update_layout(legend=BELOW, margin_t=14)
    return figure


def length_figure(lengths: pd.DataFrame, over: str) -> go.Figure:
    """How much longer or shorter true paths are than those of the references, over temperature or steps.

    Args:
        lengths: rows of the table `lengths`.
        over: `temperature` or `step`.
    """
    axis = {"xaxis": LOG_STEPS} if over == "step" else {}
    figure = blank(340, over, "edges more (or fewer)", **axis)
    lines = [("raw", "model, less the uniform law", SERIES[1], "solid")]
    if over == "temperature":
        lines.append(("sharpened", "path law at this temperature, less the uniform law", MUTED, "dash"))
    lines.append(("bias", "model, less a path law that fails as often", SERIES[0], "solid"))
    for column, name, colour, dash in lines:
        _line(figure, lengths, over, column, name, {"color": colour, "dash": dash})
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    figure.update_layout(legend=BELOW, margin_t=14)
    return figure


def order_figure(steps: pd.DataFrame) -> go.Figure:
    """Steps along edges and goals reached, over training."""
    figure = blank(320, "step", "share", xaxis=LOG_STEPS)
    rows = steps[steps["step"] > 0]
    for column, name, colour in (
        ("edges", "steps along edges", SERIES[0]),
        ("goals", "goals reached along edges", SERIES[1]),
    ):
        _line(figure, rows, "step", column, name, {"color": colour})
    figure.update_yaxes(range=[-0.03, 1.05])
    return figure


def steering_figure(steering: pd.DataFrame) -> go.Figure:
    """Share of chains that are followed, by their length, for each way to show exemplars.

    Args:
        steering: rows of the table `steering` of one network.
    """
    figure = blank(430, "motifs of the chain", "share followed")
    kinds = steering.groupby(["links", "exemplars"], sort=False)
    for index, ((links, shown), rows) in enumerate(kinds):
        style = {"color": SERIES[index % len(SERIES)], "dash": "solid" if links == "seen" else "dash"}
        _line(figure, rows, "motifs", "steered", f"{links} links, {_shown(str(shown))}", style)
    figure.add_vline(x=float(steering["longest"].iloc[0]) + 0.5, line={"color": MUTED, "width": 1, "dash": "dot"})
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(range=[-0.03, 1.05])
    figure.update_layout(legend={**BELOW, "y": -0.2}, margin_t=14)
    return figure


def conflict_figure(conflicts: pd.DataFrame) -> go.Figure:
    """Which of two links that part is taken, by network and arrangement."""
    figure = blank(300, "share of prompts", barmode="stack")
    places = [f"{row['network']}, {row['arrangement']}" for row in conflicts.to_dict("records")]
    for column, name, colour in (
        ("first", "the first", SERIES[0]),
        ("second", "the second", SERIES[1]),
        ("neither", "neither", CONTROL),
    ):
        figure.add_bar(
            x=conflicts[column].tolist(),
            y=places,
            orientation="h",
            name=name,
            marker={"color": colour},
            text=intervals(conflicts, column),
            textposition="none",
            hovertemplate=f"{name}: %{{text}}<extra></extra>",
        )
    figure.update_xaxes(range=[0, 1.02])
    return on_rows(figure, places)


def _shown(exemplars: str) -> str:
    return {"chain": "in the chain's order", "shuffled": "in a random order"}.get(exemplars, f"{exemplars} exemplars")


def _line(figure: go.Figure, rows: pd.DataFrame, x: str, column: str, name: str, line: dict[str, Any]) -> None:
    """A curve with the intervals of its points."""
    figure.add_scatter(
        x=rows[x].tolist(),
        y=rows[column].tolist(),
        error_y=error_bars(rows, column, width=2),
        mode="lines+markers",
        name=name,
        line={"width": 1.7, **line},
        marker={"size": 6},
        text=intervals(rows, column),
        hovertemplate=f"{name}, %{{x}}: %{{text}}<extra></extra>",
    )
