"""What a linear probe reads from the residual stream, layer by layer."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, text
from mcinterp.report.palette import SERIES
from mcinterp.results import Result

METRICS = {"mse": "test MSE", "cosine": "test |cosine|"}


def probe_figure(probes: Result, target: str, metric: str = "mse") -> go.Figure:
    """Test score of the probes for one target, with the same probe on shuffled targets.

    Args:
        probes: the stored probes of a checkpoint.
        target: which target.
        metric: 'mse' or 'cosine'.
    """
    frame = probes.table("probes")
    frame = frame[frame["target"] == target]
    figure = blank(320, "after block (0: embeddings)", METRICS[metric])
    figure.update_xaxes(dtick=1, zeroline=False)
    figure.update_yaxes(rangemode="tozero")
    for index, (places, rows) in enumerate(frame.groupby("entries", sort=False)):
        rows = rows.sort_values("layer")
        colour = SERIES[index % len(SERIES)]
        _add_probe(figure, rows, metric, str(places), colour)
        _add_controls(figure, rows, metric, str(places), colour)
    return figure


def _add_probe(figure: go.Figure, rows: pd.DataFrame, metric: str, places: str, colour: str) -> None:
    column = f"test_{metric}"
    figure.add_scatter(
        x=rows["layer"].tolist(),
        y=rows[column].tolist(),
        error_y={**error_bars(rows, column), "color": colour},
        mode="lines+markers",
        name=text(_named("probe", places)),
        line={"color": colour, "width": 2},
        marker={"size": 7},
        customdata=intervals(rows, column),
        hovertemplate="block %{x}: %{customdata}",
    )


def _add_controls(figure: go.Figure, rows: pd.DataFrame, metric: str, places: str, colour: str) -> None:
    controls = [(f"control_{metric}", "shuffled", "dash")]
    if metric == "mse":
        controls.append(("constant_mse", "constant", "dot"))
    for column, label, dash in controls:
        if column in rows and rows[column].notna().any():
            figure.add_scatter(
                x=rows["layer"].tolist(),
                y=[value if value == value else None for value in rows[column]],
                mode="lines",
                name=text(_named(label, places)),
                line={"color": colour, "width": 1.5, "dash": dash},
                opacity=0.6,
                hovertemplate="%{y:.3g}",
            )


def _named(name: str, places: str) -> str:
    return name if places == "all" else f"{name} ({places})"
