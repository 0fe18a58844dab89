"""Gradient clipping, against the norm of all gradients computed by hand."""

from __future__ import annotations

import pytest
import torch
from small_run import small_config

from mcinterp.model.build import build_model
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.task import make_task
from mcinterp.training.loop import TrainState, training_steps

CPU = torch.device("cpu")


def trained(**training: object) -> dict[str, torch.Tensor]:
    """The state after training the small encoder."""
    config = small_config(training={"learning_rate": 0.1, "optimiser": "sgd", **training})
    model = build_model(config)
    state = TrainState.fresh(trainable(model), config.training)
    list(training_steps(state, make_task(config.task), training_forward(model), config.training, CPU))
    return {name: tensor.clone() for name, tensor in state.tensors().items()}


def first_gradients() -> dict[str, torch.Tensor]:
    """Of the hooked model on the first batch."""
    config = small_config()
    model, task = build_model(config), make_task(config.task)
    batch = task.draw(config.training.batch_size, torch.Generator().manual_seed(1))
    task.loss(model.complete(batch.inputs), batch).backward()
    return {name: parameter.grad for name, parameter in trainable(model).items() if parameter.grad is not None}


@pytest.mark.parametrize("share", [0.25, 0.999, 2.0])
def test_the_gradient_is_scaled_to_the_norm_of_all_of_it(share: float) -> None:
    gradients = first_gradients()
    norm = sum(float(gradient.double().square().sum()) for gradient in gradients.values()) ** 0.5
    before = trainable(build_model(small_config()))
    after = trained(steps=1, clip_norm=share * norm)
    for name, gradient in gradients.items():
        expected = before[name].detach() - 0.1 * min(1.0, share) * gradient
        torch.testing.assert_close(after[f"weight.{name}"], expected, rtol=1e-4, atol=1e-6, msg=name)


def test_it_is_what_torch_does_by_hand() -> None:
    after = trained(steps=6, clip_norm=0.3, optimiser="adam", learning_rate=0.01)
    config = small_config()
    model, task = build_model(config), make_task(config.task)
    forward, parameters = training_forward(model), list(trainable(model).values())
    adam, generator = torch.optim.Adam(parameters, lr=0.01, fused=True), torch.Generator().manual_seed(1)
    norms = []
    for _ in range(6):
        batch = task.draw(8, generator)
        adam.zero_grad()
        task.loss(forward(batch.inputs), batch).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(parameters, 0.3)))
        adam.step()
    assert max(norms) > 0.3
    for name, value in trainable(model).items():
        assert torch.equal(after[f"weight.{name}"], value), name


def test_a_norm_that_is_never_reached_changes_no_bit() -> None:
    plain, clipped = trained(steps=10), trained(steps=10, clip_norm=1e6)
    assert plain.keys() == clipped.keys()
    for name, tensor in plain.items():
        assert torch.equal(tensor, clipped[name]), name
    assert any(not torch.equal(tensor, plain[name]) for name, tensor in trained(steps=10, clip_norm=0.01).items())
