"""Times, ratios, turns and what networks are asked, on cases that are known by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from short_concept import SHORT, Plant
from small_run import interrupt_at

from mcinterp.config import load_preset
from mcinterp.runs import Run, train
from mcinterp.studies.concept_space.config import ConceptConfig
from mcinterp.studies.concept_space.courses import BLUE, RIGHT, SMALL, Course, Time, first_time
from mcinterp.studies.concept_space.hidden import (
    AMPLIFIED,
    BEHIND,
    COMES_WITH,
    INTO_LAST_GAP,
    LAGS,
    LATENT_BEHIND,
    TURN_LATENT,
    TURN_OVER,
    WITH_LAST_GAP,
    _right_when,
    gaps_of,
)
from mcinterp.studies.concept_space.images import HELD_OUT, LARGE_BLUE, LARGE_RED, NAMES, SMALL_RED
from mcinterp.studies.concept_space.judge import Judge, judged_right, trial
from mcinterp.studies.concept_space.networks import FIXED, GATED, MIDDLE, STRONG, UNGATED, WEAK, Family, variants
from mcinterp.studies.concept_space.paths import first_bend, turn_of
from mcinterp.studies.concept_space.prompts import (
    INTO_LAST,
    LATENT,
    LATENTS,
    NAIVE,
    OVER,
    OVER_TRAINED,
    PLAIN,
    PROMPTS,
    RANDOM,
    TOWARDS_RED,
    WITH_LAST,
    Asking,
    latent_name,
)
from mcinterp.studies.concept_space.ratios import Ratio, log_ratio, mean_ratio
from mcinterp.studies.concept_space.samples import pictures
from mcinterp.studies.concept_space.signals import COLOUR
from mcinterp.training.schedule import checkpoint_steps

STEPS = (0, 10, 100, 1000, 10_000)


@pytest.mark.parametrize(
    ("values", "step", "reached"),
    [
        ((0.0, 0.2, 0.9, 0.9, 0.9), 10 * 10 ** (6 / 7), True),
        ((0.0, 0.9, 0.1, 0.8, 0.9), 1000, True),
        ((1.0, 0.8, 0.8, 0.0, 0.0), 10, True),
        ((0.0, 0.0, 0.0, 0.0, 0.9), 10_000, False),
        ((0.9, 0.0, 0.9, 0.0, 0.9), 10_000, False),
        ((0.9, 0.0, 0.0, 0.0, 0.0), 10_000, False),
    ],
)
def test_a_time_is_the_first_of_two_in_a_row_between_checkpoints(
    values: tuple[float, ...], step: float, reached: bool
) -> None:
    assert first_time(STEPS, np.array(values), 0.8) == Time(pytest.approx(step), reached)


def test_a_ratio_is_a_lower_bound_where_the_later_thing_never_came_and_none_where_the_earlier_did_not() -> None:
    early, late, never = Time(10.0, True), Time(100.0, True), Time(1000.0, False)
    assert log_ratio(late, early) == Ratio(pytest.approx(math.log(10)))
    assert log_ratio(never, early) == Ratio(pytest.approx(math.log(100)), True)
    assert math.isnan(log_ratio(early, never).value)
    assert math.isnan(log_ratio(never, never).value)
    assert Ratio(2.0, True).minus(Ratio(0.5)) == Ratio(1.5, True)
    assert math.isnan(Ratio(2.0).minus(Ratio(0.5, True)).value)


def test_a_mean_of_lower_bounds_has_no_upper_end_and_one_without_a_value_is_none() -> None:
    plain = mean_ratio("value", [Ratio(1.0), Ratio(2.0), Ratio(3.0)])
    assert (plain["value"], plain["bounded"]) == (2.0, 0)
    assert plain["value_low"] < 1 < 3 < plain["value_high"] < 6
    bounded = mean_ratio("value", [Ratio(1.0), Ratio(2.0, True), Ratio(3.0)])
    assert bounded == {**plain, "value_high": math.inf, "bounded": 1}
    missing = mean_ratio("value", [Ratio(1.0), Ratio(math.nan, True)])
    assert all(math.isnan(missing[name]) for name in ("value", "value_low", "value_high"))


def test_a_path_that_runs_to_small_red_and_back_turns_there() -> None:
    blue, small = np.array([0.5, 0.1, 0.2, 0.6, 1.0]), np.array([0.5, 0.9, 1.0, 1.0, 1.0])
    found = turn_of(STEPS, blue, small, Time(10.0, True))
    # 0.2 is within 0.1 of the least, and still before P(blue) is above ½ again.
    assert (found.start, found.depth, found.step) == (0.5, 0.1, 100)
    assert found.nearer == pytest.approx(0.2 - 0.8)
    before, after = np.array([-0.3, 0.5]), np.array([0.8, 0.0])
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert found.angle == pytest.approx(math.degrees(math.acos(cosine)))


@pytest.mark.parametrize(
    ("blue", "small", "learned", "depth"),
    [
        ((0.5, 0.4, 0.3, 0.3, 0.4), (0.5, 0.9, 1.0, 1.0, 1.0), Time(5.0, True), 0.3),  # never comes back
        ((0.1, 0.1, 0.9, 0.8, 1.0), (0.5, 0.1, 0.4, 1.0, 1.0), Time(50.0, True), 0.8),  # goes round by large blue
        ((0.1, 0.1, 0.2, 0.3, 0.6), (0.9, 0.1, 0.2, 0.3, 0.4), Time(1e4, False), math.nan),  # never learns the size
    ],
)
def test_a_path_that_does_not_come_back_has_no_turn(
    blue: tuple[float, ...], small: tuple[float, ...], learned: Time, depth: float
) -> None:
    found = turn_of(STEPS, np.array(blue), np.array(small), learned)
    assert found.depth == pytest.approx(depth, nan_ok=True)
    assert math.isnan(found.step)
    assert math.isnan(found.angle)


def path(plant: Plant, values: dict[str, list[float]]) -> dict[tuple[str, str], np.ndarray]:
    """The held-out prompt's planted P(blue) and P(small)."""
    return {(NAIVE, of): np.array(each) for of, each in values.items()}


