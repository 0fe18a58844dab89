"""Pictures of learning in concept space: paths, speeds, what is right when, and the images themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, intervals, text
from mcinterp.report.palette import INK, MUTED, SERIES
from mcinterp.studies.concept_space.images import NAMES, TRAINED
from mcinterp.studies.concept_space.networks import COLOURS
from mcinterp.studies.concept_space.prompts import NAIVE
from mcinterp.studies.concept_space.signals import COLOUR

BELOW = {"y": -0.24, "yanchor": "top"}
STRENGTH_COLOURS = dict(zip(COLOURS, SERIES, strict=False))
BARE = {"showgrid": False, "showline": False, "zeroline": False}
GAP = 1
"""Pixels between pictures; between blocks of them twice as many."""


def space_figure(curves: pd.DataFrame, turns: Mapping[str, float]) -> go.Figure:
    """The held-out prompt's path through concept space for every strength of colour, networks of one reading.

    Args:
        curves: rows of the table `curves` of one reading.
        turns: strength of colour → step of the turn, of those that have one.
    """
    figure = blank(430, "mean P(blue) of the images", "mean P(small)", legend=BELOW)
    for combination, name in NAMES.items():
        symbol = "square" if combination in TRAINED else "square-open"
        marker = {"size": 16, "color": MUTED, "symbol": symbol, "line": {"width": 2, "color": MUTED}}
        place = "top" if combination[1] else "bottom"
        label = {"text": [text(name)], "textposition": f"{place} {'left' if combination[0] else 'right'}"}
        xy = {"x": [combination[0]], "y": [combination[1]]}
        figure.add_scatter(**xy, **label, mode="markers+text", marker=marker, hoverinfo="skip", showlegend=False)
    for colours, rows in curves[curves["prompt"] == NAIVE].groupby("colours", sort=False):
        _path(figure, str(colours), rows, turns.get(str(colours)))
    figure.update_xaxes(range=[-0.08, 1.08])
    figure.update_yaxes(range=[-0.14, 1.14])
    return figure


def _path(figure: go.Figure, colours: str, rows: pd.DataFrame, turned: float | None) -> None:
    colour = STRENGTH_COLOURS[colours]
    figure.add_scatter(
        x=rows["blue"].tolist(),
        y=rows["small"].tolist(),
        name=f"{colours} colours",
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"color": colour, "size": 5},
        text=[f"step {step:,}" for step in rows["step"]],
        hovertemplate="%{text}: P(blue) %{x:.2f}, P(small) %{y:.2f}",
    )
    if turned is not None:
        at = rows.iloc[int(np.argmin(np.abs(np.log(rows["step"].clip(lower=1)) - np.log(turned))))]
        figure.add_scatter(
            x=[at["blue"]],
            y=[at["small"]],
            name=f"turn, {colours} colours",
            mode="markers",
            marker={"color": colour, "size": 15, "symbol": "star", "line": {"color": INK, "width": 1}},
            hovertemplate=f"turn, step {turned:,.0f}",
            showlegend=False,
        )


def speed_figure(learned: pd.DataFrame, signals: Mapping[str, float]) -> go.Figure:
    """Steps at which colour (filled) and size (open) are learned over the colour signal, a dot for every network.

    Args:
        learned: rows of the table `learned`.
        signals: strength of colour → colour signal of large discs.
    """
    axes = {
        "xaxis": {"type": "log", "tickvals": [1, 2, 4, 8, 16]},
        "yaxis": {"type": "log", "tickvals": [10, 20, 50, 100, 200, 500, 1000]},
    }
    figure = blank(400, "colour signal", "step", legend=BELOW, **axes)
    for colour, (reading, own) in zip(SERIES, learned[learned["reached"]].groupby("reading", sort=False), strict=False):
        for concept, rows in own.groupby("concept", sort=False):
            figure.add_scatter(
                x=[signals[colours] for colours in rows["colours"]],
                y=rows["step"].tolist(),
                name=f"{concept}, {reading}",
                mode="markers",
                marker={"color": colour, "size": 9, "symbol": "circle" if concept == COLOUR else "circle-open"},
                hovertemplate="step %{y:,.0f}",
            )
    return figure


def accuracy_figure(curves: pd.DataFrame, shown: Sequence[str], faint: Iterable[str] = ()) -> go.Figure:
    """Share of images that are right by step, mean over networks of one family with intervals.

    Args:
        curves: rows of the table `curves` of one family.
        shown: prompts with colours of their own.
        faint: nulls, which are grey and dashed.
    """
    steps = {"type": "log", "tickformat": ",d", "dtick": "D2"}
    figure = blank(380, "step", "share of images that are right", legend=BELOW, xaxis=steps, hovermode="x unified")
    known = curves[curves["step"] > 0]
    for colour, prompt in zip(SERIES, shown, strict=False):
        rows = known[known["prompt"] == prompt]
        if len(rows):
            _band(figure, rows, colour)
            _right(figure, rows, prompt, {"color": colour, "width": 2.2})
    for dash, prompt in zip(("dash", "dot"), faint, strict=False):
        rows = known[known["prompt"] == prompt]
        if len(rows):
            _right(figure, rows, prompt, {"color": MUTED, "width": 1.4, "dash": dash})
    figure.update_yaxes(range=[-0.03, 1.05])
    return figure


def _right(figure: go.Figure, rows: pd.DataFrame, name: str, line: Mapping[str, object]) -> None:
    figure.add_scatter(
        x=rows["step"].tolist(),
        y=rows["right"].tolist(),
        name=text(name),
        mode="lines",
        line=line,
        text=intervals(rows, "right"),
        hovertemplate="%{text}",
    )


def _band(figure: go.Figure, rows: pd.DataFrame, colour: str) -> None:
    steps = rows["step"].tolist()
    figure.add_scatter(
        x=[*steps, *reversed(steps)],
        y=[*rows["right_high"].clip(upper=1), *reversed(rows["right_low"].clip(lower=0).tolist())],
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def samples_figure(made: np.ndarray, real: np.ndarray, prompts: Sequence[str], steps: Sequence[int]) -> go.Figure:
    """Images by prompt (down) and step (across), those of a block side by side, and real ones at the end.

    Args:
        made: bytes, (prompt, step, image, pixels, pixels, 3).
        real: bytes, (image, pixels, pixels, 3).
        prompts, steps: of the axes.
    """
    column = np.repeat(real[None, None], len(prompts), axis=0)
    every = np.concatenate([made, column], axis=1)
    blocks = [[_block(images) for images in row] for row in every]
    canvas = np.concatenate([np.concatenate(row, axis=1) for row in blocks], axis=0)
    high, wide = blocks[0][0].shape[:2]
    figure = blank(96 + 50 * len(prompts), "step")
    figure.add_image(z=canvas.tolist(), colormodel="rgba256", hoverinfo="skip")
    names = [*(f"{step:,}" for step in steps), "real"]
    middle = (wide - 2 * GAP) / 2 - 0.5
    figure.update_xaxes(
        tickvals=[wide * at + middle for at in range(len(names))], ticktext=names, constrain="domain", **BARE
    )
    figure.update_yaxes(
        tickvals=[high * at + middle for at in range(len(prompts))],
        ticktext=[text(prompt) for prompt in prompts],
        **BARE,
        scaleanchor="x",
        constrain="domain",
        constraintoward="top",
    )
    return figure


def _block(images: np.ndarray) -> np.ndarray:
    """Four images as a square of two by two, with what is between them transparent."""
    padded = [_opaque(image) for image in images]
    rows = [np.concatenate(padded[at : at + 2], axis=1) for at in range(0, len(padded), 2)]
    return np.pad(np.concatenate(rows, axis=0), ((0, GAP), (0, GAP), (0, 0)))


def _opaque(image: np.ndarray) -> np.ndarray:
    """A picture with a fourth channel, and a transparent pixel beside and below."""
    solid = np.concatenate([image, np.full_like(image[..., :1], 255)], axis=-1)
    return np.pad(solid, ((0, GAP), (0, GAP), (0, 0)))
