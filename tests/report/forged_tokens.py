"""Forged results of a run on a task of next tokens through its drop: the stored form of every pass, without a model."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from forged import METHODS, _ci, _table

from mcinterp.results import Result

CLASSES = ("previous", "first", "current", "duplicate-token", "induction")
FAMILIES = ("random", "repeated")
HEADS = ("L0H0", "L0H1", "L0H2", "L1H0", "L1H1", "L1H2")
STEPS, N_POS, DROP = (500, 2000, 3000), 8, 1500
PASSES = ("attention", "taxonomy", "ablation", "patching", "probes")
COMPARISONS = ("plateau", "formation", "switching", "components")
COMPONENTS = ("attention", "mlp")
SCORES = {
    "main_score": "cross_entropy",
    "score_parts": ["cross_entropy"],
    "scores": {"cross_entropy": "cross-entropy"},
    "score_words": {"cross_entropy": "cross-entropy"},
    "score_spelled": {},
    "score_places": {"cross_entropy": "answers"},
    "score_absent": "Nothing was scored",
    "score_unit": "nats",
    "unit_words": ["cross-entropy", "cross-entropy (nats)"],
    "zero_words": "guessing uniformly",
    "sample_names": ["sequence", "sequences"],
}
KINDS = {"kinds": {"class": list(CLASSES)}, "kind_words": {"class": ["classes", ""]}}
FAMILY_WORDS = {"one": "inputs", "several": "inputs", "under": "on {} inputs", "every": "on all inputs"}


def loss(step: float) -> float:
    """The cross-entropy at a step."""
    return 0.1 + 1.5 / (1 + np.exp((step - DROP) / 60))


def label(step: int, index: int) -> str:
    """Class of a head."""
    return CLASSES[index] if step > DROP and index < len(CLASSES) else "none"


def write(folder: Path) -> Path:
    """Store every result under `folder/data`."""
    training().save(folder / "data" / "training")
    for step, name in product(STEPS, PASSES):
        stored(step, name).save(folder / "data" / f"step-{step:08d}" / name)
    for name in COMPARISONS:
        globals()[name]().save(folder / "data" / "run" / name)
    return folder


def stored(step: int, name: str) -> Result:
    """A pass's result, with its provenance."""
    result: Result = globals()[name](step)
    return replace(result, provenance={"run": "copying", "step": step, "samples": 64, "seed": 7})


def training() -> Result:
    steps = np.linspace(0, STEPS[-1], 200).tolist()
    rows = [{"step": s, "loss": loss(s), "cross_entropy": loss(s), "accuracy": 1 - 0.6 * loss(s)} for s in steps]
    facts: dict[str, Any] = {
        "run": "copying",
        "config": {
            "task": {"kind": "copying", "d_vocab": 12, "length": N_POS},
            "model": {"architecture": "transformer", "n_layers": 2, "n_heads": 3, "d_model": 32},
        },
        "config_hash": "fedcba9876543210",
        "passes": sorted((*PASSES, *COMPARISONS)),
        "steps": [0, *STEPS],
        "analysed": list(STEPS),
        "finished": True,
        "seconds": 60.0,
        "last_step": STEPS[-1],
        "progress_score": "cross_entropy",
        "score_names": ["cross_entropy", "accuracy"],
        "loss_name": "cross-entropy (nats)",
        "curve_labels": {},
        **SCORES,
        "beside": ["accuracy"],
        "transition": {"found": True, "statement": "cross_entropy stays at 1.6 until step 1300", "plateau": 1.6}
        | {"plateau_start": 100.0, "start": 1300.0, "steepest": 1500.0, "end": 1800.0, "confidence": "high"},
    }
    return Result("training", "Training", {}, facts, {"curve": _table(rows)})


