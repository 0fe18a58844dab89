"""Which algorithm is nearest over steps, contexts and numbers of chains; divergence from the truth over steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, text
from mcinterp.report.figures.over_steps import over_steps_figure
from mcinterp.report.numbers import interval
from mcinterp.report.palette import CLASSES, CONTROL, INK, MUTED, SERIES
from mcinterp.studies.markov_mixtures.oracles import BI_INF, BI_RET, FOUR, PRIOR_ROW, UNI_INF, UNI_RET, UNIFORM

COLOURS: Mapping[str, str] = {
    UNI_RET: CLASSES[4],
    BI_RET: CLASSES[0],
    UNI_INF: CLASSES[1],
    BI_INF: CLASSES[3],
    PRIOR_ROW: MUTED,
    UNIFORM: CONTROL,
}
"""Retrieval blue, inference orange, unigrams light, bigrams dark, and what looks at no context grey."""
SURE, LEAST = 0.03, 0.15
"""Margin from which on a square is opaque, nats, and how opaque one without any is."""
ROW = 44


def phase_steps_figure(nearest: pd.DataFrame) -> go.Figure:
    """The nearest algorithm by step and network, more opaque the further it is before the second.

    Args:
        nearest: rows of the table `nearest` of late places.
    """
    return _map(
        nearest[nearest["step"] > 0], "step", {"type": "log", "title_text": "step", "dtick": 1, "tickformat": ",d"}
    )


def phase_contexts_figure(nearest: pd.DataFrame, contexts: Sequence[str]) -> go.Figure:
    """The same by context at the last step.

    Args:
        nearest: rows of the table of these contexts.
        contexts: in order.
    """
    axis = {"type": "category", "categoryorder": "array", "categoryarray": list(contexts), "title_text": "tokens seen"}
    return _map(nearest, "context", axis)


def _map(frame: pd.DataFrame, x: str, axis: Mapping[str, Any]) -> go.Figure:
    networks = list(dict.fromkeys(frame["network"]))
    figure = blank(126 + ROW * len(networks), "", hovermode="closest")
    for name, colour in COLOURS.items():
        rows = frame[frame["nearest"] == name]
        if len(rows):
            figure.add_scatter(
                x=rows[x].tolist(),
                y=[text(network) for network in rows["network"]],
                mode="markers",
                name=text(name),
                showlegend=False,
                marker={"symbol": "square", "size": 15, "color": colour, "opacity": _opacities(rows)},
                customdata=_told(rows),
                hovertemplate="%{y}, " + ("step %{x:,d}" if x == "step" else "%{x} tokens") + "<br>%{customdata}",
            )
            # The legend's squares are opaque, whatever the margins of the first ones are.
            square = {"symbol": "square", "size": 15, "color": colour}
            figure.add_scatter(x=[None], y=[None], mode="markers", name=text(name), marker=square)
    figure.update_xaxes(**axis, zeroline=False)
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[text(network) for network in networks],
        range=[len(networks) - 0.5, -0.5],
        zeroline=False,
    )
    return figure


def _opacities(rows: pd.DataFrame) -> list[float]:
    return [round(max(LEAST, min(1.0, margin / SURE)), 2) for margin in rows["margin"]]


def _told(rows: pd.DataFrame) -> list[str]:
    margins = intervals(rows, "margin")
    return [
        text(
            f"{row['nearest']}, {margin} before {row['second']}"
            + ("" if row["verdict"] == "nearest" else ": not told apart")
        )
        for row, margin in zip(rows.to_dict("records"), margins, strict=True)
    ]


def truth_figure(truth: pd.DataFrame, lines: pd.DataFrame, predicted: pd.DataFrame | None) -> go.Figure:
    """Divergence from the truth over steps, of one network, with what the algorithms have as horizontal lines.

    Args:
        truth: rows of the table `truth` of the network.
        lines: of the table `lines`.
        predicted: of the table `predicted`; None where mixtures were not measured.
    """
    colours = {"ID": INK, "OOD": SERIES[2]}
    frame = truth.assign(curve=truth["family"])
    figure = over_steps_figure(frame, "kl", "curve", "KL(truth ‖ ·), nats", {}, height=400, colours=colours.__getitem__)
    if predicted is not None:
        _predicted(figure, predicted[predicted["step"] > 0].sort_values("step"))
    steps = truth["step"][truth["step"] > 0]
    for name in FOUR:
        row = lines[(lines["oracle"] == name) & (lines["family"] == "OOD")].iloc[0]
        _line(figure, row, f"{name}, OOD", [float(steps.min()), float(steps.max())])
    top = truth[truth["step"] > 0]["kl"].max()
    highest = lines[lines["oracle"].isin(FOUR) & (lines["family"] == "OOD")]["kl"].max()
    figure.update_yaxes(range=[0, 1.08 * max(float(top), float(highest))])
    return figure


def _predicted(figure: go.Figure, rows: pd.DataFrame) -> None:
    figure.add_scatter(
        x=rows["step"].tolist(),
        y=rows["predicted"].tolist(),
        mode="lines",
        name="OOD as the mixture predicts",
        line={"color": SERIES[2], "width": 1.6, "dash": "dash"},
        customdata=intervals(rows, "predicted"),
        hovertemplate="%{customdata}",
    )


def _line(figure: go.Figure, row: pd.Series, name: str, ends: list[float]) -> None:
    figure.add_scatter(
        x=ends,
        y=[float(row["kl"])] * 2,
        mode="lines",
        name=text(name),
        line={"color": COLOURS[str(row["oracle"])], "width": 1.4, "dash": "dot"},
        hovertemplate=text(f"{name}: {interval(row['kl'], row['kl_low'], row['kl_high'])}") + "<extra></extra>",
    )


def choices_figure(choices: pd.DataFrame, contexts: Sequence[str]) -> go.Figure:
    """By how much Bi-Inf is nearer than Bi-Ret at the last step, by context, a curve for each network.

    Args:
        choices: rows of the table `choices`.
        contexts: in order.
    """
    figure = blank(360, "tokens seen", "distance to Bi-Ret − to Bi-Inf, nats")
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=list(contexts), zeroline=False)
    chosen = choices[choices["context"].isin(contexts)]
    for index, (name, rows) in enumerate(chosen.groupby("network", sort=False)):
        colour = SERIES[index % len(SERIES)]
        figure.add_scatter(
            x=rows["context"].tolist(),
            y=rows["difference"].tolist(),
            error_y={**error_bars(rows, "difference"), "color": colour},
            mode="lines+markers",
            name=text(name),
            line={"color": colour, "width": 2},
            marker={"size": 6},
            customdata=intervals(rows, "difference"),
            hovertemplate="%{x} tokens: %{customdata}",
        )
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    return figure
