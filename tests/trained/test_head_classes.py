"""What the shipped runs' heads are called, and what those that are called nothing avoid."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcinterp import Run, head_taxonomy

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"

pytestmark = pytest.mark.no_cover


def test_heads_without_a_class_avoid_two_rows_during_the_drop() -> None:
    result = head_taxonomy(Run(CHECKPOINTS / "tiny").checkpoint(4915))
    heads, blocks = result.table("heads").set_index("head"), result.table("blocks").set_index(["grouping", "head"])
    layer = [f"L1H{head}" for head in range(8)]
    assert (heads.loc[layer, ["family", "group"]] == "none").all(axis=None)
    avoiding = [head for head in layer if blocks.loc[("row", head), "avoided"] == "0, 2, 3 → 1, 4"]
    assert avoiding == ["L1H0", "L1H3", "L1H4", "L1H5", "L1H7"]
    assert blocks.loc["column"].loc[layer, ["n_favoured", "n_avoided"]].sum().sum() == 0


def test_a_row_head_is_no_more_than_that() -> None:
    heads = head_taxonomy(Run(CHECKPOINTS / "tiny").checkpoint("last")).table("heads").set_index("head")
    assert list(heads.loc["L0H1", ["family", "group"]]) == ["row", "none"]
    heads = head_taxonomy(Run(CHECKPOINTS / "7x7-rank1").checkpoint("last")).table("heads").set_index("head")
    assert list(heads.loc["L1H2", ["family", "group"]]) == ["row", "none"]


def test_before_the_drop_no_head_is_anything() -> None:
    result = head_taxonomy(Run(CHECKPOINTS / "tiny").checkpoint(2272))
    assert (result.table("heads")[["family", "group"]] == "none").all(axis=None)
    assert result.table("blocks")[["n_favoured", "n_avoided"]].sum().sum() == 0
