"""Forking tokens: the outcome's law along a text, the change posterior under it, and the tree at one position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import AXIS, drawn, text
from mcinterp.report.palette import CLASSES, CONTROL, INK, MUTED

LABELS = 64
"""A text of up to so many tokens has them written at its axis."""
ALPHA = "99"
"""Opacity of a flow, as the last two digits of its colour."""


def outcome_colours(outcomes: Sequence[str]) -> dict[str, str]:
    """A colour for every outcome, in order; the last one, other, is grey."""
    named = {name: CLASSES[i % len(CLASSES)] for i, name in enumerate(outcomes[:-1])}
    return {**named, outcomes[-1]: CONTROL}


def outcome_areas_figure(
    laws: np.ndarray, tokens: Sequence[str], outcomes: Sequence[str], bars: Mapping[str, Sequence[float]]
) -> go.Figure:
    """Laws as stacked areas over the text, and under them bars of each token, such as its change posterior.

    Args:
        laws: of the outcome before each token, and after the last where it is known, (T or T + 1, outcome).
        tokens: texts of the tokens, T.
        outcomes: their names, other last.
        bars: of each token by what they show, in 0 … 1; at most a few.
    """
    colours = outcome_colours(outcomes)
    places = list(range(len(laws)))
    # An outcome that never has a share worth seeing takes no place in the legend.
    shown = [k for k in range(len(outcomes)) if laws[:, k].max() > 0.005]
    traces = [_area(places, laws[:, k].tolist(), outcomes[k], colours[outcomes[k]]) for k in shown]
    heights = _rows(len(bars))
    layout: dict[str, Any] = {"yaxis": {"domain": [heights[0] + 0.04, 1.0], "range": [0, 1]}}
    for row, (name, values) in enumerate(bars.items(), 1):
        traces.append(_bars(tokens, values, name, f"y{row + 1}"))
        low = heights[row]
        layout[f"yaxis{row + 1}"] = {**AXIS, "domain": [low, heights[row - 1] - 0.02], "range": [0, 1], "nticks": 3}
        layout[f"yaxis{row + 1}"] |= {"title_text": name, "anchor": "x", "title_font_size": 11}
    ticks = {"tickvals": [i + 0.5 for i in range(len(tokens))], "ticktext": [_short(token) for token in tokens]}
    axis = {"range": [0, len(tokens)], "anchor": f"y{len(bars) + 1}" if bars else "y", "tickangle": -60}
    layout["xaxis"] = {**axis, **(ticks if len(tokens) <= LABELS else {"title_text": "tokens of the text"})}
    return drawn(330 + 90 * len(bars), "", "law of the outcome", traces, **layout)


def fork_tree_figure(branches: pd.DataFrame, before: str) -> go.Figure:
    """The tree at one position: from the text to its branches, as wide as their weights, and on to their outcomes.

    Args:
        branches: rows of one position, with branch, weight, outcome and share; outcomes in order, other last.
        before: the text that it branches from.
    """
    outcomes = list(dict.fromkeys(branches["outcome"]))
    colours = outcome_colours(outcomes)
    flows = branches[branches["share"] > 0]
    names = list(dict.fromkeys(flows["number"]))
    firsts = flows.drop_duplicates("number").set_index("number")
    reached = [name for name in outcomes if (flows["outcome"] == name).any()]
    of_branch, of_outcome = ({name: i for i, name in enumerate(part)} for part in (names, reached))
    labels = [_short(before, 24, last=True)]
    labels += [f"{_short(firsts['branch'][name])} {firsts['weight'][name]:.2f}" for name in names]
    labels += [text(name) for name in reached]
    ends = 1 + len(names)
    link = {
        "source": [0] * len(names) + [1 + of_branch[name] for name in flows["number"]],
        "target": [1 + of_branch[name] for name in names] + [ends + of_outcome[name] for name in flows["outcome"]],
        "value": [float(firsts["weight"][name]) for name in names] + (flows["weight"] * flows["share"]).tolist(),
        "color": [f"{CONTROL}{ALPHA}"] * len(names) + [f"{colours[name]}{ALPHA}" for name in flows["outcome"]],
        "hovertemplate": "%{value:.3f}<extra></extra>",
    }
    own = [MUTED] + [INK if firsts["base"][name] else CONTROL for name in names] + [colours[n] for n in reached]
    node = {"label": labels, "color": own, "pad": 14, "thickness": 14, "line": {"width": 0}}
    node["hovertemplate"] = "%{label}<extra></extra>"
    trace = {"type": "sankey", "node": node, "link": link, "textfont": {"color": INK, "size": 12}}
    return drawn(120 + 44 * max(len(names), len(reached)), "", "", [trace])


def _area(places: Sequence[int], values: Sequence[float], name: str, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": places,
        "y": values,
        "name": text(name),
        "mode": "lines",
        "stackgroup": "law",
        "line": {"width": 0.5, "color": colour},
        "fillcolor": colour,
        "hovertemplate": "%{y:.3f}",
    }


def _bars(tokens: Sequence[str], values: Sequence[float], name: str, axis: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": [i + 0.5 for i in range(len(values))],
        "y": [float(value) if np.isfinite(value) else None for value in values],
        "yaxis": axis,
        "name": name,
        "showlegend": False,
        "width": 0.9,
        "marker": {"color": INK},
        "customdata": [text(token) for token in tokens[: len(values)]],
        "hovertemplate": "%{customdata}: %{y:.3f}<extra></extra>",
    }


def _rows(n: int) -> list[float]:
    """Lower ends of the rows of a figure with `n` rows of bars below the areas, as shares of its height."""
    height = 330 + 90 * n
    return [90 * (n - row) / height for row in range(n + 1)]


def _short(token: str, most: int = 16, last: bool = False) -> str:
    """A token as a label: one line, blanks visible at its ends where there is nothing else."""
    said = " ".join(token.split()) or repr(token)
    if len(said) <= most:
        return text(said)
    return text(f"…{said[-most:]}" if last else f"{said[:most]}…")
