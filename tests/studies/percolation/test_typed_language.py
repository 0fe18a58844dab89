"""The typed language: its grammar beside a slow one, the law of its samples, reach, and what was written."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from slow_language import inside, may_follow, slow_descriptors, whole_strings

from mcinterp.config import load_preset
from mcinterp.errors import ConfigError
from mcinterp.studies.percolation.config import LanguageConfig
from mcinterp.studies.percolation.drawing import PAD
from mcinterp.studies.percolation.grammar import CATEGORIES, END, START, SYMBOLS, category_of, strings, transitions
from mcinterp.studies.percolation.parsed import padded, parsed
from mcinterp.studies.percolation.task import CONDITIONAL, FREE, FREQUENCY, UNSCRAMBLE, TypedLanguage

SMALL = {"entities": 5, "descriptors": 6, "relations": 2, "share": 0.5}


def language(**changes: Any) -> TypedLanguage:
    return TypedLanguage(LanguageConfig(**{**SMALL, **changes}))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_strings_and_their_probabilities_are_those_of_all_derivations() -> None:
    found = strings(7)
    assert {string for string in found if len(string) < 7} == whole_strings(6)
    for string, probability in found.items():
        assert probability == pytest.approx(inside("S", string), rel=1e-12)
    assert sum(found.values()) == pytest.approx(0.776064)
    assert len(found) == 9


def test_the_automaton_accepts_the_strings_of_the_grammar_and_no_other() -> None:
    table = transitions()

    def accepted(string: str) -> bool:
        state = START
        for category in [*map(category_of, string), "."]:
            state = int(table[state, CATEGORIES.index(category)])
        return state == END

    # To the automaton subjects and objects are both entities.
    whole = {string.replace("o", "s") for string in whole_strings(6)}
    tried = whole | {"".join(one) for length in range(6) for one in product("srqpdc", repeat=length)}
    assert {string for string in tried if accepted(string)} == whole


def test_strings_come_as_often_as_the_grammar_says_and_tasks_as_they_are_asked() -> None:
    task, n = language(), 8_000
    batch = task.draw(n, generator())
    law = np.array(list(task.strings.law.values()))
    counted = np.bincount(batch.truth["string"].numpy(), minlength=len(law)) / n
    assert np.abs(counted - law).max() < 5 * np.sqrt(0.25 / n)
    tasks = np.bincount(batch.truth["task"].numpy()) / n
    np.testing.assert_allclose(tasks, FREQUENCY, atol=5 * np.sqrt(0.25 / n))
    words = task.decode(batch.inputs[:, task.begin + 1 :].flatten()).split()
    prepositions = np.array([words.count(word) for word in ("on", "in", "to")])
    np.testing.assert_allclose(prepositions / prepositions.sum(), (0.4, 0.3, 0.3), atol=0.03)


@pytest.mark.parametrize("changes", [{}, {"classes": 6, "longest": 11}, {"language": "pairs"}, {"graph": "class-free"}])
def test_every_string_is_whole_right_in_type_and_says_known_pairs(changes: dict[str, Any]) -> None:
    task = language(**changes)
    batch = task.draw(400, generator())
    tokens = torch.cat([batch.inputs[:, task.begin + 1 :], batch.targets[:, -1:]], 1)
    read = parsed(task, tokens)
    assert read.accepted.all()
    assert read.right_relations.equal(read.relations)
    if task.config.graph == "typed":
        assert read.typed.all()
    labels, ends = task.token_labels(), (tokens != PAD).sum(1)
    for row, end, entity in zip(tokens, ends, batch.truth["entity"], strict=True):
        said = [labels[token] for token in row]
        assert said[end - 1] == "END"
        for label in said:
            if label[0] == "d" and "." in label:
                number = labels.index(label) - task.vocabulary.descriptor
                assert number in task.pairs[entity]
    assert batch.weights.sum(1).equal(ends.float())


def test_operands_are_all_tokens_or_one_of_each_kind_or_none() -> None:
    task = language()
    for which in (FREE, UNSCRAMBLE, CONDITIONAL):
        batch = task.asked(torch.full((200,), which), generator())
        strings_ = torch.cat([batch.inputs[:, task.begin + 1 :], batch.targets[:, -1:]], 1)
        for given, string in zip(batch.inputs[:, 1 : task.begin], strings_, strict=True):
            shown = [token for token in given.tolist() if token != PAD]
            said = [token for token in string.tolist() if token not in (PAD, *task.end_tokens)]
            if which == FREE:
                assert not shown
            elif which == UNSCRAMBLE:
                assert sorted(shown) == sorted(said)
            else:
                assert set(shown) <= set(said)
                content = [task.token_labels()[token][0] for token in shown if "." in task.token_labels()[token]]
                assert len(content) == len(shown)
                assert content.count("d") <= 1
                assert content.count("r") <= 1
                assert content.count("e") == 1 + content.count("r")


def test_the_same_state_gives_the_same_batch_and_the_chain_decides_the_graph() -> None:
    config = load_preset("typed-language", ["training.seed=3"])
    other = load_preset("typed-language", ["training.seed=4"])
    task, again, unlike = (TypedLanguage(each.task) for each in (config, config, other))  # type: ignore[arg-type]
    assert task.pairs.equal(again.pairs)
    assert not task.pairs.equal(unlike.pairs)
    assert task.draw(20, generator(5)).inputs.equal(again.draw(20, generator(5)).inputs)
    assert not task.draw(20, generator(5)).inputs.equal(again.draw(20, generator(6)).inputs)


@pytest.mark.parametrize("graph", ["typed", "class-free"])
def test_every_entity_has_a_set_of_fixed_size_of_its_class_or_of_any(graph: str) -> None:
    task = language(graph=graph, entities=30)
    pairs = task.pairs
    assert pairs.shape == (120, 3)
    assert all(len(set(row.tolist())) == 3 for row in pairs)
    own = (pairs // 6 == torch.arange(120)[:, None] // 30).float().mean()
    assert own == 1 if graph == "typed" else 0.1 < own < 0.4


def test_reach_is_one_where_never_said_pairs_are_of_the_class_and_zero_by_chance() -> None:
    task = language()
    entities, k = torch.arange(20), 24
    alike = torch.full((20, k), 1 / k, dtype=torch.float64)
    torch.testing.assert_close(task.reach(alike, entities), torch.zeros(20, dtype=torch.float64))
    own = (torch.arange(k) // 6 == entities[:, None] // 5).double()
    torch.testing.assert_close(task.reach(own, entities), torch.ones(20, dtype=torch.float64))
    said = torch.zeros(20, k, dtype=torch.float64).scatter(1, task.pairs, 1.0)
    # However much is on what was said, the rest decides; 3 of the 21 that were never said are of the class.
    torch.testing.assert_close(task.reach(0.99 * said / 3 + 0.01 * alike, entities), torch.zeros(20).double())
    other = 1 - own
    torch.testing.assert_close(task.reach(other, entities), torch.full((20,), (0 - 3 / 21) / (1 - 3 / 21)).double())


def test_scores_are_those_of_a_slow_reading_of_the_names_of_tokens() -> None:
    task = language()
    batch = task.draw(40, generator())
    output = torch.randn(40, task.n_positions, task.d_vocab, generator=generator(1)).double() * 2
    scores = {name: float(value) for name, value in task.scores(output, batch).items()}
    probabilities, labels = output.softmax(-1), task.token_labels()
    grammar, types, reach = [], [], []
    for at in range(40):
        ends = int(batch.weights[at].sum())
        said = [labels[token] for token in batch.targets[at, task.begin : task.begin + ends]]
        for place in range(ends):
            here = probabilities[at, task.begin + place].tolist()
            grammar.append(
                sum(share for share, label in zip(here, labels, strict=True) if may_follow(said[:place], label))
            )
            if said[place][0] == "d" and "." in said[place] and batch.truth["task"][at] == FREE:
                found = slow_descriptors(task, here, int(batch.truth["entity"][at]))
                types.append(found[0])
                reach.append(found[1])
    assert scores["grammar"] == pytest.approx(np.mean(grammar), rel=1e-5)
    assert scores["types"] == pytest.approx(np.mean(types), rel=1e-5)
    assert scores["reach"] == pytest.approx(np.mean(reach), rel=1e-4, abs=1e-6)


def test_a_model_that_knows_every_token_does_all_and_one_wrong_token_spoils_its_string() -> None:
    task = language()
    batch = task.draw(60, generator())
    right = torch.nn.functional.one_hot(batch.targets, task.d_vocab).float() * 50
    whole = task.scores(right, batch)
    for name in ("grammar", "types", "unscrambled", "unscrambled_tokens", "conditioned", "conditioned_tokens"):
        assert float(whole[name]) == pytest.approx(1, abs=1e-4)
    is_first = (batch.truth["task"] == UNSCRAMBLE).nonzero()[0]
    spoilt = right.clone()
    spoilt[is_first, task.begin] = 0
    spoilt[is_first, task.begin, PAD] = 50
    n = int((batch.truth["task"] == UNSCRAMBLE).sum())
    found = task.scores(spoilt, batch)
    assert float(found["unscrambled"]) == pytest.approx(1 - 1 / n)
    assert 1 - 1 / n < float(found["unscrambled_tokens"]) < 1
    assert float(found["conditioned"]) == 1


def test_pairs_only_have_no_tasks_to_score_and_know_reach_at_every_sample() -> None:
    task = language(language="pairs")
    assert "unscrambled" not in task.score_names
    batch = task.draw(50, generator())
    assert task.decode(batch.inputs[0]).split()[:2] == ["FREE", "OUT"]
    output = torch.randn(50, task.n_positions, task.d_vocab, generator=generator(2)).double()
    logits = output[:, -2]
    entities = batch.truth["entity"]
    expected = task.reach(task.of_descriptors(logits), entities).mean()
    torch.testing.assert_close(task.scores(output, batch)["reach"], expected)


def test_queries_ask_every_entity_for_a_descriptor() -> None:
    task = language()
    queries = task.queries()
    assert queries.shape == (20, task.begin + 3)
    assert task.decode(queries[7]).split()[-3:] == ["OUT", "e1.2", "is"]


WRITTEN = [
    ("e0.0 is d0.1 END", True, (1, 1), (0, 0)),
    ("e0.0 is d1.1 END", True, (1, 0), (0, 0)),
    ("e0.0 and e1.0 has d1.1 END", True, (1, 1), (0, 0)),
    ("e0.0 and e1.0 has d0.1 END", True, (1, 0), (0, 0)),
    ("e0.0 r0.1 on e2.3 END", True, (0, 0), (1, 1)),
    ("e0.0 r0.1 on e2.3 or e2.0 END", True, (0, 0), (1, 1)),
    ("e0.0 r0.1 on e2.3 or e3.0 END", True, (0, 0), (1, 0)),
    ("e0.0 r1.1 on e3.3 END", True, (0, 0), (1, 0)),
    ("e1.0 r1.1 to e3.3 and is d1.0 END", True, (1, 1), (1, 1)),
    ("e0.0 and e1.0 r0.0 to e2.3 END", True, (0, 0), (1, 0)),
    ("e0.0 is d0.1", False, (1, 1), (0, 0)),
    ("e0.0 is END", False, (0, 0), (0, 0)),
    ("is e0.0 d0.1 END", False, (1, 0), (0, 0)),
    ("e0.0 r0.1 e2.3 END", False, (0, 0), (1, 1)),
    ("END", False, (0, 0), (0, 0)),
    ("e0.0 is d0.1 OUT END", False, (1, 1), (0, 0)),
]


@pytest.mark.parametrize(("text", "whole", "descriptors", "relations"), WRITTEN)
def test_what_is_written_is_read_as_it_is(
    text: str, whole: bool, descriptors: tuple[int, int], relations: tuple[int, int]
) -> None:
    task = language()
    tokens = padded([torch.tensor([task.token_labels().index(label) for label in text.split()])], 8)
    read = parsed(task, tokens)
    assert bool(read.accepted) == whole
    assert (int(read.descriptors), int(read.right_descriptors)) == descriptors
    assert (int(read.relations), int(read.right_relations)) == relations


def test_positions_and_tokens_have_names() -> None:
    task = language()
    assert len(task.position_labels()) == task.n_positions == 16
    assert len(task.token_labels()) == task.d_vocab == 13 + 2 * 2 + 4 * (5 + 6)
    assert len(set(task.token_labels())) == task.d_vocab
    assert SYMBOLS.index("d") not in task.content_tokens()


def test_an_odd_number_of_classes_is_refused() -> None:
    with pytest.raises(ConfigError, match="an even number is needed, got 3"):
        load_preset("typed-language", ["task.classes=3"])
