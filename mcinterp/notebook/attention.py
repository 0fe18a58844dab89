"""Attention maps in a notebook: CircuitsVis, with a picture of the inputs beneath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from mcinterp.notebook.figures import views
from mcinterp.report.assets import CIRCUITSVIS, asset
from mcinterp.report.parts import Picture, embed_json
from mcinterp.report.views.attention import input_picture, payload
from mcinterp.results import Result

_SCRIPT = Markup(
    '<div id="{id}"></div>{picture}'
    '<script type="application/json" id="{id}-data">{data}</script><script>(() => {{ {library}\n'
    'const props = JSON.parse(document.getElementById("{id}-data").textContent);'
    'CircuitsVis.render("{id}", CircuitsVis.AttentionHeads, props); }})()</script>'
)
_PICTURE = Markup(
    '<figure style="margin:1em 0;text-anchor:middle;dominant-baseline:central;font-size:11px">'
    '{drawing}<figcaption style="font-size:13px">{words}</figcaption></figure>'
)


class AttentionView:
    """Attention maps of some heads on one family of inputs; a notebook draws it with CircuitsVis.

    The drawing library (1.3 MB) travels inside the output, so that the saved notebook also opens offline.

    Attributes:
        mask: name of the family of inputs.
        heads: names of the heads shown.
        props: what CircuitsVis is given: maps, tokens, names, the end of the colour scale.
    """

    def __init__(self, result: Result, mask: str, heads: Sequence[str] | None = None) -> None:
        data = payload(result, None, [mask])
        heads = data["heads"] if heads is None else heads
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
        self._picture = input_picture(result, mask)

    def _repr_html_(self) -> str:
        return _SCRIPT.format(
            id=f"mcinterp-attention-{next(views)}",
            picture=self._drawn(),
            data=embed_json(self.props),
            library=Markup(asset(CIRCUITSVIS)),
        )

    def _drawn(self) -> Markup:
        return drawn(self._picture, self.mask) if self._picture else Markup("")


def drawn(picture: Picture, name: str) -> Markup:
    """The picture of a family of inputs."""
    return _PICTURE.format(drawing=picture.drawing, words=f"{name}: {picture.words}. {picture.key}")


def _square(flat: Sequence[int], size: int) -> list[list[float]]:
    return [[value / 1000 for value in flat[start : start + size]] for start in range(0, len(flat), size)]
