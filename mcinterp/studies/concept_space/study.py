"""What the study trains and measures: networks of weak to strong colours, asked at all of their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.analysis.runner import code_digest
from mcinterp.config import load_preset
from mcinterp.errors import TrainingError
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.concept_space.config import ConceptConfig, FlowConfig
from mcinterp.studies.concept_space.courses import course
from mcinterp.studies.concept_space.hidden import HIDDEN, hidden
from mcinterp.studies.concept_space.judge import trial
from mcinterp.studies.concept_space.networks import GATED, MIDDLE, Family, train_families
from mcinterp.studies.concept_space.paths import PATHS, paths
from mcinterp.studies.concept_space.prompts import Asking
from mcinterp.studies.concept_space.samples import SAMPLES, samples
from mcinterp.studies.concept_space.signals import SIGNALS, signals
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, kept, train_preset

NOISES, SEED = 48, 0
"""Images of every prompt, from noises of this seed."""
MEASURED = (SIGNALS, PATHS, HIDDEN, SAMPLES)


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train what is missing, and measure what was not measured of these very networks.

    Returns:
        `training`, and `study/signals`, `study/paths`, `study/hidden`, `study/samples`.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    if not isinstance(run.config.task, ConceptConfig):
        raise TrainingError(f"run {run.name} is of another task, {run.config.task.kind}")
    families = train_families(setting, run)
    results = analysed(setting, run, [])
    n = setting.samples or NOISES
    provenance = {
        "versions": package_versions(),
        "code": code_digest(),
        "run": run.name,
        "weights": {str(each.path.name): each.fingerprint() for family in families for each in family.runs},
        "samples": n,
        "seed": SEED,
    }
    return results | kept(setting, MEASURED, provenance, lambda: _measured(setting, families, n))


def _measured(setting: Setting, families: list[Family], n: int) -> list[Result]:
    """Ask one family after the other."""
    courses, judged, pictures = [], [], []
    for at, family in enumerate(families, 1):
        model = family.runs[0].config.model
        assert isinstance(model, FlowConfig)
        asking = Asking.of(family.task, model.embedding, n, SEED)
        judge, rows = trial(family.task)
        judged += [{**family.about, **row} for row in rows]
        courses.append([course(family, run, judge, asking, SEED) for run in family.runs])
        if (family.reading, family.colours) == (GATED, MIDDLE):
            pictures.append(samples(family, asking))
        setting.tell(f"{at}/{len(families)} {family.colours} colours, {family.reading}: asked")
    return [signals(families, judged), paths(courses), hidden(courses), *pictures]
