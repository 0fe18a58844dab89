"""Adam's updates over decays, over training and over absences of a token; and beside its flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals
from mcinterp.report.numbers import number
from mcinterp.report.palette import CONTROL, INK, MUTED, SERIES
from mcinterp.results import Result

ROW, SPACE, NAME = 4, 1.2, 2.2
"""Panels beside each other; between them, and above each for its name, in cells."""
BRIGHTEST = 20.0
"""Log₁₀ of the size from which on all cells are alike."""
SHOWN = ((0.9, 0.999), (0.8, 0.7), (0.9, 0.7), (0.99, 0.9), (0.99, 0.7), (0.999, 0.95))
"""Decays whose updates are drawn over training."""


def plane_figure(explosions: Result, names: Sequence[str]) -> go.Figure:
    """Every condition's largest update at the end, for all pairs of decays, the bound first; a line at r = 1.

    Args:
        explosions: the stored result.
        names: of the conditions.
    """
    pairs = np.array(explosions.facts["pairs"])
    ones, twos = (sorted(set(pairs[:, i])) for i in range(2))
    panels = [("bound", explosions.arrays["limits"][:, -1]), *zip(names, explosions.arrays["last"], strict=True)]
    wide, tall = len(twos) + SPACE, len(ones) + SPACE + NAME
    lines = -(-len(panels) // ROW)
    figure = blank(40 + 235 * lines, "", showlegend=False)
    for index, (name, values) in enumerate(panels):
        left, low = index % ROW * wide, -(index // ROW) * tall
        _panel(figure, values.reshape(len(ones), len(twos)), ones, twos, left, low)
        _name(figure, name, left, low + len(ones) - 0.4)
    figure.update_xaxes(visible=False, range=[-0.7, ROW * wide - SPACE])
    figure.update_yaxes(visible=False, range=[-(lines - 1) * tall - 0.7, len(ones) + NAME - 0.2])
    figure.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})
    return figure


def _panel(
    figure: go.Figure, values: np.ndarray, ones: Sequence[float], twos: Sequence[float], left: float, low: float
) -> None:
    said = [
        [f"β₁ {one:g}, β₂ {two:g}: {_power(values[i, j])}" for j, two in enumerate(twos)] for i, one in enumerate(ones)
    ]
    figure.add_heatmap(
        x=[left + at for at in range(len(twos))],
        y=[low + at for at in range(len(ones))],
        z=np.round(np.clip(values, 0, BRIGHTEST), 2).tolist(),
        customdata=said,
        hovertemplate="%{customdata}<extra></extra>",
        colorscale="Viridis",
        zmin=0,
        zmax=BRIGHTEST,
        xgap=1,
        ygap=1,
        showscale=False,
    )
    # Above the steps β₁² exceeds β₂.
    steps = [sum(one**2 < two for one in ones) - 0.5 for two in twos]
    x = [left + at + side for at in range(len(twos)) for side in (-0.5, 0.5)]
    y = [low + step for step in steps for _ in range(2)]
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": SERIES[1], "width": 2.4}, hoverinfo="skip")


def _name(figure: go.Figure, name: str, x: float, y: float) -> None:
    font = {"size": 12, "color": MUTED}
    place = {"x": x - 0.5, "y": y, "xanchor": "left", "yanchor": "bottom"}
    # On a narrow page a long name would run into the next one.
    figure.add_annotation(text=name.replace(", ", ",<br>"), align="left", showarrow=False, font=font, **place)


def _power(log: float) -> str:
    return number(10.0 ** float(log)) if -4 < log < 6 else f"10<sup>{number(float(log))}</sup>"


def sizes_figure(explosions: Result) -> go.Figure:
    """The largest entry of the update over training for some decays, each with its bound dashed."""
    pairs, updates = [tuple(pair) for pair in explosions.facts["pairs"]], explosions.arrays["update"].tolist()
    figure = blank(400, "update", "log₁₀ of the largest entry", hovermode="closest")
    for index, betas in enumerate(SHOWN):
        at, colour = pairs.index(betas), SERIES[index]
        name = f"β₁ {betas[0]:g}, β₂ {betas[1]:g}"
        for part, dash, width in (("sizes", "solid", 2.0), ("limits", "dash", 1.2)):
            figure.add_scatter(
                x=updates,
                y=np.round(explosions.arrays[part][at], 3).tolist(),
                mode="lines",
                name=name,
                legendgroup=name,
                showlegend=part == "sizes",
                line={"color": colour, "width": width, "dash": dash},
                hovertemplate=f"{name}{', bound' if part == 'limits' else ''}<br>update %{{x}}: %{{y:.2f}}"
                "<extra></extra>",
            )
    return figure


def slopes_figure(networks: pd.DataFrame, pairs: pd.DataFrame) -> go.Figure:
    """How fast exploded updates grow against ½ ln r, the identity, and the rate of the flow.

    Args:
        networks: rows of the table `networks` of one condition that have exploded.
        pairs: rows of the table `pairs` with r above 1.
    """
    figure = blank(400, "½ ln r", "growth of ln‖u‖∞ an update", xaxis_type="log", yaxis_type="log")
    ends = [float(pairs["growth"].min()), float(pairs["growth"].max())]
    figure.add_scatter(x=ends, y=ends, mode="lines", name="½ ln r", line={"color": MUTED, "width": 1, "dash": "dash"})
    figure.add_scatter(
        x=pairs["growth"].tolist(),
        y=pairs["flow_growth"].tolist(),
        mode="markers",
        name="the flow's, −C/2",
        marker={"color": CONTROL, "size": 9, "symbol": "x"},
        hovertemplate="%{y:.3g}<extra>flow</extra>",
    )
    figure.add_scatter(
        x=networks["growth"].tolist(),
        y=networks["slope"].tolist(),
        mode="markers",
        name="networks that have exploded",
        marker={"color": SERIES[0], "size": 6, "opacity": 0.7},
        text=[f"β₁ {row['beta1']:g}, β₂ {row['beta2']:g}, seed {row['seed']}" for row in networks.to_dict("records")],
        hovertemplate="%{text}: %{y:.3g}<extra></extra>",
    )
    figure.update_xaxes(exponentformat="power", dtick=1)
    figure.update_yaxes(exponentformat="power", dtick=1)
    return figure


def flow_figure(distances: pd.DataFrame) -> go.Figure:
    """The distance of Adam from its flow by learning rate, a colour for each pair of decays; dashed, exchanged.

    Args:
        distances: the table of that name.
    """
    figure = blank(360, "learning rate", "distance over the way", xaxis_type="log", yaxis_type="log")
    for index, (betas, rows) in enumerate(distances.groupby(["beta1", "beta2"], sort=False)):
        name = f"β₁ {betas[0]:g}, β₂ {betas[1]:g}"
        for column, dash, said in (("distance", "solid", ""), ("exchanged", "dot", ", exchanged")):
            figure.add_scatter(
                x=rows["rate"].tolist(),
                y=rows[column].tolist(),
                error_y=error_bars(rows, column),
                mode="lines+markers",
                name=name,
                legendgroup=name,
                showlegend=not said,
                line={"color": SERIES[index % len(SERIES)], "width": 1.6, "dash": dash},
                text=intervals(rows, column),
                hovertemplate=f"{name}{said}: %{{text}}<extra></extra>",
            )
    rates = sorted(distances["rate"].unique())
    figure.update_xaxes(tickvals=rates, ticktext=[f"{rate:g}" for rate in rates])
    figure.update_yaxes(exponentformat="power", dtick=1)
    return figure


def absence_figure(tokens: Result) -> go.Figure:
    """|m|/√v of one token's embedding over training in every setting, with a mark where the token comes."""
    settings = tokens.table("settings").to_dict("records")
    figure = blank(400, "update", "largest |m|/√v of the embedding", yaxis_type="log", hovermode="closest")
    for index, row in enumerate(settings):
        name = f"{row['tokens']}, β₁ {row['beta1']:g}, β₂ {row['beta2']:g}"
        colour: Any = SERIES[index % len(SERIES)]
        sizes, seen = tokens.arrays["size"][index], tokens.arrays["seen"][index] > 0
        shown = [float(size) if size > 0 else None for size in sizes]
        figure.add_scatter(
            x=list(range(1, len(shown) + 1)),
            y=shown,
            mode="lines",
            name=name,
            line={"color": colour, "width": 1.8},
            hovertemplate=f"{name}<br>update %{{x}}: %{{y:.3g}}<extra></extra>",
        )
        if index == 0:
            came = np.flatnonzero(seen & (sizes > 0))
            figure.add_scatter(
                x=(came + 1).tolist(),
                y=[shown[at] for at in came],
                mode="markers",
                name="the rare token comes",
                marker={"color": INK, "size": 7, "symbol": "triangle-down"},
                hovertemplate="update %{x}<extra></extra>",
            )
    figure.update_yaxes(exponentformat="power")
    return figure
