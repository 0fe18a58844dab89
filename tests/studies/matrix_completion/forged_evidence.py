"""Results in which every claim about matrix completion holds, to be spoilt one number at a time."""

from __future__ import annotations

import copy
from typing import Any

from forging import Rows, Tables, as_evidence, with_interval

from mcinterp.study import Evidence

EVERY = ("masked", "observed", "total")


def _tokens(value_mse: float) -> Rows:
    common = {"n": 512} | with_interval("zero_mse", 0.1, 0.005)
    own = {"input": "own law", "token": "MASK", "value": 0.0} | with_interval("control_mse", 0.1, 0.005)
    full = {"input": "full rank", "token": "value 0.44", "value": 0.44} | with_interval("control_mse", 0.3, 0.01)
    return [
        common | own | with_interval("observed_mse", 0.0002, 1e-5) | with_interval("value_mse", value_mse, 1e-5),
        common | full | with_interval("observed_mse", 0.0003, 1e-5) | with_interval("value_mse", 0.001, 1e-5),
    ]


def _ablated(group: str, clean: float, delta: float, half: float) -> dict[str, Any]:
    """L_mask rises by `delta`, L by a fifth of it, L_obs by a thousandth."""
    row: dict[str, Any] = {"group": group, "method": "uniform", "n": 512}
    for name, base, share in (("masked", clean, 1.0), ("observed", 0.0002, 1e-3), ("total", clean / 5, 0.2)):
        row |= with_interval(f"{name}_mse_clean", base, base / 50)
        row |= with_interval(f"{name}_mse", base + share * delta, base / 50 + half * share)
        row |= with_interval(f"{name}_delta", share * delta, share * half)
    return row


def _switched(direction: str, component: str, change: float) -> Rows:
    clean = {"masked": 0.11, "observed": 0.0002, "total": 0.022}
    return [
        {"direction": direction, "component": component, "entries": name, "n": 256}
        | with_interval("recipient_mse", clean[name], clean[name] / 50)
        | with_interval("switched_mse", clean[name] * (1 + change), clean[name] / 50)
        | with_interval("change", clean[name] * change, clean[name] * abs(change))
        for name in EVERY
    ]


def _permuted(masked: float, observed: float, clean: float) -> Rows:
    rows = []
    for kind, factor in (("all positions", 1.0), ("data too", 1e-9)):
        row: dict[str, Any] = {"n": 256, "kind": kind}
        for name, base, rise in (("masked", clean, masked), ("observed", 0.0002, observed)):
            row |= with_interval(f"{name}_mse_clean", base, base / 50)
            row |= with_interval(f"{name}_delta", factor * rise, factor * abs(rise) / 10)
        rows.append(row)
    return rows


def _patched(direction: str) -> Rows:
    common = {"direction": direction, "entries": "masked", "n": 256} | with_interval("mse_to_base", 0.4, 0.02)
    return [
        common | {"group": "all"} | with_interval("mse_to_source", 0.02, 0.01) | with_interval("nearer", 0.38, 0.02),
        common
        | {"group": "other matrix"}
        | with_interval("mse_to_source", 0.4, 0.1)
        | with_interval("nearer", 0.0, 0.02),
    ]


def _nuclear() -> Tables:
    at = [{"p_mask": p_mask, "trained": p_mask == 0.3, "n": 512} for p_mask in (0.2, 0.3, 0.4)]
    regularised = [{"solution": "model", "n": 256} | with_interval("difference", 0.0)]
    regularised += [{"solution": f"λ = {w:g}", "n": 256} | with_interval("difference", -0.003, 0.001) for w in (0.1, 1)]
    return {
        "errors": [row | {"entries": "total"} | with_interval("difference", -0.004, 0.001) for row in at],
        "norms": [row | with_interval("difference", 0.3, 0.05) for row in at],
        "regularised": regularised,
    }


def _probes() -> Rows:
    rows = []
    for layer in range(13):
        common = {"layer": layer, "n_test": 256, "entries": "all"}
        common |= with_interval("control_mse", 0.1, 0.002) | {"control_cosine": 0.4}
        row_error, entry_error = 0.05 + 0.01 * abs(layer - 4), 0.1 - 0.008 * layer
        rows += [
            common | {"target": "masked row"} | _probed(row_error, 0.7),
            common | {"target": "entry", "entries": "masked"} | _probed(entry_error, float("nan")),
            common | {"target": "singular vector"} | _probed(0.1, 0.41),
        ]
    return rows


def _probed(error: float, cosine: float) -> dict[str, Any]:
    return {
        "train_mse": error,
        **with_interval("test_mse", error, 0.001),
        **with_interval("control_ratio", 10 * error, 0.01),
        **with_interval("first_ratio", 10 * error, 0.01),
        **with_interval("test_cosine", cosine, 0.01),
        **with_interval("cosine_gain", cosine - 0.4, 0.01),
    }


