"""What the study measures: a system of one parameter, in float64 on the CPU, and trained recurrent networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.ghost_points import EXACT
from mcinterp.studies.ghost_points.drops import drops
from mcinterp.studies.ghost_points.fields import dense_around, fields
from mcinterp.studies.ghost_points.limits import critical, oscillation, sweep, zone
from mcinterp.studies.ghost_points.networks import REFERENCE, networks, train_networks
from mcinterp.studies.ghost_points.revival import DEADLY, revival
from mcinterp.studies.ghost_points.velocity import velocity
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, keep, train_preset

SEED = 0
MEASURES = {"velocity": (velocity, 40), "critical": (critical, 300), "rates": (sweep, 200)}
MEASURES |= {"zone": (zone, 300), "oscillation": (oscillation, 30), "drops": (drops, 40)}
"""Each with its number of starts."""


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train the networks that are missing, unless the preset is `exact`, and measure everything anew.

    Returns:
        `study/velocity`, `study/critical`, `study/rates`, `study/zone`, `study/oscillation` and `study/drops`; of
        networks `training`, `study/networks`, `study/fields` and `study/revival`.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    results: dict[str, Result] = {} if setting.preset == EXACT else _of_networks(setting)
    for name, (measured, n_starts) in MEASURES.items():
        setting.tell(name)
        n_starts = setting.samples or n_starts
        provenance = {"versions": package_versions(), "seed": SEED, "samples": n_starts}
        results |= keep(setting, measured(n_starts, SEED), **provenance)
    return results


def _of_networks(setting: Setting) -> dict[str, Result]:
    run = train_preset(setting, load_preset(setting.preset))
    results = analysed(setting, run, [])
    runs = train_networks(setting, run)
    reference = runs[REFERENCE]

    def measured() -> Iterator[Result]:
        yield networks(run, runs)
        setting.tell("checkpoints across the drop of every network")
        yield fields(run, reference, dense_around(setting, reference))
        yield revival(runs[f"rate-{DEADLY:g}"])

    provenance = {"versions": package_versions(), "run": run.name, "config_hash": run.config.hash}
    for result in measured():
        results |= keep(setting, result, **provenance)
    return results
