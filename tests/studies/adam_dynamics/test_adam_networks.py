"""Networks side by side: the task, what counts as an explosion, absences of tokens, and layers of no scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mcinterp.config import load_preset, parse_config
from mcinterp.errors import ConfigError
from mcinterp.model.build import build_model
from mcinterp.studies.adam_dynamics import explosions as module
from mcinterp.studies.adam_dynamics import grid, invariant, tokens
from mcinterp.studies.adam_dynamics.bounds import DECAY1, DECAY2, PAIRS
from mcinterp.studies.adam_dynamics.config import PerceptronConfig, TeacherConfig
from mcinterp.studies.adam_dynamics.explosions import Condition
from mcinterp.studies.adam_dynamics.grid import Trained
from mcinterp.studies.adam_dynamics.laws import growth, ratio
from mcinterp.studies.adam_dynamics.model import Perceptrons
from mcinterp.studies.adam_dynamics.stages import stages
from mcinterp.studies.adam_dynamics.task import TanhTeacher, Teachers
from mcinterp.task import make_task

OUTSIDE = ratio(DECAY1, DECAY2) > 1


def test_every_network_learns_from_a_teacher_of_its_own() -> None:
    task = make_task(load_preset("tanh-teacher").task)
    assert isinstance(task, TanhTeacher)
    batch = task.draw(2000, torch.Generator().manual_seed(0))
    assert batch.inputs.shape == (2000, 5, 12)
    assert batch.targets.shape == (2000, 5)
    chain = task.config.chain
    for i in range(5):
        alone = Teachers(task.config, [chain + i])
        assert torch.equal(alone.classes(batch.inputs[:, i : i + 1])[:, 0], batch.targets[:, i])
        assert not torch.equal(alone.classes(batch.inputs[:, i : i + 1])[:, 0], batch.targets[:, (i + 1) % 5])
    shares = torch.nn.functional.one_hot(batch.targets, 6).double().mean((0, 1))
    assert shares.min() > 0.05
    assert torch.equal(batch.inputs, task.draw(2000, torch.Generator().manual_seed(0)).inputs)


def test_the_loss_is_the_sum_of_the_networks_and_its_score_their_mean() -> None:
    task = TanhTeacher(TeacherConfig(networks=2, classes=3))
    batch = task.draw(4, torch.Generator().manual_seed(1))
    output = torch.zeros(4, 2, 3)
    scores = task.scores(output, batch)
    assert task.loss(output, batch).item() == pytest.approx(2 * np.log(3), rel=1e-6)
    assert scores["cross_entropy"].item() == pytest.approx(np.log(3), rel=1e-6)
    right = torch.nn.functional.one_hot(batch.targets, 3).float() * 100
    assert task.scores(right, batch)["accuracy"].item() == 1.0


def test_networks_begin_and_answer_as_they_would_alone() -> None:
    several = Perceptrons(PerceptronConfig(width=7), 4, 3, [5, 6])
    points = torch.randn(9, 2, 4, generator=torch.Generator().manual_seed(0))
    for i, seed in enumerate((5, 6)):
        alone = Perceptrons(PerceptronConfig(width=7), 4, 3, [seed])
        torch.testing.assert_close(several(points)[:, i], alone(points[:, i : i + 1])[:, 0])
        by_hand = points[:, i]
        *hidden, last = [weights[0] for weights in alone.weights_of]
        for weights in hidden:
            by_hand = torch.tanh(by_hand @ weights)
        torch.testing.assert_close(alone(points[:, i : i + 1])[:, 0], by_hand @ last)


def test_the_scale_of_a_normalised_layer_means_nothing() -> None:
    model = Perceptrons(PerceptronConfig(width=7, normalised=True), 4, 3).double()
    points = torch.randn(9, 1, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = model(points)
    with torch.no_grad():
        model.weights_of[0].mul_(37.0)
        model.weights_of[1].mul_(0.01)
    torch.testing.assert_close(model(points), before, rtol=1e-12, atol=1e-12)


def test_sizes_are_those_of_the_configuration() -> None:
    config = load_preset("tanh-teacher", ["training.seed=3"])
    n = sum(parameter.numel() for parameter in build_model(config).parameters())
    assert n == 5 * (12 * 32 + 32 * 32 + 32 * 6)
    assert config.model.weight_bytes(config.task) == 4 * n
    assert config.task.sample_bytes() == 4 * 5 * 12
    with pytest.raises(ConfigError, match="classes = 1: input should be greater than or equal to 2"):
        parse_config("{task: {kind: tanh-teacher, classes: 1}, model: {architecture: perceptron}}", "x")


def made_up(sizes: np.ndarray, forgetting: float = 1.0) -> Trained:
    ones = np.ones(len(PAIRS))
    return Trained("fixed", False, 0.01, 7, sizes, ones, 0.5 * ones, forgetting * ones, 0.1 * ones)


def test_an_explosion_is_beyond_what_the_first_updates_showed() -> None:
    sizes = np.ones((500, len(PAIRS)))
    sizes[:50, 0], sizes[-1, 0] = 8.0, 79.0  # large from the beginning
    sizes[-1, 1], sizes[-1, 2] = 10.1, 9.9
    assert np.flatnonzero(made_up(sizes).exploded).tolist() == [1]


def test_conditions_count_and_judge_the_networks_outside() -> None:
    steps = np.arange(500)[:, None]
    grown = np.where(OUTSIDE, np.exp(np.minimum(growth(DECAY1, DECAY2), 1.0) * steps), 1.0)
    still = np.ones_like(grown)
    condition = Condition("fixed", False, 0.01)
    row = module._condition(condition, [made_up(grown), made_up(grown), made_up(still, 0.1)])
    n_grown = int(made_up(grown).exploded.sum())
    assert n_grown > 30
    assert (row["inside"], row["inside_exploded"]) == (84, 0)
    assert (row["outside"], row["outside_exploded"]) == (108, 2 * n_grown)
    assert row["exploded"] == pytest.approx(2 * n_grown / 108)
    assert (row["slope"], row["fastest"], row["forgetting"]) == pytest.approx((1.0, 1.0, 1.0))
    assert row["share_late"] == 0.5
    nothing = module._condition(condition, [made_up(still), made_up(still)])
    assert nothing["outside_exploded"] == 0
    assert np.isnan([nothing["slope"], nothing["fastest"], nothing["forgetting"]]).all()


@pytest.fixture(scope="module")
def short() -> dict[str, Trained]:
    """A few updates of every pair, on the same points and on fresh ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "UPDATES", 60)
        patch.setattr(grid, "LAST", 20)
        return {points: grid.train(points, False, 0.01, 0) for points in ("fixed", "fresh")}


