"""Labels from scores, on models whose heads are made by hand."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from mcinterp.analysis import class_members, head_taxonomy
from mcinterp.analysis.passes import head_patterns
from mcinterp.config import RunConfig
from mcinterp.model import Head
from mcinterp.model.blocks import Blocks
from mcinterp.runs import Checkpoint
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig

ROWS, COLS = 5, 4


@pytest.fixture(scope="module")
def handmade():
    """One layer: head 0 looks at the query's row, head 1 at its column, head 2 at itself, head 3 nowhere.

    Token embeddings are zero and positions are one-hot codes of row, column and place, which W_Q and W_K pick out.
    """
    config = RunConfig(
        task=TaskConfig(rows=ROWS, cols=COLS, rank=1, v_min=-1.0, v_max=1.0),
        model=ModelConfig(n_layers=1, n_heads=4, d_model=80, d_mlp=8),
    )
    model = build_model(config)
    place = torch.arange(ROWS * COLS)
    codes = [torch.eye(20)[place // COLS], torch.eye(20)[place % COLS], torch.eye(20)[place], torch.zeros(20, 20)]
    with torch.no_grad():
        model.embed.embed.W_E.zero_()
        model.embed.pos_embed.W_pos.copy_(torch.cat(codes, dim=1))
        for name in ("W_Q", "W_K"):
            weight = getattr(model.blocks[0].attn, name)
            weight.zero_()
            for head in range(3):
                weight[head, 20 * head : 20 * (head + 1)] = 3 * torch.eye(20)
    return Checkpoint.of_model(model, config)


def test_hand_made_heads_get_their_family(handmade):
    heads = head_taxonomy(handmade, samples=16).table("heads").set_index("head")
    assert list(heads["family"]) == ["row", "column", "identity", "none"]
    assert (heads["family_margin"].iloc[:3] > 0.3).all()
    assert heads["family_margin"].isna().iloc[3]


def test_static_heads_of_a_family_are_explained_by_it(handmade):
    result = head_taxonomy(handmade, samples=16)
    assert set(result.table("heads")["group"]) == {"none"}
    scores = result.table("scores")
    assert scores.loc[scores["class"] == "input-processing", "score"].abs().max() < 1e-6


def test_margins_and_scores_have_intervals_and_the_nearest_class_is_told(handmade):
    heads = head_taxonomy(handmade, samples=16).table("heads").set_index("head")
    first, nowhere = heads.loc["L0H0"], heads.loc["L0H3"]
    assert first["family_margin_low"] <= first["family_margin"] <= first["family_margin_high"]
    assert (first["family_nearest"], first["family_all"]) == ("row", "row")
    assert first["family_above"] == pytest.approx(first["family_score"] - 0.3)
    assert nowhere["family_all"] == "none"
    assert nowhere["family_above"] == pytest.approx(-0.3, abs=1e-6)
    assert nowhere["family_runner_up"] == nowhere["family_nearest"]


def test_blocks_follow_rows_and_columns(handmade):
    result = head_taxonomy(handmade, samples=16)
    blocks = result.table("blocks").set_index(["grouping", "head"])
    assert blocks.loc[("row", "L0H0"), "own"] > 0.5
    assert blocks.loc[("row", "L0H0"), "favoured"] == " · ".join(f"{row} → {row}" for row in range(ROWS))
    assert blocks.loc[("column", "L0H1"), "favoured"] == " · ".join(f"{col} → {col}" for col in range(COLS))
    assert set(blocks.xs("L0H3", level="head")["n_favoured"]) == {0}
    assert set(blocks.xs("L0H3", level="head")["n_avoided"]) == {0}
    for name, size in (("row", ROWS), ("column", COLS)):
        assert result.arrays[f"{name}_blocks"].shape == (4, size, size)
        assert result.arrays[f"{name}_blocks"].sum(-1) == pytest.approx(1, abs=1e-5)
        assert result.facts["uniform_blocks"][name] == [[pytest.approx(1 / size)] * size] * size


def test_members_are_listed_by_class(handmade):
    members = class_members(head_taxonomy(handmade, samples=16))
    assert members["row"] == [Head(0, 0)]
    assert members["column"] == [Head(0, 1)]
    assert members["input-processing"] == []
    assert members["masked-row"] == []


def test_controls_of_every_class_are_null(handmade):
    scores = head_taxonomy(handmade, samples=16).table("scores")
    assert scores["uniform"].abs().max() < 1e-6
    assert scores["untrained"].abs().max() < 0.1
    assert (scores["threshold"] >= scores["untrained_max"]).all()


def test_no_head_of_an_untrained_model_fits(random_checkpoint):
    small = RunConfig(task=random_checkpoint.config.task, model=ModelConfig(n_layers=2, n_heads=3, d_model=12, d_mlp=8))
    heads = head_taxonomy(Checkpoint.untrained(small, seed=9), samples=32).table("heads")
    assert set(heads["family"]) == {"none"}
    assert set(heads["group"]) == {"none"}


@pytest.mark.parametrize("size", [1, 5, 8])
def test_part_by_part_as_all_at_once(random_checkpoint, monkeypatch, size):
    whole = head_taxonomy(random_checkpoint, samples=16)
    task, shape = random_checkpoint.config.task, random_checkpoint.config.model
    one_mask = 4 * task.n_positions * (2 * shape.n_heads * task.n_positions + shape.d_model)
    seen = []
    patterns = Blocks.patterns
    monkeypatch.setattr(Blocks, "patterns", lambda self, tokens: seen.append(len(tokens)) or patterns(self, tokens))
    monkeypatch.setattr(head_patterns, "BYTES", size * one_mask * len(random_checkpoint.task.head_classes().conditions))
    parts = head_taxonomy(random_checkpoint, samples=16)
    assert max(seen) == size
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(table.frame, parts.table(name), rtol=0, atol=1e-6)
