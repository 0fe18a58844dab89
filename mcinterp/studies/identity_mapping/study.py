"""What the study trains and measures: a run, its variants over seeds, and the equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcinterp.analysis.runner import DATA, analyse
from mcinterp.config import load_preset
from mcinterp.errors import TrainingError
from mcinterp.results import Result
from mcinterp.studies.identity_mapping.config import IdentityConfig
from mcinterp.studies.identity_mapping.equations import equations
from mcinterp.studies.identity_mapping.runs import networks
from mcinterp.study.study import STUDY_FOLDER, Setting
from mcinterp.study.trained import train_preset


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train the run and its variants where they are missing, and solve the equations of its task.

    Returns:
        `training`, `study/equations`, `study/networks`.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    analyse(run, setting.out, [], progress=setting.tell)
    task = run.config.task
    if not isinstance(task, IdentityConfig):
        raise TrainingError(f"run {run.name} is of another task, {task.kind}")
    found = (equations(task), networks(setting, run))
    results = {"training": Result.load(setting.out / DATA / "training")}
    for result in found:
        kept = replace(result, provenance={"run": run.name, "config_hash": run.config.hash})
        kept.save(setting.out / DATA / STUDY_FOLDER / result.name)
        results[f"{STUDY_FOLDER}/{result.name}"] = kept
    return results
