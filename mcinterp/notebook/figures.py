"""Figures in a notebook, drawn without the network and in the colours of its theme."""

from __future__ import annotations

import itertools
import sys

import plotly.graph_objects as go
from markupsafe import Markup

from mcinterp.report.assets import PLOTLY, asset
from mcinterp.report.palette import ON_DARK
from mcinterp.report.parts import embed_json, escape_json

_FIGURE = Markup(
    "{library}"
    '<div id="{id}"></div><script type="application/json" id="{id}-data">{data}</script>'
    '<script>(() => {{ const box = document.getElementById("{id}");'
    'if (!window.Plotly) {{ box.textContent = "Restart the kernel and run all cells: the cell that brought plotly.js '
    'is gone."; return; }}'
    "const light = (getComputedStyle(box).color.match(/[\\d.]+/g) || [0]).slice(0, 3).every((part) => part > 127);"
    "const onDark = {on_dark};"
    'const dark = (_, value) => (typeof value === "string" ? onDark[value] ?? value : value);'
    'const figure = JSON.parse(document.getElementById("{id}-data").textContent, light ? dark : undefined);'
    "Plotly.newPlot(box, figure.data, figure.layout, "
    '{{ responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" }}); }})()</script>'
)
# Where require.js is on the page plotly.js would hide in it; as arguments, the names of module systems are undefined.
_LIBRARY = Markup(
    '<script>window.PlotlyConfig = {{ MathJaxConfig: "local" }};'
    "if (!window.Plotly) (function (define, module, exports) {{ {plotly}\n}}).call(window)</script>"
)
views = itertools.count(1)
"""Numbers of what is drawn, so that no two elements of a notebook have one name."""


class OfflineFigure(go.Figure):  # type: ignore[misc]
    """A plotly figure that a notebook draws without the network; plotly's own way of drawing asks it for MathJax.

    The first figure of a kernel carries plotly.js (4.8 MB) for all that follow it in the notebook; in Colab, where
    every cell is a page of its own, each carries it.
    """

    _library_sent = False

    # IPython asks for this first, and plotly's answer draws with its own renderers.
    _ipython_display_ = None

    def _repr_mimebundle_(self, include: object = None, exclude: object = None, **_: object) -> dict[str, str]:
        return {"text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        first = not OfflineFigure._library_sent or "google.colab" in sys.modules
        OfflineFigure._library_sent = True
        return _FIGURE.format(
            id=f"mcinterp-figure-{next(views)}",
            library=_LIBRARY.format(plotly=Markup(asset(PLOTLY))) if first else "",
            on_dark=embed_json(ON_DARK),
            data=escape_json(self.to_json()),
        )
