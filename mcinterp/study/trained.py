"""What a study trains, all by the ordinary trainer, and what it keeps of it: runs, variants, and their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mcinterp.analysis.runner import DATA, analyse, comparison_folder, step_folder
from mcinterp.analysis.standing import stored_result
from mcinterp.config import RunConfig, validate_config
from mcinterp.errors import StoppedError, TrainingError
from mcinterp.results import Result
from mcinterp.runs import Run, Sweep, run_sweep, train
from mcinterp.runs.grid import SweepRun
from mcinterp.runs.sweep import Outcome
from mcinterp.study.study import STUDY_FOLDER, Setting

VARIANTS = "variants"
"""Folder of the runs that differ from the preset's, in the folder of that one."""
FEW: Mapping[str, Any] = {"training.checkpoints": 2, "training.replay_states": 1, "training.dense_checkpoints": 0}
"""What changes in a variant that is read by its curve and its last weights."""


def train_preset(setting: Setting, config: RunConfig) -> Run:
    """Train the setting's run, with the setting's seed where it has one, or go on with it.

    Raises:
        StoppedError: if training was stopped.
        TrainingError: if it failed.
    """
    if setting.seed is not None:
        config = changed(config, {"training.seed": setting.seed})
    with setting.watch(config.training.steps, "training") as progress:
        run = train(setting.run, config, setting.device, progress)
    if not run.complete:
        raise StoppedError(f"training was stopped at step {run.steps[-1]}; the same command goes on from there")
    return run


def analysed(setting: Setting, run: Run, passes: Sequence[str] | None = None) -> dict[str, Result]:
    """Analyse a run before, in and after its drop, and collect what was found.

    Args:
        setting: where the results go, and of how many samples they are.
        run: what to look at.
        passes: and comparisons; None for all that the run can answer.

    Returns:
        `training`; `before/<pass>` and `after/<pass>` of a checkpoint on the plateau and of the last one, where there
        was a drop (else only `before`, of the last); `run/<comparison>`. What has no answer is left out.
    """
    steps = run.select_steps("auto")
    analyse(run, setting.out, steps, passes, setting.samples, jobs=setting.jobs, progress=setting.tell)
    places = {"before": steps[0], "after": steps[-1]} if run.transition.found else {"before": steps[-1]}
    results = {"training": Result.load(setting.out / DATA / "training")}
    results |= _stored(comparison_folder(setting.out, ""), "run")
    for place, step in places.items():
        results |= _stored(step_folder(setting.out, step), place)
    return results


def keep(setting: Setting, result: Result, **provenance: Any) -> dict[str, Result]:
    """Store what a study measured itself, by the key that its claims know it by: `study/<name>`."""
    kept = replace(result, provenance=provenance)
    kept.save(setting.out / DATA / STUDY_FOLDER / result.name)
    return {f"{STUDY_FOLDER}/{result.name}": kept}


def kept(
    setting: Setting, names: Sequence[str], provenance: Mapping[str, Any], measure: Callable[[], Iterable[Result]]
) -> dict[str, Result]:
    """What a study measured itself where it stands and comes from the same; else it is measured, and stored.

    Args:
        setting: where it is stored.
        names: of all results that `measure` gives.
        provenance: what decides them, such as digests of weights and versions; values that JSON can hold.
        measure: makes them.

    Returns:
        by the key that claims know it by: `study/<name>`.
    """
    folder, found = setting.out / DATA / STUDY_FOLDER, {}
    for name in names:
        stored = stored_result(folder / name)
        if stored is None or stored.provenance != provenance:
            return {key: one for result in measure() for key, one in keep(setting, result, **provenance).items()}
        found[f"{STUDY_FOLDER}/{name}"] = stored
    return found


def kept_each(
    setting: Setting, provenance: Mapping[str, Any], measures: Mapping[str, Callable[[], Result]]
) -> dict[str, Result]:
    """As `kept`, of measures that make one result each, by its name; says which one is looked at."""
    found: dict[str, Result] = {}
    for name, measure in measures.items():
        setting.tell(f"measuring: {name}")
        found |= kept(setting, [name], provenance, partial(_alone, measure))
    return found


def _alone(measure: Callable[[], Result]) -> list[Result]:
    return [measure()]


def _stored(folder: Path, place: str) -> dict[str, Result]:
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    stored = {path.name: Result.load(path) for path in folders}
    return {f"{place}/{name}": result for name, result in stored.items() if not result.why_unanswered}


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
        StoppedError: if one was stopped.
        TrainingError: if one failed; the others are trained all the same.
    """
    folder, new = run.path / VARIANTS, []
    varied = ("training.seed",)
    runs = tuple(SweepRun(name, {varied[0]: config.training.seed}, config) for name, config in configs.items())

    def tell(outcome: Outcome) -> None:
        if outcome.state != "kept":
            new.append(outcome.name)
            setting.tell(f"{outcome.name}: {outcome.state} {outcome.sentence}".strip())

    outcomes = run_sweep(Sweep(VARIANTS, varied, runs), folder, setting.jobs, None, setting.device, None, tell)
    refuse_unfinished("runs", outcomes)
    setting.tell(f"{len(runs)} variants: {len(new)} trained, {len(runs) - len(new)} kept")
    return {name: Run(folder / name) for name in configs}


def refuse_unfinished(what: str, outcomes: Iterable[Outcome]) -> None:
    """Go no further without the runs that were stopped or failed.

    Raises:
        StoppedError: if one was stopped.
        TrainingError: if one failed, or another process is training it.
    """
    left = [outcome for outcome in outcomes if outcome.state not in ("kept", "finished")]
    if left:
        said = "; ".join(f"{outcome.name} {outcome.sentence}".strip() for outcome in left)
        stopped = any(outcome.state == "stopped" for outcome in left)
        error = StoppedError if stopped else TrainingError
        raise error(f"{what} are not finished ({said}); the same command goes on from there")
