"""The law of walks on cyclic facts: what is told is true, what is held out is never told, answers alone are scored."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from mcinterp.config import TrainConfig, parse_config
from mcinterp.errors import ConfigError, InputError
from mcinterp.studies.knowledge_editing.config import CyclicFactsConfig
from mcinterp.studies.knowledge_editing.facts import Facts, inverses
from mcinterp.studies.knowledge_editing.task import CyclicFacts
from mcinterp.task.offers import Traced

N, REACH = 16, 2
Fact, Composition = tuple[int, int], tuple[int, int, int]


def task_of(chain: int = 5, **fields: Any) -> CyclicFacts:
    config = CyclicFactsConfig(**{"entities": N, "reach": REACH, "composed": 0.5, **fields})
    return CyclicFacts(config.of_chain(chain))


def told(task: CyclicFacts, sequence: Tensor) -> tuple[list[Fact], list[Composition], list[int]]:
    """Facts and compositions that a sequence tells, read token by token, and the places of their answers."""
    facts, compositions, answers = list[Fact](), list[Composition](), list[int]()
    entity, relations = int(sequence[0]), list[int]()
    for place, token in enumerate(sequence.tolist()[1:], 1):
        if token >= task.config.entities:
            relations.append(token - task.config.entities)
            continue
        if len(relations) == 1:
            facts.append((entity, relations[0]))
        else:
            compositions.append((entity, relations[0], relations[1]))
        assert token == led(task, entity, relations)
        answers.append(place)
        entity, relations = token, []
    return facts, compositions, answers


def led(task: CyclicFacts, entity: int, relations: list[int]) -> int:
    """Where relations lead, by the cycles themselves."""
    for relation in relations:
        order, kind = divmod(relation, 2 * REACH)
        step = kind + 1 if kind < REACH else -(kind - REACH + 1)
        around = task.facts.around[order].tolist()
        entity = around[(around.index(entity) + step) % len(around)]
    return entity


def drawn(task: CyclicFacts, n: int = 400) -> list[Tensor]:
    batch = task.draw(n, torch.Generator().manual_seed(1))
    return list(torch.cat([batch.inputs, batch.targets[:, -1:]], 1))


def test_orders_are_cycles_of_all_entities_and_relations_walk_along_them() -> None:
    facts = task_of().facts
    for order, around in enumerate(facts.around.tolist()):
        assert sorted(around) == list(range(N))
        assert [around[place] for place in facts.place[order].tolist()] == list(range(N))
    for entity in range(N):
        for relation in range(8):
            assert facts.answer[entity, relation] == led(task_of(), entity, [relation])
            back = int(inverses(task_of().config)[relation])
            assert facts.answer[facts.answer[entity, relation], back] == entity
            assert facts.source[facts.answer[entity, relation], relation] == entity


def test_what_is_held_out_can_be_inferred() -> None:
    task = task_of()
    facts, back = task.facts, inverses(task.config)
    held_out = facts.held_out.nonzero().tolist()
    assert len(held_out) == 2 * round(0.1 * N * 2 * REACH)
    for entity, relation in held_out:
        assert not facts.held_out[facts.answer[entity, relation], back[relation]]
    for entity, first, second in facts.held_out_compositions.nonzero().tolist():
        assert not facts.held_out[entity, first]
        assert not facts.held_out[facts.answer[entity, first], second]
        assert not facts.shown_compositions[entity, second, first]
        assert second != back[first]
    share = facts.held_out_compositions.sum() / (facts.held_out_compositions | facts.shown_compositions).sum()
    assert float(share) == pytest.approx(0.1, abs=0.03)


def possible(task: CyclicFacts) -> tuple[set[Fact], set[Composition]]:
    """Everything that the walk can draw: its moves of some probability, read from the tokens they are spelled as."""
    facts, compositions = set[Fact](), set[Composition]()
    for entity, move in task.moves.nonzero().tolist():
        tokens = [token for token in task.spelled[entity, move].tolist() if token >= 0]
        relations = [token - N for token in tokens[:-1]]
        assert tokens[-1] == led(task, entity, relations)
        if len(relations) == 1:
            facts.add((entity, relations[0]))
        else:
            compositions.add((entity, relations[0], relations[1]))
    return facts, compositions


def test_nothing_that_is_held_out_can_be_drawn() -> None:
    task = task_of()
    facts, compositions = possible(task)
    held_out = set(map(tuple, task.facts.held_out.nonzero().tolist()))
    assert facts == {(entity, relation) for entity in range(N) for relation in range(8)} - held_out
    assert compositions == set(map(tuple, task.facts.shown_compositions.nonzero().tolist()))
    assert not compositions & set(map(tuple, task.facts.held_out_compositions.nonzero().tolist()))
    for entity, first, second in compositions:
        assert (entity, first) in facts
        assert (led(task, entity, [first]), second) in facts


def test_what_is_drawn_is_what_can_be_and_all_of_it() -> None:
    task = task_of()
    possible_facts, possible_compositions = possible(task)
    facts, compositions = Counter[Fact](), Counter[Composition]()
    for sequence in drawn(task, 3000):
        told_facts, told_compositions, _ = told(task, sequence)
        facts.update(told_facts)
        compositions.update(told_compositions)
    assert set(facts) == possible_facts
    assert set(compositions) <= possible_compositions
    assert len(compositions) > 0.99 * len(possible_compositions)
    # Uniform among an entity's facts: where a walk goes does not depend on the relation.
    for entity in range(N):
        counts = torch.tensor([facts[fact] for fact in sorted(possible_facts) if fact[0] == entity]).double()
        assert float(((counts - counts.mean()) ** 2 / counts.mean()).sum()) < 40


def test_moves_are_compositions_as_often_as_is_asked() -> None:
    read = [told(task_of(), sequence) for sequence in drawn(task_of())]
    facts, compositions = (sum(len(each[kind]) for each in read) for kind in (0, 1))
    # Of those that are told to their end, which longer ones are a little less often.
    assert compositions / (facts + compositions) == pytest.approx(0.5, abs=0.05)
    assert all(not told(task_of(composed=0.0), sequence)[1] for sequence in drawn(task_of(composed=0.0), 50))


def test_answers_alone_are_scored() -> None:
    task = task_of()
    batch = task.draw(50, torch.Generator().manual_seed(1))
    for sequence, weights in zip(drawn(task, 50), batch.weights, strict=True):
        answers = told(task, sequence)[2]
        assert [place + 1 for place in weights.nonzero().flatten().tolist()] == answers
        assert all(sequence[place] < N <= sequence[place - 1] for place in answers)


def test_what_is_traced_is_the_last_single_fact() -> None:
    task = task_of()
    assert isinstance(task, Traced)
    batch = task.draw(50, torch.Generator().manual_seed(1))
    position, target = task.traced(batch)
    for sequence, at, token in zip(drawn(task, 50), position.tolist(), target.tolist(), strict=True):
        entities = [place for place in range(2, len(sequence)) if sequence[place] < N and sequence[place - 2] < N]
        assert token == sequence[at + 1]
        assert not entities or at + 1 == entities[-1]


def test_shuffled_relations_are_permutations_that_no_inverse_undoes() -> None:
    task = task_of(answers="shuffled")
    answer, back = task.facts.answer, inverses(task.config)
    assert all(sorted(column) == list(range(N)) for column in answer.T.tolist())
    undone = [answer[answer[:, relation], back[relation]] == torch.arange(N) for relation in range(8)]
    assert torch.stack(undone).double().mean() < 0.3
    assert torch.equal(task.facts.held_out, task_of().facts.held_out)


def test_compositions_of_one_order() -> None:
    shown = task_of(compositions="one order").facts.shown_compositions.nonzero()
    assert torch.equal(shown[:, 1] // (2 * REACH), shown[:, 2] // (2 * REACH))


def test_the_world_is_of_the_runs_seed() -> None:
    one, same, other = (task_of(chain).facts for chain in (5, 5, 6))
    assert torch.equal(one.around, same.around)
    assert torch.equal(one.held_out, same.held_out)
    assert not torch.equal(one.around, other.around)
    text = (
        "task: {kind: cyclic-facts, entities: 16, reach: 2}\nmodel: {architecture: transformer}\ntraining: {seed: 3}\n"
    )
    assert parse_config(text, "a test").task.chain == TrainConfig(seed=3).seeds.chain
    assert isinstance(one, Facts)


def test_labels() -> None:
    task = task_of()
    assert task.decode([3, 16, 4, 16 + 2, 5, 16 + 7]) == "3 a+1 4 a-1 5 b-2"


def test_what_contradicts_itself_is_refused() -> None:
    text = "task: {kind: cyclic-facts, entities: 16, reach: 8}\nmodel: {architecture: transformer}\n"
    with pytest.raises(ConfigError, match="less than half of the 16 entities"):
        parse_config(text, "a test")
    with pytest.raises(InputError, match="all its facts held out"):
        [task_of(chain, entities=8, reach=1, held_out_facts=0.49) for chain in range(200)]
