"""Learning rates, checkpoints and replay states by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcinterp.config import TrainConfig
from mcinterp.training.schedule import checkpoint_steps, dense_steps, learning_rate, replay_steps


def rates(**fields: object) -> list[float]:
    config = TrainConfig(**{"learning_rate": 1.0, "steps": 8, **fields})
    return [learning_rate(config, step) for step in range(1, config.steps + 1)]


def test_constant() -> None:
    assert rates() == [1.0] * 8


def test_warmup_is_linear_and_ends_at_the_peak() -> None:
    assert rates(warmup_steps=4) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_cosine_starts_at_the_peak_and_goes_to_zero() -> None:
    root = 0.5**0.5
    assert rates(schedule="cosine", steps=4) == pytest.approx([1.0, (1 + root) / 2, 0.5, (1 - root) / 2])


def test_cosine_after_a_warmup() -> None:
    root = 0.5**0.5
    expected = [0.5, 1.0, 1.0, (1 + root) / 2, 0.5, (1 - root) / 2]
    assert rates(schedule="cosine", warmup_steps=2, steps=6) == pytest.approx(expected)


def test_warmup_may_take_all_steps() -> None:
    assert rates(schedule="cosine", warmup_steps=8)[-1] == pytest.approx(1.0)


def test_checkpoints_of_the_paper() -> None:
    steps = checkpoint_steps(TrainConfig())
    assert steps[:3] == [0, 250, 330]
    assert steps[-1] == 50_000
    assert len(steps) == 21


@given(st.integers(1, 10**6), st.integers(2, 60))
def test_checkpoints_go_from_0_to_the_end(steps: int, count: int) -> None:
    saved = checkpoint_steps(TrainConfig(steps=steps, checkpoints=count))
    assert saved == sorted(set(saved))
    assert (saved[0], saved[-1]) == (0, steps)
    assert len(saved) <= count + 1


@given(st.integers(1, 10**6), st.integers(1, 60))
def test_replay_states_are_evenly_spaced_from_0(steps: int, count: int) -> None:
    kept = replay_steps(TrainConfig(steps=steps, replay_states=count))
    assert kept[0] == 0
    assert len(kept) <= count
    if steps >= 2 * count:
        assert kept[-1] < steps
        gaps = [later - earlier for earlier, later in pairwise(kept)]
        assert all(abs(gap - steps / count) <= 1 for gap in gaps)


def test_dense_steps() -> None:
    assert dense_steps(100, 200, 5) == [100, 125, 150, 175, 200]
    assert dense_steps(3, 5, 12) == [3, 4, 5]
    assert dense_steps(7, 7, 12) == [7]
