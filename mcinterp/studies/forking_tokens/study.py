"""What the study trains and measures: one run, exact laws of its texts, and samples of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcinterp.analysis.runner import DATA
from mcinterp.config import load_preset
from mcinterp.language.hooked import language_of_task
from mcinterp.results import RECORD, Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.forking_tokens.forks import FORKS, forks
from mcinterp.studies.forking_tokens.generated import GENERATED, generated
from mcinterp.studies.forking_tokens.laws import LAWS, PATHS, laws
from mcinterp.studies.forking_tokens.sampled import SAMPLED, sampled
from mcinterp.studies.forking_tokens.texts import texts_of
from mcinterp.study.study import STUDY_FOLDER, Setting
from mcinterp.study.trained import analysed, keep, train_preset

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
    exact = _once(setting, run, LAWS, lambda: laws(texts_of(run), PATHS, SEED))
    for name, measured in (
        (FORKS, lambda: forks(exact)),
        (SAMPLED, lambda: sampled(exact, SEED)),
        (GENERATED, lambda: _generated(run, exact)),
    ):
        results[f"{STUDY_FOLDER}/{name}"] = _once(setting, run, name, measured)
    return {**results, f"{STUDY_FOLDER}/{LAWS}": exact}


def _generated(run: Run, exact: Result) -> Result:
    """With a model of other initial weights, which was never trained, beside it."""
    untrained = Checkpoint.untrained(run.config, run.config.training.seed + 1)
    return generated(texts_of(run), exact, language_of_task(untrained.model, untrained.task, "untrained"), SEED)


def _once(setting: Setting, run: Run, name: str, measured: Callable[[], Result]) -> Result:
    """A result of the same weights that stands, or a new one, stored."""
    last = run.checkpoint("last")
    provenance: dict[str, Any] = {"run": run.name, "digest": last.digest, "versions": package_versions()}
    folder = setting.out / DATA / STUDY_FOLDER / name
    if (folder / RECORD).is_file():
        stored = Result.load(folder)
        if stored.provenance.get("digest") == last.digest:
            setting.tell(f"{name}: kept")
            return stored
    setting.tell(name)
    keep(setting, measured(), **provenance)
    return Result.load(folder)
