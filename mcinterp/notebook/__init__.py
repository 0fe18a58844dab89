"""Stored results in a notebook, drawn as on the pages and, like them, without the network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup

from mcinterp.errors import InputError, nearest_name
from mcinterp.report.assets import CIRCUITSVIS, PLOTLY, asset
from mcinterp.report.figures import ablation_figure, curve_figure, scores_figure
from mcinterp.report.masks import describe_mask, draw_mask
from mcinterp.report.parts import Section, embed_json, escape_json
from mcinterp.report.views import view_of
from mcinterp.report.views.attention import payload
from mcinterp.results import Result

_SCRIPT = Markup(
    '<div id="{id}"></div><figure style="margin:1em 0">{mask}<figcaption>{words}</figcaption></figure>'
    '<script type="application/json" id="{id}-data">{data}</script><script>(() => {{ {library}\n'
    'const props = JSON.parse(document.getElementById("{id}-data").textContent);'
    'CircuitsVis.render("{id}", CircuitsVis.AttentionHeads, props); }})()</script>'
)
_FIGURE = Markup(
    "{library}"
    '<div id="{id}"></div><script type="application/json" id="{id}-data">{data}</script>'
    '<script>(() => {{ const box = document.getElementById("{id}");'
    'if (!window.Plotly) {{ box.textContent = "Restart the kernel and run all cells: the cell that brought plotly.js '
    'is gone."; return; }}'
    'const figure = JSON.parse(document.getElementById("{id}-data").textContent);'
    "Plotly.newPlot(box, figure.data, figure.layout, "
    '{{ responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" }}); }})()</script>'
)
# Where require.js is on the page plotly.js would hide in it; as arguments, the names of module systems are undefined.
_LIBRARY = Markup(
    '<script>window.PlotlyConfig = {{ MathJaxConfig: "local" }};'
    "if (!window.Plotly) (function (define, module, exports) {{ {plotly}\n}}).call(window)</script>"
)
_views = itertools.count(1)


class AttentionView:
    """Attention maps of some heads under one mask; a notebook draws it with CircuitsVis, the mask beneath.

    The drawing library (1.3 MB) travels inside the output, so that the saved notebook also opens offline.

    Attributes:
        mask: name of the mask.
        heads: names of the heads shown.
        props: what CircuitsVis is given: maps, tokens, names, the end of the colour scale.
    """

    def __init__(self, result: Result, mask: str, heads: Sequence[str]) -> None:
        data = payload(result, None, [mask])
        chosen = [data["heads"].index(head) for head in heads]
        size = data["size"]
        maps = [_square(data["maps"][0][index], size) for index in chosen]
        largest = max(0.001, max(value for rows in maps for row in rows for value in row))
        self.mask, self.heads = mask, list(heads)
        self.props: dict[str, Any] = {
            "attention": maps,
            "attentionHeadNames": self.heads,
            "tokens": data["tokens"],
            "minValue": -largest,
            "maxValue": largest,
            "maskUpperTri": False,
        }
        self._observed = result.arrays["observed"][list(result.facts["masks"]).index(mask)]

    def _repr_html_(self) -> str:
        return _SCRIPT.format(
            id=f"mcinterp-attention-{next(_views)}",
            mask=draw_mask(self._observed, self.mask),
            words=f"{self.mask}: {describe_mask(self._observed)}. Blue: observed; white: masked.",
            data=embed_json(self.props),
            library=Markup(asset(CIRCUITSVIS)),
        )


class OfflineFigure(go.Figure):  # type: ignore[misc]
    """A plotly figure that a notebook draws without the network; plotly's own way of drawing asks it for MathJax.

    The first figure of a kernel carries plotly.js (4.8 MB) for all that follow it in the notebook.
    """

    _library_sent = False

    # IPython asks for this first, and plotly's answer draws with its own renderers.
    _ipython_display_ = None

    def _repr_mimebundle_(self, include: object = None, exclude: object = None, **_: object) -> dict[str, str]:
        return {"text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        first = not OfflineFigure._library_sent
        OfflineFigure._library_sent = True
        return _FIGURE.format(
            id=f"mcinterp-figure-{next(_views)}",
            library=_LIBRARY.format(plotly=Markup(asset(PLOTLY))) if first else "",
            data=escape_json(self.to_json()),
        )


class SectionView:
    """What a page says about a result, for a notebook: the findings and the figures.

    Attributes:
        section: the section of the page, with its tables.
        figures: its figures, each to be displayed or changed on its own.
    """

    def __init__(self, section: Section) -> None:
        self.section = section
        self.figures = [OfflineFigure(view.figure) for view in section.figures]

    def _repr_html_(self) -> str:
        findings = [Markup("<p>{}</p>").format(sentence) for sentence in self.section.sentences]
        drawn = [
            Markup('<figure style="margin:1em 0">{}<figcaption>{}</figcaption></figure>').format(
                Markup(figure._repr_html_()), view.caption
            )
            for figure, view in zip(self.figures, self.section.figures, strict=True)
        ]
        return Markup("<h3>{}</h3>{}").format(self.section.title, Markup("").join([*findings, *drawn]))


def show(result: Result, beside: Mapping[str, Result] | None = None) -> SectionView:
    """Show any result as the report does; its tables are `result.table(name)`.

    Args:
        result: a stored or fresh result of a pass or a comparison.
        beside: other results by name that the page would have had: those of the same checkpoint for a pass, `training`
            (see `training_summary`) for a comparison, whose figures then mark the drop.
    """
    return SectionView(view_of(result.name)(result, {**(beside or {}), result.name: result}))


def show_attention(result: Result, mask: str = "random", heads: Sequence[str] | None = None) -> AttentionView:
    """Draw attention maps.

    Args:
        result: a stored or fresh attention result.
        mask: one of the result's masks.
        heads: names such as `L1H0`; None for all.

    Raises:
        InputError: if the result is of another pass, has no such mask or head, or `heads` is empty.
    """
    _require(result, "attention")
    masks = result.facts["masks"]
    if mask not in masks:
        raise InputError(f"the attention result has no mask {mask!r}{nearest_name(mask, masks)}")
    _, n_layers, n_heads = result.arrays["maps"].shape[:3]
    known = [f"L{layer}H{head}" for layer in range(n_layers) for head in range(n_heads)]
    heads = known if heads is None else heads
    if not heads:
        raise InputError("show_attention: heads names no head; None shows all")
    for head in heads:
        if head not in known:
            raise InputError(f"the attention result has no head {head!r}{nearest_name(head, known)}")
    return AttentionView(result, mask, heads)


def show_curve(training_result: Result) -> OfflineFigure:
    """Draw the loss curve of a run with its drop.

    Raises:
        InputError: if the result is not that of a run's training.
    """
    _require(training_result, "training")
    return OfflineFigure(curve_figure(training_result))


def show_ablation(result: Result) -> OfflineFigure:
    """Draw how much every ablation hurts.

    Raises:
        InputError: if the result is of another pass.
    """
    _require(result, "ablation")
    return OfflineFigure(ablation_figure(result))


def show_scores(result: Result) -> OfflineFigure:
    """Draw the score of every head for every class.

    Raises:
        InputError: if the result is of another pass.
    """
    _require(result, "taxonomy")
    return OfflineFigure(scores_figure(result))


def _require(result: Result, name: str) -> None:
    if result.name != name:
        raise InputError(f"cannot show a {result.name!r} result here{nearest_name(result.name, [name])}")


def _square(flat: Sequence[int], size: int) -> list[list[float]]:
    return [[value / 1000 for value in flat[start : start + size]] for start in range(0, len(flat), size)]