def attention(step: int) -> Result:
    weights = np.tril(np.random.default_rng(step).uniform(0.1, 1, (2, 2, 3, N_POS, N_POS)))
    maps = weights / weights.sum(-1, keepdims=True)
    rows = [
        {"mask": family, "head": head, "n": 64, "seed": 7}
        | _ci("entropy", 1.0 + 0.1 * index, 0.01)
        | _ci("self_mass", 0.2, 0.01)
        | _ci("seen_mass", 0.1, 0.01)
        | {"distance_from_uniform": 0.5, "split_half_distance": 0.01}
        for family, (index, head) in product(FAMILIES, enumerate(HEADS))
    ]
    facts = {"task": "copying", "masks": list(FAMILIES), "family_words": FAMILY_WORDS, "position_groups": {}}
    facts |= {"positions": [str(place) for place in range(N_POS)], "uniform_entropy": 1.3, "n_layers": 2, "n_heads": 3}
    facts |= {"key_name": "seen_mass", "key_words": "tokens seen before", "key_meaning": "attention on earlier copies"}
    facts |= {"uniform_seen_mass": [0.1, 0.4], "axes": {}}
    arrays = {"maps": maps.astype(np.float32)}
    return Result("attention", "Attention maps", {}, facts, {"heads": _table(rows)}, arrays)


def taxonomy(step: int) -> Result:
    heads, scores = [], []
    for index, head in enumerate(HEADS):
        own = label(step, index)
        margin = np.nan if own == "none" else 0.4
        score, nearest = (0.1, "first") if own == "none" else (0.8, own)
        row = {"head": head, "class": own, "class_runner_up": "first", **_ci("class_margin", margin, 0.02)}
        row |= {"class_all": own, "class_nearest": nearest, **_ci("class_score", score, 0.02)}
        heads.append({**row, "class_above": score - 0.3, "n": 64, "seed": 7})
        for name in CLASSES:
            row = {"head": head, "kind": "class", "class": name} | _ci("score", 0.8 if own == name else 0.1, 0.02)
            controls = {"uniform": 0.0, "untrained": 0.02, "untrained_max": 0.1, "threshold": 0.3}
            placed = {"least": np.nan, "least_place": "", "everywhere": True}
            scores.append({**row, **controls, **placed, "fits": own == name})
    facts = {**KINDS, "masks": list(FAMILIES), "unscored": {}, "uniform_blocks": {}}
    return Result("taxonomy", "Head taxonomy", {}, facts, {"heads": _table(heads), "scores": _table(scores)})


def ablation(step: int) -> Result:
    clean, sets = loss(step), {"all": ("all", HEADS), "none": ("none", ())}
    sets |= {name: ("class", (HEADS[index],)) for index, name in enumerate(CLASSES) if label(step, index) == name}
    sets |= {head: ("head", (head,)) for head in HEADS}
    rows, controls = [], []
    for method, (name, (kind, heads)) in product(METHODS, sets.items()):
        delta = 0.3 * len(heads)
        base = {"group": name, "heads": ",".join(heads), "method": method}
        measured = {"cross_entropy_nats_clean": clean, "cross_entropy_nats": clean + delta}
        ratio = {"cross_entropy_ratio": (clean + delta) / clean, **_ci("cross_entropy_delta", delta, 0.02 * delta)}
        share = {**_ci("cross_entropy_share", delta / clean, 0.03 * delta), "cross_entropy_nats_zero": 1.6}
        share |= {"cross_entropy_of_zero": delta / 1.6}
        rows.append({"step": step, **base, "n": 64, "seed": 7, **measured, **ratio, **share})
        control = 0.5 * delta if kind in ("class", "head") else np.nan
        bounds = {"control_delta": control, "control_delta_min": 0.9 * control, "control_delta_max": 1.1 * control}
        tests = {"p_value": 1e-4 if heads else 1.0, "q_value": 1e-3 if heads else np.nan, "n_controls": 2}
        excess = _ci("excess", delta - control, 0.05 * delta)
        verdict = {"excess_p": 1e-4, "excess_q": 1e-3, "verdict": "hurts more than every control"}
        controls.append({**base, "kind": kind, **tests, **bounds, **excess, **verdict})
    facts = {"methods": list(METHODS), "kinds": KINDS["kinds"], **SCORES}
    return Result("ablation", "Group ablations", {}, facts, {"ablation": _table(rows), "control": _table(controls)})


