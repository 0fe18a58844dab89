"""What networks know: shown facts, held-out facts whose inverses they were shown, held-out compositions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.statistics import Estimate, interval_columns, mean_estimate, share_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.knowledge_editing.answers import BOTH, EDITED, RETAINED, Answers, Network, answered
from mcinterp.studies.knowledge_editing.prompts import answers_after, in_contexts

KNOWLEDGE = "knowledge"
RECALL, INVERSE, COMPOSED = "recall", "inverse", "composed"
EVERY = "all"
CONTEXTS, ASKED = 5, 100
"""Random contexts of a fact, and of how many facts of each kind that is asked."""
_SHARES = {
    "kind": f"{RECALL}: shown facts; {INVERSE}: held-out facts, whose inverses are shown; {COMPOSED}: held-out "
    "compositions of shown facts",
    "n": "facts or compositions",
    **interval_columns("right", "share whose most probable answer to the question alone is right (exact binomial)"),
    **interval_columns("probability", "of the right answer, mean"),
}
KNOWLEDGE_COLUMNS = {
    "network": "own, of another width, one whose relations are random permutations (shuffled), or untrained",
    "orders": f"{EDITED}: of the order whose facts are edited later; {RETAINED}: of others; {BOTH}: one of each",
    **_SHARES,
    **interval_columns("in_context", f"probability after {CONTEXTS} random walks, mean over up to {ASKED} facts"),
}
LEARNING_COLUMNS = {"step": "checkpoint", **_SHARES}


def knowledge(run: Run, networks: Mapping[str, Network], seed: int) -> Result:
    """What networks answer to everything that was shown and held out.

    Args:
        run: the study's own, whose checkpoints are followed.
        networks: by name.
        seed: of the contexts.

    Returns:
        tables `knowledge` and `learning`.
    """
    rows = [row for name, network in networks.items() for row in _rows(name, network, seed)]
    learned = [row for step in run.steps for row in _learned(step, Network.of(run.checkpoint(step)))]
    tables = {"knowledge": Table.of(KNOWLEDGE_COLUMNS, rows), "learning": Table.of(LEARNING_COLUMNS, learned)}
    facts = {"chance": 1 / next(iter(networks.values())).task.config.entities}
    return Result(KNOWLEDGE, "What is known", {"seed": seed, "contexts": CONTEXTS}, facts, tables)


def kinds(network: Network, answers: Answers) -> Iterator[tuple[str, str, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Kind and orders, whether each is right, its probability, and which facts these are (none of compositions)."""
    held_out, own = network.task.facts.held_out, network.edited_order
    orders = {EVERY: torch.ones_like(own), EDITED: own, RETAINED: ~own}
    for kind, facts in {RECALL: ~held_out, INVERSE: held_out}.items():
        for name, relations in orders.items():
            which = facts & relations
            yield kind, name, answers.right[which], answers.probability[which], which.nonzero()
    composed, nothing = network.composed_orders(), torch.zeros(0, 2, dtype=torch.int64)
    for name in (EVERY, EDITED, RETAINED, BOTH):
        which = torch.tensor([name in (EVERY, each) for each in composed], dtype=torch.bool)
        yield COMPOSED, name, answers.composed[which], answers.composed_probability[which], nothing


def _shares(kind: str, right: torch.Tensor, probability: torch.Tensor) -> dict[str, Any]:
    share = share_estimate(int(right.sum()), len(right)) if len(right) else _nothing()
    mean = mean_estimate(probability.numpy()) if len(right) else _nothing()
    return {"kind": kind, "n": len(right), **share.columns("right"), **mean.columns("probability")}


def _nothing() -> Estimate:
    return Estimate(*[np.asarray(np.nan)] * 4)


def _rows(name: str, network: Network, seed: int) -> Iterator[dict[str, Any]]:
    chance = torch.Generator().manual_seed(seed)
    for kind, orders, right, probability, facts in kinds(network, answered(network)):
        asked = facts[torch.randperm(len(facts), generator=chance)[:ASKED]].tolist()
        means = [_in_context(network, entity, relation, chance) for entity, relation in asked]
        in_context = mean_estimate(np.array(means)) if means else _nothing()
        about = {"network": name, "orders": orders}
        yield {**about, **_shares(kind, right, probability), **in_context.columns("in_context")}


def _in_context(network: Network, entity: int, relation: int, chance: torch.Generator) -> float:
    """Mean probability of the right answer after random walks."""
    prompts = in_contexts(network, entity, relation, 2, chance)
    chosen = torch.randperm(len(prompts), generator=chance)[:CONTEXTS].tolist()
    right = int(network.task.facts.answer[entity, relation])
    return float(answers_after(network, [prompts[each] for each in chosen])[:, right].mean())


def _learned(step: int, network: Network) -> Iterator[dict[str, Any]]:
    for kind, orders, right, probability, _ in kinds(network, answered(network)):
        if orders == EVERY:
            yield {"step": step, **_shares(kind, right, probability)}
