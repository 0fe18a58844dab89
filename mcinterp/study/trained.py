"""What a study trains, all by the ordinary trainer: the run of its preset, and runs that differ from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.config import RunConfig, validate_config
from mcinterp.errors import TrainingError
from mcinterp.runs import Run, Sweep, run_sweep, train
from mcinterp.runs.grid import SweepRun
from mcinterp.runs.sweep import Outcome
from mcinterp.study.study import Setting

VARIANTS = "variants"
"""Folder of the runs that differ from the preset's, in the folder of that one."""
FEW: Mapping[str, Any] = {"training.checkpoints": 2, "training.replay_states": 1, "training.dense_checkpoints": 0}
"""What changes in a variant that is read by its curve and its last weights."""


def train_preset(setting: Setting, config: RunConfig) -> Run:
    """Train the setting's run, or go on with it.

    Raises:
        TrainingError: if training was stopped or failed.
    """
    with setting.watch(config.training.steps, "training") as progress:
        run = train(setting.run, config, setting.device, progress)
    if not run.finished:
        raise TrainingError(f"training was stopped at step {run.steps[-1]}; the same command goes on from there")
    return run


def changed(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """The configuration with other values of some fields, such as `training.seed`."""
    tree = config.model_dump()
    for field, value in changes.items():
        section, _, name = field.partition(".")
        tree[section][name] = value
    return validate_config({name: section for name, section in tree.items() if section is not None}, "variant")


def train_variants(setting: Setting, run: Run, configs: Mapping[str, RunConfig]) -> dict[str, Run]:
    """Train the runs that are not finished, `setting.jobs` at a time, in a folder of the run that they vary.

    Raises:
        TrainingError: if one was stopped or failed; the others are trained all the same.
    """
    folder, new = run.path / VARIANTS, []
    varied = ("training.seed",)
    runs = tuple(SweepRun(name, {varied[0]: config.training.seed}, config) for name, config in configs.items())

    def tell(outcome: Outcome) -> None:
        if outcome.state != "kept":
            new.append(outcome.name)
            setting.tell(f"{outcome.name}: {outcome.state} {outcome.sentence}".strip())

    outcomes = run_sweep(Sweep(VARIANTS, varied, runs), folder, setting.jobs, None, setting.device, None, tell)
    left = [f"{outcome.name} {outcome.sentence}" for outcome in outcomes if outcome.state not in ("kept", "finished")]
    if left:
        raise TrainingError(f"runs are not finished ({'; '.join(left)}); the same command goes on from there")
    setting.tell(f"{len(runs)} variants: {len(new)} trained, {len(runs) - len(new)} kept")
    return {name: Run(folder / name) for name in configs}
