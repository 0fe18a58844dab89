"""What the study trains and measures: one run, exact laws of its texts, and samples of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcinterp.config import load_preset
from mcinterp.language.hooked import language_of_task
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.forking_tokens.forks import FORKS, forks
from mcinterp.studies.forking_tokens.generated import GENERATED, generated
from mcinterp.studies.forking_tokens.laws import LAWS, PATHS, laws
from mcinterp.studies.forking_tokens.navigator import NavigatorTexts
from mcinterp.studies.forking_tokens.sampled import SAMPLED, sampled
from mcinterp.studies.forking_tokens.task import FreeWalk
from mcinterp.studies.forking_tokens.texts import Texts, WalkTexts
from mcinterp.study.study import STUDY_FOLDER, Setting
from mcinterp.study.trained import analysed, kept, train_preset

SEED = 0
"""Of texts and samples."""


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train the run where it is missing, and measure what is not measured yet.

    Returns:
        `training`, `study/laws`, `study/forks`, `study/sampled`, `study/generated`.

    Raises:
        TrainingError: if the training was stopped or failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    results = analysed(setting, run, [])
    provenance = {"run": run.name, "digest": run.checkpoint("last").digest, "versions": dict(package_versions())}

    def once(name: str, measured: Callable[[], Result]) -> Result:
        setting.tell(name)
        own = kept(setting, [name], provenance, lambda: [measured()])
        results.update(own)
        return own[f"{STUDY_FOLDER}/{name}"]

    exact = once(LAWS, lambda: laws(_texts(run.checkpoint("last")), PATHS, SEED))
    once(FORKS, lambda: forks(exact))
    once(SAMPLED, lambda: sampled(exact, SEED))
    once(GENERATED, lambda: _generated(run, exact))
    return results


def _texts(checkpoint: Checkpoint) -> Texts:
    """What a checkpoint's model writes: walks, or answers to questions of the navigator."""
    if isinstance(checkpoint.task, FreeWalk):
        return WalkTexts.of(checkpoint)
    return NavigatorTexts.of(checkpoint, SEED)


def _generated(run: Run, exact: Result) -> Result:
    """With a model of other initial weights, which was never trained, beside it."""
    untrained = Checkpoint.untrained(run.config, run.config.training.seed + 1)
    control = language_of_task(untrained.model, untrained.task, "untrained")
    return generated(_texts(run.checkpoint("last")), exact, control, SEED)
