"""What the study trains and measures: networks of few to many chains, each read at all of its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.analysis.runner import code_digest
from mcinterp.config import load_preset
from mcinterp.errors import TrainingError
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.markov_mixtures.circuits import CIRCUITS, circuit_rows, circuits
from mcinterp.studies.markov_mixtures.competition import COMPETITION, Ending, competition, competition_rows
from mcinterp.studies.markov_mixtures.config import MarkovConfig
from mcinterp.studies.markov_mixtures.implied import IMPLIED, implied, implied_rows
from mcinterp.studies.markov_mixtures.mixtures import MIXTURES, mixture_rows, mixtures
from mcinterp.studies.markov_mixtures.networks import Network, train_networks
from mcinterp.studies.markov_mixtures.phases import PHASES, phase_rows, phases
from mcinterp.studies.markov_mixtures.readings import Reading
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, kept, train_preset

SAMPLES, SEED = 256, 0
Rows = dict[str, list[dict[str, Any]]]
MEASURED = (PHASES, MIXTURES, CIRCUITS, COMPETITION, IMPLIED)


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train what is missing, and measure what was not measured of these very networks.

    Returns:
        `training`, and `study/phases`, `study/mixtures`, `study/circuits`, `study/competition`, `study/implied`.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    if not isinstance(run.config.task, MarkovConfig):
        raise TrainingError(f"run {run.name} is of another task, {run.config.task.kind}")
    networks = train_networks(setting, run)
    results = analysed(setting, run, [])
    samples = setting.samples or SAMPLES
    provenance = {
        "versions": package_versions(),
        "code": code_digest(),
        "run": run.name,
        "weights": {network.name: network.run.fingerprint() for network in networks},
        "samples": samples,
        "seed": SEED,
    }
    return results | kept(setting, MEASURED, provenance, lambda: _measured(setting, networks, samples))


def _measured(setting: Setting, networks: list[Network], samples: int) -> list[Result]:
    """Read one network after the other, for what is read of one is large."""
    found: dict[str, Rows] = {name: {} for name in MEASURED}
    endings = []
    for at, network in enumerate(networks, 1):
        reading = Reading.of_network(network, samples, SEED)
        parts = _parts(reading)
        for name, rows in parts.items():
            for table, of_network in rows.items():
                found[name].setdefault(table, []).extend(of_network)
        endings.append(Ending.of(reading))
        setting.tell(f"{at}/{len(networks)} {network.name}: read")
    return [
        phases(found[PHASES]),
        mixtures(found[MIXTURES]),
        circuits(found[CIRCUITS]),
        competition(found[COMPETITION], endings),
        implied(found[IMPLIED]),
    ]


def _parts(reading: Reading) -> dict[str, Rows]:
    """The rows that a network adds to every result."""
    found = phase_rows(reading)
    (onset,) = found["onsets"]
    return {
        PHASES: found,
        MIXTURES: mixture_rows(reading),
        CIRCUITS: circuit_rows(reading),
        COMPETITION: competition_rows(reading, onset["bigram"]),
        IMPLIED: implied_rows(reading),
    }