def test_where_a_path_bends_is_told_where_its_first_concept_is_learned(plant: Plant) -> None:
    n = len(plant({}).steps)
    red = {BLUE: [0.5, 0.4, 0.3, *[1.0] * (n - 3)], SMALL: [0.9, 0.5, 0.9, *[1.0] * (n - 3)]}
    assert first_bend(plant(path(plant, red))) == pytest.approx(0.3 - 0.9)
    assert first_bend(plant(path(plant, {BLUE: red[SMALL], SMALL: red[BLUE]}))) == pytest.approx(0.9 - 0.3)
    nothing = {BLUE: [0.5] * n, SMALL: [0.5] * n}
    assert math.isnan(first_bend(plant(path(plant, nothing))))


def test_gaps_are_those_of_planted_times(plant: Plant) -> None:
    steps = plant({}).steps

    def from_on(at: int) -> np.ndarray:
        return np.array([0.0] * at + [0.8] * (len(steps) - at))

    starts = {NAIVE: 5, NAMES[LARGE_BLUE]: 2, OVER: 3, LATENT: 2, OVER_TRAINED: 1, INTO_LAST: 2, WITH_LAST: 4}
    values = {(prompt, RIGHT): from_on(at) for prompt, at in starts.items()}
    values |= {(NAMES[red], RIGHT): from_on(1) for red in (SMALL_RED, LARGE_RED)}
    values |= {(NAIVE, BLUE): np.array([0.5, 0.2, 0.1, *[0.9] * (len(steps) - 3)]), (NAIVE, SMALL): from_on(1)}
    values |= {(NAMES[SMALL_RED], SMALL): from_on(1), (NAMES[LARGE_RED], SMALL): from_on(1) * 0}
    found = {name: ratio.value for name, ratio in gaps_of(plant(values)).items()}
    log = dict(enumerate(np.log(np.maximum(steps, 1))))
    # Half of the images are right five eighths of the way, on the logarithm, from the checkpoint before.
    half = {prompt: log[at - 1] + 0.625 * (log[at] - log[at - 1]) for prompt, at in ((OVER, 3), (LATENT, 2))}
    expected = {
        BEHIND: log[5] - log[3],
        LATENT_BEHIND: log[5] - log[2],
        LAGS: log[5] - log[2],
        COMES_WITH: 0.0,
        AMPLIFIED: log[5] - log[3] - (log[2] - log[1]),
        TURN_OVER: (log[5] - log[3]) / 2 - abs(log[2] - half[OVER]),
        TURN_LATENT: (log[5] - log[2]) / 2 - abs(log[2] - half[LATENT]),
        INTO_LAST_GAP: 0.0,
        WITH_LAST_GAP: log[4] - log[2],
    }
    assert found == pytest.approx(expected)
    assert set(gaps_of(plant(values, UNGATED))) == {BEHIND, LATENT_BEHIND, LAGS, COMES_WITH}


