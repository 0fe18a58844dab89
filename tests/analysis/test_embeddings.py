"""Embeddings over training: planted structure is found, and what a trained run shows is not in its controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mcinterp.analysis.passes.embeddings import embeddings, principal_components
from mcinterp.config import RunConfig
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import build_model, save_checkpoint
from mcinterp.runs.run import CONFIG, METRICS

TINY = Path(__file__).parents[1] / "data" / "tiny"


@pytest.fixture(scope="module")
def found() -> Result:
    return embeddings(Run(TINY), samples=256, seed=1)


def _planted(folder: Path, config: RunConfig) -> Run:
    """A run of two checkpoints: random embeddings, then the value along one direction and rows and columns as axes."""
    folder.mkdir()
    (folder / CONFIG).write_text(config.to_yaml())
    (folder / METRICS).write_text(
        "step,loss,observed_mse,masked_mse,masked_abs_mean,learning_rate,seconds\n1,1,1,1,0,1,1\n"
    )
    model = build_model(config)
    save_checkpoint(folder / "step-00000000", model, 0, config, {})
    task = config.task
    with torch.no_grad():
        values = torch.arange(task.d_vocab) - task.d_vocab // 2
        model.embed.embed.W_E.zero_()
        model.embed.embed.W_E[:, 0] = 0.01 * values
        rows, cols = torch.arange(task.n_positions) // task.cols, torch.arange(task.n_positions) % task.cols
        model.embed.pos_embed.W_pos.zero_()
        model.embed.pos_embed.W_pos[torch.arange(task.n_positions), rows] = 2.0
        model.embed.pos_embed.W_pos[torch.arange(task.n_positions), 5 + cols] = 1.0
    save_checkpoint(folder / "step-00000040", model, 40, config, {})
    return Run(folder)


def test_planted_structure_is_found(config: RunConfig, tmp_path: Path) -> None:
    result = embeddings(_planted(tmp_path / "planted", config), samples=64)
    token = result.table("tokens").set_index("step").loc[40]
    assert token["component_rank"] == pytest.approx(1)
    assert token["explained"] == pytest.approx(1)
    assert token["alignment"] == pytest.approx(1)
    position = result.table("positions").set_index(["step", "labels"])
    # A one-hot of length 2 a row and of length 1 a column, five of each: 4 to 1 of the scatter.
    assert position.loc[(40, "row"), "explained"] == pytest.approx(0.8)
    assert position.loc[(40, "column"), "explained"] == pytest.approx(0.2)
    assert position.loc[(40, "row"), "p_value"] == pytest.approx(1 / 2001)
    assert position.loc[(40, "row"), "excess_low"] > 0.5 > position.loc[(0, "row"), "excess_high"]
    assert position.loc[(0, "row"), "explained"] < 0.3
    assert abs(result.table("tokens").set_index("step").loc[0, "component_rank"]) < 0.6


def test_only_tokens_that_occur_are_looked_at(random_checkpoint: Checkpoint) -> None:
    ids, values, counts = random_checkpoint.task.followed_tokens(random_checkpoint.sample(50, 3))
    targets = random_checkpoint.sample(50, 3).targets.double().numpy().ravel()
    near = targets[np.abs(targets) <= 1.5]
    assert counts.sum() == len(near)
    assert values == pytest.approx(np.unique(near), abs=1e-6)
    assert ids.tolist() == [1 + round(100 * value) + 300 for value in values]


def test_pictures_are_projections_on_the_last_components(found: Result) -> None:
    final = Run(TINY).checkpoint("last")
    ids, values, _ = final.task.followed_tokens(final.sample(256, 1))
    assert found.arrays["values"] == pytest.approx(values)
    tokens = final.weights["embed.embed.W_E"].double().numpy()[ids]
    centred = tokens - tokens.mean(0)
    _, singular, right = np.linalg.svd(centred, full_matrices=False)
    assert np.abs(principal_components(tokens) @ right[:2].T) == pytest.approx(np.eye(2), abs=1e-6)
    last = found.arrays["token_pictures"][-1]
    assert np.abs(last) == pytest.approx(np.abs(centred @ right[:2].T), abs=1e-6)
    explained = (singular[:2] ** 2).sum() / (singular**2).sum()
    table = found.table("tokens").set_index("step")
    assert table.loc[16000, "explained"] == pytest.approx(explained)
    assert (table["own_explained"] >= table["explained"] - 1e-9).all()
    assert found.arrays["norms"][-1] == pytest.approx(np.linalg.norm(tokens, axis=1))


def test_tokens_have_their_structure_on_the_plateau_and_positions_are_grouped_after_it(found: Result) -> None:
    tokens = found.table("tokens").set_index("step")
    for name in ("sign_separable", "magnitude_order", "continuity"):
        assert tokens.loc[16000, name] >= tokens.loc[2272, name] > 0.9 > 0.6 > tokens.loc[2272, f"untrained_{name}"]
    # Norms take theirs in the drop alone.
    assert tokens.loc[16000, "norm_symmetry"] > 0.7 > 0.5 > tokens.loc[2272, "norm_symmetry"]
    positions = found.table("positions").set_index(["labels", "step"])
    for labels in ("row", "column"):
        assert positions.loc[(labels, 2272), "p_value"] > 0.05 > positions.loc[(labels, 16000), "p_value"]
        assert positions.loc[(labels, 16000), "explained"] > positions.loc[(labels, 16000), "explained_top"]


def test_the_last_checkpoint_is_aligned_with_itself(found: Result) -> None:
    for name in ("tokens", "positions"):
        last = found.table(name).query("step == 16000")
        assert last["alignment"].to_numpy() == pytest.approx(1)
        assert (last["untrained_alignment"] < 0.9).all()


def test_the_same_seed_gives_the_same_pictures(found: Result) -> None:
    again = embeddings(Run(TINY), samples=256, seed=1)
    assert (again.arrays["position_pictures"] == found.arrays["position_pictures"]).all()
    assert again.table("positions").equals(found.table("positions"))


def test_one_checkpoint_and_no_drop_are_fine(trained: Run, tmp_path: Path) -> None:
    result = embeddings(trained, trained.steps[-1:], samples=16)
    assert not result.table("lead")["moved"].any()
    result.save(tmp_path / "embeddings")
    assert Result.load(tmp_path / "embeddings").arrays["norms"].shape == result.arrays["norms"].shape


def test_one_sample_is_an_error(trained: Run) -> None:
    with pytest.raises(InputError, match="at least 2"):
        embeddings(trained, samples=1)