def test_trained_networks_keep_the_bound(short: dict[str, Trained]) -> None:
    for found in short.values():
        assert found.sizes.shape == (60, 64)
        assert found.share.max() <= 1 + 1e-12
        assert (found.share_late <= found.share).all()
        np.testing.assert_allclose(found.sizes[0], 1.0, rtol=1e-12)
        assert not found.exploded[~OUTSIDE].any()
    assert not np.array_equal(short["fixed"].loss, short["fresh"].loss)


def test_one_of_the_networks_is_trained_as_by_torchs_adam(short: dict[str, Trained]) -> None:
    at = PAIRS.tolist().index([0.9, 0.999])
    network = Perceptrons(PerceptronConfig(width=grid.WIDTH), 8, 4, [0]).double()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, eps=0.0)
    points, classes = (each[:, :1] for each in next(grid._batches("fixed", 0)))
    for _ in range(60):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(points)[:, 0], classes[:, 0])
        loss.backward()
        before = torch.cat([each.detach().flatten() for each in network.parameters()])
        optimiser.step()
    moved = before - torch.cat([each.detach().flatten() for each in network.parameters()])
    assert short["fixed"].loss[at] == pytest.approx(loss.item(), rel=1e-6)
    assert short["fixed"].sizes[-1, at] == pytest.approx(float(moved.abs().max()) / 0.01, rel=1e-6)


def test_forgetting_tells_vanished_gradients_from_those_that_stay() -> None:
    beta2, last = torch.from_numpy(DECAY2)[:, None], grid.LAST
    start, update = torch.ones(64, 2, dtype=torch.float64), torch.tensor([[1.0, 2.0]]).expand(64, 2).double()
    faded = start * torch.cat([torch.ones_like(beta2), beta2**last], 1)
    np.testing.assert_allclose(grid._forgetting([start], [faded], [update]), 1.0, rtol=1e-9)
    np.testing.assert_allclose(grid._forgetting([start], [start], [update]), 0.0, atol=1e-12)
    assert grid._forgetting([start], [torch.zeros_like(start)], [update]).isnan().all()


def test_absences_are_those_of_tokens_that_had_come() -> None:
    seen = np.zeros((60, 3), dtype=bool)
    seen[[5, 30, 40], 0] = True  # 24 updates without it, 9, and 19 at the end
    seen[::7, 1] = True
    assert tokens.absences(seen) == [(0, 5, 29)]
    seen[35, 2] = True
    assert tokens.absences(seen) == [(0, 5, 29), (2, 35, 59)]


def test_an_absent_tokens_update_grows_as_the_law_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "UPDATES", 70)
    rare, equal = (tokens.train(kind, tokens.OUTSIDE, 1) for kind in (tokens.RARE, tokens.EQUAL))
    found = tokens._growths(rare)
    assert len(found) > 5
    np.testing.assert_allclose(found, 1.0, rtol=1e-9)
    assert len(tokens._growths(equal)) == 0
    row = tokens._row(rare)
    assert row["share"] <= 1 + 1e-9
    assert row["peak"] == pytest.approx(np.log10(rare.embedding.max()))
    assert rare.embedding[:, row["token"]].max() == rare.embedding.max()
    assert row["absent"] >= 1
    assert np.isnan(tokens._row(equal)["least_growth"])


def test_norm_and_angle_follow_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariant, "UPDATES", 30)
    kept = invariant._course(True, 0)
    assert np.abs(kept.cosine).max() < 1e-12
    assert np.abs(invariant._course(False, 0).cosine).max() > 0.1
    # Without momentum the two averages are one, and with it they part.
    none = [i for i, (beta1, _, _) in enumerate(invariant.NETWORKS) if beta1 == 0]
    np.testing.assert_allclose(kept.average[:, none], kept.factor[:, none])
    assert (kept.factor[-1] >= kept.average[-1]).all()
    assert ((kept.angle > 0) & (kept.angle < np.pi / 2)).all()
    # Weights a hundred times as large are turned by a hundredth at first.
    small, large = (invariant.NETWORKS.index((0.9, scale, 0)) for scale in (0.1, 10.0))
    assert kept.angle[0, small] / kept.angle[0, large] == pytest.approx(100, rel=0.2)
    np.testing.assert_allclose(kept.norm[0], kept.average[0], rtol=0.2)
    assert kept.norm[0, large] > 5000 * kept.norm[0, small]
    assert invariant.law(0.0) == pytest.approx(0.1414, abs=1e-4)


def test_one_stage_is_adam_and_every_stage_keeps_its_bound() -> None:
    result = stages(5)
    one = result.table("one").iloc[0]
    assert one["difference"] < 1e-12 < 0.1 < one["moved"]
    assert one["sign"] < 1e-12
    assert result.table("deep")["share"].max() <= 1 + 1e-12
