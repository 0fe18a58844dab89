"""Stored results as the study would have them, made up, so that every verdict can be met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.results import Result, Table
from mcinterp.studies.knowledge_editing.contrasts import (
    CONTRAST_COLUMNS,
    CONTRASTS,
    EXPLAINED_COLUMNS,
    FARTHER,
    PRESENT_LESS,
    PRESENT_THIRD,
)
from mcinterp.studies.knowledge_editing.edits import EDIT_COLUMNS, MEASURES, OWN, SUMMARY_COLUMNS
from mcinterp.studies.knowledge_editing.knowledge import KNOWLEDGE_COLUMNS, LEARNING_COLUMNS
from mcinterp.studies.knowledge_editing.rings import POINT_COLUMNS, RING_COLUMNS
from mcinterp.studies.knowledge_editing.sequences import GROWTH_COLUMNS, SEQUENCE_COLUMNS
from mcinterp.studies.knowledge_editing.sequences import MEASURES as AFTER_MANY

GOOD: Mapping[str, float] = {
    **{"recall": 0.99, "inverse": 0.5, "composed": 0.5, "untrained": 0.02, "shuffled": 0.02},
    **{"mode1": 0.4, "random": 0.042, "site": 0.3, "site_other": 0.0},
    **{"success": 1.0, "contexts": 1.0, "unedited": 0.0, "r_others": 0.05, "none": 0.0},
    **{"present_less": -0.05, "lost": 0.1, "present_third": -0.05, "farther": 0.05, "permuted": 0.001},
    **{"correlation": 0.8, "shuffled_rho": 0.0, "key_less": 0.05, "corrective": 0.05, "untouched": 0.0},
    **{"narrow": 0.05, "growth": 0.2, "matrix": 0.9},
}
"""Values with which every claim holds."""


def around(name: str, value: float, half: float = 0.01) -> dict[str, float]:
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def results(**changes: float) -> dict[str, Result]:
    """Results of a study in which all is as `GOOD` says, but for the changes."""
    v = {**GOOD, **changes}
    made = (_knowledge(v), _geometry(v), _edits(v), _sequences(v))
    return {"before/causal-tracing": _tracing(v), **{f"study/{result.name}": result for result in made}}


def _knowledge(v: Mapping[str, float]) -> Result:
    which = [("own", kind, v[kind]) for kind in ("recall", "inverse", "composed")]
    which += [("untrained", "recall", v["untrained"]), ("shuffled", "inverse", v["shuffled"])]
    rows = [
        {"network": network, "orders": "all", "kind": kind, "n": 100}
        | {**around("right", value), **around("probability", value), **around("in_context", value)}
        for network, kind, value in which
    ]
    learned = [{"step": 10, "kind": "recall", "n": 100, **around("right", 0.9), **around("probability", 0.9)}]
    tables = {"knowledge": Table.of(KNOWLEDGE_COLUMNS, rows), "learning": Table.of(LEARNING_COLUMNS, learned)}
    return Result("knowledge", "Known", {}, {"chance": 1 / 48}, tables)


def _geometry(v: Mapping[str, float]) -> Result:
    about = {"network": "own", "of": "embeddings", "relation": "", "edit": "", "n": 48, "flat": 0.042, "strongest": 1}
    rows = [
        {**about, "order": order, "mode1": v["mode1"], "power": v["mode1"], "isomap": 0.5}
        | around("random", v["random"], 0.001)
        for order in (0, 1)
    ]
    bent = {"before": -0.1, "8": 0.2}
    rows += [
        {**about, "of": "stream", "edit": edit, "order": 0, "mode1": 0.1, "power": 0.2, "isomap": isomap}
        | around("random", 0.04, 0.001)
        for edit, isomap in bent.items()
    ]
    points = [
        {"of": of, "edit": edit, "order": 0, "place": place, "x": float(place), "y": 0.0}
        for of, edit in (("embeddings", "before"), ("stream", "before"), ("stream", "8"))
        for place in range(3)
    ]
    tables = {"rings": Table.of(RING_COLUMNS, rows), "points": Table.of(POINT_COLUMNS, points)}
    return Result("geometry", "Rings", {}, {"entity": "3", "relation": "a+1", "neighbours": 6}, tables)


def _tracing(v: Mapping[str, float]) -> Result:
    row = {
        "layer": 1,
        "site": "MLP",
        "offset": 0,
        "n": 50,
        **around("share", v["site"]),
        **around("other", v["site_other"]),
    }
    return Result("causal-tracing", "Tracing", {}, {}, {"sites": Table.of(dict.fromkeys(row, ""), [row])})


def _edits(v: Mapping[str, float]) -> Result:
    means = {
        ("edit", 1): {"r_others": v["r_others"]},
        ("edit", 8): dict.fromkeys(("recall_retained", "inverse_edited", "composed_edited"), v["lost"]),
        ("corrective", 0): {"recall_edited": v["corrective"], "composed_edited": v["corrective"]},
        ("present answer", 0): {},
        ("none", 0): {},
        ("random matrix", 8): {"recall_edited": v["matrix"]},
    }
    summary = [
        {"network": network, "method": method, "distance": distance, "n": 16}
        | {k: x for name in {**OWN, **MEASURES} for k, x in around(name, own.get(name, 0.01)).items()}
        for network in ("own", "narrow")
        for (method, distance), own in means.items()
    ]
    for row in summary:
        if row["method"] == "none":
            row.update(around("r_edited", v["none"], 0.0))
    facts = {"nearest": 1, "farthest": 8, "layer": 1, "sure": 0.95, "networks": ["own", "narrow"]}
    tables = {
        "summary": Table.of(SUMMARY_COLUMNS, summary),
        "contrasts": Table.of(CONTRAST_COLUMNS, _contrasts(v)),
        "explained": Table.of(EXPLAINED_COLUMNS, [_explained(name, v) for name in ("own", "narrow")]),
        "edits": Table.of(EDIT_COLUMNS, _single(v)),
    }
    return Result("edits", "Edits", {}, facts, tables)


def _contrasts(v: Mapping[str, float]) -> list[dict[str, Any]]:
    of = {FARTHER: v["farther"], PRESENT_LESS: v["present_less"], PRESENT_THIRD: v["present_third"]}
    rows = []
    for network in ("own", "narrow"):
        for name in CONTRASTS:
            value = of.get(name, v["key_less"]) if network == "own" else v["narrow"]
            rows += [
                {"network": network, "contrast": name, "measure": measure, "n": 16, "permuted": v["permuted"]}
                | around("difference", value)
                for measure in MEASURES
            ]
    return rows


def _explained(network: str, v: Mapping[str, float]) -> dict[str, Any]:
    about = {"network": network, "n": 64, "explained": 0.5, "at_equal_length": 0.0, "length": 0.8}
    return {**about, **around("correlation", v["correlation"]), **around("shuffled", v["shuffled_rho"], 0.2)}


def _single(v: Mapping[str, float]) -> list[dict[str, Any]]:
    rest = {**dict.fromkeys({**OWN, **MEASURES}, 0.01), "sure": 0.99, "rank": 60}
    named = {"network": "own", "entity": "1", "relation": "a+1", "target": "2"}
    edit = {**named, "method": "edit", "distance": 8, **rest} | {
        key: v[key] for key in ("success", "contexts", "unedited")
    }
    present = {**named, "method": "present answer", "distance": 0, **rest, "size": v["untouched"]}
    return [*[edit] * 100, present]


def _sequences(v: Mapping[str, float]) -> Result:
    rows = [
        {"network": "own", "edits": edits, "n": 5} | {k: x for name in AFTER_MANY for k, x in around(name, 0.1).items()}
        for edits in (1, 10)
    ]
    growth = [{"network": "own", "measure": name, "n": 5, **around("growth", v["growth"])} for name in AFTER_MANY]
    tables = {"sequences": Table.of(SEQUENCE_COLUMNS, rows), "growth": Table.of(GROWTH_COLUMNS, growth)}
    return Result("sequences", "Many", {}, {"edits": 10}, tables)
