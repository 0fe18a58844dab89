"""The task: batches, seeds, scores against a slow count, the negated batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.tokens import detokenise

TASK = MatrixCompletion(TaskConfig(rows=4, cols=6, rank=2))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_scores(output: torch.Tensor, batch: MatrixBatch) -> dict[str, float]:
    """Entry by entry, in float64."""
    observed_errors, masked_errors, masked_sizes = [], [], []
    for answer, target, seen in zip(
        output.double().flatten().tolist(),
        batch.targets.flatten().tolist(),
        batch.observed.flatten().tolist(),
        strict=True,
    ):
        (observed_errors if seen else masked_errors).append((answer - target) ** 2)
        if not seen:
            masked_sizes.append(abs(answer))
    return {
        "observed_mse": float(np.mean(observed_errors)),
        "masked_mse": float(np.mean(masked_errors)),
        "masked_abs_mean": float(np.mean(masked_sizes)),
    }


def test_a_batch_says_what_it_holds() -> None:
    batch = TASK.sample(10, seeded())
    assert len(batch) == 10
    assert batch.shape == (4, 6)
    assert (batch.inputs.shape, batch.inputs.dtype) == ((10, 24), torch.int64)
    assert (batch.targets.shape, batch.targets.dtype) == ((10, 24), torch.float32)
    assert (batch.observed.shape, batch.observed.dtype) == ((10, 24), torch.bool)


def test_inputs_are_the_rounded_targets_where_observed() -> None:
    batch = TASK.sample(50, seeded())
    values = detokenise(batch.inputs, TASK.config)
    assert torch.equal(values[batch.observed], batch.targets[batch.observed])
    assert bool((batch.inputs[~batch.observed] == 0).all())


def test_positions_are_row_major() -> None:
    matrices = torch.arange(24.0).view(1, 4, 6) / 10
    observed = torch.ones(1, 4, 6, dtype=torch.bool)
    observed[0, 1, 2] = False
    batch = TASK.batch(matrices, observed)
    assert torch.equal(batch.targets[0], (torch.arange(24) / 10))
    assert torch.nonzero(batch.inputs[0] == 0).flatten().tolist() == [1 * 6 + 2]


def test_matrices_are_rounded_before_they_are_targets() -> None:
    batch = TASK.batch(torch.full((1, 4, 6), 0.123456), torch.ones(1, 4, 6, dtype=torch.bool))
    assert torch.equal(batch.targets, torch.full((1, 24), 0.12))


def test_the_same_seed_gives_the_same_batch() -> None:
    first, again, other = TASK.sample(5, seeded(1)), TASK.sample(5, seeded(1)), TASK.sample(5, seeded(2))
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.targets, other.targets)


@pytest.mark.parametrize("mask", ["none", "rows:1", "checkerboard", "rows:0,1,2,3"])
def test_matrices_are_the_same_under_every_mask(mask: object) -> None:
    assert torch.equal(TASK.sample(5, seeded(), mask).targets, TASK.sample(5, seeded()).targets)


def test_a_named_mask_is_that_of_every_sample() -> None:
    batch = TASK.sample(3, seeded(), "rows:1")
    expected = [[row != 1 for row in range(4) for _ in range(6)]] * 3
    assert batch.observed.tolist() == expected


def test_clipped_values_are_counted() -> None:
    task = MatrixCompletion(TaskConfig(rows=1, cols=3, rank=1, v_min=-1.0, v_max=1.0, out_of_range="clip"))
    batch = task.batch(torch.tensor([[[2.0, 0.5, -3.0]]]), torch.ones(1, 1, 3, dtype=torch.bool))
    assert batch.n_clipped == 2
    assert batch.targets.tolist() == [[2.0, 0.5, -3.0]]


@pytest.mark.parametrize(("matrices", "masks"), [((2, 6, 4), (2, 6, 4)), ((2, 4, 6), (3, 4, 6)), ((4, 6), (4, 6))])
def test_batches_of_another_shape_are_refused(matrices: tuple[int, ...], masks: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"must have shape \(n, 4, 6\)"):
        TASK.batch(torch.zeros(matrices), torch.ones(masks, dtype=torch.bool))


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_a_slow_count(seed: int) -> None:
    batch = TASK.sample(8, seeded(seed))
    output = torch.randn(8, 24, generator=seeded(seed + 100))
    scores = {name: value.item() for name, value in TASK.scores(output, batch).items()}
    assert scores == pytest.approx(slow_scores(output, batch), rel=1e-5)
    assert tuple(scores) == TASK.score_names
    assert TASK.progress_score in scores


def test_the_loss_is_the_mean_over_all_entries() -> None:
    batch = TASK.sample(8, seeded())
    output = torch.randn(8, 24, generator=seeded(1))
    scores = slow_scores(output, batch)
    masked = (~batch.observed).double().mean().item()
    expected = masked * scores["masked_mse"] + (1 - masked) * scores["observed_mse"]
    assert TASK.loss(output, batch).item() == pytest.approx(expected, rel=1e-5)


def test_a_perfect_answer_costs_nothing() -> None:
    batch = TASK.sample(8, seeded())
    assert TASK.loss(batch.targets, batch).item() == 0
    assert TASK.scores(batch.targets, batch)["masked_mse"].item() == 0


def test_scores_of_no_entries_are_nan_without_a_warning() -> None:
    everything, nothing = TASK.sample(3, seeded(), "none"), TASK.sample(3, seeded(), "rows:0,1,2,3")
    output = torch.zeros(3, 24)
    scores = TASK.scores(output, everything)
    assert math.isnan(scores["masked_mse"])
    assert math.isnan(scores["masked_abs_mean"])
    assert math.isfinite(scores["observed_mse"])
    assert math.isnan(TASK.scores(output, nothing)["observed_mse"])


def test_the_negated_batch_has_minus_x_under_the_same_masks() -> None:
    batch = TASK.sample(6, seeded())
    negated = TASK.negated(batch)
    assert torch.equal(negated.targets, -batch.targets)
    assert torch.equal(negated.observed, batch.observed)
    assert torch.equal(detokenise(negated.inputs, TASK.config)[batch.observed], -batch.targets[batch.observed])
    assert torch.equal(TASK.negated(negated).inputs, batch.inputs)


def test_moving_a_batch_keeps_it() -> None:
    batch = TASK.sample(2, seeded())
    moved = TASK.to(batch, torch.device("cpu"))
    assert torch.equal(moved.inputs, batch.inputs)
    assert moved.shape == batch.shape
