"""Chains of motifs: prompts and answers read as they should, links are kept apart, and conflicts are fair."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch

from mcinterp.config import parse_config
from mcinterp.errors import ConfigError, InputError
from mcinterp.studies.stepwise_inference.exemplars import Conflict, _shares
from mcinterp.studies.stepwise_inference.motifs import MotifNavigation, chains_of


@cache
def task(**changes: object) -> MotifNavigation:
    given = {"motifs": 7, "longest": 4, "positions_for": 5, **changes}
    fields = ", ".join(f"{name}: {value}" for name, value in given.items())
    text = f"{{task: {{kind: motif-navigation, {fields}}}, model: {{architecture: transformer}}}}"
    return MotifNavigation(parse_config(text, "here").task)  # type: ignore[arg-type]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def motif_of(node: int) -> int:
    return node // 6


def checked(asked: MotifNavigation, row: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """The motifs of a sample and the ghost edges of its exemplars, both read token by token."""
    row, ghosts = list(row), []
    while row[0] == asked.ex:
        goal, *path = row[1:8]
        assert [motif_of(node) for node in path] == [motif_of(path[0])] * 3 + [motif_of(goal)] * 3
        assert path[-1] == goal
        assert [node % 6 // 2 for node in path] == [0, 1, 2] * 2
        assert all(asked.edges[a, b] for place, (a, b) in enumerate(pairwise(path)) if place != 2)
        ghosts.append((path[2], path[3]))
        row = row[8:]
    sign, goal, *path, end = row
    assert (sign, end) == (asked.ask, asked.end)
    assert path[-1] == goal
    motifs = [motif_of(node) for node in path[::3]]
    links = [(path[at - 1], path[at]) for at in range(3, len(path), 3)]
    assert sorted(links) == sorted(ghosts)
    inner = [(a, b) for place, (a, b) in enumerate(pairwise(path)) if place % 3 != 2]
    assert all(asked.edges[a, b] for a, b in inner)
    assert len(set(motifs)) == len(motifs)
    return motifs, ghosts


@pytest.mark.parametrize("order", ["chain", "shuffled"])
def test_samples_read_as_they_should(order: str) -> None:
    asked = task(order=order)
    batch = asked.draw(200, seeded())
    tokens = torch.cat([batch.inputs, batch.targets[:, -1:]], 1)
    in_order, begins = 0, set()
    for row, weights, motifs in zip(tokens, batch.weights, batch.truth["motifs"].tolist(), strict=True):
        first = int((row != asked.pad).nonzero()[0])
        sample = [token for token in row.tolist() if token != asked.pad]
        chain, ghosts = checked(asked, sample)
        assert len(chain) == motifs
        assert all(asked.seen[a, b] for a, b in pairwise(chain))
        shown = [(motif_of(a), motif_of(b)) for a, b in ghosts]
        in_order += shown == list(pairwise(chain))
        begins.add(first)
        question = first + sample.index(asked.ask)
        # The start is what the first node to be asked for follows.
        expected = torch.arange(asked.n_positions).ge(question + 2) & torch.arange(asked.n_positions).lt(
            first + len(sample) - 1
        )
        assert weights.bool().equal(expected)
    assert (in_order == 200) == (order == "chain")
    assert begins == {0}


def test_links_are_seen_or_not_and_every_chain_of_them_is_known() -> None:
    asked = task()
    assert (asked.seen | asked.unseen).sum() == 42
    assert not (asked.seen & asked.unseen).any()
    assert int(asked.unseen.sum()) == round(0.3 * 42)
    for k in (2, 3, 4):
        every = [chain for chain in permutations(range(7), k) if all(asked.seen[a, b] for a, b in pairwise(chain))]
        assert sorted(map(tuple, chains_of(k, asked.seen).tolist())) == every
    assert len(chains_of(8, asked.seen)) == 0


def test_an_answer_follows_its_chain_or_does_not() -> None:
    asked = task()
    motifs = chains_of(3, asked.seen)[:40]
    chains = asked.chains(motifs, seeded())
    answer = asked.written(torch.zeros(40, 0, dtype=torch.int64), chains)
    assert asked.follows(answer, chains).all()
    padded = torch.cat([answer, torch.full((40, 3), asked.pad)], 1)
    assert asked.follows(padded, chains).all()
    assert not asked.follows(answer[:, :-1], chains).any()
    for place in (0, 3, 5, answer.shape[1] - 1):
        wrong = answer.clone()
        wrong[:, place] = asked.pad
        assert not asked.follows(wrong, chains).any()
    ghost = answer.clone()
    # Another sink of the first motif: no ghost edge leaves from there.
    ghost[:, 1] = torch.where(ghost[:, 1] % 2 == 0, ghost[:, 1] + 1, ghost[:, 1] - 1)
    assert not asked.follows(ghost, chains).any()
    assert asked.leaves(answer, chains).all()
    assert not asked.leaves(ghost, chains).any()
    assert not asked.leaves(answer[:, :2], chains).any()
    onwards = torch.cat([answer[:, :-1], chains.ways[:, :1, 0]], 1)
    assert asked.follows(onwards, chains, ends=False).all()
    assert not asked.follows(onwards, chains).any()
    others = asked.chains(motifs, seeded(1))
    same = ((others.ways[..., [0, -1]] == chains.ways[..., [0, -1]]).flatten(1)).all(1)
    assert same.any()
    assert asked.follows(answer, others)[same].all()


def test_ways_through_a_motif_are_alike_and_fit_their_ends() -> None:
    asked = task()
    motifs = torch.zeros(3000, dtype=torch.int64)
    ways = asked.through(motifs, seeded())
    known = [tuple(way) for way in asked.ways[0].tolist() if way[0] >= 0]
    counts = {way: int((ways == torch.tensor(way)).all(1).sum()) for way in known}
    assert sum(counts.values()) == 3000
    assert list(counts.values()) == pytest.approx([3000 / len(known)] * len(known), rel=0.2)
    last = ways[:, -1]
    assert asked.through(motifs, seeded(1), last=last)[:, -1].equal(last)
    assert asked.through(motifs, seeded(1), first=ways[:, 0])[:, 0].equal(ways[:, 0])


@pytest.mark.parametrize("arrangement", ["blocks", "interleaved"])
def test_a_conflict_asks_the_same_question_of_two_chains(arrangement: str) -> None:
    asked = task()
    conflict = Conflict.drawn(asked, 50, seeded())
    first, second = conflict.chains
    assert first.motifs[:, [0, 2]].equal(second.motifs[:, [0, 2]])
    assert (first.motifs[:, 1] != second.motifs[:, 1]).all()
    assert first.question.equal(second.question)
    assert first.ways[:, 0].equal(second.ways[:, 0])
    prompts = [conflict.prompts(asked, arrangement, second_first) for second_first in (False, True)]
    assert prompts[0][:, -3:].equal(prompts[1][:, -3:])
    assert prompts[0].sort(1).values.equal(prompts[1].sort(1).values)
    for prompt, chains in zip(prompts, ((first, second), (second, first)), strict=True):
        shown = prompt[:, :-3].unflatten(1, (4, 8))
        leads = torch.stack([shown[:, :, 2], shown[:, :, 1]], 2) // 6
        a, b = (torch.stack([each.motifs[:, :2], each.motifs[:, 1:]], 1) for each in chains)
        expected = torch.cat([a, b], 1)
        assert leads.equal(expected if arrangement == "blocks" else expected[:, [0, 2, 1, 3]])
    for chains, links in zip(conflict.chains, conflict.links, strict=True):
        assert links[:, :, 4].equal(chains.ways[:, :-1, -1])
        assert links[:, :, 5].equal(chains.ways[:, 1:, 0])


def test_labels_say_motif_layer_and_place() -> None:
    assert task().decode([0, 9, 41, 42, 43, 44, 45]) == "0.0.0 1.1.1 6.2.1 EX Q END PAD"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("longest: 6, positions_for: 6", "longest < positions_for ≤ motifs"),
        ("motifs: 5", "longest < positions_for ≤ motifs"),
    ],
)
def test_chains_that_there_cannot_be_are_refused(fields: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_config(f"{{task: {{kind: motif-navigation, {fields}}}, model: {{architecture: transformer}}}}", "here")


def test_too_few_links_are_told() -> None:
    with pytest.raises(InputError, match="unseen_share leaves no chain of 4 of 7 motifs to train on"):
        task(unseen_share=0.95)


def test_conflicts_that_all_end_alike_are_not_known_to_the_last_digit() -> None:
    first, none = np.ones((1, 200)), np.zeros((1, 200))
    found = _shares(np.vstack([first, none]), np.vstack([none, none]))
    missed = 0.025 ** (1 / 200)
    assert found["primacy"] == found["primacy_high"] == 1
    assert found["primacy_low"] == pytest.approx(2 * missed - 1)
    assert (found["second"], found["second_low"]) == (0, 0)
    assert found["second_high"] == pytest.approx(1 - missed)
    assert found["through_low"] == pytest.approx(-found["through_high"])
    mixed = _shares(np.vstack([np.repeat([0.0, 1.0], 100), none]), np.vstack([none, none]))
    assert mixed["first_low"] < 0.5 < mixed["first_high"] < 0.6
