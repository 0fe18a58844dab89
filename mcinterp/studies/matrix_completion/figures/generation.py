"""How often each way of writing a matrix is right."""

from __future__ import annotations

import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.palette import SERIES
from mcinterp.results import Result

COLOURS = {"masked": SERIES[1], "observed": SERIES[0], "all": SERIES[2]}


def generation_figure(generation: Result) -> go.Figure:
    """Share of entries whose token is right, for every way of answering.

    Args:
        generation: the stored generation of a checkpoint.
    """
    frame = generation.table("generation")
    figure = blank(300, "share of right tokens")
    figure.update_xaxes(range=[-0.02, 1.02])
    for entries, rows in frame.groupby("entries", sort=False):
        colour = COLOURS.get(str(entries), SERIES[3])
        figure.add_scatter(
            x=rows["exact"].tolist(),
            y=[text(name) for name in rows["answers"]],
            error_x={**error_bars(rows, "exact"), "color": colour},
            mode="markers",
            name=text(f"{entries} entries"),
            visible="legendonly" if entries == "all" else True,
            cliponaxis=False,
            marker={"size": 9, "color": colour},
            customdata=intervals(rows, "exact"),
            hovertemplate="%{y}: %{customdata}",
        )
    return on_rows(figure, frame["answers"].unique().tolist(), around=118)