def test_a_network_whose_images_are_all_blue_has_learned_nothing(plant: Plant) -> None:
    n = len(plant({}).steps)
    ones, late = np.ones(n), np.array([0.0] * (n - 2) + [1.0] * 2)
    values = {(NAMES[each], BLUE): ones for each in (LARGE_BLUE, LARGE_RED)}
    values |= {(NAIVE, RIGHT): ones, (NAMES[LARGE_BLUE], RIGHT): ones}
    values |= {(NAMES[each], RIGHT): late for each in (SMALL_RED, LARGE_RED)}
    course = plant(values)
    assert not course.learned(COLOUR).reached
    told_apart = plant(values | {(NAMES[LARGE_RED], BLUE): 1 - late})
    assert told_apart.learned(COLOUR) == course.time(NAIVE) == course.time(NAMES[LARGE_BLUE])
    assert course.steps[n - 3] < course.time(NAIVE).step <= course.steps[n - 2]


def test_a_null_is_read_when_the_intervention_beside_it_is_right(plant: Plant) -> None:
    n = len(plant({}).steps)
    over = np.array([0.0, 0.0, 0.9, *[1.0] * (n - 3)])
    values = {(OVER, RIGHT): over, (NAMES[SMALL_RED], RIGHT): over * 0 + 1, (TOWARDS_RED, RIGHT): np.linspace(0, 1, n)}
    assert _right_when(plant(values), TOWARDS_RED, OVER) == pytest.approx(2 / (n - 1))
    assert math.isnan(_right_when(plant(values | {(OVER, RIGHT): over * 0}), TOWARDS_RED, OVER))


def test_networks_differ_from_the_presets_in_colours_units_steps_and_seeds(folder: Path) -> None:
    config = Run(folder / "run").config
    found = variants(config)
    assert len(found) == 15
    seed = config.training.seed
    seen = {
        key[:2]: (each.task.sep_colour, each.task.unit_colour * each.task.sep_colour, each.task.unit_size)
        for key, each in found.items()
    }
    assert {key: tuple(round(part, 4) for part in values) for key, values in seen.items()} == {
        (GATED, WEAK): (0.15, 0.15, 14.0),
        (GATED, MIDDLE): (0.35, 0.35, 14.0),
        (GATED, STRONG): (0.6, 0.6, 14.0),
        (UNGATED, WEAK): (0.15, 0.15, 1.0),
        (UNGATED, MIDDLE): (0.35, 0.35, 1.0),
        (UNGATED, STRONG): (0.6, 0.6, 1.0),
        (FIXED, WEAK): (0.15, 0.35, 14.0),
        (FIXED, STRONG): (0.6, 0.35, 14.0),
    }
    assert found[GATED, MIDDLE, seed + 1].training == config.training.model_copy(update={"seed": seed + 1})
    assert found[UNGATED, WEAK, seed].training.steps == config.training.steps // 2