def _transitions() -> Rows:
    rows = [{"component": "whole model", "kind": "run", "seed": 0, "found": True, "start": 4000.0, "half_at": 5000.0}]
    starts = {"mlp": 0.0, "tokens": 0.0, "attention": 1000.0, "positions": 2000.0}
    for name, start in starts.items():
        for seed in range(1, 7):
            found = {"component": name, "kind": "component", "seed": seed, "found": start > 0}
            rows.append(found | {"start": start + seed if start else float("nan"), "half_at": start + 100.0 + seed})
    return rows


GROUPS = {
    "masked-row": 0.05,
    "observed-copy": 0.02,
    "mask-ignore": 0.03,
    "longest-contiguous-column": 0.06,
    "input-processing": 0.08,
}
FAMILIES = ("row", "column", "identity", "row", "column")
STRUCTURE = {"norm_symmetry": 0.8, "sign_separable": 1.0, "magnitude_order": 0.95, "continuity": 0.95}
UNTRAINED = {"norm_symmetry": 0.0, "sign_separable": 0.55, "magnitude_order": 0.1, "continuity": 0.0}


def _token_rows() -> Rows:
    controls = {f"untrained_{name}": value for name, value in UNTRAINED.items()} | {"untrained_alignment": 0.05}
    return [
        {"step": step, "n": 200, "alignment": alignment, **STRUCTURE, **controls}
        for step, alignment in ((0, 0.1), (3900, 0.9), (9000, 1.0))
    ]


def _measures() -> Rows:
    common = {"measure": "attention progress", "where": "all heads", "n": 128, "floor": 0.3, "untrained": 0.3}
    progress = ((0, 0.3), (3900, 0.35), (5200, 0.8), (9000, 1.0))
    return [common | {"step": step} | with_interval("value", value, 0.01) for step, value in progress]


def tables() -> Tables:
    """Fresh tables, by result and name, in which everything holds."""
    after = [_ablated("all", 0.01, 0.1, 0.005), _ablated("none", 0.01, 0.0, 0.0)]
    after += [_ablated(name, 0.01, rise, 0.002) for name, rise in GROUPS.items()]
    labels = zip(FAMILIES, GROUPS, strict=True)
    laws = ("training", "training, fresh batch", "Gaussian factors", "Laplace factors")
    return {
        "training": {},
        "before/tokens": {"tokens": _tokens(0.0005)},
        "before/ablation": {"ablation": [_ablated("all", 0.11, 0.0003, 0.0003), _ablated("none", 0.11, 0.0, 0.0)]},
        "before/positions": {"positions": _permuted(0.0005, 5e-6, 0.11)},
        "before/taxonomy": {"heads": [{"head": f"L0H{i}", "family": "none", "group": "none"} for i in range(5)]},
        "after/tokens": {"tokens": _tokens(0.09)},
        "after/ablation": {"ablation": after},
        "after/positions": {"positions": _permuted(0.2, 0.001, 0.01)},
        "after/nuclear": _nuclear(),
        "after/patching": {"patching": [*_patched("X into −X"), *_patched("−X into X")]},
        "after/taxonomy": {
            "heads": [{"head": f"L0H{i}", "family": one, "group": two} for i, (one, two) in enumerate(labels)]
        },
        "after/probes": {"probes": _probes()},
        "after/shift": {
            "shift": [
                {"sweep": "law", "condition": law, "n": 1024}
                | with_interval("masked_mse", 0.01, 0.001)
                | with_interval("masked_ratio", 0.1, 0.01)
                for law in laws
            ]
        },
        "study/unclassified": {"ablation": [_ablated("L1H0,L1H1", 0.01, 0.001, 0.001)]},
        "run/switching": {
            "pre_post": [
                row
                for direction in ("after → before", "before → after")
                for component, change in (("attention-qkv", 0.01), ("none", 0.0))
                for row in _switched(direction, component, change)
            ]
        },
        "run/plateau": {"measures": _measures()},
        "run/embeddings": {
            "tokens": _token_rows(),
            "positions": [
                {"step": step, "labels": "column", "n": 25} | with_interval("excess", excess, 0.02)
                for step, excess in ((0, 0.0), (3900, 0.01), (9000, 0.3))
            ],
        },
        "run/components": {"transitions": _transitions(), "control": [{"restored_change": 0.0}]},
    }


TRANSITION = {"found": True, "plateau": 0.11, "start": 4000.0, "end": 5000.0}
FACTS: dict[str, dict[str, Any]] = {
    "training": {"transition": TRANSITION, "plateau_interval": [0.109, 0.111]},
    "after/nuclear": {"reference": {"largest_relative_difference": 3e-7}},
    "after/probes": {"n_layers": 12},
}


def evidence(spoilt: Tables | None = None, facts: dict[str, dict[str, Any]] | None = None) -> Evidence:
    """Tables as stored results."""
    facts = copy.deepcopy(FACTS if facts is None else facts)
    return as_evidence(tables() if spoilt is None else spoilt, facts)
