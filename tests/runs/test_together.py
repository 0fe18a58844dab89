"""Several processes over gloo: the numbers of one, one writer, and one end for all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from several import interrupt_self, rank, together
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.cli import main
from mcinterp.config import RunConfig
from mcinterp.errors import InputError, UsageError
from mcinterp.runs import Run, densify, load_sweep, retrain, run_sweep, train
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.training import loop
from mcinterp.training.together import join

training = import_module("mcinterp.runs.train")  # whose name is also a function

UNEVEN: dict[str, object] = {"batch_size": 9}
MIXED = {"rows": 5, "cols": 5, "sizes": ((3, 3), (5, 5)), "p_mask": 0.5}
CONFIGS = {
    "encoder": small_config(training=UNEVEN),
    # Means over the entries that there are, so that shares of a batch weigh differently.
    "mixed sizes": small_config(training=UNEVEN, task=MIXED),
    "gpt": small_gpt_config(training={"steps": 12, "batch_size": 5}),
}


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / "training-state.safetensors")


def assert_close_runs(folder: Path, expected: Path) -> None:
    """Measurements and weights agree to rounding."""
    ours, theirs = Run(folder).metrics, Run(expected).metrics
    assert list(ours["step"]) == list(theirs["step"])
    for name in theirs.columns.drop("seconds"):
        torch.testing.assert_close(
            torch.tensor(ours[name].to_numpy()),
            torch.tensor(theirs[name].to_numpy()),
            rtol=1e-4,
            atol=1e-6,
            equal_nan=True,
        )
    state, other = state_of(folder), state_of(expected)
    for name in (key for key in other if key.startswith("weight.") and not key.endswith("attn.b_K")):
        torch.testing.assert_close(state[name], other[name], rtol=0, atol=2e-4, msg=name)


def assert_same_runs(folder: Path, expected: Path) -> None:
    ours, theirs = Run(folder), Run(expected)
    assert ours.metrics.drop(columns="seconds").equals(theirs.metrics.drop(columns="seconds"))
    for name, tensor in state_of(expected).items():
        assert torch.equal(state_of(folder)[name], tensor), name


def trained(folder: Path, config: RunConfig, stop_at: int | None = None, by: int = 0) -> tuple[int, list[int]]:
    """Train, a signal to one process alone stopping the step after; returns the last step saved, and those told of."""
    told: list[int] = []
    steps = 0

    def stop() -> bool:
        nonlocal steps
        steps += 1
        if rank() == by and steps == stop_at:
            interrupt_self()
        return False

    run = train(folder, config, "cpu", lambda record: told.append(record.step), stop)
    return run.steps[-1], told


@pytest.mark.parametrize("name", CONFIGS)
def test_two_processes_give_the_numbers_of_one(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    train(tmp_path / "one", config, "cpu")
    first, second = together(trained, tmp_path / "two", config)
    assert first.value == (config.training.steps, list(range(1, config.training.steps + 1)))
    assert second.value == (config.training.steps, [])  # told of nothing
    assert_close_runs(tmp_path / "two", tmp_path / "one")


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_are_those_of_the_whole_batch(name: str, n: int, tmp_path: Path) -> None:
    # Adam hides a gradient's scale, its mean after one step does not: a tenth of the gradient.
    config = CONFIGS[name].model_copy(update={"training": CONFIGS[name].training.model_copy(update={"steps": 1})})
    train(tmp_path / "one", config, "cpu")
    ends = together(trained, tmp_path / "more", config, n=n)
    assert [end.sentence for end in ends] == [""] * n
    ours, theirs = state_of(tmp_path / "more"), state_of(tmp_path / "one")
    for key in (key for key in theirs if key.startswith("exp_avg.")):
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-4, atol=1e-8, msg=key)


def test_the_gradient_that_is_clipped_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    fields = {"optimiser": "sgd", "learning_rate": 0.1, "clip_norm": 0.05, "steps": 4}
    config = small_config(training={**UNEVEN, **fields})
    train(tmp_path / "one", config, "cpu")
    ends = together(trained, tmp_path / "two", config)
    assert [end.sentence for end in ends] == ["", ""]
    ours, theirs = state_of(tmp_path / "two"), state_of(tmp_path / "one")
    for key in (key for key in theirs if key.startswith("weight.")):
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-4, atol=1e-6, msg=key)


def test_a_signal_to_one_stops_both_and_the_run_goes_on_bit_identical(tmp_path: Path) -> None:
    config = CONFIGS["encoder"]
    together(trained, tmp_path / "straight", config)
    for by in (0, 1):
        ends = together(trained, tmp_path / f"by-{by}", config, 17, by)
        assert [end.value[0] for end in ends] == [18, 18]
        assert state_of(tmp_path / f"by-{by}")["step"] == 18
        together(trained, tmp_path / f"by-{by}", config)
        assert_same_runs(tmp_path / f"by-{by}", tmp_path / "straight")


def test_a_run_may_change_the_number_of_its_processes(tmp_path: Path) -> None:
    config = CONFIGS["encoder"]
    train(tmp_path / "one", config, "cpu")
    together(trained, tmp_path / "to-one", config, 17)
    train(tmp_path / "to-one", config, "cpu")
    stops = iter(range(1, 100))
    train(tmp_path / "to-two", config, "cpu", stop=lambda: next(stops) == 17)
    assert together(trained, tmp_path / "to-two", config)[1].value[0] == 40
    for name in ("to-one", "to-two"):
        assert_close_runs(tmp_path / name, tmp_path / "one")


def failing(folder: Path, config: RunConfig, who: int, where: str) -> None:
    """Train with an error in one process: while it saves, while it draws, or none but its death."""
    if rank() == who:
        if where == "save":
            training.save_checkpoint = refuse_step_19
        elif where == "draw":
            MatrixCompletion.draw = refuse  # type: ignore[method-assign]
        elif where == "death":
            MatrixCompletion.draw = die  # type: ignore[method-assign]
    train(folder, config, "cpu")


save_checkpoint = training.save_checkpoint


def refuse_step_19(folder: Path, model: Any, step: int, config: RunConfig, metrics: Any) -> None:
    if step == 19:
        raise OSError("no space left on device")
    save_checkpoint(folder, model, step, config, metrics)


def refuse(*_: object) -> None:
    raise InputError("nothing can be drawn")


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def reading(folder: Path, config: RunConfig) -> list[int]:
    """Train where all but the main process cannot write."""
    if rank() == 1:
        for name in ("save_checkpoint", "write_atomic", "metrics_file", "sole_writer"):
            setattr(training, name, refuse)
    train(folder, config, "cpu")
    return densify(folder, 16, 17, 1, "cpu")


def test_only_the_main_process_writes(tmp_path: Path) -> None:
    ends = together(reading, tmp_path / "run", small_config())
    assert [end.value for end in ends] == [[16, 17]] * 2, ends
    assert Run(tmp_path / "run").finished


def test_an_error_in_the_main_process_ends_both(tmp_path: Path) -> None:
    first, second = together(failing, tmp_path / "run", small_config(), 0, "save")
    assert (first.error, first.sentence) == ("OSError", "no space left on device")
    assert second.error == "PeerError"
    assert second.sentence == "process 0 of 2 ended this training: no space left on device"


def test_an_error_in_another_process_is_told_by_the_main_one(tmp_path: Path) -> None:
    first, second = together(failing, tmp_path / "run", small_config(), 1, "draw")
    assert second.error == "InputError"
    assert (first.error, first.sentence) == (
        "PeerError",
        "process 1 of 2 ended this training: nothing can be drawn",
    )


def test_the_death_of_a_process_ends_the_other(tmp_path: Path) -> None:
    first, second = together(failing, tmp_path / "run", small_config(), 1, "death")
    assert not second.error
    assert first.error == "PeerError"
    assert first.sentence.startswith("another process of this training has died")


def test_what_forbids_training_is_told_before_it(tmp_path: Path) -> None:
    config = small_config()
    train(tmp_path / "run", config, "cpu")
    other = small_config(training={"seed": 5})
    first, second = together(trained, tmp_path / "run", other)
    assert first.error == "ConfigError"
    assert first.sentence in second.sentence
    few = small_config(training={"batch_size": 1})
    ends = together(trained, tmp_path / "few", few)
    assert {end.sentence for end in ends} == {"a batch of 1 samples cannot be shared by 2 processes"}


def test_divergence_ends_both_with_the_same_sentence(tmp_path: Path) -> None:
    ends = together(trained, tmp_path / "run", small_config(training={"learning_rate": 1e4, "checkpoints": 40}))
    assert [end.error for end in ends] == ["TrainingError"] * 2
    assert "the loss became" in ends[0].sentence


def windowed(folder: Path, config: RunConfig, stop_at: int | None = None) -> Any:
    loop.READ_EVERY["cpu"] = 7
    return trained(folder, config, stop_at, by=1)


def test_windows_change_nothing(tmp_path: Path) -> None:
    config = CONFIGS["encoder"]
    together(trained, tmp_path / "each", config)
    assert [end.value[0] for end in together(windowed, tmp_path / "windows", config, 17)] == [18, 18]
    together(windowed, tmp_path / "windows", config)
    assert_same_runs(tmp_path / "windows", tmp_path / "each")


def densified(folder: Path, config: RunConfig) -> list[int]:
    train(folder, config, "cpu")
    return densify(folder, 15, 39, 6, "cpu")


def test_replay_is_bit_identical_with_as_many_processes(tmp_path: Path) -> None:
    ends = together(densified, tmp_path / "run", small_config())
    assert [end.value for end in ends] == [[15, 21, 27, 33, 39]] * 2
    together(trained, tmp_path / "all", small_config(training={"checkpoints": 200}))
    for step in (15, 21, 27, 33, 39):
        ours, theirs = (Run(tmp_path / name).checkpoint(step).weights for name in ("run", "all"))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def replayed(folder: Path) -> list[int]:
    return densify(folder, 16, 18, 1, "cpu")


def test_replay_with_another_number_is_refused(tmp_path: Path) -> None:
    train(tmp_path / "run", small_config(), "cpu")
    ends = together(replayed, tmp_path / "run")
    assert ["number of threads and of processes are needed" in end.sentence for end in ends] == [True, True]


def retrained(folder: Path) -> Path:
    return retrain(folder, "attention", steps=10, device="cpu").path


def test_components_are_retrained_together(own_copy: Path, tmp_path: Path) -> None:
    ends = together(retrained, own_copy)
    path = own_copy / "retrained" / "attention-seed1"
    assert [end.value for end in ends] == [path, path]
    path.rename(tmp_path / "two")
    assert_close_runs(tmp_path / "two", retrained(own_copy))


def test_one_device_cannot_be_that_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="'cuda:1' is one device, and 2 processes need one each"):
        join(torch.device("cuda", 1))


def test_what_one_process_does_is_refused_to_several(
    grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="a sweep is the work of one process"):
        run_sweep(load_sweep(grid), tmp_path)
    monkeypatch.setattr(sys, "argv", ["mcinterp", "report", "x"])
    for who, said in (("0", "mcinterp: mcinterp report is the work of one process"), ("1", "")):
        monkeypatch.setenv("RANK", who)
        with pytest.raises(SystemExit, match="2"):
            main()
        assert capsys.readouterr().err.startswith(said)
        assert bool(said) == (who == "0")


def test_processes_that_the_launcher_did_not_start_are_missed(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert join(torch.device("cpu")).size == 1
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with pytest.raises(UsageError, match="accelerate launch --cpu has started a single process"):
        train(tmp_path / "run", config, "cpu")


def test_accelerate_launch_trains_and_speaks_once(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIGS["encoder"].to_yaml())
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    words = ["--main_process_port", "0", "-m", "mcinterp", "train", "--config", str(tmp_path / "config.yaml")]
    done = subprocess.run(
        [*launch, *words, "--run", str(tmp_path / "two"), "--device", "cpu"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "two")]
    assert done.stderr.count("step 40/40") == 1
    train(tmp_path / "one", CONFIGS["encoder"], "cpu")
    assert_close_runs(tmp_path / "two", tmp_path / "one")
