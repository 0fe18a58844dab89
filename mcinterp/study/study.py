"""Carry out a study: what it trains and measures, and what becomes of its claims."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from mcinterp.analysis.runner import DATA
from mcinterp.declared import Study, resolved
from mcinterp.errors import UsageError, nearest_name
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.runs.device import machine
from mcinterp.runs.train import Progress
from mcinterp.study.claims import Evidence, claims_result

CLAIMS = "claims"
STUDY_FOLDER = "study"
"""Under a report's data: the claims, and what a study measured besides the passes."""


@dataclass(frozen=True)
class Setting:
    """How a study is carried out.

    Attributes:
        preset: which of the study's presets.
        run: folder of the run that is trained.
        out: folder of its report.
        jobs: trainings and analyses at the same time.
        samples: so many for every pass; None for each pass's own number.
        device: `auto` or a torch device.
        tell: told a line of progress.
        watch: given a number of steps and what is done, a context that watches a training.
        seed: that the run is trained with (`training.seed`); None for the preset's own. Samples of analyses are drawn
            with the same seeds whatever it is.
    """

    preset: str
    run: Path
    out: Path
    jobs: int
    samples: int | None
    device: str
    tell: Callable[[str], None]
    watch: Callable[[int, str], AbstractContextManager[Progress]]
    seed: int | None = None


def reproduce(study: Study, setting: Setting) -> Result:
    """Carry a study out and store what became of its claims under `out`/data/study.

    What stands already is kept, so that the same call goes on where an earlier one was stopped.

    Raises:
        UsageError: for a preset that the study does not have.
    """
    check_preset(study, setting.preset)
    results = resolved(study.measure)(setting)
    facts = {"study": study.name, "title": study.title, "source": study.source, "preset": setting.preset}
    facts["bounds"] = study.bounds
    steps = {key: result.provenance.get("step") for key, result in results.items()}
    found = claims_result(
        CLAIMS, "Is the paper right, here?", resolved(study.claims)(Evidence(results)), facts | {"steps": steps}
    )
    provenance = {"versions": package_versions(), "machine": machine(setting.device)}
    found = replace(found, provenance=provenance)
    found.save(setting.out / DATA / STUDY_FOLDER / CLAIMS)
    return found


def check_preset(study: Study, preset: str) -> None:
    """Refuse a preset that a study does not have.

    Raises:
        UsageError: naming the nearest.
    """
    if preset not in study.presets:
        raise UsageError(f"study {study.name} has no preset {preset!r}{nearest_name(preset, study.presets)}")
