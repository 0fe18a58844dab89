"""A sweep's folder with planted learning curves, so that what a summary must say is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from small_sweep import write_grid

from mcinterp.runs import Run, Sweep, load_sweep
from mcinterp.runs.checkpoint import build_model, save_checkpoint

STEPS = 4000
PLATEAU = 0.1


def planted_curve(drop: int | None, last: float, seed: int, steps: int = STEPS) -> np.ndarray:
    """A plateau at `PLATEAU`, and after step `drop` a fall to `last` that takes 200 steps; 2 % of noise."""
    step = np.arange(1, steps + 1)
    fallen = np.zeros(steps) if drop is None else np.clip((step - drop) / 200, 0, 1)
    level = np.exp(np.log(PLATEAU) * (1 - fallen) + np.log(last) * fallen)
    return np.asarray(level * np.random.default_rng(seed).normal(1, 0.02, steps))


def plant(folder: Path, sweep: Sweep, name: str, curve: np.ndarray) -> None:
    """Write a run with this curve as its L_mask; it is finished if the curve is long enough."""
    run = next(run for run in sweep.runs if run.name == name)
    path = folder / name
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(run.config.to_yaml())
    step = np.arange(1, len(curve) + 1)
    columns = {"step": step, "loss": curve, "observed_mse": curve, "masked_mse": curve, "masked_abs_mean": curve}
    frame = pd.DataFrame({**columns, "learning_rate": 1e-3, "seconds": step / 100})
    frame.to_csv(path / "metrics.csv", index=False)
    save_checkpoint(Run(path).folder(len(curve)), build_model(run.config), len(curve), run.config, {})


def plant_sweep(folder: Path, drops: bool = True) -> Path:
    """Depth 1 and 2, three seeds each: depth 2 drops earlier; a seed of depth 1 never, one failed, one not begun."""
    grid = {"model.n_layers": [1, 2], "training.seed": [0, 1, 2]}
    sweep = load_sweep(write_grid(folder / "sizes.yaml", grid, steps=STEPS, dense_checkpoints=0))
    out = folder / "out"
    out.mkdir()
    sweep.save(out)
    for seed, drop, last in ((0, 2000, 0.02), (1, 1800, 0.01), (2, 1900, 0.015)):
        plant(out, sweep, f"n_layers=2,seed={seed}", planted_curve(drop if drops else None, last, seed))
    plant(out, sweep, "n_layers=1,seed=0", planted_curve(None, PLATEAU, 7))
    plant(out, sweep, "n_layers=1,seed=1", planted_curve(None, PLATEAU, 8, steps=500))
    (out / "failures.json").write_text(json.dumps({"n_layers=1,seed=1": "the loss became 1e+05 at step 501"}))
    return out
