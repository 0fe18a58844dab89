"""The pass that training uses against the hooked one: values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mcinterp.config import RunConfig, TrainConfig
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.gpt import MatrixGPT
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.task import make_task

SHAPE = ModelConfig(n_layers=2, n_heads=2, d_model=16, d_mlp=32, init_std=0.4)
TASKS = {
    "one size": TaskConfig(rows=4, cols=5, rank=1, v_min=-2, v_max=2),
    "mixture": TaskConfig(rows=4, cols=5, rank=1, v_min=-2, v_max=2, sizes=((2, 2), (3, 4), (4, 5))),
    "sequence": TaskConfig(kind="matrix-sequence", rows=3, cols=3, rank=1, v_min=-1, v_max=1, decimals=1),
}
N = 13


def built(name: str, n_heads: int = 2) -> tuple[MatrixEncoder | MatrixGPT, MatrixCompletion, MatrixBatch]:
    """A model none of whose parameters is zero, its task and a batch."""
    config, task = TASKS[name], make_task(TASKS[name])
    shape = SHAPE.model_copy(update={"n_heads": n_heads, "architecture": "gpt" if name == "sequence" else "encoder"})
    model = build_model(RunConfig(task=config, model=shape, training=TrainConfig(steps=1)))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in trainable(model).values():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model, task, task.sample(N, torch.Generator().manual_seed(2))


def hooked(model: MatrixEncoder | MatrixGPT) -> Callable[[Tensor], Tensor]:
    """The forward pass with hooks, to the same output."""
    if isinstance(model, MatrixEncoder):
        return model.complete
    return lambda tokens: model(tokens)[:, model.n_entries : 2 * model.n_entries]


def close(ours: Tensor, theirs: Tensor) -> None:
    """Within 1e-5 of the largest number."""
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max().clamp(min=1e-3)


@pytest.mark.parametrize("name", list(TASKS))
def test_values_and_gradients_are_those_of_the_hooked_pass(name: str) -> None:
    model, task, batch = built(name)
    forward, parameters = training_forward(model), trainable(model)
    expected_output, output = hooked(model)(batch.inputs), forward(batch.inputs)
    close(output, expected_output)
    expected = torch.autograd.grad(task.loss(expected_output, batch), list(parameters.values()))
    found = torch.autograd.grad(task.loss(output, batch), list(parameters.values()))
    largest = max(gradient.abs().max() for gradient in expected)
    for key, one, other in zip(parameters, found, expected, strict=True):
        # The softmax does not see the bias of the keys, whose gradient is 0 and in floats rounding noise.
        scale = largest if key.endswith("b_K") else other.abs().max()
        assert (one - other).abs().max() <= 1e-5 * scale, key


@pytest.mark.parametrize("n_heads", [1, 2, 8])
def test_heads_of_any_width_agree_with_the_hooked_pass(n_heads: int) -> None:
    model, task, batch = built("mixture", n_heads)
    names = [name for name in trainable(model) if not name.endswith("b_K")]
    weights = [trainable(model)[name] for name in names]
    ours, theirs = (
        torch.autograd.grad(task.loss(forward(batch.inputs), batch), weights)
        for forward in (training_forward(model), hooked(model))
    )
    for one, other in zip(ours, theirs, strict=True):
        close(one, other)


def test_frozen_weights_get_no_gradient() -> None:
    model, task, batch = built("one size")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("mlp" in name)
    task.loss(training_forward(model)(batch.inputs), batch).backward()
    assert all((parameter.grad is not None) == ("mlp" in name) for name, parameter in model.named_parameters())
