"""Attention maps: every head's map on a chosen family of inputs with its picture, how widely heads spread."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mcinterp.declared import load
from mcinterp.installed import study_of
from mcinterp.report.figures import entropy_figure
from mcinterp.report.figures.attention import uniform_entropy
from mcinterp.report.numbers import number
from mcinterp.report.packing import LARGE, grouped, pack
from mcinterp.report.palette import CONTROL, NONE, class_colours
from mcinterp.report.parts import FigureView, Picture, Section
from mcinterp.report.scores import capital
from mcinterp.report.tables import table_view
from mcinterp.report.widget import Family, Widget
from mcinterp.results import Result

LARGE_MAPS = (
    "The maps are large: shown first is the attention of the queries of each group of positions on all keys of each, "
    "and single positions one head at a time, off by at most 2.3 % of a cell; the stored arrays have the exact values."
)

CELLS = "cells"
"""Name of the maps of single positions, among what the viewer shows."""


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the attention of a checkpoint."""
    family, words = result.facts["masks"][0], result.facts["family_words"]
    table = result.tables["heads"]
    caption = f"Entropy of each head's attention {under(words, family)}, averaged over queries, with 95 % interval."
    return Section(
        result.name,
        result.title,
        [sentence(result), *([LARGE_MAPS] if is_large(result) else [])],
        [FigureView(caption, entropy_figure(result, family))],
        [table_view(table.frame, table.columns, f"Every head {words['every']}", folded=True)],
        widget=widget(result, checkpoint.get("taxonomy")),
    )


def under(words: Mapping[str, str], family: str) -> str:
    """A family's inputs in a sentence, such as `on random inputs`, in the words of the task."""
    return words["under"].replace("{}", family)


def sentence(result: Result) -> str:
    """What the numbers say of the first family of inputs."""
    return _said(result, 0, capital(under(result.facts["family_words"], result.facts["masks"][0])))


def _said(result: Result, at: int, where: str) -> str:
    """The same of a family by its place, where it is called `where`."""
    facts = result.facts
    rows = result.table("heads")
    rows = rows[rows["mask"] == facts["masks"][at]]
    uniform = uniform_entropy(result)
    sharp, diffuse = rows.iloc[int(rows["entropy"].argmin())], rows.iloc[int(rows["entropy"].argmax())]
    key = facts[f"uniform_{facts['key_name']}"][at]
    return (
        f"{where} (n = {number(int(rows['n'].iloc[0]))}) a head's attention "
        f"has a mean entropy of {number(rows['entropy'].mean())} nats, where uniform attention has {number(uniform)}: "
        f"from {number(sharp['entropy'])} in {sharp['head']}, the sharpest, to {number(diffuse['entropy'])} in "
        f"{diffuse['head']}, the most diffuse. {capital(facts['key_words'])} receive "
        f"{number(rows[facts['key_name']].mean())} of the attention on average; uniform attention would give them "
        f"{number(key)}."
    )


def widget(result: Result, taxonomy: Result | None, families: Collection[str] | None = None) -> Widget:
    """The viewer of the maps on some families of inputs, all unless told which."""
    names = [name for name in result.facts["masks"] if families is None or name in families]
    own = [_family(result, name) for name in names]
    return Widget(
        payload(result, taxonomy, own),
        own,
        capital(result.facts["family_words"]["one"]),
        result.facts.get("position_words", "as the task names positions"),
        maps_of(result, names) if is_large(result) else None,
    )


def _family(result: Result, name: str) -> Family:
    at = result.facts["masks"].index(name)
    # The first one's numbers stand above the viewer.
    return Family(name, input_picture(result, name), _said(result, at, "Here") if at else "")


def input_picture(attention: Result, family: str) -> Picture | None:
    """A family of inputs as the study draws it whose task the model has; None where it draws none."""
    study = study_of(str(attention.facts["task"]))
    return load(study.input_picture)(attention, family) if study and study.input_picture else None


def condition_picture(condition: Mapping[str, Any]) -> Picture | None:
    """The inputs of a result's `condition`, where they are drawn."""
    shown = {name: np.array(values)[None] for name, values in condition["shown"].items()}
    facts = {"task": condition["task"], "masks": [condition["name"]]}
    return input_picture(Result("attention", "", {}, facts, arrays=shown), condition["name"])


