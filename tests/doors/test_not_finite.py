"""NaN and infinities are named where they first appear: in weights, batches, activations, and training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.analysis import COMPARISONS, PASSES
from mcinterp.analysis.registry import defined_for
from mcinterp.config import RunConfig, load_preset
from mcinterp.errors import CheckpointError, InputError, TrainingError
from mcinterp.installed import studies
from mcinterp.model.build import build_model
from mcinterp.model.finite import first_not_finite
from mcinterp.runs import Checkpoint, Run, train
from mcinterp.runs.checkpoint import save_checkpoint
from mcinterp.runs.verify import verify
from mcinterp.task import make_task
from mcinterp.task.finite import not_finite


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1.0, 2.0], None),
        ([1.0, torch.nan], "NaN in 1 of 2 numbers"),
        ([[1.0, 2.0], [torch.inf, torch.nan]], "NaN in 2 of 4 numbers, first in row 1"),
        ([[1.0, -torch.inf], [1.0, torch.inf]], "an infinity in 2 of 4 numbers, first in row 0"),
        ([1, 2], None),
    ],
)
def test_what_a_tensor_holds(values: Any, sentence: str | None) -> None:
    assert not_finite(torch.tensor(values)) == sentence


def test_an_infinity_that_is_meant_is_none() -> None:
    scores = torch.tensor([[0.0, -torch.inf]])
    assert not_finite(scores, meant=-torch.inf) is None
    assert not_finite(scores.neg(), meant=-torch.inf) == "an infinity in 1 of 2 numbers, first in row 0"


def spoilt_run(folder: Path, parameter: str, value: float) -> Run:
    """The run with one number of its last checkpoint's weights replaced, sealed as if training had saved it so."""
    run = Run(folder)
    last = run.checkpoint("last")
    with torch.no_grad():
        dict(last.model.named_parameters())[parameter].view(-1)[3] = value
    save_checkpoint(run.folder(last.step), last.model, last.step, run.config, dict(last.metrics))
    return Run(folder)


@pytest.mark.parametrize("parameter", ["embed.embed.W_E", "blocks.1.attn.W_Q", "unembed.W_U"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_checkpoint_with_a_number_that_is_none_names_the_parameter(
    own_copy: Path, parameter: str, value: float
) -> None:
    run = spoilt_run(own_copy, parameter, value)
    with pytest.raises(CheckpointError) as caught:
        run.checkpoint("last")
    kind = "NaN" if value != value else "an infinity"
    assert str(caught.value).startswith(
        f"{own_copy}/step-00000040/model.safetensors: {parameter} holds {kind} in 1 of "
    )
    assert verify(run)[0] == str(caught.value)
    assert run.checkpoint("first").step == 0


def run_that_is_asked(name: str) -> RunConfig:
    """A small run that a pass is defined for."""
    for config in (small_config(), small_gpt_config()):
        if name in defined_for(config):
            return config
    if "graph-tracing" not in studies():
        pytest.skip("study graph-tracing, which brings a task of next tokens, is not there")
    return load_preset("tracing-ring7", ["model.d_model=16", "model.d_mlp=32"])


@pytest.mark.parametrize("name", PASSES)
def test_no_pass_makes_a_table_of_nan(name: str) -> None:
    each = PASSES[name]
    config = run_that_is_asked(name)
    weights = dict(Checkpoint.untrained(config, 0).weights)
    weights["blocks.0.mlp.W_in"] = weights["blocks.0.mlp.W_in"].clone().fill_(torch.nan)
    spoilt = Checkpoint("run", 7, config, "", {}, {}, weights)
    taxonomy = {"taxonomy": PASSES["taxonomy"].run(Checkpoint.untrained(small_config(), 0), {}, 4, 0)}
    with pytest.raises(CheckpointError, match=r"run step 7: blocks\.0\.mlp\.W_in holds NaN in 512 of 512 numbers"):
        each.run(spoilt, taxonomy, max(4, each.least), 0)


@pytest.mark.parametrize("name", sorted(COMPARISONS.keys() & defined_for(small_config()) - {"components"}))
def test_no_comparison_makes_a_table_of_nan(own_copy: Path, name: str) -> None:
    run = spoilt_run(own_copy, "embed.pos_embed.W_pos", torch.nan)
    with pytest.raises(CheckpointError, match=r"W_pos holds NaN"):
        COMPARISONS[name].run(run, run.steps, 4, 0)


def test_a_model_from_elsewhere_is_looked_at_too() -> None:
    model = build_model(small_config())
    with torch.no_grad():
        model.unembed.b_U[0] = torch.nan
    with pytest.raises(CheckpointError, match=r"imported step 0: unembed\.b_U holds NaN in 1 of 1 numbers"):
        Checkpoint.of_model(model, small_config())


def slow_first(model: Any, inputs: torch.Tensor) -> str:
    """The first hook point whose activation is not finite, from a cache of all of them."""
    _, cache = model.run_with_cache(inputs)
    return next(name for name, value in cache.items() if not name.endswith("scores") and not value.isfinite().all())


@pytest.mark.parametrize("config", [small_config(), small_gpt_config()], ids=["encoder", "gpt"])
@pytest.mark.parametrize("parameter", ["blocks.0.attn.b_O", "blocks.1.mlp.b_out", "blocks.1.attn.b_V"])
def test_weights_that_are_too_large_are_told_by_the_hook_where_they_overflow(config: RunConfig, parameter: str) -> None:
    model = build_model(config)
    batch = make_task(config.task).draw(3, torch.Generator().manual_seed(0))
    assert first_not_finite(model, batch.inputs) is None
    with torch.no_grad():
        weight = dict(model.named_parameters())[parameter].view(-1)
        weight[::2], weight[1::2] = 3e38, -3e38
    found = first_not_finite(model, batch.inputs)
    assert found is not None
    assert found.split()[0] == slow_first(model, batch.inputs)
    assert "first in sample 0" in found
    checkpoint = Checkpoint.of_model(model, config)
    with pytest.raises(CheckpointError, match=rf"imported step 0: {found.split()[0]} is "):
        _ = checkpoint.model
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param("identity-mapping", marks=pytest.mark.needs_study("identity-mapping")),
        pytest.param("delayed-switch", marks=pytest.mark.needs_study("ghost-points")),
    ],
)
def test_models_without_hooks_are_looked_at_too(preset: str) -> None:
    config = load_preset(preset, ["training.batch_size=2"])
    model = build_model(config)
    batch = make_task(config.task).draw(2, torch.Generator().manual_seed(0))
    assert first_not_finite(model, batch.inputs) is None
    name, parameter = next(iter(model.named_parameters()))
    with torch.no_grad():
        parameter.view(-1)[0] = torch.nan
    assert first_not_finite(model, batch.inputs) == f"{name} holds {not_finite(parameter)}"


