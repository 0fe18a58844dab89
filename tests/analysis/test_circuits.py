"""Circuits: every array against loops, planted heads whose circuits are known by hand, laws, and the view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from planted import planted_copier, with_weights
from scipy.linalg import hadamard
from slow_attention import heads_of
from slow_circuits import Judge
from small_gpt import small_gpt_config

from mcinterp.analysis import circuits
from mcinterp.config import RunConfig
from mcinterp.errors import InputError
from mcinterp.report.views import circuits as circuits_view
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MOST_SHOWN

N, SEED = 6, 2
SHARES = ["position_r2", "token_r2", "direct_r2", "shuffled_r2", "ov_r2", "ov_shuffled_r2"]


@pytest.fixture(scope="module")
def shaken(random_checkpoint: Checkpoint) -> Checkpoint:
    """With biases and LayerNorms that matter."""
    generator = torch.Generator().manual_seed(4)
    weights = {
        name: weight + 0.2 * torch.randn(weight.shape, generator=generator)
        for name, weight in random_checkpoint.weights.items()
        if "token_type" not in name
    }
    return replace(random_checkpoint, weights=random_checkpoint.weights | weights)


@pytest.fixture(scope="module")
def result(shaken: Checkpoint) -> Result:
    return circuits(shaken, N, SEED)


def test_every_cell_of_every_circuit(shaken: Checkpoint, result: Result) -> None:
    judge = Judge(shaken, N, SEED)
    values = result.arrays["values"]
    shown = [0, *(int(np.flatnonzero(np.isclose(judge.values, value))[0]) for value in values[1:])]
    assert np.isnan(values[0])
    assert np.all(np.diff(values[1:]) > 0)
    assert len(values) == MOST_SHOWN + 1 or set(shown[1:]) == set(judge.tokens.ravel()) - {0}
    for layer, head in heads_of(shaken):
        _, positions, tokens = judge.parts(layer)
        own = {name: array[layer, head] for name, array in result.arrays.items() if name != "values"}
        np.testing.assert_allclose(own["qk_position"], judge.qk_position((layer, head)), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(own["qk_token"], judge.qk_token((layer, head), shown), rtol=1e-3, atol=1e-4)
        written = [judge.writes((layer, head), one) for one in positions]
        np.testing.assert_allclose(own["ov_position"], written, rtol=1e-3, atol=1e-4)
        written = [judge.writes((layer, head), tokens[token]) for token in shown]
        np.testing.assert_allclose(own["ov_token"], written, rtol=1e-3, atol=1e-4)
    assert {array.dtype for array in result.arrays.values()} == {np.dtype(np.float32)}
    axes = result.facts["axes"]
    assert {name: len(axes[name]) for name in result.arrays} == {n: a.ndim for n, a in result.arrays.items()}


def planted_row_head(gain: float = 3.0) -> Checkpoint:
    """One layer whose head L0H0 looks for its own row, and whose head L0H1 looks everywhere alike.

    The positions of a row have one embedding, those of different rows orthogonal ones, all with mean 0 and variance 1,
    so that the LayerNorm leaves them; tokens have none.
    """
    config = RunConfig(
        task=TaskConfig(rows=4, cols=3, rank=1, v_min=-2.0, v_max=2.0),
        model=ModelConfig(n_layers=1, n_heads=2, d_model=8, d_mlp=8),
    )
    codes = torch.tensor(hadamard(8)[1:5], dtype=torch.float32)
    read = torch.zeros(2, 8, 4)
    read[0] = codes.T / 8
    weights = {
        "embed.pos_embed.W_pos": codes.repeat_interleave(3, 0),
        "blocks.0.attn.W_Q": gain * read,
        "blocks.0.attn.W_K": read,
    }
    return with_weights(Checkpoint.untrained(config, seed=0), weights, zero=("embed.embed.W_E",))


def test_a_planted_row_head_is_read_off_its_weights() -> None:
    gain = 3.0
    result = circuits(planted_row_head(gain), 8, 0)
    row = np.repeat(np.arange(4), 3)
    expected = gain / 2 * ((row[:, None] == row) - 1 / 4)
    np.testing.assert_allclose(result.arrays["qk_position"][0, 0], expected, atol=1e-5)
    head = result.table("heads").iloc[0]
    assert head["same_row"] == pytest.approx(gain / 2, abs=1e-5)
    assert head["same_row"] > head["same_row_shuffled"] > 0
    assert head["same_column"] == pytest.approx(0, abs=1e-5)
    assert [head[name] for name in ("position_r2", "token_r2", "direct_r2")] == pytest.approx([1, 0, 1], abs=1e-6)
    assert head["position_r2_low"] == pytest.approx(1, abs=1e-6)
    assert head["shuffled_r2"] < 0.2
    assert head["mask_key"] == pytest.approx(0, abs=1e-6)


def test_a_head_that_looks_everywhere_alike_has_nothing_to_account_for() -> None:
    head = circuits(planted_row_head(), 8, 0).table("heads").iloc[1]
    assert head["head"] == "L0H1"
    assert all(np.isnan(head[name]) for name in SHARES[:4])
    assert (head["same_row"], head["same_column"]) == (0, 0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_planted_copier_writes_a_straight_line(sign: float) -> None:
    copier = planted_copier(p_mask=0.0)  # MASK is embedded as 0, which no LayerNorm leaves as it is
    weights = {name: torch.zeros_like(copier.weights[f"blocks.0.attn.{name}"]) for name in ("W_V", "W_O")}
    # The first head carries the value, the coordinates 0 and 1 of an embedding, and writes it back.
    weights["W_V"][0, :2, :2] = torch.eye(2)
    weights["W_O"][0, :2, :2] = sign * 0.1 * torch.eye(2)
    changed = {f"blocks.0.attn.{name}": weight for name, weight in weights.items()}
    heads = circuits(replace(copier, weights=copier.weights | changed), 16, 0).table("heads")
    first, second = heads.iloc[0], heads.iloc[1]
    assert first["ov_linear"] == pytest.approx(1, abs=1e-5)
    assert 0.05 < sign * first["ov_slope"] < 0.15  # 0.1, by the LayerNorms behind
    assert first["ov_r2"] == pytest.approx(1, abs=1e-4)
    assert first["ov_shuffled_r2"] < 0.5
    assert second["ov_slope"] == 0
    assert np.isnan(second["ov_linear"])
    assert np.isnan(second["ov_r2"])


def test_the_first_layer_of_an_untrained_model_is_accounted_for(random_checkpoint: Checkpoint) -> None:
    """What the view says of controls: shares tell of the account, not of learning."""
    heads = circuits(random_checkpoint, 32, 0).table("heads")
    first = heads[heads["head"].str.startswith("L0")]
    assert (first["direct_r2"] > 0.7).all()
    assert (first["shuffled_r2"] < 0.2).all()
    assert (first["direct_r2"] > first[["position_r2", "token_r2"]].max(axis=1)).all()


def test_parts_of_the_batch_do_not_matter(shaken: Checkpoint, result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcinterp.model.blocks.BYTES", {"cpu": 1})
    again = circuits(shaken, N, SEED)
    pd.testing.assert_frame_equal(again.table("heads"), result.table("heads"), rtol=1e-4)


def test_same_seed_same_numbers_and_stored_as_they_are(shaken: Checkpoint, result: Result, tmp_path: Path) -> None:
    again = circuits(shaken, N, SEED)
    pd.testing.assert_frame_equal(again.table("heads"), result.table("heads"))
    result.save(tmp_path / "circuits")
    stored = Result.load(tmp_path / "circuits")
    pd.testing.assert_frame_equal(stored.table("heads"), result.table("heads"))
    for name, array in result.arrays.items():
        np.testing.assert_array_equal(stored.arrays[name], array)


def test_without_masked_entries_no_key_is_mask(random_checkpoint: Checkpoint) -> None:
    task = random_checkpoint.config.task.model_copy(update={"p_mask": 0.0})
    config = random_checkpoint.config.model_copy(update={"task": task})
    heads = circuits(replace(random_checkpoint, config=config), 8, 0).table("heads")
    assert heads["mask_key"].isna().all()
    assert heads["direct_r2"].notna().all()


def test_a_single_row_has_no_rows_to_prefer() -> None:
    config = RunConfig(
        task=TaskConfig(rows=1, cols=4, rank=1, v_min=-2.0, v_max=2.0),
        model=ModelConfig(n_layers=1, n_heads=2, d_model=8, d_mlp=8, init_std=0.5),
    )
    heads = circuits(Checkpoint.untrained(config, seed=1), 8, 0).table("heads")
    assert heads[["same_row", "same_column", "same_row_shuffled"]].isna().all(axis=None)


def test_what_it_is_not_defined_for_is_refused(random_checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="at least 2"):
        circuits(random_checkpoint, 1, 0)
    with pytest.raises(InputError, match="circuits asks for number_read_out and position_groups and shown_tokens"):
        circuits(Checkpoint.untrained(small_gpt_config(), seed=0), 4, 0)


# The view ---------------------------------------------------------------------------------------------------------


def test_the_view_says_the_numbers(result: Result) -> None:
    section = circuits_view.view(result, {})
    heads = result.table("heads")
    first = heads[heads["head"].str.startswith("L0")]
    assert section.sentences[0].startswith("In the first layer (3 heads; n = 6 matrices) positions and tokens account")
    assert f"{first['direct_r2'].mean():.3g}".lstrip("-")[:4] in section.sentences[0]
    assert section.sentences[1].startswith("In the later layers (3 heads")
    assert len(section.tables[0].rows) == 6
    assert len(section.figures[0].figure.data) == 4


def test_the_view_without_anything_to_account_for() -> None:
    result = circuits(planted_row_head(), 8, 0)
    table = result.tables["heads"]
    uniform = replace(result, tables={"heads": Table(table.frame.iloc[1:].reset_index(drop=True), table.columns)})
    section = circuits_view.view(uniform, {})
    assert "no head's scores differ from key to key" in section.sentences[0]
    assert circuits_view.rows({0: {"circuits": uniform}})[2][3][0].text == "–"
    assert "1 without any to account for" in circuits_view.view(result, {}).sentences[0]


def test_the_rows_of_what_changed(result: Result) -> None:
    rows = circuits_view.rows({0: {"circuits": result}, 5: {}})
    assert [row[1] for row in rows][2] == "first layer, together"
    assert len(rows) == 6
    assert [cell.text for cell in rows[0][3]][1] == "–"
    assert rows[0][3][0].note == "of 3 heads"
    assert circuits_view.rows({0: {}}) == []
    assert len(circuits_view.rows({0: {"circuits": circuits(planted_row_head(), 4, 0)}})) == 3
