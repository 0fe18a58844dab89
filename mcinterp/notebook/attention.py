"""Attention maps in a notebook: CircuitsVis, with a picture of the inputs beneath."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from mcinterp.notebook.figures import views
from mcinterp.notebook.library import carried, ready
from mcinterp.report.assets import CIRCUITSVIS, CIRCUITSVIS_STYLE, asset
from mcinterp.report.parts import Picture, embed_json
from mcinterp.report.views.attention import (
    group_names,
    head_names,
    input_picture,
    is_large,
    levels_of,
    maps_of,
    position_names,
)
from mcinterp.report.widget import Family
from mcinterp.results import Result

_SCRIPT = Markup(
    '<style>{style}</style><div class="circuitsvis" id="{id}-box"><div id="{id}"></div></div>{picture}{library}'
    '<script type="application/json" id="{id}-data">{data}</script><script>{ready}.then(() => {{'
    'const props = JSON.parse(document.getElementById("{id}-data").textContent);'
    'const box = document.getElementById("{id}-box");'
    "const light = (getComputedStyle(box).color.match(/[\\d.]+/g) || [0]).slice(0, 3).every((part) => part > 127);"
    'box.classList.toggle("dark", light);'
    'CircuitsVis.render("{id}", CircuitsVis.AttentionHeads, props); }})'
    '.catch((error) => {{ document.getElementById("{id}").textContent = '
    "`This browser cannot draw the maps: ${{error.message}}`; }})</script>"
)
ABOVE, BELOW = "#005A8C", "#D55E00"
"""The colours of a report's maps."""
LEAST = 1e-6
"""Where the colours end of maps that are 0 all over."""
_PICTURE = Markup(
    '<figure style="margin:1em 0;text-anchor:middle;dominant-baseline:central;font-size:11px">'
    '{drawing}<figcaption style="font-size:13px">{words}</figcaption></figure>'
)


class AttentionView:
    """Attention maps of some heads on one family of inputs; a notebook draws it with CircuitsVis.

    The drawing library travels packed (0.5 MB) inside the output, so that the saved notebook also opens offline. Of
    large maps (see `report.packing.LARGE`) those of groups of positions are drawn where no heads are named.

    Attributes:
        mask: name of the family of inputs.
        heads: names of the heads shown.
        props: what CircuitsVis is given: maps, to four digits, tokens, names, the end of the colour scale.
    """

    def __init__(self, result: Result, mask: str, heads: Sequence[str] | None = None) -> None:
        maps, tokens = maps_of(result, [mask])[0], position_names(result)
        names = head_names(*result.arrays["maps"].shape[1:3])
        if heads is None and is_large(result):
            maps, tokens, names = _summary(result, maps, tokens, names)
        self.mask, self.heads = mask, list(names if heads is None else heads)
        shown = [_rounded(maps[names.index(head)]) for head in self.heads]
        largest = max(LEAST, max(max(map(max, rows)) for rows in shown))
        self.props: dict[str, Any] = {
            "attention": shown,
            "attentionHeadNames": self.heads,
            "tokens": tokens,
            "minValue": -largest,
            "maxValue": largest,
            "positiveColor": ABOVE,
            "negativeColor": BELOW,
            "maskUpperTri": False,
        }
        self._picture = input_picture(result, mask)

    def _repr_html_(self) -> str:
        name = f"mcinterp-attention-{next(views)}"
        return _SCRIPT.format(
            id=name,
            style=Markup(asset(CIRCUITSVIS_STYLE)),
            picture=self._drawn(),
            data=embed_json(self.props),
            library=carried("CircuitsVis", CIRCUITSVIS, name),
            ready=ready("CircuitsVis"),
        )

    def _drawn(self) -> Markup:
        return drawn(self._picture, self.mask) if self._picture else Markup("")


def drawn(picture: Picture, name: str) -> Markup:
    """The picture of a family of inputs."""
    return _PICTURE.format(
        drawing=picture.drawing, words=f"{_called(Family(name, picture))}: {picture.words}. {picture.key}"
    )


def _called(family: Family) -> str:
    return f"{family.title} ({family.spelled})" if family.spelled else family.title


def _summary(
    result: Result, maps: np.ndarray, tokens: list[str], names: list[str]
) -> tuple[np.ndarray, list[str], list[str]]:
    """Maps of the first grouping of positions with their tokens and heads; of one head where there is no grouping."""
    levels = levels_of(result, maps[None])
    if not levels:
        return maps[:1], tokens, names[:1]
    level = next(iter(levels.values()))[0]
    return level, group_names(next(iter(levels)), level.shape[-1]), names


def _rounded(values: np.ndarray) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in values.tolist()]
