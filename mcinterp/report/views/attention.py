"""Attention maps: every head's map on a chosen family of inputs, its picture beneath, how widely heads spread."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from mcinterp.declared import load
from mcinterp.installed import study_of
from mcinterp.report.figures import entropy_figure
from mcinterp.report.figures.attention import uniform_entropy
from mcinterp.report.numbers import number
from mcinterp.report.packing import LARGE, grouped, pack
from mcinterp.report.palette import NONE
from mcinterp.report.parts import FigureView, Picture, Section, Widget
from mcinterp.report.scores import capital
from mcinterp.report.tables import table_view
from mcinterp.results import Result

LARGE_MAPS = (
    "The maps are large: shown first is the attention of the queries of each group of positions on all keys of each, "
    "and single positions one head at a time, off by at most 2.3 % of a cell; the stored arrays have the exact values."
)


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
    facts = result.facts
    family, words = facts["masks"][0], facts["family_words"]
    rows = result.table("heads")
    rows = rows[rows["mask"] == family]
    uniform = uniform_entropy(result)
    sharp, diffuse = rows.iloc[int(rows["entropy"].argmin())], rows.iloc[int(rows["entropy"].argmax())]
    key = facts[f"uniform_{facts['key_name']}"][0]
    return (
        f"{capital(under(words, family))} (n = {number(int(rows['n'].iloc[0]))}) a head's attention "
        f"has a mean entropy of {number(rows['entropy'].mean())} nats, where uniform attention has {number(uniform)}: "
        f"from {number(sharp['entropy'])} in {sharp['head']}, the sharpest, to {number(diffuse['entropy'])} in "
        f"{diffuse['head']}, the most diffuse. {capital(facts['key_words'])} receive "
        f"{number(rows[facts['key_name']].mean())} of the attention on average; uniform attention would give them "
        f"{number(key)}."
    )


def widget(result: Result, taxonomy: Result | None, families: Collection[str] | None = None) -> Widget:
    """The maps for CircuitsVis, and the pictures of the families of inputs."""
    names = [name for name in result.facts["masks"] if families is None or name in families]
    return Widget(
        payload(result, taxonomy, names),
        names,
        [picture for name in names if (picture := input_picture(result, name))],
        capital(result.facts["family_words"]["one"]),
        result.facts.get("position_words", "as the task names positions"),
        maps_of(result, names) if is_large(result) else None,
    )


def input_picture(attention: Result, family: str) -> Picture | None:
    """A family of inputs as the study draws it whose task the model has; None where it draws none."""
    study = study_of(str(attention.facts["task"]))
    return load(study.input_picture)(attention, family) if study and study.input_picture else None


def condition_picture(condition: Mapping[str, Any]) -> Picture | None:
    """The inputs of a result's `condition`, where they are drawn."""
    shown = {name: np.array(values)[None] for name, values in condition["shown"].items()}
    facts = {"task": condition["task"], "masks": [condition["name"]]}
    return input_picture(Result("attention", "", {}, facts, arrays=shown), condition["name"])


def payload(result: Result, taxonomy: Result | None, families: Collection[str]) -> dict[str, Any]:
    """The attention maps as attention.js draws them.

    Returns:
        `size`, positions of a query and of a key; `tokens`, their names; `heads`, labels with the classes;
        `layers`, each head's layer; `masks`, the families of inputs; `maps`, for each of them and each head the packed
        map. Where maps are large, `maps` is empty, `folder` is to say where they are, and `levels` has the same of
        groups of positions (`name`, `size`, `tokens`, `maps`).
    """
    positions, maps = position_names(result), maps_of(result, families)
    names = head_names(*result.arrays["maps"].shape[1:3])
    labels = class_labels(taxonomy) if taxonomy else {}
    large = is_large(result)
    return {
        "size": len(positions),
        "tokens": positions,
        "heads": [" ".join(filter(None, (head, labels.get(head)))) for head in names],
        "layers": [int(head[1:].partition("H")[0]) for head in names],
        "masks": [name for name in result.facts["masks"] if name in families],
        "maps": [] if large else _packed(maps),
        "folder": "",
        "levels": [_level(*own) for own in levels_of(result, maps).items()] if large else [],
    }


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


def _level(name: str, maps: np.ndarray) -> dict[str, Any]:
    size = maps.shape[-1]
    return {"name": f"{name} × {name}", "size": size, "tokens": group_names(name, size), "maps": _packed(maps)}


def _packed(maps: np.ndarray) -> list[list[list[float | str]]]:
    return [[pack(each) for each in heads] for heads in maps]


def head_names(n_layers: int, n_heads: int) -> list[str]:
    """The name of every head, layer by layer."""
    return [f"L{layer}H{head}" for layer in range(n_layers) for head in range(n_heads)]


def position_names(result: Result) -> list[str]:
    """The name of every position."""
    return list(result.facts["positions"])


def class_labels(taxonomy: Result) -> dict[str, str]:
    """Head → its class of each kind, where it has one."""
    kinds = list(taxonomy.facts["kinds"])
    return {
        row["head"]: " · ".join(row[kind] for kind in kinds if row[kind] != NONE)
        for row in taxonomy.table("heads").to_dict("records")
    }