def test_matrices_that_are_no_numbers_are_told_by_their_place() -> None:
    task = make_task(small_config().task)
    matrices = torch.zeros(4, 5, 5)
    matrices[2, 1, 1] = torch.nan
    observed = torch.zeros(4, 5, 5, dtype=torch.bool)
    with pytest.raises(InputError, match="matrices hold NaN in 1 of 100 numbers, first in matrix 2"):
        task.batch(matrices, observed)


def trained_with(folder: Path, *overrides: str, preset: str = "tiny") -> str:
    """The sentence with which a training ends."""
    fields = [
        "training.steps=20",
        "training.batch_size=4",
        "training.warmup_steps=0",
        "model.d_model=8",
        "model.n_heads=2",
    ]
    with pytest.raises(TrainingError) as caught:
        train(folder, load_preset(preset, [*fields, "model.d_mlp=8", *overrides]), device="cpu")
    return str(caught.value)


def test_training_names_the_step_and_the_weights(tmp_path: Path) -> None:
    said = trained_with(tmp_path / "run", "training.learning_rate=1e29")
    assert "the loss became" in said
    assert " at step 2;" in said
    assert "checkpoint at step 0 is kept" in said or "checkpoint at step 1 is kept" in said
    assert Run(tmp_path / "run").metrics["step"].tolist() == [1]


def test_training_names_a_batch_that_is_no_numbers(tmp_path: Path) -> None:
    wild = ("task.factor_scale=1e29", "task.out_of_range=clip", "task.v_min=-2.0", "task.v_max=2.0")
    said = trained_with(tmp_path / "run", *wild)
    assert "at step 1" in said
    assert "the batch's targets: " in said
    assert "first in row 0" in said


def test_training_names_weights_that_an_update_spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcinterp.training import loop

    update = loop._update

    def spoil(state: Any, *rest: Any) -> None:
        update(state, *rest)
        if state.step == 3:
            with torch.no_grad():
                state.parameters["blocks.1.mlp.W_in"][0, 0] = torch.nan

    monkeypatch.setattr(loop, "_update", spoil)
    said = trained_with(tmp_path / "run")
    assert "the loss became nan at step 4; a smaller learning rate may help (blocks.1.mlp.W_in: NaN in 1 of 64" in said


def test_no_number_of_a_sound_model_is_called_none(trained: Run) -> None:
    for step in trained.steps:
        checkpoint = trained.checkpoint(step)
        assert np.isfinite(checkpoint.model.complete(checkpoint.sample(4).inputs).numpy()).all()
