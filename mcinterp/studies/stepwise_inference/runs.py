"""What is trained beside the study's own run, which writes steps through the hierarchical graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcinterp.config import RunConfig, load_preset
from mcinterp.errors import TrainingError
from mcinterp.runs import Run
from mcinterp.studies.stepwise_inference.config import NavigationConfig
from mcinterp.studies.stepwise_inference.task import GraphNavigation
from mcinterp.study.study import Setting
from mcinterp.study.trained import FEW, changed, train_variants

HIERARCHICAL, BERNOULLI = "hierarchical", "bernoulli"
SHORT = 2
"""Edges of the longest path that is trained on in a Bernoulli graph, beside one for the own run's in layers."""
DIRECT: Mapping[str, Any] = {**FEW, "task.answer": "direct", "task.positions": 3, "task.offset": False}
SEEN_EARLY = {**FEW, "training.checkpoints": 12}
NAVIGATOR, SHUFFLED_LABELS = "navigator", "direct-shuffled-labels"
MOTIFS, SHUFFLED = "motifs", "motifs-shuffled"
"""Chains of motifs, with exemplars in the order of the chain, and in a random one."""
LONGER = 1.5
"""Times as many steps where exemplars stand in a random order, which takes longer to learn."""


@dataclass(frozen=True)
class Both:
    """A network that writes the steps and one that does not, of the same graph and pairs.

    Attributes:
        graph: kind of the graph.
        longest: edges of the longest path that is trained on.
        stepwise, direct: names of their runs; '' for the study's own.
    """

    graph: str
    longest: int
    stepwise: str
    direct: str


def compared(config: RunConfig) -> dict[str, Both]:
    """What is compared: the own run's setting, shorter and longer paths in its graph, and a Bernoulli graph."""
    task = navigation(config)
    found = {"own": Both(HIERARCHICAL, task.longest, "", "direct")}
    for name, longest in {"short": SHORT, "long": task.layers - 1}.items():
        found[name] = Both(HIERARCHICAL, longest, f"{name}-stepwise", f"{name}-direct")
    return found | {"bernoulli": Both(BERNOULLI, SHORT, "bernoulli-stepwise", "bernoulli-direct")}


def variants(config: RunConfig) -> dict[str, RunConfig]:
    """Name of a run → its configuration."""
    pairs = own_pairs(config)
    found = {"direct": changed(config, DIRECT)}
    found[SHUFFLED_LABELS] = changed(config, {**DIRECT, "task.labels": "shuffled"})
    for name, both in compared(config).items():
        if name != "own":
            fields = {"task.graph": both.graph, "task.longest": both.longest}
            if name == "long":
                fields["task.trained_pairs"] = pairs
            found[both.stepwise] = changed(config, {**FEW, **fields})
            found[both.direct] = changed(config, {**DIRECT, **fields})
    every = {"task.graph": BERNOULLI, "task.longest": navigation(config).walk}
    found[NAVIGATOR] = changed(config, {**SEEN_EARLY, **every})
    return found | _motifs(config)


def _motifs(config: RunConfig) -> dict[str, RunConfig]:
    """The motifs' networks, seeded as the own run, with the ground truth that its seed decides."""
    motifs = changed(load_preset(MOTIFS), {"training.seed": config.training.seed, **FEW})
    shuffled = {"task.order": "shuffled", "training.steps": round(LONGER * motifs.training.steps)}
    return {MOTIFS: motifs, SHUFFLED: changed(motifs, shuffled)}


def train_all(setting: Setting, run: Run) -> dict[str, Run]:
    """Train what is missing; every run by its name, the own one under ''.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    return {"": run, **train_variants(setting, run, variants(run.config))}


def own_pairs(config: RunConfig) -> int:
    """Pairs with a path that the own run is trained on."""
    return int(GraphNavigation(navigation(config)).pairs.has_path.sum())


def navigation(config: RunConfig) -> NavigationConfig:
    """The task's section.

    Raises:
        TrainingError: if it is another task's.
    """
    if not isinstance(config.task, NavigationConfig):
        raise TrainingError(f"the study's run must be of graph-navigation, got one of {config.task.kind}")
    return config.task
