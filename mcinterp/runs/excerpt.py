"""A copy of a run that is small enough to send: its measurements, and some of its checkpoints."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import yaml

from mcinterp.errors import UsageError
from mcinterp.runs.checkpoint import RECORD, WEIGHTS, package_versions
from mcinterp.runs.files import atomic_folder, explained
from mcinterp.runs.run import CONFIG, EXCERPT, IMPORTED, METRICS, START, Run

LEAST = 4
"""The first, one on the plateau, one in the drop, the last."""


def excerpt(run: Run, target: Path, n_steps: int, made_by: str = "") -> Run:
    """Copy a run's configuration, measurements and `n_steps` of its checkpoints to a new folder.

    It opens and is analysed as any run; it keeps no training states, so that it can neither go on nor be replayed.

    Args:
        run: whose checkpoints are copied, each verified first.
        target: the new folder.
        n_steps: how many checkpoints at most: those of `auto`, and others spread evenly over those that there are.
        made_by: the command that trained the run, kept in excerpt.yaml.

    Raises:
        UsageError: for fewer than `LEAST` checkpoints, or if something is at `target` already.
        CheckpointError: if a checkpoint is damaged.
        WriteError: if the folder cannot be written.
    """
    if n_steps < LEAST:
        raise UsageError(f"an excerpt has at least {LEAST} checkpoints, got {n_steps}")
    if target.exists():
        raise UsageError(f"{target} is there already; an excerpt goes to a new folder")
    steps = run.spread_steps(n_steps)
    with explained(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(target) as folder:
        _copy(run, steps, folder)
        (folder / EXCERPT).write_text(yaml.safe_dump(_origin(run, steps, made_by), sort_keys=False))
    return Run(target)


def _copy(run: Run, steps: list[int], folder: Path) -> None:
    for name in (CONFIG, METRICS, START, IMPORTED):
        if (run.path / name).is_file():
            shutil.copy2(run.path / name, folder / name)
    for step in steps:
        run.checkpoint(step)  # reads and verifies it
        own = run.folder(step)
        (folder / own.name).mkdir()
        for name in (WEIGHTS, RECORD):
            shutil.copy2(own / name, folder / own.name / name)


def _origin(run: Run, steps: list[int], made_by: str) -> dict[str, object]:
    about: dict[str, object] = {"of": run.name, "config_hash": run.config.hash}
    if made_by:
        about["trained_by"] = made_by
    about |= {"checkpoints": f"{len(steps)} of {len(run.steps)}", "versions": dict(package_versions())}
    return about | {"copied": datetime.now(UTC).date().isoformat()}
