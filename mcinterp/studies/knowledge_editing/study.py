"""What the study trains and measures: networks that know cyclic facts, and what edits do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcinterp.analysis.runner import code_digest
from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.knowledge_editing.answers import Network
from mcinterp.studies.knowledge_editing.edits import EDITS, edits
from mcinterp.studies.knowledge_editing.knowledge import KNOWLEDGE, knowledge
from mcinterp.studies.knowledge_editing.rings import GEOMETRY, geometry
from mcinterp.studies.knowledge_editing.runs import NARROW, OWN, train_all
from mcinterp.studies.knowledge_editing.sequences import SEQUENCES, sequences
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, kept_each, train_preset

SEED = 0
"""Of what is chosen and drawn for measurements, whatever the networks' seed is."""
UNTRAINED = "untrained"


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train what is missing, and measure what was not measured of these very networks.

    Returns:
        `training`, causal tracing of the last checkpoint, and `study/knowledge`, `study/geometry`, `study/edits` and
        `study/sequences`.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    runs = train_all(setting, run)
    results = analysed(setting, run, ["causal-tracing"])
    provenance = {
        "versions": package_versions(),
        "code": code_digest(),
        "run": run.name,
        "weights": {name: each.fingerprint() for name, each in runs.items()},
    }
    return results | kept_each(setting, provenance, _measures(run, runs))


def _measures(run: Run, runs: Mapping[str, Run]) -> dict[str, Callable[[], Result]]:
    networks = {name: Network.of(each.checkpoint()) for name, each in runs.items()}
    untrained = Network.of(Checkpoint.untrained(run.config, seed=run.config.training.seed))
    by_width = {name: networks[name] for name in (OWN, NARROW)}
    return {
        KNOWLEDGE: lambda: knowledge(run, {**networks, UNTRAINED: untrained}, SEED),
        GEOMETRY: lambda: geometry(by_width, untrained, SEED),
        EDITS: lambda: edits(by_width, SEED),
        SEQUENCES: lambda: sequences({OWN: networks[OWN]}, SEED),
    }
