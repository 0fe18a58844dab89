"""Is there a path? What steps gain over answering at once, beside a walker, and what the pairs alone imply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mcinterp.analysis.judged import Judged
from mcinterp.analysis.statistics import Estimate, interval_columns, mean_estimate, pooled_estimate, share_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.stepwise_inference.answers import Answers, answered
from mcinterp.studies.stepwise_inference.oracles import closure, reached_by, trained_edges, walker_hits
from mcinterp.studies.stepwise_inference.pairs import Pairs
from mcinterp.studies.stepwise_inference.runs import SHUFFLED_LABELS, Both, compared
from mcinterp.studies.stepwise_inference.task import GraphNavigation

ACCURACY = "accuracy"
NEAR, FAR, EVERY = "near", "far", "all"
STRUCTURE, SHORTER, BY_CHANCE = "structure", "shorter paths", "labels by chance"

ACCURACY_COLUMNS = {
    "graph": "its kind",
    "longest": "edges of the longest path that is trained on",
    "pairs": "held-out pairs: near, with a path of so many edges; far, without; all",
    "n": "pairs, those without a path among them",
    "n_path": "pairs with a path",
    "trained": "pairs with a path that are trained on",
    "coverage": "share of the graph's edges that training shows, on paths or on walks where there is none",
    **interval_columns("stepwise", "share of answers PATH or NOPATH that are right, where the steps are written"),
    **interval_columns("direct", "the same of the network that answers at once"),
    "walker": "the same of a walk along random edges, which knows them all; exact",
    "closure": "the same of who puts the trained pairs end to end",
    "shown": "the same of who puts the edges that training shows end to end",
    **interval_columns("gap", "stepwise less direct, paired"),
    **interval_columns("lead", "stepwise less walker, paired"),
    **interval_columns("valid", "of pairs with a path: share whose steps are one (exact binomial interval)"),
    "hits": "of pairs with a path: probability that the walker's steps are one; exact",
    **interval_columns("stitched", "valid less hits, paired"),
    **interval_columns("lied", "of pairs with a path: share that says PATH without having written one"),
    **interval_columns("misstep", "… share with a step along no edge"),
    **interval_columns("astray", "… share along edges to another node, a failure of planning"),
}
CONTRAST_COLUMNS = {
    "contrast": f"{STRUCTURE}: the gap in the hierarchical graph less that in the Bernoulli graph; {SHORTER}: the gap "
    f"of the own run less that of the longest paths, on pairs held out from both; {BY_CHANCE}: accuracy of a direct "
    "network whose labels were shuffled",
    "n": "pairs",
    **interval_columns("value", "of all held-out pairs"),
}


@dataclass(frozen=True)
class Asked:
    """A network's task, and what it answers."""

    checkpoint: Checkpoint

    @classmethod
    def of(cls, run: Run) -> Asked:
        """A run's last checkpoint."""
        return cls(run.checkpoint())

    @property
    def task(self) -> GraphNavigation:
        """With its graph and pairs."""
        task: GraphNavigation = self.checkpoint.task
        return task

    def answers(self, pairs: Pairs) -> Answers:
        """Its most probable answers."""
        return answered(self.checkpoint.model, self.task, pairs)

    @cached_property
    def hits(self) -> Tensor:
        """P(the walker comes by the goal), (start, goal)."""
        return walker_hits(self.task.graph, self.task.config.walk)


def right(pairs: Pairs, answers: Answers) -> Tensor:
    """Whether PATH or NOPATH is said where it is so, float64, (pair,)."""
    return torch.where(pairs.has_path, answers.says_path, answers.says_no_path).double()


def implied(pairs: Pairs, reach: Tensor) -> float:
    """Accuracy of who says PATH where a goal is known to be reached."""
    says = reach[pairs.start, pairs.goal].double()
    return float((pairs.weights * torch.where(pairs.has_path, says, 1 - says)).sum())


def weighted(pairs: Pairs, values: Tensor) -> Estimate:
    """The weighted mean over pairs."""
    return pooled_estimate((pairs.weights * values).numpy(), pairs.weights.numpy())


def accuracy(runs: Mapping[str, Run]) -> Result:
    """Accuracies of all networks that are compared, and contrasts between them.

    Args:
        runs: by name, the own run under ''.
    """
    named = compared(runs[""].config)
    rows = [row for both in named.values() for row in _rows(both, runs)]
    tables = {
        "accuracy": Table.of(ACCURACY_COLUMNS, rows),
        "contrasts": Table.of(CONTRAST_COLUMNS, [_structure(rows, named), _shorter(named, runs), _by_chance(runs)]),
    }
    facts = {"own": named["own"].longest, "long": named["long"].longest, "short": named["bernoulli"].longest}
    return Result(ACCURACY, "With steps and without", {}, facts, tables)


