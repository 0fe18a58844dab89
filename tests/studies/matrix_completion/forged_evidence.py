"""Results in which every claim about matrix completion holds, to be spoilt one number at a time."""

from __future__ import annotations

import copy
from typing import Any

from forging import Rows, Tables, as_evidence, with_interval

from mcinterp.study import Evidence


def _tokens(value_mse: float) -> Rows:
    common = {"n": 512, "zero_mse": 0.1}
    own = {"input": "own law", "token": "MASK", "value": 0.0, "control_mse": 0.1}
    full = {"input": "full rank", "token": "value 0.44", "value": 0.44, "control_mse": 0.3}
    return [
        common | own | with_interval("observed_mse", 0.0002, 1e-5) | with_interval("value_mse", value_mse, 1e-5),
        common | full | with_interval("observed_mse", 0.0002, 1e-5) | with_interval("value_mse", 0.001, 1e-5),
    ]


def _ablated(group: str, clean: float, delta: float, half: float) -> dict[str, Any]:
    sizes = {"group": group, "method": "uniform", "n": 512, "masked_mse_clean": clean, "observed_mse": 0.0002}
    return sizes | with_interval("masked_delta", delta, half)


def _patched(direction: str) -> Rows:
    common = {"direction": direction, "entries": "masked", "n": 256, "mse_to_base": 0.4}
    return [
        common | {"group": "all"} | with_interval("mse_to_source", 0.02, 0.01) | with_interval("nearer", 0.38, 0.02),
        common
        | {"group": "other matrix"}
        | with_interval("mse_to_source", 0.4, 0.1)
        | with_interval("nearer", 0.0, 0.02),
    ]


def _probes() -> Rows:
    rows = []
    for layer in range(13):
        common = {"layer": layer, "n_test": 256, "control_mse": 0.1, "control_cosine": 0.4, "entries": "all"}
        error = 0.05 + 0.01 * abs(layer - 4)
        rows += [
            common
            | {"target": "masked row"}
            | with_interval("test_mse", error, 0.001)
            | with_interval("test_cosine", 0.7, 0.01),
            common
            | {"target": "entry", "entries": "masked"}
            | with_interval("test_mse", 0.1 - 0.008 * layer, 0.001)
            | with_interval("test_cosine", float("nan"), 0.0),
            common
            | {"target": "singular vector"}
            | with_interval("test_mse", 0.1, 0.001)
            | with_interval("test_cosine", 0.41, 0.01),
        ]
    return rows


def _times() -> Rows:
    steps = {"mlp": 100.0, "tokens": 200.0, "attention": 1000.0, "positions": 2000.0}
    rows = [
        {"component": name, "kind": "component", "n": 3, "reached_half": 3} | with_interval("half_at", at, 50.0)
        for name, at in steps.items()
    ]
    return [{"component": "whole model", "kind": "run", "n": 1, "reached_half": 1, **_single("half_at", 5000.0)}, *rows]


def _single(name: str, value: float) -> dict[str, float]:
    return {name: value, f"{name}_low": float("nan"), f"{name}_high": float("nan")}


GROUPS = {
    "masked-row": 0.05,
    "observed-copy": 0.02,
    "mask-ignore": 0.03,
    "longest-contiguous-column": 0.06,
    "input-processing": 0.08,
}


def tables() -> Tables:
    """Fresh tables, by result and name, in which everything holds."""
    after = [_ablated("all", 0.01, 0.1, 0.005), _ablated("none", 0.01, 0.0, 0.0)]
    after += [_ablated(name, 0.01, rise, 0.002) for name, rise in GROUPS.items()]
    switched = {"direction": "after → before", "entries": "masked", "n": 256, "recipient_mse": 0.11}
    permuted = {"n": 256, "kind": "all positions"}
    return {
        "training": {},
        "before/tokens": {"tokens": _tokens(0.0005)},
        "before/ablation": {"ablation": [_ablated("all", 0.11, 0.0003, 0.0003), _ablated("none", 0.11, 0.0, 0.0)]},
        "after/tokens": {"tokens": _tokens(0.09)},
        "after/ablation": {"ablation": after},
        "after/positions": {
            "positions": [
                permuted | with_interval("masked_delta", 0.2, 0.02) | with_interval("observed_delta", 0.001, 0.0001),
                permuted
                | {"kind": "data too"}
                | with_interval("masked_delta", 1e-9, 1e-9)
                | with_interval("observed_delta", 0.0, 1e-9),
            ]
        },
        "after/nuclear": {
            "errors": [{"trained": True, "entries": "total", "n": 512} | with_interval("difference", -0.004, 0.001)],
            "norms": [{"trained": True, "n": 512} | with_interval("difference", 0.3, 0.05)],
        },
        "after/patching": {"patching": [*_patched("X into −X"), *_patched("−X into X")]},
        "after/taxonomy": {"heads": [{"head": f"L0H{i}", "group": group} for i, group in enumerate(GROUPS)]},
        "after/probes": {"probes": _probes()},
        "study/unclassified": {"ablation": [_ablated("L1H0,L1H1", 0.01, 0.001, 0.001)]},
        "run/switching": {
            "pre_post": [
                switched | {"component": "attention-qkv"} | with_interval("change", 0.001, 0.001),
                switched | {"component": "none"} | with_interval("change", 0.0, 0.0),
            ]
        },
        "run/embeddings": {
            "tokens": [
                {"step": step, "n": 200, "untrained_rank": 0.1} | with_interval("component_rank", rank, 0.02)
                for step, rank in ((0, 0.3), (2000, 0.95), (9000, 0.9))
            ],
            "positions": [
                {"step": step, "labels": "column", "n": 25, "explained": explained, "explained_top": 0.2}
                for step, explained in ((0, 0.17), (2000, 0.18), (9000, 0.4))
            ],
        },
        "run/components": {"times": _times(), "control": [{"restored_change": 0.0}]},
    }


FACTS: dict[str, dict[str, Any]] = {
    "training": {"transition": {"found": True, "plateau": 0.11}},
    "after/nuclear": {"reference": {"largest_relative_difference": 3e-7}},
    "after/probes": {"n_layers": 12},
    "run/embeddings": {"plateau_step": 2000},
}


def evidence(spoilt: Tables | None = None, facts: dict[str, dict[str, Any]] | None = None) -> Evidence:
    """Tables as stored results."""
    facts = copy.deepcopy(FACTS if facts is None else facts)
    return as_evidence(tables() if spoilt is None else spoilt, facts)
