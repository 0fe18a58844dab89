"""The loop against an independent one, states, and divergence."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from small_run import small_config

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, TrainingError
from mcinterp.model.fused import fused_complete
from mcinterp.model.plain import trainable
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.training.loop import StepRecord, TrainState, training_steps

CPU = torch.device("cpu")


class Training:
    """A model with its state and loop."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.model: MatrixEncoder = build_model(config)
        self.state = TrainState.fresh(trainable(self.model), config.training)

    def run(self, n_steps: int | None = None) -> list[StepRecord]:
        forward = partial(fused_complete, self.model)
        task = MatrixCompletion(self.config.task)
        steps = training_steps(self.state, task, forward, self.config.training, CPU)
        return list(steps) if n_steps is None else [next(steps) for _ in range(n_steps)]


@pytest.mark.parametrize("mask_embedding", ["zero", "learned"])
def test_the_loop_is_plain_adam_on_the_hooked_model(mask_embedding: str) -> None:
    config = small_config(
        training={"steps": 6, "warmup_steps": 3, "schedule": "cosine", "beta1": 0.8, "beta2": 0.99},
        model={"mask_embedding": mask_embedding},
    )
    ours = Training(config)
    records = ours.run()

    model, task = build_model(config), MatrixCompletion(config.task)
    generator = torch.Generator().manual_seed(config.training.seed + 1)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    adam = torch.optim.Adam(parameters, lr=1e-3, betas=(0.8, 0.99), fused=False)
    factors = [1 / 3, 2 / 3, 1, 1, 0.75, 0.25]  # cosine of thirds of a half turn: 1, ½, −½
    for record, factor in zip(records, factors, strict=True):
        batch = task.sample(8, generator)
        output = model.complete(batch.inputs)
        loss = torch.nn.functional.mse_loss(output, batch.targets)
        adam.zero_grad()
        loss.backward()
        adam.param_groups[0]["lr"] = 1e-3 * factor
        adam.step()
        masked = ~batch.observed
        masked_mse = (output - batch.targets)[masked].square().mean().item()
        assert record.loss == pytest.approx(loss.item(), rel=1e-5)
        assert record.scores["masked_mse"] == pytest.approx(masked_mse, rel=1e-5)
        assert record.learning_rate == pytest.approx(1e-3 * factor)
    # The softmax does not see the bias of the keys: its gradient is rounding noise, which Adam blows up to whole steps.
    seen = {name: value for name, value in model.weights().items() if not name.endswith("attn.b_K")}
    for name, value in seen.items():
        torch.testing.assert_close(ours.model.weights()[name], value, atol=1e-5, rtol=0, msg=name)


def test_records_count_from_1_and_tell_every_score() -> None:
    records = Training(small_config(training={"steps": 5})).run()
    assert [record.step for record in records] == [1, 2, 3, 4, 5]
    assert all(tuple(record.scores) == MatrixCompletion.score_names for record in records)


def test_training_is_deterministic_and_seeded() -> None:
    losses = [[r.loss for r in Training(small_config(training={"seed": seed})).run(5)] for seed in (0, 0, 1)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_training_lowers_the_loss() -> None:
    records = Training(small_config(training={"steps": 40})).run()
    assert records[-1].loss < 0.7 * records[0].loss


def test_the_mask_row_stays_zero() -> None:
    training = Training(small_config(model={"mask_embedding": "zero"}))
    training.run(5)
    assert not training.model.W_E[0].any()


def test_restored_states_go_on_to_the_last_bit() -> None:
    straight, first, second = (Training(small_config()) for _ in range(3))
    expected = straight.run(12)
    before = first.run(7)
    second.state.restore({name: value.clone() for name, value in first.state.tensors().items()})
    assert before + second.run(5) == expected
    for name, value in straight.state.tensors().items():
        assert torch.equal(second.state.tensors()[name], value), name


def test_a_fresh_state_can_be_kept_and_restored() -> None:
    straight, other = Training(small_config()), Training(small_config(training={"seed": 5}))
    other.state.restore(straight.state.tensors())
    assert other.run(3) == straight.run(3)


def test_tensors_are_named_and_on_the_cpu() -> None:
    training = Training(small_config())
    training.run(2)
    stored = training.state.tensors()
    names = trainable(training.model)
    expected = {f"{kind}.{name}" for kind in ("weight", "exp_avg", "exp_avg_sq") for name in names}
    assert stored.keys() == expected | {"step", "generator"}
    assert stored["step"].item() == 2
    assert stored["exp_avg_sq.embed.pos_embed.W_pos"].any()


@pytest.mark.parametrize("name", ["step", "generator", "weight.unembed.W_U", "exp_avg.embed.ln.w"])
def test_incomplete_states_are_refused(name: str) -> None:
    training = Training(small_config())
    stored = training.state.tensors()
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        training.state.restore({key: value for key, value in stored.items() if key != name})
    with pytest.raises(CheckpointError, match=rf"{name} has shape \(3, 1\), expected"):
        training.state.restore({**stored, name: torch.zeros(3, 1)})


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e9])
def test_divergence_stops_before_the_update(value: float) -> None:
    training = Training(small_config())
    training.run(3)
    with torch.no_grad():
        training.model.unembed.b_U.fill_(value)
    before = {name: tensor.clone() for name, tensor in training.state.tensors().items()}
    with pytest.raises(TrainingError, match=r"the loss became .* at step 4; a smaller learning rate may help"):
        training.run(1)
    after = training.state.tensors()
    for name in before.keys() - {"generator"}:
        torch.testing.assert_close(after[name], before[name], atol=0, rtol=0, equal_nan=True)