def patching(step: int) -> Result:
    directions = ("sequence into shuffled", "shuffled into sequence")
    sets = {"all": ("all", HEADS)} | {head: ("head", (head,)) for head in HEADS}
    sets |= {"self": ("control", HEADS), "other sequence": ("control", HEADS)}
    rows = []
    for direction, (name, (kind, heads)) in product(directions, sets.items()):
        near, far = (0.2, 1.4) if step > DROP and name == "all" else (1.4, 0.2)
        about = {"direction": direction, "group": name, "heads": ",".join(heads), "kind": kind}
        about |= {"entries": "cross_entropy", "n": 64, "seed": 7}
        numbers = _ci("nats_to_source", near, 0.02) | _ci("nats_to_base", far, 0.02) | _ci("nearer", far - near, 0.03)
        rows.append({**about, **numbers})
    facts = {"directions": list(directions), "counterparts": ["sequence", "shuffled"], **SCORES}
    return Result("patching", "Activation patching", {}, facts, {"patching": _table(rows)})


def probes(step: int) -> Result:
    rows = [
        {"layer": layer, "target": "previous token", "entries": "all", "n_train": 64, "n_test": 64, "seed": 7}
        | {"train_mse": 0.1, **_ci("test_mse", 0.3 / (1 + layer), 0.01), "train_cosine": 0.5}
        | {**_ci("test_cosine", 0.5, 0.01), **_ci("control_mse", 0.6, 0.01), "control_cosine": 0.1, "constant_mse": 0.6}
        | {**_ci("gain", 0.6 - 0.3 / (1 + layer), 0.01), **_ci("cosine_gain", 0.4, 0.01)}
        for layer in range(3)
    ]
    return Result("probes", "Linear probes", {}, {"main_places": {}}, {"probes": _table(rows)})


def plateau() -> Result:
    measures = {"collapse": ("embedding", "block 0", "block 1"), "attention progress": ("all heads", *HEADS)}
    measures |= {"distinct answers": ("answers",), "loss": ("answers",)}
    rows = [
        {"step": step, "measure": measure, "where": where, "n": 64, "seed": 7}
        | {**_ci("value", 0.5, 0.01), "untrained": 0.9, "floor": 0.4 if measure == "attention progress" else np.nan}
        for step, (measure, places) in product(STEPS, measures.items())
        for where in places
    ]
    names = ("loss", "collapse, block 1", "attention progress", "distinct answers")
    lead = [
        {"measure": name, "moved": name == "loss", "onset": 2000.0, "onset_after": 500.0, "lead": np.nan}
        | {"lead_margin": np.nan, "verdict": "the loss" if name == "loss" else "does not move"}
        for name in names
    ]
    facts: dict[str, Any] = {"plateau_step": 500, "measures": list(names)}
    facts["answer_measures"] = {"distinct answers": ["how many tokens are answered at all", "share of the vocabulary"]}
    tables = {"measures": _table(rows), "lead": _table(lead)}
    return Result("plateau", "What moves during the plateau", {}, facts, tables)


def formation() -> Result:
    scores = [
        {"step": step, "kind": "class", "class": name, "head": head, "n": 64, "seed": 7, "threshold": 0.3}
        | {"member": at == index, "followed": at == index}
        | _ci("score", 0.8 if at == index and step > DROP else 0.1, 0.02)
        for step, (at, name), (index, head) in product(STEPS, enumerate(CLASSES), enumerate(HEADS))
    ]
    losses = [{"step": step, "n": 64, "seed": 7, **_ci("loss", loss(step), 0.01)} for step in STEPS]
    lead = [
        {"measure": name, "moved": True, "onset": 2000.0, "onset_after": 500.0, "lead": 0.0, "lead_margin": 1500.0}
        | {"verdict": "the loss" if name == "loss" else "with"}
        for name in ("loss", *(f"{name} ({head})" for name, head in zip(CLASSES, HEADS, strict=False)))
    ]
    tables = {"scores": _table(scores), "loss": _table(losses), "lead": _table(lead)}
    return Result("formation", "When heads take their classes", {}, {"plateau_step": 500, **KINDS, **SCORES}, tables)


