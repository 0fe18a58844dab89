"""What the study trains and measures: a run, its variants over seeds, and the equations."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.config import load_preset
from mcinterp.errors import TrainingError
from mcinterp.results import Result
from mcinterp.studies.identity_mapping.config import IdentityConfig
from mcinterp.studies.identity_mapping.equations import equations
from mcinterp.studies.identity_mapping.runs import networks
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, keep, train_preset


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train the run and its variants where they are missing, and solve the equations of its task.

    Returns:
        `training`, `study/equations`, `study/networks`.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    task = run.config.task
    if not isinstance(task, IdentityConfig):
        raise TrainingError(f"run {run.name} is of another task, {task.kind}")
    results = analysed(setting, run, [])
    for result in (equations(task), networks(setting, run)):
        results |= keep(setting, result, run=run.name, config_hash=run.config.hash)
    return results
