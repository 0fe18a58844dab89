"""What the study trains and measures: networks that trace rings, with a prior and without, and what they look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcinterp.analysis.runner import code_digest
from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.graph_tracing.ablation import ABLATION, ablation
from mcinterp.studies.graph_tracing.nulls import NULLS, nulls
from mcinterp.studies.graph_tracing.runs import NO_PRIOR, OWN, networks, rings, train_all
from mcinterp.studies.graph_tracing.sizes import CRITICAL, sizes
from mcinterp.studies.graph_tracing.structure import STRUCTURE, structure
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, kept_each, train_preset


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train what is missing, and measure what was not measured of these very networks.

    Returns:
        `training`, and `study/structure`, `study/ablation`, `study/sizes`, `study/nulls`.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    runs = train_all(setting, run)
    results = analysed(setting, run, [])
    followed = networks(runs)
    measures: Mapping[str, Callable[[], Result]] = {
        NULLS: nulls,
        STRUCTURE: lambda: structure(followed, setting.tell),
        ABLATION: lambda: ablation(followed[OWN]),
        CRITICAL: lambda: sizes(rings(runs[NO_PRIOR])),
    }
    provenance = {
        "versions": package_versions(),
        "code": code_digest(),
        "run": run.name,
        "weights": {name: each.checkpoint("last").digest for name, each in runs.items()},
    }
    return results | kept_each(setting, provenance, measures)