def payload(result: Result, taxonomy: Result | None, families: Sequence[Family]) -> dict[str, Any]:
    """The attention maps as attention.js draws them.

    Returns:
        `heads`, each with its name, layer and classes with their colours; `names` of positions, `positions`, how many,
        and `places`, row and column of each where they lie on a grid; `families` of inputs, each with its name, the
        positions that it marks and what these are; `levels`, single positions and then groups of them, each with
        `name`, `words`, `size` of a map, its `tokens`, `groups`, the group of every position, the packed `maps` by
        family and head, `top`, their largest cell, and `end`, where colours end. Where maps are large those of
        positions are left out, and `folder` is to say where they are.
    """
    maps = maps_of(result, [family.name for family in families])
    classes = head_classes(taxonomy) if taxonomy else {}
    n_heads = result.arrays["maps"].shape[2]
    return {
        "heads": [
            {"name": name, "layer": at // n_heads, "classes": classes.get(name, [])}
            for at, name in enumerate(head_names(*result.arrays["maps"].shape[1:3]))
        ],
        "names": position_names(result),
        "positions": len(position_names(result)),
        "places": places(result),
        "families": [_marks(family) for family in families],
        "levels": _levels(result, maps),
        "folder": "",
    }


def _marks(family: Family) -> dict[str, Any]:
    own = family.picture
    return {"name": family.name, "marked": list(own.marked) if own else [], "mark": own.mark if own else ""}


def places(result: Result) -> list[list[int]] | None:
    """Row and column of every position on a grid; None where positions lie in a line."""
    facts = result.facts
    n, cols = len(position_names(result)), facts.get("cols", 0)
    in_order = [[at // cols, at % cols] for at in range(n)] if n == facts.get("rows", 0) * cols else None
    own: list[list[int]] | None = facts.get("position_places", in_order)
    return own


def largest(result: Result) -> dict[str, float]:
    """The largest cell of all maps, by name of what the viewer shows: positions and groups of them."""
    maps = maps_of(result, result.facts["masks"])
    return {CELLS: _top(maps)} | {_between(name): _top(own) for name, own in levels_of(result, maps).items()}


def is_large(result: Result) -> bool:
    """Whether the maps are too many or too large to be drawn together."""
    return result.arrays["maps"][0].size > LARGE


def maps_of(result: Result, families: Collection[str]) -> np.ndarray:
    """The maps of some families of inputs, (family, head, query, key)."""
    maps = result.arrays["maps"]
    chosen = [index for index, name in enumerate(result.facts["masks"]) if name in families]
    return (maps if len(chosen) == len(maps) else maps[chosen]).reshape(len(chosen), -1, *maps.shape[3:])


def levels_of(result: Result, maps: np.ndarray) -> dict[str, np.ndarray]:
    """The maps (…, query, key) of groups of positions, by what they are grouped by."""
    return {name: grouped(maps, groups) for name, groups in result.facts["position_groups"].items()}


def group_names(grouping: str, n: int) -> list[str]:
    """The name of every group."""
    return [f"{grouping} {at}" for at in range(n)]


def _levels(result: Result, maps: np.ndarray) -> list[dict[str, Any]]:
    """Single positions, and groups of them."""
    large = is_large(result)
    words = "every position, a head at a time" if large else "every position"
    positions = _level(CELLS, words, position_names(result), [], maps)
    groups = result.facts["position_groups"]
    return [
        {**positions, "maps": [] if large else _packed(maps)},
        *(
            _level(_between(name), _between(name), group_names(name, own.shape[-1]), groups[name], own)
            | {"maps": _packed(own)}
            for name, own in levels_of(result, maps).items()
        ),
    ]


def _level(name: str, words: str, tokens: list[str], groups: Sequence[int], maps: np.ndarray) -> dict[str, Any]:
    top = _top(maps)
    about = {"size": len(tokens), "tokens": tokens, "groups": list(groups)}
    return {"name": name, "words": words, **about, "top": top, "end": top}


def _between(grouping: str) -> str:
    return f"{grouping} × {grouping}"


def _top(maps: np.ndarray) -> float:
    return float(np.nan_to_num(maps).max(initial=0.0))


def _packed(maps: np.ndarray) -> list[list[list[float | str]]]:
    return [[pack(each) for each in heads] for heads in maps]


def head_names(n_layers: int, n_heads: int) -> list[str]:
    """The name of every head, layer by layer."""
    return [f"L{layer}H{head}" for layer in range(n_layers) for head in range(n_heads)]


def position_names(result: Result) -> list[str]:
    """The name of every position."""
    return list(result.facts["positions"])


def head_classes(taxonomy: Result) -> dict[str, list[tuple[str, str]]]:
    """Head → its class of each kind, where it has one, with its colour."""
    kinds = taxonomy.facts["kinds"]
    colours = class_colours(kinds)
    return {
        row["head"]: [(row[kind], colours.get(row[kind], CONTROL)) for kind in kinds if row[kind] != NONE]
        for row in taxonomy.table("heads").to_dict("records")
    }
