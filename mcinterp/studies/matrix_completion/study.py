"""What the study trains and measures: a run through its drop, its components anew, every pass on three checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mcinterp.analysis import PASSES, ablation, analyse
from mcinterp.analysis.runner import DATA, comparison_folder, step_folder
from mcinterp.config import load_preset
from mcinterp.errors import TrainingError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.retrain import COMPONENTS, retrain_together, retraining
from mcinterp.studies.matrix_completion.head_scores import CLASSES
from mcinterp.study.study import STUDY_FOLDER, Setting
from mcinterp.study.trained import train_preset

UNCLASSIFIED = "unclassified"


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train the run and its components where they are missing, analyse it, and collect the results.

    Returns:
        `training`; `before/<pass>` and `after/<pass>` of a checkpoint on the plateau and of the last one, where there
        was a drop (else only `before`, of the last); `study/unclassified`; `run/<comparison>`.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    _retrained(run, setting)
    steps = run.select_steps("auto")
    analyse(run, setting.out, steps, None, setting.samples, jobs=setting.jobs, progress=setting.tell)
    places = {"before": steps[0], "after": steps[-1]} if run.transition.found else {"before": steps[-1]}
    results = {"training": Result.load(setting.out / DATA / "training")}
    results |= _stored(comparison_folder(setting.out, ""), "run")
    for place, step in places.items():
        results |= _stored(step_folder(setting.out, step), place)
    if "after" in places:
        results |= _unclassified(run.checkpoint(steps[-1]), results["after/taxonomy"], setting)
    return results


def _retrained(run: Run, setting: Setting) -> None:
    outcomes = retrain_together(
        run,
        [retraining(run, component) for component in COMPONENTS],
        setting.jobs,
        setting.device,
        lambda outcome: setting.tell(f"retraining {outcome.name}: {outcome.state} {outcome.sentence}".strip()),
    )
    left = [outcome.name for outcome in outcomes if outcome.state not in ("kept", "finished")]
    if left:
        raise TrainingError(f"the retrainings {', '.join(left)} are not finished; the same command goes on from there")


def _stored(folder: Path, place: str) -> dict[str, Result]:
    stored = {path.name: Result.load(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    return {f"{place}/{name}": result for name, result in stored.items() if not result.why_unanswered}


def _unclassified(checkpoint: Checkpoint, taxonomy: Result, setting: Setting) -> dict[str, Result]:
    """The uniform ablation of all heads that fit no class, if there are any."""
    heads = taxonomy.table("heads")
    rest = heads[~heads["family"].isin(CLASSES) & ~heads["group"].isin(CLASSES)]["head"]
    if not len(rest):
        return {}
    samples = setting.samples or PASSES["ablation"].samples
    found = ablation(checkpoint, [",".join(rest)], ["uniform"], samples, taxonomy=taxonomy)
    found = replace(
        found,
        name=UNCLASSIFIED,
        title="Heads of no class, attending uniformly",
        provenance={"run": checkpoint.run_name, "step": checkpoint.step},
    )
    found.save(setting.out / DATA / STUDY_FOLDER / UNCLASSIFIED)
    return {f"{STUDY_FOLDER}/{UNCLASSIFIED}": found}
