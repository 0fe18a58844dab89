"""Edits of single facts of a network, and changes beside them that are no edits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call

from mcinterp.model.rank_one import EditedPrompt, RankOneEdit, ValueSearch, key_covariance, rank_one_edit
from mcinterp.studies.knowledge_editing.answers import CHUNK, Answers, Network
from mcinterp.studies.knowledge_editing.facts import steps_of
from mcinterp.studies.knowledge_editing.prompts import as_edited, in_contexts, question

WALKS = 400
"""Whose keys' second moment is taken, of the law of training."""
STEPS, STOP = 120, 0.05
STEP = 0.05
"""Of a step of Adam over the usual value's length; a larger one decides by itself how far a value moves."""
PER_LENGTH, UNSEEN = 4, 2
"""Contexts of each length that an edit is made for, and others that it is tried in."""
TUNED_STEPS, TUNED_RATE = 500, 0.005
"""Of plain gradient descent on the same weights, with the same end."""


@dataclass(frozen=True)
class Question:
    """A fact that is edited, with the prompts that ask for it.

    Attributes:
        entity, relation: of the fact.
        prompts: alone, then after walks.
        unseen: after other walks.
    """

    entity: int
    relation: int
    prompts: list[EditedPrompt]
    unseen: list[Int[Tensor, " pos"]]

    @classmethod
    def of(cls, network: Network, entity: int, relation: int, generator: torch.Generator) -> Question:
        """Draw the walks."""
        seen = in_contexts(network, entity, relation, PER_LENGTH, generator)
        unseen = in_contexts(network, entity, relation, UNSEEN, generator)
        return cls(entity, relation, as_edited([question(network, entity, relation), *seen]), unseen)


@dataclass(frozen=True)
class MatrixChange:
    """A change of W_out of a layer that is no edit, as `edited` makes it."""

    layer: int
    outer: Float[Tensor, "d_mlp d_model"]


@dataclass(frozen=True)
class Editor:
    """Makes edits in the MLP of a network's last layer.

    Attributes:
        network: which.
        covariance: second moment of its keys.
        search: how values are found.
    """

    network: Network
    covariance: Float[Tensor, "d_mlp d_mlp"]
    search: ValueSearch

    @classmethod
    def of(cls, network: Network, seed: int) -> Editor:
        """With keys of fresh walks, and steps as long as its values ask for."""
        walks = network.task.draw(WALKS, torch.Generator().manual_seed(seed)).inputs
        rate = STEP * _usual_value(network) / math.sqrt(network.model.cfg.d_model)
        search = ValueSearch(steps=STEPS, learning_rate=rate, stop=STOP)
        return cls(network, key_covariance(network.model, network.layer, walks), search)

    def edit(self, asked: Question, target: int) -> RankOneEdit:
        """The edit after which a question has the target as its answer, of the network as it is now."""
        return rank_one_edit(
            self.network.model, self.network.layer, asked.prompts, target, self.covariance, self.search
        )

    def target(self, asked: Question, distance: int) -> int:
        """The entity so many places behind the right answer, seen from the entity, along the edited order."""
        facts, config = self.network.task.facts, self.network.task.config
        step = int(steps_of(config)[asked.relation % (2 * config.reach)])
        away = distance if step > 0 else -distance
        order = asked.relation // (2 * config.reach)
        right = facts.answer[asked.entity, asked.relation]
        return int(facts.around[order, (facts.place[order, right] + away) % config.entities])

    def random_value(self, edit: RankOneEdit, generator: torch.Generator) -> RankOneEdit:
        """The same key with a random change of the value, as long as the edit's."""
        return replace(edit, change=_as_long(edit.change, generator))

    def random_key(self, edit: RankOneEdit, generator: torch.Generator) -> RankOneEdit:
        """A random key with the same change of the value, of the same mean square effect on the layer's output."""
        key = torch.randn(edit.direction.shape, generator=generator).double()
        own = edit.direction.double()
        effects = [float(direction @ self.covariance @ direction) for direction in (own, key)]
        return replace(edit, direction=(key * math.sqrt(max(effects[0], 0.0) / effects[1])).to(edit.direction))

    def random_matrix(self, edit: RankOneEdit, generator: torch.Generator) -> RankOneEdit:
        """Random key and random value, whose outer product has the edit's norm."""
        return replace(edit, direction=_as_long(edit.direction, generator), change=_as_long(edit.change, generator))

    def fine_tuned(self, asked: Question, target: int) -> MatrixChange:
        """Gradient descent on W_out for one question, until it has the target as its answer."""
        name, layer = f"blocks.{self.network.layer}.mlp.W_out", self.network.layer
        before = self.network.model.blocks[layer].mlp.W_out.detach()
        tokens = torch.nn.utils.rnn.pad_sequence([prompt.tokens for prompt in asked.prompts], batch_first=True)
        last = [prompt.site for prompt in asked.prompts]
        wanted, weights = torch.full((len(last),), target), before.clone().requires_grad_()
        for _ in range(TUNED_STEPS):
            logits = functional_call(self.network.model, {name: weights}, (tokens,), {"return_type": "logits"})
            loss = F.cross_entropy(logits[torch.arange(len(last)), last], wanted)
            if float(loss.detach()) < STOP:
                break
            (gradient,) = torch.autograd.grad(loss, [weights])
            weights = (weights - TUNED_RATE * gradient).detach().requires_grad_()
        return MatrixChange(layer, weights.detach() - before)


@torch.no_grad()
def _usual_value(network: Network) -> float:
    """Mean length of what the MLP adds where facts are asked for."""
    name = f"blocks.{network.layer}.hook_mlp_out"
    asked = network.fact_prompts()[:CHUNK]
    _, cache = network.model.run_with_cache(asked, names_filter=name, return_cache_object=False)
    return float(cache[name][:, -1].norm(dim=-1).mean())


def _as_long(vector: Tensor, generator: torch.Generator) -> Tensor:
    """A random vector of the same length."""
    random = torch.randn(vector.shape, generator=generator).to(vector)
    return random * (vector.norm() / random.norm())


def questions(
    network: Network, answers: Answers, n: int, right: bool, held_out: bool, generator: torch.Generator
) -> Iterator[Question]:
    """Facts of the edited order to be edited, at most `n`, in random order.

    Args:
        network: whose.
        answers: what it answers.
        n: how many.
        right: facts that it has right, or wrong.
        held_out: facts that it was shown, or not.
        generator: of the choice, and of the walks before each question.
    """
    which = (answers.right == right) & (network.task.facts.held_out == held_out) & network.edited_order
    found = which.nonzero()
    for entity, relation in found[torch.randperm(len(found), generator=generator)[:n]].tolist():
        yield Question.of(network, entity, relation, generator)
