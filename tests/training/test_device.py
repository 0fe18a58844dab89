"""What a GPU needs of a step, as far as a CPU shows it: no waiting, data made where they are used, and bf16."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_gpt import small_gpt_config
from small_run import small_config
from torch.utils._python_dispatch import TorchDispatchMode

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.runs.checkpoint import build_model
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.task import make_task
from mcinterp.training import loop
from mcinterp.training.loop import StepRecord, TrainState, training_steps

CPU = torch.device("cpu")
MIXED = {"rows": 5, "cols": 5, "sizes": ((3, 3), (5, 5)), "p_mask": 0.5}
CONFIGS = {
    "encoder": small_config(),
    "bf16": small_config(training={"precision": "bf16"}),
    "decayed and clipped": small_config(training={"optimiser": "adamw", "weight_decay": 0.1, "clip_norm": 1.0}),
    "mixed sizes": small_config(task=MIXED),
    "laplace": small_config(task={"factors": "laplace", "out_of_range": "clip"}),
    "full-rank": small_config(task={"factors": "full-rank"}),
    "gpt": small_gpt_config(),
}


class Training:
    def __init__(self, config: RunConfig) -> None:
        self.config, self.model = config, build_model(config)
        self.state = TrainState.fresh(trainable(self.model), config.training)

    def run(self) -> list[StepRecord]:
        task, forward = make_task(self.config.task), training_forward(self.model)
        return list(training_steps(self.state, task, forward, self.config.training, CPU))


class Waits(TorchDispatchMode):
    """Notes operations for whose result a CPU has to wait, or that copy from it."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal", "lift_fresh")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        boolean = name == "index" and any(index is not None and index.dtype == torch.bool for index in args[1])
        if name in self.WAITING or boolean:
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_step_does_not_wait(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loop.READ_EVERY, "cpu", 50)
    training = Training(CONFIGS[name])
    list(zip(range(1), training_steps_of(training), strict=False))  # what is copied once is copied
    training = Training(CONFIGS[name])
    with Waits() as waits:
        training.run()
    # The optimiser on a CPU looks at its step counts; on a GPU they are on the device.
    assert waits.seen == []


def training_steps_of(training: Training) -> Any:
    task, forward = make_task(training.config.task), training_forward(training.model)
    return training_steps(training.state, task, forward, training.config.training, CPU)


def test_waiting_is_noticed() -> None:
    with Waits() as waits:
        values = torch.arange(4)
        bool((values > 2).any())
        values[values > 2]
        torch.tensor([1.0])
    assert [name.split(".")[1] for name in waits.seen] == ["_local_scalar_dense", "index", "lift_fresh"]


@pytest.mark.parametrize("name", CONFIGS)
def test_data_are_made_on_the_generators_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[Any] = []
    for maker in ("rand", "randn", "randint", "arange"):
        make = getattr(torch, maker)

        def noted(*shape: Any, make: Any = make, **settings: Any) -> Any:
            devices.append(settings.get("device"))
            return make(*shape, **settings)

        monkeypatch.setattr(torch, maker, noted)
    make_task(CONFIGS[name].task).draw(3, torch.Generator())
    assert devices
    assert set(devices) == {CPU}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_drawn_is_what_is_sampled(name: str) -> None:
    task = make_task(CONFIGS[name].task)
    drawn, sampled = (make(64, torch.Generator().manual_seed(3)) for make in (task.draw, task.sample))
    for field in ("inputs", "targets", "observed", "present"):
        ours, theirs = getattr(drawn, field), getattr(sampled, field)
        assert ours is theirs is None or torch.equal(ours, theirs)
    assert int(task.n_unfit(drawn)) == 0


@pytest.mark.parametrize(("kind", "expected"), [("matrix-completion", 2), ("matrix-sequence", 3)])
def test_unfit_values_are_counted_where_they_have_to_be_tokens(kind: Any, expected: int) -> None:
    config = TaskConfig(kind=kind, rows=2, cols=3, rank=1, v_min=-1.0, v_max=1.0, decimals=1, out_of_range="clip")
    batch = make_task(config).batch(
        torch.tensor([[[1.0, 1.1, -1.04], [torch.inf if kind == "" else 3.0, -2.0, 0.0]]]),
        torch.tensor([[[True, True, True], [False, True, True]]]),
    )
    assert int(make_task(config).n_unfit(batch)) == 0
    strict = make_task(config.model_copy(update={"out_of_range": "error"}))
    assert int(strict.n_unfit(batch)) == expected


def test_a_generator_of_another_kind_is_seeded_from_seed_and_step() -> None:
    training = Training(small_config())
    training.run()
    stored = training.state.tensors()
    cuda = {name: value for name, value in stored.items() if name != "generator"}
    cuda["generator.cuda"] = torch.zeros(16, dtype=torch.uint8)
    drawn = []
    for seed, step in ((0, 40), (0, 40), (0, 41), (1, 40)):
        other = Training(small_config(training={"seed": seed})).state
        assert other.restore({**cuda, "step": torch.tensor(step)}) == "cuda"
        drawn.append(torch.rand(4, generator=other.generator).tolist())
    assert drawn[0] == drawn[1]
    assert len({tuple(numbers) for numbers in drawn}) == 3
    assert Training(small_config()).state.restore(stored) is None
    with pytest.raises(CheckpointError, match="lacks generator"):
        Training(small_config()).state.restore({k: v for k, v in cuda.items() if k != "generator.cuda"})


@pytest.mark.parametrize("architecture", ["encoder", "gpt"])
def test_bf16_is_close_and_keeps_everything_float32(architecture: str) -> None:
    make = {"encoder": small_config, "gpt": small_gpt_config}[architecture]
    exact, coarse = Training(make()), Training(make(training={"precision": "bf16"}))
    expected, records = exact.run(), coarse.run()
    pairs = [(ours.loss, theirs.loss) for ours, theirs in zip(records, expected, strict=True)]
    assert all(ours != theirs for ours, theirs in pairs)
    assert all(ours == pytest.approx(theirs, rel=0.03) for ours, theirs in pairs)
    stored = coarse.state.tensors()
    kinds = {value.dtype for name, value in stored.items() if name not in ("generator", "step")}
    assert kinds == {torch.float32}
    assert {value.dtype for value in coarse.model.weights().values()} == {torch.float32}


def test_the_loss_is_float32_whatever_the_forward_pass_gives() -> None:
    training, kinds = Training(small_config(training={"steps": 1})), set()
    task = make_task(training.config.task)
    loss, forward = task.loss, training_forward(training.model)
    task.loss = lambda output, batch: (kinds.add(output.dtype), loss(output, batch))[1]  # type: ignore[method-assign]
    list(training_steps(training.state, task, lambda x: forward(x).bfloat16(), training.config.training, CPU))
    assert kinds == {torch.float32}


def test_bf16_makes_the_products_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[str, set[torch.dtype]] = {}

    class Kinds(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.is_floating_point():
                kinds.setdefault(func.overloadpacket.__name__, set()).add(result.dtype)
            return result

    with Kinds():
        Training(small_config(training={"precision": "bf16", "steps": 1, "warmup_steps": 0})).run()
    assert kinds["addmm"] == {torch.bfloat16}
    assert kinds["mean"] == {torch.float32}
