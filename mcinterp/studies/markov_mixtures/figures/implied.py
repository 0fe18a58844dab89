"""Transition matrices side by side: a chain's own, the model's and the algorithms', in one context."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, text
from mcinterp.report.numbers import number
from mcinterp.report.palette import BLUES

A_LINE = 3
CELL = 26
GAP, NAME = 0.8, 1.2
"""Between matrices, and for the name above each, in cells."""


def matrices_figure(rows: pd.DataFrame) -> go.Figure:
    """Every matrix as squares, from a state (down) to the next (across), darker the more probable.

    Args:
        rows: of the table `rows`, of one network and family.
    """
    names, size = list(dict.fromkeys(rows["of"])), int(rows["state"].max()) + 1
    tall, wide, lines = size + NAME + GAP, size + GAP, -(-len(names) // A_LINE)
    figure = blank(round(CELL * tall * lines) + 12, "", showlegend=False)
    for index, name in enumerate(names):
        values = rows[rows["of"] == name].pivot(index="state", columns="next", values="probability").to_numpy()
        top, left = index // A_LINE * tall + NAME, index % A_LINE * wide
        figure.add_heatmap(
            x=[left + at for at in range(size)],
            y=[top + at for at in range(size)],
            z=np.round(values, 3).tolist(),
            customdata=[
                [f"{state} → {to}: {number(p)}" for to, p in enumerate(row)] for state, row in enumerate(values)
            ],
            hovertemplate=text(name) + ", %{customdata}<extra></extra>",
            colorscale=BLUES,
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=1,
            ygap=1,
        )
        figure.add_annotation(
            x=left - 0.5, y=top - 0.6, text=text(name), showarrow=False, xanchor="left", yanchor="bottom"
        )
    figure.update_xaxes(visible=False, range=[-0.6, A_LINE * wide - GAP + 0.1])
    figure.update_yaxes(visible=False, range=[lines * tall - GAP - 0.3, -0.2])
    figure.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})
    return figure
