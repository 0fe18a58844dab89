"""What is trained beside the study's own run, and what each network is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcinterp.analysis.graph_geometry import NodeGraph
from mcinterp.analysis.representations import Ints
from mcinterp.analysis.tracing import Walks
from mcinterp.config import RunConfig
from mcinterp.config.graphs import NamedGraph, graph_named
from mcinterp.errors import TrainingError
from mcinterp.language.hooked import HookedLanguage
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.graph_tracing.config import TracingConfig
from mcinterp.study.study import Setting
from mcinterp.study.trained import FEW, changed, train_variants

OWN, MOSTLY_PRIOR, NO_PRIOR, UNTRAINED = "own", "mostly prior", "no prior", "untrained"
FILES: Mapping[str, str] = {MOSTLY_PRIOR: "mostly-prior", NO_PRIOR: "no-prior"}
"""Networks trained beside the own run, and their folders; the one without a prior traces rings of all sizes."""
MOSTLY = 0.9
RINGS = (5, 7, 9, 11, 13)
"""Odd, so that a walk's parity tells nothing."""
LABELLINGS, WALKS = 8, 352
"""Of the graph, and walks of each."""
TRIES = 10_000


@dataclass(frozen=True)
class Network:
    """A network, and the graph that it is followed on.

    Attributes:
        name: how tables call it.
        checkpoint: its weights.
        shape: the graph.
        length: tokens of a walk.
    """

    name: str
    checkpoint: Checkpoint
    shape: NamedGraph
    length: int

    @cached_property
    def language(self) -> HookedLanguage:
        """The model, which gives its states."""
        return HookedLanguage(self.checkpoint.model, self.name)

    @cached_property
    def graph(self) -> NodeGraph:
        """The graph with its distances."""
        return NodeGraph.of(self.shape)

    def walks(self, labels: Ints, seed: int, n: int | None = None) -> Walks:
        """Walks whose nodes have these tokens, `WALKS` unless said otherwise."""
        return Walks.drawn(self.graph.edges, labels, n or WALKS, self.length, seed)


def variants(config: RunConfig) -> dict[str, RunConfig]:
    """Folder of a run → its configuration.

    A network that sees its prior nine times in ten has one fresh graph where the own run has five, and takes more steps
    to trace any. Rings of several sizes are learned together more quickly than large ones alone, and walks are longer
    there.
    """
    task, steps = tracing(config), config.training.steps
    mostly = {**FEW, "task.prior": MOSTLY, "training.steps": 2 * steps}
    sizes = {"task.graphs": [f"ring:{n}" for n in RINGS], "task.prior": 0.0, "task.length": 4 * task.length // 3}
    found = {
        MOSTLY_PRIOR: changed(config, mostly),
        NO_PRIOR: changed(config, {**FEW, **sizes, "training.steps": max(1, 4 * steps // 5)}),
    }
    return {FILES[name]: own for name, own in found.items()}


def train_all(setting: Setting, run: Run) -> dict[str, Run]:
    """Train what is missing; every run by what tables call it.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    trained = train_variants(setting, run, variants(run.config))
    return {OWN: run, **{name: trained[file] for name, file in FILES.items()}}


def networks(runs: Mapping[str, Run]) -> dict[str, Network]:
    """All that are followed on the own run's graph, an untrained one among them."""
    config = runs[OWN].config
    task = tracing(config)
    shape = task.shapes[0]
    found = {name: run.checkpoint("last") for name, run in runs.items()}
    found[UNTRAINED] = Checkpoint.untrained(config, config.training.seed + 1)
    return {name: Network(name, checkpoint, shape, task.length) for name, checkpoint in found.items()}


def rings(run: Run) -> dict[int, Network]:
    """The network that traces rings of all sizes, on each, by its nodes."""
    checkpoint = run.checkpoint("last")
    return {n: Network(NO_PRIOR, checkpoint, graph_named(f"ring:{n}"), tracing(run.config).length) for n in RINGS}


def labellings(graph: NodeGraph, n: int, seed: int = 0) -> list[Ints]:
    """Tokens of the nodes, so many times, such that no two neighbours are neighbours in the prior, too.

    Where there are none such, as on a graph of few nodes, those with the fewest in common.
    """
    generator, found = np.random.default_rng(seed), list[tuple[int, int, Ints]]()
    for number in range(TRIES):
        labels = generator.permutation(graph.n)
        common = int((graph.edges & prior_of(graph, labels).edges).sum())
        found.append((common, number, labels))
        if sum(each[0] == 0 for each in found) == n:
            break
    return [labels for _, _, labels in sorted(found, key=lambda each: each[:2])[:n]]


def prior_of(graph: NodeGraph, labels: Ints) -> NodeGraph:
    """The prior's neighbours among the nodes: those whose tokens are neighbours where token i stands at node i."""
    return graph.relabelled(labels)


def tracing(config: RunConfig) -> TracingConfig:
    """The task's section.

    Raises:
        TrainingError: if it is another task's.
    """
    if not isinstance(config.task, TracingConfig):
        raise TrainingError(f"the study's run must be of graph-tracing, got one of {config.task.kind}")
    return config.task
