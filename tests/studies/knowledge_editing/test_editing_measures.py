"""Distortion, damage, rings and contrasts: values that are known exactly, and slow counts beside them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mcinterp.analysis.representations import isomap
from mcinterp.config.transformer import TransformerConfig
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.rank_one import edited
from mcinterp.studies.knowledge_editing.answers import Answers, Network, answered
from mcinterp.studies.knowledge_editing.config import CyclicFactsConfig
from mcinterp.studies.knowledge_editing.contrasts import exchanged, partial
from mcinterp.studies.knowledge_editing.distortion import Damage, distortion
from mcinterp.studies.knowledge_editing.editing import Editor, Question
from mcinterp.studies.knowledge_editing.facts import inverses
from mcinterp.studies.knowledge_editing.prompts import walk_to
from mcinterp.studies.knowledge_editing.rings import NEIGHBOURS, around, powers
from mcinterp.studies.knowledge_editing.task import CyclicFacts

N = 16


@pytest.fixture(scope="module")
def network() -> Network:
    """Of random weights, large enough to answer."""
    task = CyclicFacts(CyclicFactsConfig(entities=N, reach=2).of_chain(5))
    shape = TransformerConfig(n_layers=2, n_heads=2, d_model=16, d_mlp=24, init_std=0.4)
    return Network(CausalTransformer(shape, task.d_vocab, task.n_positions, seed=1), task)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def test_distortion_is_blind_to_rigid_motions_and_sees_scale() -> None:
    points = random(10, 3, 4)
    turn = torch.linalg.qr(random(4, 4, seed=1)).Q
    assert distortion(points, points) == 0.0
    assert distortion(points, points @ turn + 5.0) == pytest.approx(0, abs=1e-12)
    assert distortion(points, 1.3 * points) == pytest.approx(0.3)
    assert distortion(points, 0.4 * points) == pytest.approx(0.6)


def test_distortion_is_that_of_a_slow_count_also_without_an_entity() -> None:
    before, after = random(6, 2, 3), random(6, 2, 3, seed=1)

    def slow(entities: list[int]) -> float:
        each = []
        for relation in range(2):
            old, new = (
                np.array([[math.dist(x[a, relation], x[b, relation]) for a in entities] for b in entities])
                for x in (before.numpy(), after.numpy())
            )
            each.append(math.sqrt(((new - old) ** 2).sum() / (old**2).sum()))
        return sum(each) / 2

    assert distortion(before, after) == pytest.approx(slow([0, 1, 2, 3, 4, 5]))
    assert distortion(before, after, without=2) == pytest.approx(slow([0, 1, 3, 4, 5]))


def made_up(network: Network, right: Tensor, composed: Tensor) -> Answers:
    facts = torch.zeros(*right.shape, 2).double()
    return Answers(right, right.double(), facts, facts, composed, composed.double())


def test_losses_count_what_was_right_and_is_not_about_the_edit(network: Network) -> None:
    chance = torch.Generator().manual_seed(2)
    shape, n = network.task.facts.answer.shape, network.compositions.shape[1]
    before, after = (
        made_up(network, torch.rand(shape, generator=chance) < 0.7, torch.rand(n, generator=chance) < 0.7) for _ in "ab"
    )
    entity, relation = 3, 1
    damage = Damage(network, before)
    found = damage.losses(after, damage.about(entity, relation))
    assert found == pytest.approx(slow_losses(network, before, after, entity, relation), nan_ok=True)
    same = damage.losses(before, damage.about(entity, relation))
    assert {value for value in same.values() if not math.isnan(value)} == {0.0}


def slow_losses(network: Network, before: Answers, after: Answers, entity: int, relation: int) -> dict[str, float]:
    """The same, fact by fact."""
    facts, back = network.task.facts, inverses(network.task.config)
    about = {(entity, relation), (int(facts.answer[entity, relation]), int(back[relation]))}
    counted: dict[str, list[int]] = {
        name: []
        for name in (
            *("recall_edited", "recall_retained", "inverse_edited", "inverse_retained"),
            *("composed_edited", "composed_retained", "composed_both"),
        )
    }
    for x in range(N):
        for r in range(8):
            if (x, r) not in about and before.right[x, r]:
                kind = "inverse" if facts.held_out[x, r] else "recall"
                counted[f"{kind}_{'edited' if r < 4 else 'retained'}"].append(not after.right[x, r])
    for i, (x, r, s) in enumerate(network.compositions.T.tolist()):
        if (x, r) in about or (int(facts.answer[x, r]), s) in about or not before.composed[i]:
            continue
        name = "both" if (r < 4) != (s < 4) else "edited" if r < 4 else "retained"
        counted[f"composed_{name}"].append(not after.composed[i])
    return {name: float(np.mean(values)) if values else float("nan") for name, values in counted.items()}


def test_answers_are_those_of_single_prompts(network: Network) -> None:
    found, task = answered(network), network.task
    for entity, relation in ((0, 0), (5, 7), (15, 3)):
        with torch.no_grad():
            logits, cache = network.model.run_with_cache(torch.tensor([[entity, N + relation]]))
        right = int(task.facts.answer[entity, relation])
        assert found.probability[entity, relation] == pytest.approx(float(logits[0, -1].softmax(-1)[right]), rel=1e-4)
        assert found.right[entity, relation] == (int(logits[0, -1].argmax()) == right)
        stream = cache["blocks.1.hook_resid_post"][0, -1].detach()
        torch.testing.assert_close(found.stream[entity, relation].float(), stream, rtol=1e-4, atol=1e-5)


def question(network: Network) -> Question:
    return Question.of(network, 3, 1, torch.Generator().manual_seed(0))


def test_walks_lead_to_the_entity_along_shown_facts_and_do_not_tell_the_answer(network: Network) -> None:
    facts, chance = network.task.facts, torch.Generator().manual_seed(0)
    for _ in range(50):
        tokens = walk_to(network, 3, 1, 4, chance)
        told = [(tokens[i], tokens[i + 1] - N) for i in range(0, len(tokens), 2)]
        led = [*tokens[2::2], 3]
        assert all(facts.answer[fact] == entity for fact, entity in zip(told, led, strict=True))
        assert not any(facts.held_out[fact] for fact in told)
        assert (3, 1) not in told


def test_targets_are_at_their_distance_and_away_from_the_entity(network: Network) -> None:
    editor, facts = Editor.of(network, 0), network.task.facts
    for relation in range(4):
        asked = Question.of(network, 3, relation, torch.Generator().manual_seed(0))
        assert editor.target(asked, 0) == facts.answer[3, relation]
        for distance in (1, 2, 4):
            target, right = editor.target(asked, distance), int(facts.answer[3, relation])
            places = [int(facts.place[0, entity]) for entity in (target, right, 3)]
            apart = [min((places[0] - p) % N, (p - places[0]) % N) for p in places[1:]]
            assert apart == [distance, min(distance + relation % 2 + 1, N - distance - relation % 2 - 1)]


def test_controls_are_as_large_as_they_say(network: Network) -> None:
    editor, asked = Editor.of(network, 0), question(network)
    edit = editor.edit(asked, editor.target(asked, 4))
    chance = torch.Generator().manual_seed(1)
    value, key, matrix = (make(edit, chance) for make in (editor.random_value, editor.random_key, editor.random_matrix))
    assert torch.equal(value.direction, edit.direction)
    assert float(value.change.norm()) == pytest.approx(float(edit.change.norm()), rel=1e-5)
    assert float(matrix.outer.norm()) == pytest.approx(float(edit.outer.norm()), rel=1e-4)
    walks = network.task.draw(400, torch.Generator().manual_seed(0)).inputs
    keys = network.model.run_with_cache(walks)[1]["blocks.1.mlp.hook_post"].detach().double()
    effects = [float(((keys @ each.direction.double()) ** 2).mean()) for each in (edit, key)]
    assert effects[1] == pytest.approx(effects[0], rel=1e-3)
    assert torch.equal(key.change, edit.change)
    assert abs(float(torch.cosine_similarity(key.direction, edit.direction, dim=0))) < 0.9


def test_fine_tuning_brings_the_target_and_leaves_the_network(network: Network) -> None:
    editor, asked = Editor.of(network, 0), question(network)
    before = network.model.blocks[1].mlp.W_out.detach().clone()
    target = editor.target(asked, 4)

    def probability() -> float:
        return float(network.model(asked.prompts[0].tokens[None])[0, -1].detach().softmax(-1)[target])

    own = probability()
    change = editor.fine_tuned(asked, target)
    assert torch.equal(network.model.blocks[1].mlp.W_out, before)
    with edited(network.model, change):
        assert probability() > own
    assert torch.equal(network.model.blocks[1].mlp.W_out, before)


def ring(n: int = 24, periods: int = 1) -> Any:
    angle = 2 * np.pi * periods * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], 1)


def test_powers_tell_how_often_points_go_round() -> None:
    for periods in (1, 2, 5, 12):
        shares = powers(ring(periods=periods))
        assert shares.argmax() + 1 == periods
        assert shares.max() == pytest.approx(1)
    noise = np.random.default_rng(0).normal(size=(48, 500))
    assert powers(noise).sum() == pytest.approx(1)
    assert powers(noise)[0] == pytest.approx(2 / 47, rel=0.15)
    assert np.isnan(powers(np.ones((5, 2)))).all()


def test_isomap_lays_a_ring_flat() -> None:
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    picture = isomap(ring(), NEIGHBOURS)
    assert spearmanr(pdist(picture), around(24)).statistic > 0.99
    assert around(5).tolist() == [1, 2, 2, 1, 1, 2, 2, 1, 2, 1]


def test_exchanged_is_the_exact_share_of_signs() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, -1.0])
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * 6)).reshape(6, -1).T
    exact = float((signs @ values >= values.sum() - 1e-12).mean())
    assert exchanged(values, 0) == pytest.approx(exact, abs=0.02)
    assert exchanged(np.zeros(5), 0) == 1.0
    assert math.isnan(exchanged(np.array([np.nan]), 0))


def test_a_partial_correlation_is_that_of_the_three_correlations() -> None:
    x, y, z = np.random.default_rng(0).normal(size=(3, 200)) + np.random.default_rng(1).normal(size=200)
    r = np.corrcoef([x, y, z])
    known = (r[0, 1] - r[0, 2] * r[1, 2]) / math.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert partial(x, y, z) == pytest.approx(known)
    assert math.isnan(partial(x, np.ones(200), z))
