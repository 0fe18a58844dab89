"""Scores of attention on target keys, by hand. What whole heads are called is in `test_made_up_heads.py`."""

from __future__ import annotations

import pytest
import torch

from mcinterp.studies.matrix_completion.head_scores import concentration, family_scores_by_line, target_score


def test_target_score_by_hand():
    pattern = torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])[None, None]
    target = torch.tensor([[True, False, False], [True, False, False], [True, True, True]])
    expected = ((0.5 - 1 / 3) / (2 / 3) + (0 - 1 / 3) / (2 / 3)) / 2
    assert float(target_score(pattern, target)) == pytest.approx(expected)
    assert float(target_score(pattern, target, torch.tensor([True, False, True]))) == pytest.approx(0.25)
    assert float(target_score(pattern, torch.ones(3, 3, dtype=torch.bool))) == 0


def test_concentration_is_the_score_of_the_keys_that_have_the_most() -> None:
    pattern = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 0.0, 1.0]])
    pattern = torch.cat([pattern, pattern[:1]])[None, None]
    each = [float(concentration(pattern, torch.arange(4) == query)) for query in range(4)]
    assert each == pytest.approx([0.5 / 0.75, 0, 1, 0.5 / 0.75])
    assert float(concentration(pattern, torch.tensor([True, True, False, False]))) == pytest.approx(0.25 / 0.75)
    assert float(concentration(pattern, torch.zeros(4, dtype=torch.bool))) == 0


def test_who_looks_at_one_row_from_everywhere_keeps_to_the_column() -> None:
    place = torch.arange(12)
    pattern = torch.nn.functional.one_hot(4 + place % 4, 12).float()[None, None]
    lines = family_scores_by_line(pattern, 3, 4)
    assert lines["column"].shape == (1, 1, 7)
    torch.testing.assert_close(lines["column"], torch.ones(1, 1, 7))
    torch.testing.assert_close(lines["identity"][0, 0, :3], torch.tensor([-1 / 11, 1.0, -1 / 11]))
