"""How far the answers of a checkpoint are from those of known algorithms, by what has been seen."""

from __future__ import annotations

import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, text
from mcinterp.report.palette import SERIES
from mcinterp.results import Result


def oracle_contexts_figure(oracles: Result, step: int) -> go.Figure:
    """The distance to every algorithm by context, on a logarithmic axis; the context of all late places is left out.

    Args:
        oracles: the stored comparison with algorithms.
        step: a checkpoint of it.
    """
    frame, contexts = oracles.table("distances"), oracles.facts["contexts"]
    frame = frame[(frame["step"] == step) & frame["context"].isin(contexts[1:])]
    figure = blank(340, "tokens seen", text(oracles.facts["divergence"]))
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=contexts[1:], zeroline=False)
    figure.update_yaxes(type="log")
    for index, (name, rows) in enumerate(frame.groupby("oracle", sort=False)):
        colour = SERIES[index % len(SERIES)]
        figure.add_scatter(
            x=rows["context"].tolist(),
            y=[value if value > 0 else None for value in rows["distance"]],
            error_y={**error_bars(rows, "distance"), "color": colour},
            mode="lines+markers",
            name=text(name),
            line={"color": colour, "width": 2},
            marker={"size": 6},
            customdata=intervals(rows, "distance"),
            hovertemplate="%{x}: %{customdata}",
        )
    return figure
