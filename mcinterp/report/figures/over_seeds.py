"""A number by seed, with its mean, against where a rule wants it."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows
from mcinterp.report.palette import INK, MUTED, VERDICTS

SYMBOLS = {"holds": "circle", "does not hold": "x", "undecided": "circle-open"}
"""Marker of a seed by its verdict, which is told apart without colours too."""
MEAN = "mean"
ROOM = 0.08
"""Beyond the outermost number, as a share of the span."""


def over_seeds_figure(finding: pd.Series, values: pd.DataFrame, seeds: list[int]) -> go.Figure:
    """Every seed's value with its interval, the mean with that over seeds, and the range in which the rule holds.

    Args:
        finding: a row of the findings over seeds.
        values: its rows by seed.
        seeds: all of them, those without a value too.
    """
    figure = blank(100, "", margin={"l": 10, "r": 14, "t": 8, "b": 10}, showlegend=False)
    low, high = _shown(finding, values)
    figure.update_xaxes(range=[low, high], exponentformat="power")
    _mark_rule(figure, finding, low, high)
    figure.add_scatter(
        x=values["value"].tolist(),
        y=[_named(seed) for seed in values["seed"]],
        error_x={**error_bars(values, "value"), "color": MUTED},
        mode="markers",
        marker={
            "size": 9,
            "color": [VERDICTS[verdict] for verdict in values["verdict"]],
            "symbol": [SYMBOLS[verdict] for verdict in values["verdict"]],
            "line": {"width": 1.5, "color": [VERDICTS[verdict] for verdict in values["verdict"]]},
        },
        customdata=[list(item) for item in zip(intervals(values, "value"), values["verdict"], strict=True)],
        hovertemplate="%{y}: %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
    )
    mean = finding.to_frame().T
    figure.add_scatter(
        x=mean["value"].tolist(),
        y=[MEAN],
        error_x={
            **error_bars(mean.astype({f"value{end}": float for end in ("", "_low", "_high")}), "value"),
            "color": INK,
        },
        mode="markers",
        marker={"size": 10, "color": INK, "symbol": "diamond"},
        customdata=[[*intervals(mean, "value"), finding["verdict"]]],
        hovertemplate="mean over seeds: %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
    )
    return on_rows(figure, [*map(_named, seeds), MEAN], around=62)


def _named(seed: int) -> str:
    return f"seed {seed}"


def _shown(finding: pd.Series, values: pd.DataFrame) -> tuple[float, float]:
    """Ends of the axis: around the rule and every interval of a seed, and that of the mean as far as it fits."""
    ends = [finding["rule_low"], finding["rule_high"], *values[["value", "value_low", "value_high"]].to_numpy().ravel()]
    finite = [float(end) for end in ends if math.isfinite(end)]
    least, most = min(finite), max(finite)
    span = (most - least) or abs(most) or 1.0
    if math.isfinite(finding["value_low"]):
        least, most = (
            max(min(least, finding["value_low"]), least - span),
            min(max(most, finding["value_high"]), most + span),
        )
    return least - ROOM * span, most + ROOM * span


def _mark_rule(figure: go.Figure, finding: pd.Series, low: float, high: float) -> None:
    """Shade where the rule holds, with a line at each end that it has."""
    ends = max(finding["rule_low"], low), min(finding["rule_high"], high)
    figure.add_vrect(x0=ends[0], x1=ends[1], fillcolor=VERDICTS["holds"], opacity=0.12, line_width=0)
    for end in {finding["rule_low"], finding["rule_high"]}:
        if math.isfinite(end):
            figure.add_vline(x=end, line={"color": MUTED, "width": 1, "dash": "dash"})
