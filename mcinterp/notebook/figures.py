"""Figures in a notebook, drawn without the network and in the colours of its theme."""

from __future__ import annotations

import itertools

import plotly.graph_objects as go
from markupsafe import Markup

from mcinterp.notebook.library import carried, ready
from mcinterp.report.assets import PLOTLY
from mcinterp.report.palette import ON_DARK
from mcinterp.report.parts import embed_json, escape_json

_FIGURE = Markup(
    '<div id="{id}"></div>{library}<script type="application/json" id="{id}-data">{data}</script>'
    '<script>(() => {{ const box = document.getElementById("{id}");'
    "const light = (getComputedStyle(box).color.match(/[\\d.]+/g) || [0]).slice(0, 3).every((part) => part > 127);"
    "const onDark = {on_dark};"
    'const dark = (_, value) => (typeof value === "string" ? onDark[value] ?? value : value);'
    'const figure = JSON.parse(document.getElementById("{id}-data").textContent, light ? dark : undefined);'
    "{ready}.then(() => Plotly.newPlot(box, {{ ...figure, config: "
    '{{ responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" }} }}))'
    ".catch((error) => {{ box.textContent = `This browser cannot draw the figure: ${{error.message}}`; }}); "
    "}})()</script>"
)
views = itertools.count(1)
"""Numbers of what is drawn, so that no two elements of a notebook have one name."""


class OfflineFigure(go.Figure):  # type: ignore[misc]
    """A plotly figure that a notebook draws without the network; plotly's own way of drawing asks it for MathJax.

    Each carries plotly.js, packed (2 MB), so that whatever becomes of other cells a saved notebook keeps its figures.
    """

    # IPython asks for this first, and plotly's answer draws with its own renderers.
    _ipython_display_ = None

    def _repr_mimebundle_(self, include: object = None, exclude: object = None, **_: object) -> dict[str, str]:
        return {"text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        name = f"mcinterp-figure-{next(views)}"
        return _FIGURE.format(
            id=name,
            library=carried("Plotly", PLOTLY, name),
            ready=ready("Plotly"),
            on_dark=embed_json(ON_DARK),
            data=escape_json(self.to_json()),
        )
