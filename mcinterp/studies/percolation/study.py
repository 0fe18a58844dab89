"""What the study measures: random graphs beside their closed form, and networks trained on typed languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcinterp.analysis.runner import code_digest
from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs.checkpoint import package_versions
from mcinterp.studies.percolation import EXACT
from mcinterp.studies.percolation.connected import CONNECTED, connected
from mcinterp.studies.percolation.drops import DROPS, drops
from mcinterp.studies.percolation.graphs import GRAPHS, graphs
from mcinterp.studies.percolation.order import ORDER, order
from mcinterp.studies.percolation.runs import CLASS_FREE, ONE, PRESET, TWO, Network, language, of_role, train_networks
from mcinterp.studies.percolation.shift import SHIFT, shift
from mcinterp.study.study import Setting
from mcinterp.study.trained import analysed, kept, kept_each, train_preset

SEED = 0
"""Of graphs, prompts and what is drawn after them."""
DRAWN, STRINGS = 200, 512
"""Graphs, and strings of each task at a checkpoint."""


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train what is missing, unless the preset is `exact`, and measure what was not measured of these very networks.

    Returns:
        `study/graphs`; of networks `training`, `study/order`, `study/drops`, `study/shift` and `study/connected`.

    Raises:
        StoppedError: if a training was stopped.
        TrainingError: if one failed.
    """
    made = {"versions": package_versions(), "code": code_digest(), "seed": SEED, "samples": setting.samples}
    results = {} if setting.preset == EXACT else _of_networks(setting, made)
    setting.tell(f"measuring: {GRAPHS}")
    return results | kept(setting, [GRAPHS], made, lambda: [graphs(setting.samples or DRAWN, SEED)])


def _of_networks(setting: Setting, made: Mapping[str, Any]) -> dict[str, Result]:
    run = train_preset(setting, load_preset(setting.preset))
    language(run.config)
    networks = train_networks(setting, run)
    results = analysed(setting, run, [])
    weights = {network.name: network.run.fingerprint() for network in networks}
    provenance = {**made, "run": run.name, "weights": weights}
    return results | kept_each(setting, provenance, _measures(networks, setting.samples or STRINGS))


def _measures(networks: list[Network], n: int) -> dict[str, Callable[[], Result]]:
    """What is measured of which networks."""
    own, class_free = (of_role(networks, role) for role in (PRESET, CLASS_FREE))
    compared = [network for network in networks if network.role not in (CLASS_FREE, ONE, TWO)]
    return {
        ORDER: lambda: order(own, n, SEED),
        DROPS: lambda: drops(own, class_free),
        CONNECTED: lambda: connected(networks),
        SHIFT: lambda: shift(compared),
    }
