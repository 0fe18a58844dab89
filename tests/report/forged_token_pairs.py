"""Forged comparisons of two checkpoints and of two runs on a task of next tokens, without a model."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from forged import _ci, _table
from forged_tokens import CLASSES, HEADS, KINDS, N_POS, SCORES, loss

from mcinterp.results import Result, Table

ABOUT = {"n": 64, "seed": 7}
SHAPE = {"n_layers": 2, "n_heads": 3, "d_model": 32, "seed": 0}


def write(folder: Path) -> Path:
    """Store both under `folder/data`."""
    checkpoints().save(folder / "data" / "compared-checkpoints")
    runs().save(folder / "data" / "compared-runs")
    return folder


def checkpoints(shared: bool = True) -> Result:
    """The comparison of a late and an early checkpoint; with nothing but their own errors where inputs differ."""
    nothing = dict.fromkeys(("difference", "difference_low", "difference_high"), np.nan)
    error = {"entries": "cross_entropy", **ABOUT, **_ci("a_nats", 0.1, 0.01), **_ci("b_nats", 1.6, 0.01)}
    error |= {**(_ci("difference", 1.5, 0.02) if shared else nothing), "a_zero": 2.0, "b_zero": 2.0}
    classes = [
        {"kind": "class", "class": name, "a_heads": int(name != "none"), "b_heads": 6 * int(name == "none")}
        | {"a_share": 1 / 6, "b_share": 0.0, **ABOUT}
        for name in (*CLASSES, "none")
    ]
    tables = {"errors": [error], "classes": classes}
    facts: dict[str, Any] = {
        "a": {"label": "late", "run": "copying", "step": 3000, **SHAPE},
        "b": {"label": "early", "run": "copying", "step": 500, **SHAPE},
        "shared": shared,
        "unlike": {} if shared else {"d_vocab": [12, 16]},
        "same_weights": False,
        "task": "copying",
        **SCORES,
    }
    arrays = {}
    if shared:
        tables |= _heads()
        facts |= {"heads_a": HEADS, "heads_b": HEADS, "untrained_highest": 0.3, "agreement_by_chance": 0.2}
        facts |= {"unpaired_a": HEADS[2:], "unpaired_b": HEADS[2:]}
        arrays = {f"maps_{side}": np.full((6, N_POS, N_POS), 1 / N_POS) for side in "ab"}
    shown = {name: _table(rows) for name, rows in tables.items()}
    return Result("compared-checkpoints", "late and early", {}, facts, shown, arrays)


def _heads() -> dict[str, list[dict[str, Any]]]:
    """The tables on answers and heads, of which the first two are paired."""
    answer = {"entries": "cross_entropy", **ABOUT, **_ci("correlation", 0.4, 0.1), **_ci("other_matrices", 0.1, 0.1)}
    answer |= {**_ci("untrained", 0.05, 0.1), **_ci("error_correlation", np.nan, 0.1)}
    answer |= _ci("mean_abs_difference", 0.2, 0.01)
    alike = {
        **_ci("score", 0.8, 0.05),
        **_ci("map", 0.8, 0.05),
        **_ci("response", 0.3, 0.05),
        **_ci("effect", 0.5, 0.1),
    }
    matches = [
        {"head_a": head, "head_b": head, "class_a": "first", "class_b": "none", "classes_agree": "no", **alike}
        | {"other_matrices": 0.1, "response_other_matrices": 0.0, "effect_other_matrices": 0.0, "untrained": 0.2}
        | {"above_untrained": True, "stable": True, "same_layer": True, "same_index": True, **ABOUT}
        for head in HEADS[:2]
    ]
    names = ("A and B", "A and itself, heads shuffled", "A and an untrained model", "A and B given other sequences")
    controls = [
        {"what": what, "pairs": 2, **alike, "lowest": 1.0, "highest": 1.0, "found": 2.0, **ABOUT} for what in names
    ]
    similarity = [
        {"head_a": a, "head_b": b, **_ci("score", 0.1, 0.01), "map": 0.1, "response": 0.1, "paired": a == b, **ABOUT}
        for a, b in product(HEADS, HEADS)
    ]
    return {"answers": [answer], "matches": matches, "controls": controls, "similarity": similarity}


def runs() -> Result:
    """The comparison of two runs that drop at different steps."""
    drops = {"late": 1500, "early": 900}
    rows = [
        {"run": run, "seed": 0, "config_hash": "0", "steps_done": 3000, "finished": True, "found": True, "plateau": 1.6}
        | {"start": drop - 200.0, "steepest": float(drop), "end": drop + 300.0, "duration": 500.0, "level_after": 0.2}
        | {"n": 200, **_ci("last_score", 0.1, 0.01)}
        for run, drop in drops.items()
    ]
    curves = [
        {"run": run, "score": "cross_entropy", "step": float(step), "aligned_step": float(step - drop), "n": 10}
        | {"value": loss(step - drop + 1500)}
        for (run, drop), step in product(drops.items(), range(100, 3000, 100))
    ]
    classes = [
        {"run": run, "step": step, "aligned_step": float(step - drop), "kind": "class", "class": name}
        | {"heads": int(step > drop), "share": (step > drop) / 6, **ABOUT}
        for (run, drop), step, name in product(drops.items(), (500, 3000), (*CLASSES, "none"))
    ]
    tables = {"runs": rows, "curves": curves, "classes": classes}
    facts = {"runs": list(drops), "dropped": list(drops), "statements": dict.fromkeys(drops, "a drop"), "width": 10}
    facts |= {"progress_score": "cross_entropy", "scores": ["cross_entropy"], "logarithmic": ["cross_entropy"]}
    facts |= {"least_runs": 3, "spread": {}, "task": dict.fromkeys(drops, "copying"), "kind_words": KINDS["kind_words"]}
    shown = {name: _table(rows) for name, rows in tables.items()}
    shown |= {name: Table.of(dict.fromkeys(columns, ""), []) for name, columns in EMPTY.items()}
    return Result("compared-runs", "Runs aligned at their drops", {}, facts, shown)


EMPTY = {
    "averages": ("quantity", "n", "value", "value_low", "value_high", "lowest", "highest"),
    "aligned": ("score", "aligned_step", "n", "value", "value_low", "value_high"),
    "fields": ("run", "field", "first", "own"),
}
"""Tables of two runs that have nothing to say."""
