"""What the study trains and measures: a run through its drop, its components anew, every pass on three checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcinterp.analysis import PASSES, ablation
from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.retrain import COMPONENTS, retrain_together, retraining
from mcinterp.studies.matrix_completion.head_scores import CLASSES
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, keep, refuse_unfinished, train_preset

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
    results = analysed(setting, run)
    if "after/taxonomy" in results:
        results |= _unclassified(run.checkpoint("last"), results["after/taxonomy"], setting)
    return results


def _retrained(run: Run, setting: Setting) -> None:
    outcomes = retrain_together(
        run,
        [retraining(run, component) for component in COMPONENTS],
        setting.jobs,
        setting.device,
        lambda outcome: setting.tell(f"retraining {outcome.name}: {outcome.state} {outcome.sentence}".strip()),
    )
    refuse_unfinished("retrainings", outcomes)


def _unclassified(checkpoint: Checkpoint, taxonomy: Result, setting: Setting) -> dict[str, Result]:
    """The uniform ablation of all heads that fit no class, if there are any."""
    heads = taxonomy.table("heads")
    rest = heads[~heads["family"].isin(CLASSES) & ~heads["group"].isin(CLASSES)]["head"]
    if not len(rest):
        return {}
    samples = setting.samples or PASSES["ablation"].samples
    found = ablation(checkpoint, [",".join(rest)], ["uniform"], samples, taxonomy=taxonomy)
    found = replace(found, name=UNCLASSIFIED, title="Heads of no class, attending uniformly")
    return keep(setting, found, run=checkpoint.run_name, step=checkpoint.step)
