"""How widely each head spreads its attention."""

from __future__ import annotations

import plotly.graph_objects as go

from mcinterp.report.figures.base import blank, error_bars, intervals, on_rows, text
from mcinterp.report.palette import MUTED, SERIES
from mcinterp.results import Result


def uniform_entropy(attention: Result) -> float:
    """Mean entropy of a head that looks at all keys alike, nats."""
    return float(attention.facts["uniform_entropy"])


def entropy_figure(attention: Result, family: str) -> go.Figure:
    """Mean entropy of every head's attention with its interval, and where a uniform head would be.

    Args:
        attention: the stored attention of a checkpoint.
        family: which family's inputs.
    """
    frame = attention.table("heads")
    frame = frame[frame["mask"] == family]
    uniform = uniform_entropy(attention)
    figure = blank(300, "entropy of the attention (nats)", showlegend=False)
    figure.add_scatter(
        x=frame["entropy"].tolist(),
        y=[text(head) for head in frame["head"]],
        error_x={**error_bars(frame, "entropy"), "color": SERIES[0]},
        mode="markers",
        cliponaxis=False,
        marker={"size": 8, "color": SERIES[0]},
        customdata=intervals(frame, "entropy"),
        hovertemplate="%{y}: %{customdata} nats<extra></extra>",
    )
    figure.add_vline(x=uniform, line={"color": MUTED, "width": 1, "dash": "dot"})
    figure.add_annotation(
        text="uniform",
        x=uniform,
        xanchor="right",
        yref="paper",
        y=1,
        yanchor="bottom",
        showarrow=False,
        font={"color": MUTED, "size": 12},
    )
    figure.update_xaxes(range=[0, 1.04 * uniform])
    return on_rows(figure, frame["head"].tolist(), around=86)