@pytest.mark.parametrize("separation", [0.15, 0.6])
def test_the_judge_tells_real_images_of_every_combination(separation: float) -> None:
    _, rows = trial(ConceptConfig(sep_colour=separation))
    assert [row["combination"] for row in rows] == list(NAMES.values())
    assert min(row["right"] for row in rows) > 0.97


def test_the_judge_is_a_logistic_read_out_of_each_concept() -> None:
    judge = Judge(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0.0, -1.0]))
    found = judge.probabilities(torch.tensor([[0.0, 0.5], [2.0, 2.0]]))
    assert found[0].tolist() == pytest.approx([0.5, 0.5])
    assert found[1].tolist() == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-3))])
    assert judged_right(found, torch.tensor([1, 1])).tolist() == [False, True]
    assert judged_right(found, torch.tensor([0, 0])).tolist() == [True, False]


def test_what_networks_are_asked_is_what_it_is_called(folder: Path) -> None:
    run = Run(folder / "run")
    model = run.checkpoint("last").model
    asking = Asking.of(run.config.task, 6, 5, 0)
    made = dict(zip([*PROMPTS, *LATENTS], asking.images(model, [*PROMPTS, *LATENTS]), strict=True))
    # Every prompt starts from the same noises; what is asked alone or beside others is the same.
    torch.testing.assert_close(made[NAIVE], asking.images(model, [NAIVE])[0], rtol=1e-4, atol=1e-5)
    own = {name: asking.embedding(model, combination) for combination, name in NAMES.items()}
    torch.testing.assert_close(asking.embedded(model, own[NAIVE]), made[NAIVE], rtol=1e-4, atol=1e-5)
    small, blue, red = (own[NAMES[each]] for each in (SMALL_RED, LARGE_BLUE, LARGE_RED))
    for strength in (1.0, 3.0):
        expected = asking.embedded(model, small + strength * (blue - red))
        torch.testing.assert_close(made[latent_name(strength)], expected, rtol=1e-4, atol=1e-5)
    shifts = asking.shifts(model)
    lengths = shifts[RANDOM].norm(dim=-1)
    torch.testing.assert_close(lengths, (blue - red).norm().expand(5), rtol=1e-4, atol=1e-6)
    assert torch.linalg.matrix_rank(shifts[RANDOM]) == 5
    assert not torch.allclose(made[RANDOM], made[LATENT])


def test_over_prompts_leave_size_and_green_as_they_are() -> None:
    assert PROMPTS[NAIVE].values == PLAIN[NAIVE].values == HELD_OUT
    assert PROMPTS[OVER].values == (2.5, 1.0)
    assert PROMPTS[TOWARDS_RED].values == (-1.5, 1.0)
    assert PROMPTS[OVER_TRAINED].values == (2.5, 0.0)
    assert PROMPTS[OVER_TRAINED].wanted == LARGE_BLUE


def test_pictures_are_bytes_of_what_can_be_seen() -> None:
    images = torch.tensor([-1.0, 1.0, 0.0, -3.0, 2.0, 0.5]).repeat(8)[None]
    seen = pictures(images, ConceptConfig(pixels=4))
    assert seen.shape == (1, 4, 4, 3)
    assert seen[0, 0, 0].tolist() == [0, 255, 128]
    assert seen[0, 0, 1].tolist() == [0, 255, 191]


def test_a_training_that_was_stopped_for_a_while_is_asked_at_the_same_steps(tmp_path: Path) -> None:
    config = load_preset("concept-space", SHORT)
    train(tmp_path / "run", config, "cpu", interrupt_at(10))
    run = train(tmp_path / "run", config, "cpu")
    planned = checkpoint_steps(config.training)
    assert len(run.steps) == len(planned) + 1
    assert Course(Family(GATED, MIDDLE, (run,)), run, {}, ()).steps == planned
