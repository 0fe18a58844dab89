"""A grid file of runs that train in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from small_run import small_config

from mcinterp.runs import Run


def write_grid(path: Path, grid: dict[str, list[Any]], **fixed: Any) -> Path:
    """Write a grid over `small_config()`; `fixed` are fields of its training."""
    base = small_config().model_dump()
    settings = {f"training.{name}": value for name, value in fixed.items()}
    path.write_text(json.dumps({"base": base, "set": settings, "grid": grid}))
    assert yaml.safe_load(path.read_text())
    return path


def assert_same_numbers(folder: Path, expected: Path) -> None:
    """Every run of a sweep has the weights and the measurements of the same run of another, to the last bit."""
    runs = sorted(path.parent.name for path in expected.glob("*/config.yaml"))
    assert runs
    assert runs == sorted(path.parent.name for path in folder.glob("*/config.yaml"))
    for name in runs:
        one, other = Run(folder / name), Run(expected / name)
        assert set(other.steps) <= set(one.steps)  # stopping saves one checkpoint more
        for step in other.steps:
            weights = [run.folder(step) / "model.safetensors" for run in (one, other)]
            assert weights[0].read_bytes() == weights[1].read_bytes(), (name, step)
        assert one.metrics.drop(columns="seconds").equals(other.metrics.drop(columns="seconds"))


def begun_and_holder(folder: Path, steps: int) -> tuple[str, int] | None:
    """A run that is being trained and has done so many steps, and the process that trains it."""
    for lock in sorted(folder.glob("*/.lock")):
        metrics, holder = lock.parent / "metrics.csv", lock.read_text()
        if holder and metrics.exists() and metrics.read_text().count("\n") > steps:
            return lock.parent.name, int(holder.split()[-1])
    return None
