"""Tasks of several sizes: configuration, where entries sit, how sizes are drawn, loss and scores by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import yaml
from scipy import stats

from mcinterp.config import RunConfig, parse_config
from mcinterp.errors import ConfigError, InputError
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.tokens import detokenise

SIZES = ((2, 3), (3, 2), (3, 4))
MIXED = MatrixCompletion(TaskConfig(rows=3, cols=4, rank=2, sizes=SIZES))
ONE = MatrixCompletion(TaskConfig(rows=3, cols=4, rank=2))
PAD = 2002


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_yaml_lists_and_back_and_the_hash_of_older_runs() -> None:
    text = "task: {rows: 6, cols: 5, rank: 1, sizes: [[6, 4], [4, 5]]}"
    config = parse_config(text, "here")
    assert config.task.sizes == ((6, 4), (4, 5))
    again = parse_config(config.to_yaml(), "again")
    assert (again, again.hash) == (config, config.hash)
    overridden = parse_config("task: {rows: 6, cols: 5, rank: 1}", "x", ["task.sizes=[[6, 4], [4, 5]]"])
    assert overridden == config
    older = yaml.safe_load(RunConfig().to_yaml())
    assert older["task"].pop("sizes") is None
    assert parse_config(yaml.safe_dump(older), "older").hash == RunConfig().hash == "404852e78ea1b2cf"
    swapped = parse_config(text.replace("[6, 4], [4, 5]", "[4, 5], [6, 4]"), "swapped")
    assert len({config.hash, swapped.hash, RunConfig().hash}) == 3


@pytest.mark.parametrize(
    ("sizes", "part"),
    [
        ("5", "task.sizes: must be pairs of rows and cols such as [[4, 4], [5, 5]], got 5"),
        ("[7, 7]", "task.sizes: must be pairs"),
        ("[[7, 7, 7], [5, 5]]", "task.sizes: must be pairs"),
        ("[[7, '7'], [5, 5]]", "task.sizes = '7'"),
        ("[[7, 7.0], [5, 5]]", "task.sizes = 7.0"),
        ("[]", "sizes must be at least two, all different"),
        ("[[7, 7]]", "sizes must be at least two, all different"),
        ("[[7, 7], [5, 5], [7, 7]]", "sizes must be at least two, all different"),
        ("[[7, 7], [0, 5]]", "sides of at least 1, got 0"),
        ("[[7, 7], [1, 5]]", "rank 2 exceeds the smallest side of sizes, 1"),
        ("[[6, 7], [5, 5]]", "rows 7 and cols 7 must be the largest of sizes, 6 and 7"),
        ("[[7, 7], [8, 5]]", "must be the largest of sizes, 8 and 7"),
    ],
)
def test_sizes_that_make_no_task_are_refused_in_one_sentence(sizes: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"task: {{sizes: {sizes}}}", "here.yaml")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_full_rank_entries_have_no_rank_to_exceed() -> None:
    assert TaskConfig(sizes=((7, 7), (1, 5)), factors="full-rank").sizes == ((7, 7), (1, 5))


def test_there_is_one_more_token_only_where_there_are_sizes() -> None:
    assert (ONE.config.d_vocab, ONE.config.pad_token) == (2002, None)
    assert (MIXED.config.d_vocab, MIXED.config.pad_token) == (2003, PAD)
    values = detokenise(torch.tensor([0, 1, PAD - 1, PAD]), MIXED.config)
    assert values.isnan().tolist() == [True, False, False, True]
    assert values[1:3].tolist() == [-10, 10]


def test_entries_keep_their_row_and_column_and_the_rest_is_padding() -> None:
    batch = MIXED.sample(200, seeded())
    whole = ONE.sample(200, seeded())
    assert batch.present is not None
    for index, present in enumerate(batch.present.view(-1, 3, 4)):
        rows, cols = int(present.any(1).sum()), int(present.any(0).sum())
        assert (rows, cols) in SIZES
        assert bool(present[:rows, :cols].all())
        assert int(present.sum()) == rows * cols
        for row in range(3):
            for col in range(4):
                position = row * 4 + col
                if row < rows and col < cols:
                    assert batch.targets[index, position] == whole.targets[index, position]
                else:
                    assert batch.inputs[index, position] == PAD
                    assert not batch.observed[index, position]
                    assert batch.targets[index, position] == 0
    assert bool((batch.inputs[batch.present] != PAD).all())
    assert torch.equal(batch.inputs == 0, batch.masked)
    values = detokenise(batch.inputs, MIXED.config)
    assert torch.equal(values[batch.observed], batch.targets[batch.observed])


def test_sizes_are_drawn_uniformly_and_from_the_seed() -> None:
    def counts(seed: int) -> list[int]:
        batch = MIXED.sample(6000, seeded(seed))
        assert batch.present is not None
        corners = batch.present.view(-1, 3, 4)
        wide, tall = corners[:, 0, 2], corners[:, 2, 0]
        return [int((wide & ~tall).sum()), int((tall & ~wide).sum()), int((wide & tall).sum())]

    assert counts(0) == counts(0) != counts(1)
    assert stats.chisquare(counts(0)).pvalue > 0.001
    assert sum(counts(0)) == 6000


def test_entries_are_masked_as_often_in_every_size_and_have_the_rank() -> None:
    task = MatrixCompletion(TaskConfig(rows=5, cols=5, rank=1, decimals=6, v_min=-2, v_max=2, sizes=((3, 4), (5, 5))))
    batch = task.sample(4000, seeded())
    assert batch.present is not None
    small = ~batch.present[:, -1]
    for own in (small, ~small):
        share = batch.masked[own].sum() / batch.present[own].sum()
        assert abs(float(share) - 0.3) < 5 * math.sqrt(0.3 * 0.7 / int(batch.present[own].sum()))
        assert batch.targets[own][batch.present[own]].var().item() == pytest.approx(1 / 9, rel=0.05)
    blocks = batch.targets[small].view(-1, 5, 5)[:, :3, :4]
    assert torch.linalg.matrix_rank(blocks, atol=1e-4).max() == 1


def test_a_size_can_be_asked_for() -> None:
    largest, same, small = (MIXED.sample(9, seeded(), size=size) for size in ("largest", (3, 4), (3, 2)))
    whole = ONE.sample(9, seeded())
    assert largest.present is None
    assert same.present is None
    assert torch.equal(largest.inputs, whole.inputs)
    assert torch.equal(same.inputs, whole.inputs)
    kept = torch.tensor([True, True, False, False] * 3)
    assert small.present is not None
    assert torch.equal(small.present, kept.expand(9, -1))
    assert torch.equal(small.inputs[:, kept], whole.inputs[:, kept])
    unseen = MIXED.sample(2, seeded(), size=(1, 4)).present
    assert unseen is not None
    assert unseen.sum(1).tolist() == [4, 4]


@pytest.mark.parametrize(
    ("task", "size", "part"),
    [
        (MIXED, (4, 4), "a 4 × 4 matrix does not fit the task's 3 × 4"),
        (MIXED, (0, 4), "a 0 × 4 matrix does not fit"),
        (MIXED, "small", "size must be .rows, cols., 'mixed' or 'largest', got 'small'"),
        (MIXED, (2,), "size must be"),
        (ONE, (2, 4), "the task has only 3 × 4 matrices and no token to pad 2 × 4 ones with"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(task: MatrixCompletion, size: object, part: str) -> None:
    with pytest.raises(InputError, match=part):
        task.sample(2, seeded(), size=size)  # type: ignore[arg-type]


def test_a_task_of_one_size_is_what_it_was() -> None:
    for size in ("mixed", "largest", (3, 4)):
        batch = ONE.sample(5, seeded(), size=size)  # type: ignore[arg-type]
        assert batch.present is None
        assert torch.equal(batch.inputs, ONE.sample(5, seeded()).inputs)
        assert torch.equal(batch.masked, ~batch.observed)


def test_masks_apply_within_the_entries_that_there_are() -> None:
    batch = MIXED.sample(60, seeded(), "cols:2")
    whole = MIXED.sample(60, seeded())
    assert batch.present is not None
    assert whole.present is not None
    assert torch.equal(batch.present, whole.present)
    assert torch.equal(batch.targets, whole.targets)
    third = torch.tensor([False, False, True, False] * 3)
    assert torch.equal(batch.masked, batch.present & third)
    assert torch.equal(batch.observed, batch.present & ~third)
    diagonal = MIXED.sample(2, seeded(), "one-per-row", size=(3, 2))
    assert diagonal.observed[0].nonzero().flatten().tolist() == [0, 5, 8]
    drawn = MIXED.sample(2, seeded(), np.array([[True, False, True], [False, True, True]]), size=(2, 3))
    assert drawn.observed[0].nonzero().flatten().tolist() == [0, 2, 5, 6]
    assert drawn.masked[0].nonzero().flatten().tolist() == [1, 4]
    with pytest.raises(InputError, match="column 2 is outside 0 … 1"):
        MIXED.sample(2, seeded(), "cols:2", size=(3, 2))


def test_loss_and_scores_by_hand() -> None:
    task = MatrixCompletion(TaskConfig(rows=2, cols=2, rank=1, sizes=((1, 2), (2, 2))))
    matrices = torch.tensor([[[1.0, 2.0], [77.0, torch.nan]], [[1.0, 1.0], [1.0, 1.0]]])
    observed = torch.tensor([[[True, False], [True, False]], [[True, True], [False, True]]])
    present = torch.tensor([[[True, True], [False, False]], [[True, True], [True, True]]])
    batch = task.batch(matrices, observed, present)
    output = torch.tensor([[1.5, -1.0, 1e6, -1e6], [1.0, 2.0, 4.0, 1.0]])
    # Errors: 0.25 and 9 of the first matrix (observed, masked); 0, 1, 9, 0 of the second, the third masked.
    assert task.loss(output, batch).item() == pytest.approx((0.25 + 9 + 0 + 1 + 9 + 0) / 6)
    scores = task.scores(output, batch)
    assert scores["observed_mse"].item() == pytest.approx((0.25 + 0 + 1 + 0) / 4)
    assert scores["masked_mse"].item() == pytest.approx((9 + 9) / 2)
    assert scores["masked_abs_mean"].item() == pytest.approx((1 + 4) / 2)


def test_the_negated_batch_has_the_same_sizes() -> None:
    batch = MIXED.sample(30, seeded())
    negated = MIXED.negated(batch)
    assert batch.present is not None
    assert negated.present is not None
    assert torch.equal(negated.present, batch.present)
    assert torch.equal(negated.observed, batch.observed)
    assert torch.equal(negated.targets, -batch.targets)
    assert torch.equal(negated.inputs == PAD, batch.inputs == PAD)
    assert torch.equal(MIXED.negated(negated).inputs, batch.inputs)


def test_a_batch_moves_with_its_sizes() -> None:
    moved = MIXED.to(MIXED.sample(3, seeded()), torch.device("meta"))
    assert moved.present is not None
    assert moved.present.device.type == "meta"
    assert ONE.to(ONE.sample(3, seeded()), torch.device("meta")).present is None


def test_batches_that_cannot_be_padded_are_refused() -> None:
    matrices, seen = torch.zeros(2, 3, 4), torch.ones(2, 3, 4, dtype=torch.bool)
    with pytest.raises(InputError, match="the task has no token for padding"):
        ONE.batch(matrices, seen, seen)
    with pytest.raises(InputError, match=r"shape \(n, 3, 4\), got .* and \(2, 3, 3\)"):
        MIXED.batch(matrices, seen, seen[:, :, :3])
