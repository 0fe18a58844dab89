"""Valid input, and the ways in which people and programs get it slightly wrong."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import strategies as st
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.config import load_preset, preset_names

NUMBERS: list[Any] = [0, -1, 1, 2, 3, 7, 10**9, 2**63, 10**400, 0.0, -0.5, 0.5, 1e-300, 1e29, 1e300]
NUMBERS += [math.nan, math.inf, -math.inf, True, False]
TEXTS = [
    "",
    " ",
    "nan",
    "1e3",
    "0x10",
    "１",
    "²",
    "١",
    "ünïcödé",
    "x" * 300,
    "9" * 5000,
    "../x",
    "\u202ex",
    "L0H0",
    "-",
]
TEXTS += ["null", "\x1b[31m", "tiny", "width", "encoder", "matrix-completion", "last", "all"]
scalars = st.sampled_from([*NUMBERS, *TEXTS, None]) | st.text(max_size=6) | st.integers() | st.floats()
junk = (
    scalars
    | st.lists(scalars, max_size=3)
    | st.dictionaries(st.sampled_from(TEXTS) | st.integers(), scalars, max_size=2)
)
"""Values of every kind, most of them out of place."""

Tree = dict[str, Any]


def _plain(tree: Any) -> Any:
    return yaml.safe_load(yaml.safe_dump(tree))


TREES: list[Tree] = [
    _plain({name: section for name, section in config.model_dump().items() if section is not None})
    for config in (
        small_config(),
        small_gpt_config(),
        *(
            load_preset(name)
            for name in ("mixed-sizes", "identity-mapping", "delayed-switch")
            if name in preset_names()
        ),
    )
]
"""A valid configuration of every kind."""


@st.composite
def trees(draw: Callable[..., Any]) -> Tree:
    """A valid configuration with up to three things changed."""
    tree = copy.deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(0, 3))):
        _change(tree, draw)
    return tree


def _change(tree: Tree, draw: Callable[..., Any]) -> None:
    place: Tree = tree
    if draw(st.integers(0, 5)) and (sections := [part for part in tree.values() if isinstance(part, dict)]):
        place = draw(st.sampled_from(sections))
    keys = sorted(map(str, place)) or ["rows"]
    key = draw(st.sampled_from(keys))
    what = draw(st.integers(0, 6))
    if what == 0:
        place.pop(key, None)
    elif what == 1:
        place[draw(st.sampled_from([key.upper(), key + " ", key[:-1], "", "x", 3]))] = place.get(key)
    elif what == 2:
        place[key] = [place.get(key)]
    elif what == 3:
        place[key] = str(place.get(key))
    else:
        place[key] = draw(junk)


@st.composite
def changed_text(draw: Callable[..., Any], valid: list[str], pieces: list[str]) -> str:
    """A valid word with up to three letters or pieces put in, taken out, doubled or in another case."""
    text = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 3)))
        middle = draw(st.sampled_from(["", text[at:to] * 2, text[at:to].swapcase(), *pieces]) | st.text(max_size=2))
        text = text[:at] + middle + text[to:]
    return text
