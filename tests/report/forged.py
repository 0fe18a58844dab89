"""Forged results of a run through its drop: the stored form of every pass, without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mcinterp.results import Result, Table

FAMILIES = ("row", "column", "identity")
GROUPS = ("masked-row", "observed-copy", "mask-ignore", "longest-contiguous-column", "input-processing")
METHODS = ("uniform", "zero", "mean", "resample")
PASSES = ("attention", "taxonomy", "ablation", "patching", "probes")
DEFINED = (*PASSES, "circuits", "tokens", "positions", "shift", "algorithm", "nuclear", "sizes")
"""Passes that the run can be asked; comparisons are left out."""
KIND_FACTS = {
    "kinds": {"family": list(FAMILIES), "group": list(GROUPS)},
    "kind_words": {"family": ["families", "random masks"], "group": ["groups", "structured masks"]},
}
SCORE_FACTS = {
    "main_score": "masked",
    "score_parts": ["masked", "observed"],
    "scores": {"masked": "L_mask", "observed": "L_obs", "total": "L"},
    "score_words": {"masked": "L_mask", "observed": "L_obs", "total": "L"},
    "score_spelled": {
        "masked": "mean squared error over masked entries",
        "observed": "mean squared error over observed entries",
        "total": "mean squared error over all entries",
    },
    "score_places": {"masked": "masked entries", "observed": "observed entries", "total": "all entries"},
    "score_absent": "No entry was masked",
    "score_unit": "mse",
    "unit_words": ["MSE", "mean squared error"],
    "zero_words": "answering 0",
    "sample_names": ["matrix", "matrices"],
}
FAMILY_WORDS = {"one": "mask", "several": "masks", "under": "under the {} mask", "every": "under every mask"}
CURVE_LABELS = {
    "loss": "L",
    "observed_mse": "L_obs",
    "masked_mse": "L_mask",
    "masked_abs_mean": "mean |prediction|, masked",
}


@dataclass(frozen=True)
class Forge:
    """Results of checkpoints before, in and after a drop.

    Attributes:
        run: name of the run.
        rows, cols, n_layers, n_heads: sizes.
        steps: analysed checkpoints.
        drop: step of the drop; None for a run that has none.
        masks: structured masks, beside the random one.
        seed: of every forged number.
    """

    run: str = "forged"
    rows: int = 5
    cols: int = 5
    n_layers: int = 2
    n_heads: int = 8
    steps: tuple[int, ...] = (1000, 4000, 9000)
    drop: int | None = 5000
    masks: tuple[str, ...] = ("masked-rows:1@1,3@3", "checkerboard")
    seed: int = 0

    @property
    def heads(self) -> list[str]:
        return [f"L{layer}H{head}" for layer, head in product(range(self.n_layers), range(self.n_heads))]

    @property
    def positions(self) -> list[str]:
        return [f"{row},{col}" for row, col in product(range(self.rows), range(self.cols))]

    def learned(self, step: int) -> bool:
        return self.drop is not None and step > self.drop

    def masked_mse(self, step: float) -> float:
        if self.drop is None:
            return 0.222
        return 0.006 + 0.216 / (1 + np.exp((step - self.drop) / 180))

    def write(self, folder: Path, passes: Iterable[str] = PASSES) -> Path:
        """Store every result under `folder/data`."""
        self.training().save(folder / "data" / "training")
        for step, name in product(self.steps, passes):
            self.checkpoint(step, name).save(folder / "data" / f"step-{step:08d}" / name)
        return folder

    def checkpoint(self, step: int, name: str) -> Result:
        result = getattr(self, name)(step)
        provenance = {
            "run": self.run,
            "step": step,
            "config_hash": "0123456789abcdef",
            "digest": f"sha256:{step:032x}",
            "samples": 256,
            "seed": 7,
            "versions": {"mcinterp": "0.1.0", "torch": "2.13.0"},
            "device": "cpu",
            "seconds": 1.25,
            "threads": 1,
        }
        return replace(result, provenance=provenance)

    def training(self) -> Result:
        last = max((*self.steps, 10_000))
        steps = np.linspace(0, last, 600)
        masked = [self.masked_mse(step) for step in steps]
        observed = 0.25 * np.exp(-steps / 300) + 0.0004
        rows = [
            {"step": s, "loss": 0.3 * m + 0.7 * o, "observed_mse": o, "masked_mse": m, "masked_abs_mean": 0.3 - m}
            for s, m, o in zip(steps.tolist(), masked, observed.tolist(), strict=True)
        ]
        columns = {name: f"meaning of {name}" for name in rows[0]}
        facts = {
            "run": self.run,
            "config": {
                "task": {"kind": "matrix-completion", "rows": self.rows, "cols": self.cols, "rank": 1}
                | {"factors": "uniform", "p_mask": 0.3},
                "model": {"n_layers": self.n_layers, "n_heads": self.n_heads, "d_model": 64},
                "training": {"steps": last, "learning_rate": 0.001},
            },
            "config_hash": "0123456789abcdef",
            "steps": [0, *self.steps],
            "analysed": list(self.steps),
            "finished": True,
            "seconds": 812.5,
            "last_step": last,
            "progress_score": "masked_mse",
            "score_names": list(columns)[1:],
            "loss_name": "mean squared error",
            "beside": ["masked_abs_mean"],
            "curve_labels": CURVE_LABELS,
            **SCORE_FACTS,
            "passes": sorted(DEFINED),
            "transition": self.transition(),
        }
        return Result("training", "Training", {}, facts, {"curve": Table.of(columns, rows)})

    def transition(self) -> dict[str, Any]:
        if self.drop is None:
            places = dict.fromkeys(("start", "steepest", "end", "level_after", "signal"))
            statement = "no sudden drop: masked_mse declines gradually from 0.222 to 0.1"
            return {"found": False, "statement": statement, "confidence": "none", "plateau": 0.222, **places} | {
                "plateau_start": 100.0
            }
        return {
            "found": True,
            "statement": f"masked_mse stays at 0.222 until step {self.drop - 500}; confidence high",
            "confidence": "high",
            "plateau": 0.222,
            "plateau_start": 300.0,
            "start": self.drop - 500.0,
            "steepest": float(self.drop),
            "end": self.drop + 600.0,
            "level_after": 0.008,
            "signal": 80.0,
        }

    def family(self, step: int, index: int) -> str:
        return FAMILIES[index % 3] if self.learned(step) and index % 4 else "none"

    def group(self, step: int, index: int) -> str:
        return GROUPS[index % 5] if self.learned(step) and index % 3 else "none"

    def attention(self, step: int) -> Result:
        rng = np.random.default_rng([self.seed, step])
        n_pos, masks = self.rows * self.cols, ["random", *self.masks]
        maps = np.stack([[self._map(step, index, rng) for index in range(len(self.heads))] for _ in masks])
        maps = maps.reshape(len(masks), self.n_layers, self.n_heads, n_pos, n_pos).astype(np.float32)
        observed = np.stack([self._observed(name, rng) for name in masks]).astype(np.float32)
        entropy = -(maps * np.log(maps + 1e-12)).sum(-1).mean(-1).reshape(len(masks), -1)
        rows = [
            {"mask": mask, "head": head, "n": 256, "seed": 7}
            | _ci("entropy", entropy[m, h], 0.01)
            | _ci("self_mass", 0.04 + 0.01 * h, 0.002)
            | _ci("masked_mass", 0.3 - 0.01 * h, 0.004)
            | {"distance_from_uniform": 0.5, "split_half_distance": 0.01}
            for (m, mask), (h, head) in product(enumerate(masks), enumerate(self.heads))
        ]
        row, col = np.divmod(np.arange(n_pos), self.cols)
        facts = {"task": "matrix-completion", "masks": masks, "family_words": FAMILY_WORDS}
        facts |= {"rows": self.rows, "cols": self.cols, "position_words": "row,column of the matrix"}
        facts |= {"position_groups": {"row": row.tolist(), "column": col.tolist()}, "positions": self.positions}
        facts |= {"uniform_entropy": float(np.log(n_pos)), "uniform_masked_mass": (1 - observed.mean((1, 2))).tolist()}
        facts |= {"key_name": "masked_mass", "key_words": "masked keys", "key_meaning": "attention on masked keys"}
        facts |= {"n_layers": self.n_layers, "n_heads": self.n_heads, "axes": {}}
        arrays = {"maps": maps, "observed": observed}
        return Result("attention", "Attention maps", {}, facts, {"heads": _table(rows)}, arrays)

    def _map(self, step: int, index: int, rng: np.random.Generator) -> np.ndarray:
        n_pos = self.rows * self.cols
        logits = 0.3 * rng.standard_normal((n_pos, n_pos))
        row, col = np.divmod(np.arange(n_pos), self.cols)
        same = {"row": row[:, None] == row, "column": col[:, None] == col, "identity": np.eye(n_pos, dtype=bool)}
        logits += 4.0 * same.get(self.family(step, index), 0.0)
        weights = np.exp(logits)
        return weights / weights.sum(-1, keepdims=True)

    def _observed(self, mask: str, rng: np.random.Generator) -> np.ndarray:
        if mask == "random":
            return rng.binomial(256, 0.7, (self.rows, self.cols)) / 256
        return (np.indices((self.rows, self.cols)).sum(0) + len(mask)) % 2

    def taxonomy(self, step: int) -> Result:
        rng = np.random.default_rng([self.seed, step, 1])
        heads, scores = [], []
        for index, head in enumerate(self.heads):
            labels = {"family": self.family(step, index), "group": self.group(step, index)}
            row: dict[str, Any] = {"head": head}
            for kind, label in labels.items():
                row |= {kind: label, f"{kind}_runner_up": "row" if kind == "family" else "masked-row"}
                margin = np.nan if label == "none" else 0.31
                nearest = ("row" if kind == "family" else "masked-row") if label == "none" else label
                row |= _ci(f"{kind}_margin", margin, 0.04) | {f"{kind}_all": label, f"{kind}_nearest": nearest}
                row |= _ci(f"{kind}_score", 0.1 if label == "none" else 0.7, 0.02)
                row[f"{kind}_above"] = row[f"{kind}_score"] - 0.3
            heads.append({**row, "n": 128, "seed": 7})
            for kind, name in [*product(["family"], FAMILIES), *product(["group"], GROUPS)]:
                fits = labels[kind] == name
                score = rng.uniform(0.5, 0.95) if fits else rng.uniform(-0.05, 0.25)
                controls = {"uniform": 0.0, "untrained": 0.02, "untrained_max": 0.1, "threshold": 0.3}
                scores.append({"head": head, "kind": kind, "class": name} | _ci("score", score, 0.02) | controls)
                least = (
                    {"least": 0.1, "least_place": "row 0"} if kind == "family" else {"least": np.nan, "least_place": ""}
                )
                scores[-1] |= {**least, "everywhere": True, "fits": fits}
        tables = {"heads": _table(heads), "scores": _table(scores), "blocks": _table(self._blocks())}
        uniform = {name: np.full((size, size), 1 / size).tolist() for name, size in self._groupings.items()}
        facts = {**KIND_FACTS, "masks": ["random", *self.masks], "unscored": {}, "uniform_blocks": uniform}
        return Result("taxonomy", "Head taxonomy", {}, facts, tables, self._block_arrays(rng))

    @property
    def _groupings(self) -> dict[str, int]:
        return {"row": self.rows, "column": self.cols}

    def _blocks(self) -> list[dict[str, Any]]:
        """The last head avoids row 1, all others attend evenly."""
        bounds = {"favoured_above": 2.0, "avoided_below": 0.5, "n": 128, "seed": 7}
        rows = []
        for (name, size), head in product(self._groupings.items(), self.heads):
            avoids = name == "row" and head == self.heads[-1]
            said = {"favoured": "none", "avoided": "0, 2 → 1" if avoids else "none"}
            counts = {"n_favoured": 0, "n_avoided": 2 if avoids else 0}
            own = _ci("own", 1 / size, 0.01) | {"own_uniform": 1 / size, "own_untrained_max": 1.1 / size}
            rows.append({"head": head, "grouping": name, **own, **said, **counts, **bounds})
        return rows

    def _block_arrays(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        arrays = {}
        for name, size in self._groupings.items():
            blocks = rng.uniform(0, 2 / size, (len(self.heads), size, size)).astype(np.float32)
            ends = {f"{name}_blocks_low": blocks - 0.01, f"{name}_blocks_high": blocks + 0.02}
            arrays |= {f"{name}_blocks": blocks, **ends}
        return arrays

    def sets(self, step: int) -> dict[str, tuple[str, list[str]]]:
        """Name → kind and heads of everything that is ablated."""
        sets = {"all": ("all", self.heads), "none": ("none", [])}
        for classes, label in ((FAMILIES, self.family), (GROUPS, self.group)):
            for name in classes:
                heads = [head for index, head in enumerate(self.heads) if label(step, index) == name]
                if heads:
                    sets[name] = ("class", heads)
        return sets | {head: ("head", [head]) for head in self.heads}

    def ablation(self, step: int) -> Result:
        clean = float(self.masked_mse(step))
        rows, controls = [], []
        for method, (name, (kind, heads)) in product(METHODS, self.sets(step).items()):
            delta = (0.222 - clean) * len(heads) / len(self.heads)
            base = {"group": name, "heads": ",".join(heads), "method": method}
            rows.append(
                {"step": step, **base, "n": 512, "seed": 7, "observed_mse_clean": 0.0004, "observed_mse": 0.0005}
                | {"masked_mse_clean": clean, "masked_mse": clean + delta, "total_mse_clean": 0.3 * clean}
                | {"total_mse": 0.3 * (clean + delta), "masked_ratio": (clean + delta) / clean}
                | _ci("masked_delta", delta, 0.05 * delta)
                | _ci("masked_share", delta / clean, 0.06 * delta / clean)
                | {"masked_mse_zero": 0.111, "masked_of_zero": delta / 0.111}
            )
            controlled = kind in ("class", "head")
            control = 0.6 * delta if controlled else np.nan
            controls.append(
                {**base, "kind": kind, "p_value": 1e-5 if delta else 1.0, "q_value": 2e-5 if heads else np.nan}
                | {"n_controls": 3 if controlled else 0, "control_delta": control}
                | {"control_delta_min": 0.5 * control, "control_delta_max": 1.2 * control}
                | _ci("excess", delta - control, 0.05 * delta)
                | {"excess_p": 1e-4 if controlled else np.nan, "excess_q": 1e-3 if controlled else np.nan}
                | {
                    "verdict": "hurts more than every control"
                    if controlled
                    else "no control: no other group of that size"
                }
            )
        facts = {"methods": list(METHODS), "kinds": KIND_FACTS["kinds"], **SCORE_FACTS}
        return Result("ablation", "Group ablations", {}, facts, {"ablation": _table(rows), "control": _table(controls)})

    def patching(self, step: int) -> Result:
        sets = {"all": ("all", self.heads)} | {head: ("head", [head]) for head in self.heads}
        sets |= {"self": ("control", self.heads), "other matrix": ("control", self.heads)}
        rows = []
        for direction, (name, (kind, heads)), entries in product(
            ("X into −X", "−X into X"), sets.items(), ("masked", "observed")
        ):
            moved = self.learned(step) and entries == "masked" and name == "all"
            to_source, to_base = (0.05, 0.6) if moved else (0.6, 0.05)
            rows.append(
                {"direction": direction, "group": name, "heads": ",".join(heads), "kind": kind, "entries": entries}
                | {"n": 256, "seed": 7}
                | _ci("mse_to_source", to_source, 0.004)
                | _ci("mse_to_base", to_base, 0.004)
                | _ci("nearer", to_base - to_source, 0.008)
            )
        facts = {"directions": ["X into −X", "−X into X"], "counterparts": ["X", "−X"], **SCORE_FACTS}
        return Result("patching", "Activation patching", {}, facts, {"patching": _table(rows)})

    def probes(self, step: int) -> Result:
        kinds = [("masked row", "all"), ("entry", "masked"), ("entry", "observed"), ("singular vector", "all")]
        rows = []
        for layer, (target, entries) in product(range(self.n_layers + 1), kinds):
            mse = 0.2 / (1 + layer) if self.learned(step) else 0.22
            cosine = np.nan if target == "entry" else 0.4 + 0.1 * layer
            rows.append(
                {"layer": layer, "target": target, "entries": entries, "n_train": 2048, "n_test": 256, "seed": 7}
                | {"train_mse": 0.9 * mse}
                | _ci("test_mse", mse, 0.004)
                | {"train_cosine": cosine}
                | _ci("test_cosine", cosine, 0.01)
                | _ci("control_mse", 0.221, 0.005)
                | {"control_cosine": 0.3, "constant_mse": 0.22}
                | _ci("gain", 0.221 - mse, 0.002)
                | _ci("cosine_gain", cosine - 0.3, 0.01)
            )
        facts = {"main_places": {"entry": "masked"}}
        return Result("probes", "Linear probes", {}, facts, {"probes": _table(rows)})


def _ci(name: str, value: float, half: float) -> dict[str, float]:
    return {name: float(value), f"{name}_low": float(value - half), f"{name}_high": float(value + half)}


def _table(rows: list[Mapping[str, Any]]) -> Table:
    return Table.of({name: f"meaning of {name}" for name in rows[0]}, rows)
