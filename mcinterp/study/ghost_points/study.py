"""What the study measures: no run, but a system of one parameter, in float64 on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcinterp.analysis.runner import DATA
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.study.ghost_points.claims import ghost_claims
from mcinterp.study.ghost_points.drops import drops
from mcinterp.study.ghost_points.limits import critical, oscillation, sweep, zone
from mcinterp.study.ghost_points.velocity import velocity
from mcinterp.study.study import STUDY_FOLDER, Setting, Study

SEED = 0
MEASURES = {"velocity": (velocity, 40), "critical": (critical, 300), "rates": (sweep, 200)}
MEASURES |= {"zone": (zone, 300), "oscillation": (oscillation, 30), "drops": (drops, 40)}
"""Each with its number of starts."""


def measure(setting: Setting) -> Mapping[str, Result]:
    """Measure everything anew, which takes seconds, and store it.

    Returns:
        `study/velocity`, `study/critical`, `study/rates`, `study/zone`, `study/oscillation` and `study/drops`.
    """
    results = {}
    for name, (measured, n_starts) in MEASURES.items():
        setting.tell(name)
        n_starts = setting.samples or n_starts
        provenance = {"versions": package_versions(), "seed": SEED, "samples": n_starts}
        result = replace(measured(n_starts, SEED), provenance=provenance)
        result.save(setting.out / DATA / STUDY_FOLDER / name)
        results[f"{STUDY_FOLDER}/{name}"] = result
    return results


STUDY = Study(
    "ghost-points",
    "A ghost mechanism: An analytical model of abrupt learning",
    "arXiv 2501.02378",
    ("exact",),
    measure,
    ghost_claims,
    alone=True,
    bounds="The bounds are this package's own, about what the closed forms say.",
)
