"""The classifier on hand-made attention patterns: a perfect and a noisy member of every class, and negatives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mcinterp.studies.matrix_completion.head_scores import (
    FAMILIES,
    GROUPS,
    MaskedPatterns,
    family_scores,
    group_scores,
    target_score,
)
from mcinterp.studies.matrix_completion.task.masks import observed_mask
from mcinterp.studies.matrix_completion.task.structured import column_run_masks, masked_row_masks

ROWS = COLS = 5
N_POS = ROWS * COLS
SAMPLES = 16
ROW = torch.arange(N_POS) // COLS
COL = torch.arange(N_POS) % COLS

Weights = Callable[[torch.Tensor], torch.Tensor]
"""From an observed mask (rows, cols) to attention weights (query, key), not normalised."""


def same_row(observed):
    return (ROW[:, None] == ROW).float()


def same_column(observed):
    return (COL[:, None] == COL).float()


def identity(observed):
    return torch.eye(N_POS)


def uniform(observed):
    return torch.ones(N_POS, N_POS)


def hits(observed):
    """At masked entries of masked rows, the row's only observed entry; nothing elsewhere."""
    alone = (observed.sum(1) == 1).repeat_interleave(COLS)
    seen = observed.flatten()
    return ((ROW[:, None] == ROW) & seen & (alone & ~seen)[:, None]).float()


def masked_row(observed):
    """Active in masked rows; uniform elsewhere."""
    active = hits(observed)
    return torch.where(active.sum(1, keepdim=True) > 0, active, torch.ones(N_POS, N_POS))


def observed_copy(observed):
    active = hits(observed)
    return torch.where(active.sum(1, keepdim=True) > 0, active, torch.eye(N_POS))


def off_diagonals(observed):
    """The observed other entries of the query's column."""
    return ((COL[:, None] == COL) & ~torch.eye(N_POS, dtype=torch.bool) & observed.flatten()).float() + 1e-6


def collecting(observed):
    """Every query looks at the observed entries of masked rows (uniform where there are none)."""
    keys = (observed.sum(1) == 1).repeat_interleave(COLS) & observed.flatten()
    return keys.float().expand(N_POS, -1) + (1e-6 if keys.any() else 1.0)


def longest_column(observed):
    """Every query looks at the column with the longest observed run."""
    runs = [max(map(len, "".join("x" if o else " " for o in column).split()), default=0) for column in observed.T]
    return (int(torch.tensor(runs).argmax()) == COL).float().expand(N_POS, -1) + 1e-6


def first_column(observed):
    """Every query looks at column 0, whatever the mask."""
    return (COL == 0).float().expand(N_POS, -1)


def next_position(observed):
    """Static: each query looks at the next position."""
    return torch.eye(N_POS).roll(1, dims=1)


def follows_the_mask(observed):
    """Looks at all masked keys: neither static nor of any class."""
    return (~observed.flatten()).float().expand(N_POS, -1) + 1e-3


def patterns(weights: Weights, observed: torch.Tensor, noise: float, seed: int = 0) -> torch.Tensor:
    """Normalised patterns (SAMPLES, 1, query, key), mixed with `noise` of random attention, new in each sample."""
    pure = weights(observed)
    pure = pure / pure.sum(-1, keepdim=True)
    random = torch.rand((SAMPLES, 1, N_POS, N_POS), generator=torch.Generator().manual_seed(seed))
    return (1 - noise) * pure + noise * random / random.sum(-1, keepdim=True)


def scores(weights: Weights, noise: float = 0.0) -> dict[str, float]:
    """Every class's mean score for a head of these weights."""
    generator = torch.Generator().manual_seed(1)
    random_masks = torch.rand((SAMPLES, ROWS, COLS), generator=generator) >= 0.3
    random = torch.cat([patterns(weights, mask, noise, seed)[:1] for seed, mask in enumerate(random_masks)])
    masked_rows = [_under(weights, mask, noise) for mask in masked_row_masks(ROWS, COLS)]
    runs = {int(mask[11]): _under(weights, mask, noise) for mask in column_run_masks(ROWS, COLS)}
    found = family_scores(random, ROWS, COLS) | group_scores(masked_rows, runs, random)
    return {name: float(score.mean()) for name, score in found.items()}


def _under(weights: Weights, mask: str, noise: float) -> MaskedPatterns:
    observed = observed_mask(mask, ROWS, COLS)
    return MaskedPatterns(patterns(weights, observed, noise), observed)


MEMBERS = [
    (masked_row, "masked-row"),
    (observed_copy, "observed-copy"),
    (off_diagonals, "mask-ignore"),
    (collecting, "mask-ignore"),
    (longest_column, "longest-contiguous-column"),
    (next_position, "input-processing"),
    (first_column, "input-processing"),
]


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(("weights", "group"), MEMBERS)
def test_a_member_scores_highest_in_its_group(weights, group, noise):
    found = scores(weights, noise)
    best = max(GROUPS, key=found.__getitem__)
    assert best == group
    assert found[group] > 0.5


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(("weights", "family"), [(same_row, "row"), (same_column, "column"), (identity, "identity")])
def test_a_member_scores_highest_in_its_family(weights, family, noise):
    found = scores(weights, noise)
    assert max(FAMILIES, key=found.__getitem__) == family
    assert found[family] > 0.5


def test_a_perfect_member_scores_one():
    assert scores(identity)["identity"] == pytest.approx(1)
    assert scores(masked_row)["masked-row"] == pytest.approx(1, abs=1e-4)
    assert scores(observed_copy)["observed-copy"] == pytest.approx(1, abs=1e-4)
    assert scores(longest_column)["longest-contiguous-column"] == pytest.approx(1, abs=1e-3)
    assert scores(next_position)["input-processing"] == pytest.approx(1)


def test_a_uniform_head_scores_zero_everywhere():
    assert scores(uniform) == pytest.approx(dict.fromkeys((*FAMILIES, *GROUPS), 0.0), abs=1e-6)


def test_random_attention_fits_nothing():
    found = scores(uniform, noise=1.0)
    assert max(found.values()) < 0.1


def test_attention_on_masked_keys_fits_nothing():
    found = scores(follows_the_mask)
    assert max(found[group] for group in GROUPS) < 0.3


def test_a_static_column_is_not_the_longest_run():
    assert scores(first_column)["longest-contiguous-column"] == 0


def test_a_column_head_blind_to_the_mask_does_not_ignore_it():
    assert scores(same_column)["mask-ignore"] < 0.1


def test_target_score_by_hand():
    pattern = torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])[None, None]
    target = torch.tensor([[True, False, False], [True, False, False], [True, True, True]])
    expected = ((0.5 - 1 / 3) / (2 / 3) + (0 - 1 / 3) / (2 / 3)) / 2
    assert float(target_score(pattern, target)) == pytest.approx(expected)
    assert float(target_score(pattern, target, torch.tensor([True, False, True]))) == pytest.approx(0.25)
    assert float(target_score(pattern, torch.ones(3, 3, dtype=torch.bool))) == 0