def _rows(both: Both, runs: Mapping[str, Run]) -> list[dict[str, Any]]:
    stepwise, direct = Asked.of(runs[both.stepwise]), Asked.of(runs[both.direct])
    task = stepwise.task
    near = task.paths.shortest <= both.longest
    found = []
    for name, positive in {NEAR: near, FAR: ~near, EVERY: torch.ones_like(near)}.items():
        pairs = task.test_pairs(positive)
        if len(pairs):
            about = {"graph": both.graph, "longest": both.longest, "pairs": name}
            found.append({**about, **_labels(pairs, stepwise, direct), **_paths(pairs, stepwise)})
    return found


def _labels(pairs: Pairs, stepwise: Asked, direct: Asked) -> dict[str, Any]:
    """What is said of all pairs."""
    task = stepwise.task
    with_steps, at_once = (right(pairs, network.answers(pairs)) for network in (stepwise, direct))
    walker = torch.where(pairs.has_path, stepwise.hits[pairs.start, pairs.goal], 1.0)
    known, shown = torch.zeros_like(task.paths.reach), trained_edges(task)
    trained = task.pairs.only(task.pairs.has_path)
    known[trained.start, trained.goal] = True
    return {
        "n": len(pairs),
        "n_path": int(pairs.has_path.sum()),
        "trained": len(trained),
        "coverage": float(shown.sum() / task.graph.edges.sum()),
        **weighted(pairs, with_steps).columns("stepwise"),
        **weighted(pairs, at_once).columns("direct"),
        "walker": float((pairs.weights * walker).sum()),
        "closure": implied(pairs, closure(known)),
        "shown": implied(pairs, reached_by(shown, task.graph)),
        **weighted(pairs, with_steps - at_once).columns("gap"),
        **weighted(pairs, with_steps - walker).columns("lead"),
    }


def _paths(pairs: Pairs, stepwise: Asked) -> dict[str, Any]:
    """What the steps are worth where there is a path."""
    pairs = pairs.only(pairs.has_path)
    answers, hits = stepwise.answers(pairs), stepwise.hits[pairs.start, pairs.goal]
    shares = {"lied": answers.lied, "misstep": answers.missteps > 0, "astray": answers.astray}
    return {
        **_share(answers.valid).columns("valid"),
        "hits": float(hits.mean()),
        **mean_estimate((answers.valid.double() - hits).numpy()).columns("stitched"),
        **{name: value for each, of in shares.items() for name, value in _share(of).columns(each).items()},
    }


def _share(of: Tensor) -> Estimate:
    return share_estimate(int(of.sum()), len(of))


def _structure(rows: list[dict[str, Any]], named: Mapping[str, Both]) -> dict[str, Any]:
    """Of two graphs, which share nothing."""
    own, other = (
        next(row for row in rows if (row["graph"], row["longest"], row["pairs"]) == (both.graph, both.longest, EVERY))
        for both in (named["own"], named["bernoulli"])
    )
    found = Judged.beside(own, "gap", other, "gap")
    ends = {"value": found.value, "value_low": found.low, "value_high": found.high}
    return {"contrast": STRUCTURE, "n": own["n"] + other["n"], **ends}


def _shorter(named: Mapping[str, Both], runs: Mapping[str, Run]) -> dict[str, Any]:
    """Of the same graph, on pairs that none of the networks has seen."""
    own, long = named["own"], named["long"]
    networks = [Asked.of(runs[name]) for name in (own.stepwise, own.direct, long.stepwise, long.direct)]
    first, second = networks[0].task, networks[2].task
    pairs = first.test_pairs(torch.ones_like(first.held_out), first.held_out & second.held_out)
    stepwise, direct, far_stepwise, far_direct = (right(pairs, network.answers(pairs)) for network in networks)
    gaps = (stepwise - direct) - (far_stepwise - far_direct)
    return {"contrast": SHORTER, "n": len(pairs), **weighted(pairs, gaps).columns("value")}


def _by_chance(runs: Mapping[str, Run]) -> dict[str, Any]:
    network = Asked.of(runs[SHUFFLED_LABELS])
    pairs = network.task.test_pairs(torch.ones_like(network.task.held_out))
    found = weighted(pairs, right(pairs, network.answers(pairs)))
    return {"contrast": BY_CHANCE, "n": len(pairs), **found.columns("value")}
