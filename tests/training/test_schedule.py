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


def test_a_held_rate_decays_as_late_as_it_was_held() -> None:
    root = 0.5**0.5
    expected = [0.5, 1.0, 1.0, 1.0, 1.0, (1 + root) / 2, 0.5, (1 - root) / 2]
    assert rates(schedule="cosine", warmup_steps=2, hold_steps=2, steps=8) == pytest.approx(expected)


@pytest.mark.parametrize("fields", [{"hold_steps": 6, "warmup_steps": 3, "schedule": "cosine"}, {"hold_steps": 2}])
def test_a_rate_is_held_before_a_cosine_within_the_steps(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"hold_steps (6 exceeds steps 8|needs schedule 'cosine')"):
        rates(**fields)


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


@pytest.mark.parametrize(
    ("spacing", "steps", "count", "expected"),
    [
        ("even", 100, 4, [0, 25, 50, 75, 100]),
        ("even", 10, 3, [0, 3, 7, 10]),
        ("even", 2, 5, [0, 1, 2]),
        ("sqrt", 100, 5, [0, 4, 16, 36, 64, 100]),
        ("sqrt", 8, 4, [0, 2, 4, 8]),  # 0.5 and 4.5 are rounded to the even one
        ("sqrt", 3, 40, [0, 1, 2, 3]),
        ("log", 10_000, 3, [0, 50, 707, 10_000]),
        ("log", 100, 3, [0, 1, 10, 100]),
    ],
)
def test_spacings_by_hand(spacing: str, steps: int, count: int, expected: list[int]) -> None:
    assert checkpoint_steps(TrainConfig(steps=steps, checkpoints=count, spacing=spacing)) == expected


@given(st.integers(1, 10**12), st.integers(2, 60), st.sampled_from(["log", "even", "sqrt"]))
def test_every_spacing_goes_from_0_to_the_end(steps: int, count: int, spacing: str) -> None:
    saved = checkpoint_steps(TrainConfig(steps=steps, checkpoints=count, spacing=spacing))
    assert (saved[0], saved[-1]) == (0, steps)
    assert all(later > earlier for earlier, later in pairwise(saved))
    assert len(saved) <= count + 1
    # All are a step apart then, so that rounding makes no repeats; a logarithm's first gap is that of a 200th on.
    ratio = 200 ** (1 / (count - 1))
    if steps >= {"log": 200 / (ratio - 1) * 1.1 + 200, "even": count, "sqrt": count**2}[spacing]:
        assert len(saved) == count + 1


@given(st.integers(1, 10**6), st.integers(2, 60))
def test_spacings_are_even_in_what_they_say(steps: int, count: int) -> None:
    for spacing, power in (("even", 1.0), ("sqrt", 0.5)):
        saved = checkpoint_steps(TrainConfig(steps=steps, checkpoints=count, spacing=spacing))
        places = {round(steps * (k / count) ** (1 / power)) for k in range(count + 1)}
        # Rounding moves a step by half of one; halves may go either way.
        assert all(min(abs(step - place) for place in places) <= 1 for step in saved)
        assert all(min(abs(step - place) for step in saved) <= 1 for place in places)


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
