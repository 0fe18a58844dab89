"""Tokens: the paper's formula, the identity there and back, truncation, and values without a token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.tokens import MASK_TOKEN, detokenise, tokenise, value_token

PAPER = TaskConfig()


def tokens_of(values: list[float], config: TaskConfig) -> list[int]:
    tensor = torch.tensor(values)
    return tokenise(tensor, torch.ones_like(tensor, dtype=torch.bool), config)[0].tolist()


@st.composite
def vocabularies(draw: st.DrawFn) -> TaskConfig:
    decimals = draw(st.integers(0, 4))
    first = draw(st.integers(-2000, 1999))
    last = draw(st.integers(first + 1, 2000))
    return TaskConfig(decimals=decimals, v_min=first / 10**decimals, v_max=last / 10**decimals)


@given(vocabularies())
def test_detokenise_then_tokenise_is_the_identity_on_the_whole_vocabulary(config: TaskConfig) -> None:
    ids = torch.arange(1, config.d_vocab)
    values = detokenise(ids, config)
    assert values.dtype == torch.float32
    again, n_clipped = tokenise(values, torch.ones_like(ids, dtype=torch.bool), config)
    assert torch.equal(again, ids)
    assert n_clipped == 0


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.data())
def test_tokenise_then_detokenise_is_the_identity_on_rounded_values(cents: list[int], data: st.DataObject) -> None:
    values = (torch.tensor(cents, dtype=torch.float64) / 100).float()
    observed = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(cents), max_size=len(cents))))
    tokens, _ = tokenise(values, observed, PAPER)
    back = detokenise(tokens, PAPER)
    assert torch.equal(back[observed], values[observed])
    assert torch.isnan(back[~observed]).all()


@given(st.integers(-1000, 1000))
def test_the_formula_of_the_paper(cents: int) -> None:
    # id = 1 + round(100·x) − 100·v_min, with v_min = −10.
    assert value_token(cents / 100, PAPER) == 1 + cents + 1000


def test_the_papers_vocabulary_by_hand() -> None:
    assert tokens_of([-10.0, -9.99, 0.0, 0.44, -0.24, 10.0], PAPER) == [1, 2, 1001, 1045, 977, 2001]
    assert PAPER.d_vocab == 2002


def test_masked_entries_become_token_0_whatever_they_hold() -> None:
    values = torch.tensor([[1.0, 99.0], [torch.nan, torch.inf]])
    observed = torch.tensor([[True, False], [False, False]])
    tokens, n_clipped = tokenise(values, observed, PAPER)
    assert tokens.tolist() == [[1101, MASK_TOKEN], [MASK_TOKEN, MASK_TOKEN]]
    assert n_clipped == 0


def test_values_are_rounded_to_the_nearest_token() -> None:
    assert tokens_of([0.004, 0.006, -0.004, -0.006], PAPER) == [1001, 1002, 1001, 1000]


def test_truncation_is_that_of_the_float32_product() -> None:
    truncating = TaskConfig(tokens="truncate")
    cents = np.arange(-1000, 1001)
    values = (cents / 100).astype(np.float32)
    # Independent of torch: the product and the sum in float32, cut off towards zero.
    expected = (np.float32(1) + (values * np.float32(100) + np.float32(1000))).astype(np.int64)
    assert tokens_of(values.tolist(), truncating) == expected.tolist()


def test_truncation_puts_a_few_tokens_one_step_low() -> None:
    values = (torch.arange(-1000, 1001) / 100).tolist()
    off = np.array(tokens_of(values, TaskConfig(tokens="truncate"))) - np.array(tokens_of(values, PAPER))
    assert set(off.tolist()) == {-1, 0}
    assert 0 < (off != 0).mean() < 0.1


def test_values_outside_the_vocabulary_are_counted_in_the_error() -> None:
    with pytest.raises(InputError, match=r"2 of 3 values lie outside .* \[-10, 10\] \(they reach from -11 to 12\)"):
        tokens_of([-11.0, 0.0, 12.0], PAPER)


def test_clipping_counts_observed_values_only() -> None:
    values = torch.tensor([-11.0, 0.5, 12.0, 13.0])
    observed = torch.tensor([True, True, True, False])
    tokens, n_clipped = tokenise(values, observed, TaskConfig(out_of_range="clip"))
    assert tokens.tolist() == [1, 1051, 2001, 0]
    assert n_clipped == 2


@pytest.mark.parametrize("out_of_range", ["error", "clip"])
def test_observed_values_must_be_finite(out_of_range: str) -> None:
    with pytest.raises(InputError, match="2 observed values are not finite"):
        tokens_of([torch.nan, torch.inf, 1.0], TaskConfig(out_of_range=out_of_range))


def test_a_value_that_rounds_into_the_vocabulary_has_a_token() -> None:
    assert tokens_of([10.004, -10.004], PAPER) == [2001, 1]


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match=r"values have shape \(2,\), observed \(3,\)"):
        tokenise(torch.zeros(2), torch.ones(3, dtype=torch.bool), PAPER)


@pytest.mark.parametrize("ids", [[-1], [2002], [5, 3000]])
def test_ids_outside_the_vocabulary_are_refused(ids: list[int]) -> None:
    with pytest.raises(InputError, match=r"ids must be in 0 … 2001"):
        detokenise(torch.tensor(ids), PAPER)


def test_the_value_token_of_a_value_outside_is_refused() -> None:
    with pytest.raises(InputError, match="lie outside"):
        value_token(10.5, PAPER)