def switching() -> Result:
    rows = []
    ways = (("after → before", 3000, 500), ("before → after", 500, 3000), ("untrained → after", 0, 3000))
    kinds = {
        **dict.fromkeys((*COMPONENTS, "attention-qkv"), "component"),
        "none": "nothing",
        "everything": "everything",
    }
    for (direction, donor, recipient), (component, kind) in product(ways, kinds.items()):
        before, given = loss(recipient), loss(donor)
        after = {"nothing": before, "everything": given}.get(kind, before + 0.4 * (given - before))
        rows.append(
            {"direction": direction, "component": component, "kind": "untrained" if donor == 0 else kind}
            | {"donor": "copying", "donor_step": donor, "recipient": "copying", "recipient_step": recipient}
            | {"parameters": 64, "entries": "cross_entropy", "n": 64, "seed": 7}
            | {**_ci("recipient_nats", before, 0.01), **_ci("donor_nats", given, 0.01)}
            | {**_ci("switched_nats", after, 0.01), **_ci("change", after - before, 0.01), **_ci("moved", 0.4, 0.01)}
        )
    exchange = [
        {"comparison": comparison, "component": component, "donor_step": donor, "recipient_step": recipient, "n": 64}
        | {"seed": 7, **_ci("recipient_nats", 1.0, 0.01), **_ci("donor_nats", 0.5, 0.01), **_ci("change", 0.1, 0.01)}
        for comparison, donor, recipient in (("into the last", 500, 3000), ("later → earlier", 2000, 500))
        for component in (*COMPONENTS, "everything")
    ]
    exchangeable = [
        {"component": component, "n": 64, "seed": 7, "plateau": 1.6, "tolerance": 0.08, "from_step": 2000.0}
        | {"failing_step": 500.0, **_ci("failing_change", 0.4, 0.01), "checkpoints": 2}
        for component in COMPONENTS
    ]
    facts = {"before": 500, "after": 3000, "components": list(COMPONENTS), "tolerance_share": 0.05, "tolerance": 0.08}
    facts |= {"plateau": 1.6, "plateau_source": "the run's plateau", **SCORES}
    tables = {"pre_post": _table(rows), "exchangeable": _table(exchangeable), "exchange": _table(exchange)}
    return Result("switching", "Model switching", {}, facts, tables)


def components() -> Result:
    trainings = (("whole model", "run", 0), ("mlp", "component", 1), ("attention", "control", 1))
    about = [{"component": component, "kind": kind, "seed": seed} for component, kind, seed in trainings]
    curves = [
        {**own, "step": float(step), "n": 64, **_ci("loss", loss(step), 0.01), **_ci("cross_entropy", loss(step), 0.01)}
        for own, step in product(about, (500, 1500, 3000))
    ]
    transitions = [
        {**own, "n": 1, "steps": 3000, "done": 3000, "warmup_steps": 0, "found": True, "plateau": 1.6}
        | {"from_run_plateau": True, "plateau_start": 100.0, "start": 1300.0, "steepest": 1500.0, "end": 1800.0}
        | {"half_at": 1500.0, "fifth_at": 1700.0, **_ci("last_nats", 0.1, 0.01), "statement": "a drop"}
        for own in about
    ]
    times = [
        {"component": own["component"], "kind": own["kind"], "n": 1, "found": 1, "reached_half": 1, "reached_fifth": 1}
        | {**_ci("start", 1300.0, np.nan), **_ci("half_at", 1500.0, np.nan), **_ci("fifth_at", 1700.0, np.nan)}
        for own in about
    ]
    control = [
        {
            **own,
            "n": 64,
            "sample_seed": 0,
            "step": 3000,
            **_ci("donor_nats", 0.1, 0.01),
            **_ci("first_change", 1.0, 0.1),
        }
        | {**_ci("last_change", 0.05, 0.01), **_ci("restored_change", 0.02, 0.0)}
        for own in about[1:]
    ]
    facts = {"plateau": 1.6, "retrained": ["mlp-seed1", "attention-seed1"], "left_out": [], "command": "retrain"}
    facts |= {"progress_score": "cross_entropy", "levels": {}, "averaged_steps": 50, **SCORES}
    tables = {"curves": curves, "transitions": transitions, "times": times, "control": control}
    shown = {name: _table(rows) for name, rows in tables.items()}
    return Result("components", "Training of single components", {}, facts, shown)
