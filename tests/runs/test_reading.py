"""Reading a run: choosing steps, and files that are missing, damaged or swapped."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from small_run import small_config

from mcinterp.errors import CheckpointError, ConfigError, UsageError
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import build_model
from mcinterp.training.schedule import checkpoint_steps

STEPS = checkpoint_steps(small_config().training)


@pytest.mark.parametrize(
    ("selection", "steps"),
    [
        ("all", STEPS),
        ("first", [0]),
        ("last", [40]),
        ("first,last", [0, 40]),
        ("last, first", [0, 40]),
        ("auto", [0, 40]),
        (f"{STEPS[2]}", [STEPS[2]]),
        (f"40,{STEPS[1]},40", [STEPS[1], 40]),
        ("0,last", [0, 40]),
    ],
)
def test_steps_can_be_chosen(trained: Run, selection: str, steps: list[int]) -> None:
    assert trained.select_steps(selection) == steps


@pytest.mark.parametrize("selection", ["", "latest", "1.5", "-1", "²", "0,,40", "all,last"])
def test_other_words_are_no_steps(trained: Run, selection: str) -> None:
    with pytest.raises(UsageError, match=r"is neither a step nor auto, all, first or last|stands alone"):
        trained.select_steps(selection)


def test_a_step_without_a_checkpoint_names_the_nearest(trained: Run) -> None:
    assert 38 not in trained.steps
    for ask in (lambda: trained.select_steps("0,38"), lambda: trained.checkpoint(38)):
        with pytest.raises(CheckpointError, match="run short has no checkpoint at step 38; the nearest is 40"):
            ask()
    with pytest.raises(CheckpointError, match="no checkpoint at step newest; there are 0, 1"):
        trained.checkpoint("newest")


@pytest.mark.parametrize("selection", ["all", "auto", "first", "last", "0"])
def test_a_run_without_checkpoints_says_so(tmp_path: Path, selection: str) -> None:
    (tmp_path / "config.yaml").write_text(small_config().to_yaml())
    for ask in (Run(tmp_path).select_steps, Run(tmp_path).checkpoint):
        with pytest.raises(CheckpointError, match="has no checkpoint yet"):
            ask(selection)


def test_first_and_last(trained: Run) -> None:
    assert trained.checkpoint("first").step == 0
    assert trained.checkpoint("last").step == trained.checkpoint().step == trained.checkpoint(40).step == 40


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=re.escape(f"there is no run at {tmp_path}: {tmp_path}/config.yaml")):
        Run(tmp_path)


def test_a_damaged_configuration_is_named(own_copy: Path) -> None:
    (own_copy / "config.yaml").write_text("task: [")
    with pytest.raises(ConfigError, match=r"config\.yaml is not valid YAML"):
        Run(own_copy).checkpoint()


def refused(folder: Path, step: int | str = "last") -> str:
    with pytest.raises(CheckpointError) as caught:
        Run(folder).checkpoint(step)
    return str(caught.value)


def test_a_missing_file_is_named(own_copy: Path) -> None:
    (own_copy / "step-00000040/model.safetensors").unlink()
    assert "step-00000040/model.safetensors cannot be read" in refused(own_copy)
    (own_copy / "step-00000040/checkpoint.json").unlink()
    assert "step-00000040/checkpoint.json cannot be read" in refused(own_copy)


def test_one_flipped_bit_is_noticed(own_copy: Path) -> None:
    file = own_copy / "step-00000040/model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    assert "step-00000040/model.safetensors is damaged" in refused(own_copy)


def test_a_cut_off_file_is_noticed(own_copy: Path) -> None:
    file = own_copy / "step-00000040/model.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    assert "is damaged" in refused(own_copy)


@pytest.mark.parametrize(
    ("record", "part"),
    [
        ("{", "cannot be read"),
        ("", "cannot be read"),
        ("[]", "lacks config_hash, digest, metrics, step, versions"),
        ('{"step": 40}', "lacks config_hash, digest"),
    ],
)
def test_a_damaged_record_is_named(own_copy: Path, record: str, part: str) -> None:
    (own_copy / "step-00000040/checkpoint.json").write_text(record)
    message = refused(own_copy)
    assert "step-00000040/checkpoint.json" in message
    assert part in message


def test_swapped_weights_are_noticed(own_copy: Path) -> None:
    first, last = own_copy / "step-00000000/model.safetensors", own_copy / "step-00000040/model.safetensors"
    last.write_bytes(first.read_bytes())
    assert "step-00000040/model.safetensors is damaged" in refused(own_copy)


def test_a_folder_under_another_step_is_noticed(own_copy: Path) -> None:
    (own_copy / "step-00000000").rename(own_copy / "step-00000035")
    assert "step-00000035/checkpoint.json belongs to step 0" in refused(own_copy, 35)


def test_a_checkpoint_of_another_configuration_is_noticed(own_copy: Path) -> None:
    record = own_copy / "step-00000040/checkpoint.json"
    fields = {**json.loads(record.read_text()), "config_hash": "0" * 16}
    del fields["seal"]
    record.write_text(json.dumps(fields))
    assert "step-00000040/checkpoint.json belongs to configuration 0000000000000000" in refused(own_copy)


def test_other_entries_of_the_folder_are_no_checkpoints(own_copy: Path, trained: Run) -> None:
    (own_copy / ".step-00000041.123.tmp").mkdir()
    (own_copy / "step-notes").mkdir()
    (own_copy / "step-²").mkdir()
    (own_copy / "step-00000099").write_text("a file")
    assert Run(own_copy).steps == trained.steps


def test_a_torn_last_line_of_metrics_is_left_out(own_copy: Path, trained: Run) -> None:
    with (own_copy / "metrics.csv").open("a") as file:
        file.write("41,0.3,0.2")
    assert Run(own_copy).metrics.equals(trained.metrics)


@pytest.mark.parametrize("content", ["", "words\nof a poem\n", "step,loss\n1,a\n", None])
def test_metrics_that_are_no_table_are_named(own_copy: Path, content: str | None) -> None:
    metrics = own_copy / "metrics.csv"
    metrics.unlink()
    if content is not None:
        metrics.write_text(content)
    with pytest.raises(CheckpointError, match=r"metrics\.csv cannot be read"):
        _ = Run(own_copy).metrics


def test_an_untrained_checkpoint_is_that_of_its_seed() -> None:
    config = small_config()
    untrained = Checkpoint.untrained(config, seed=4)
    expected = build_model(config, seed=4).weights()
    assert all(torch.equal(untrained.weights[name], weight) for name, weight in expected.items())
    assert (untrained.step, untrained.run_name) == (0, "untrained")
    assert untrained.digest != Checkpoint.untrained(config, seed=5).digest


def test_a_wrapped_model_answers_as_the_model_does(trained: Run) -> None:
    original = trained.checkpoint()
    wrapped = Checkpoint.of_model(original.model, trained.config, step=40)
    assert wrapped.digest == original.digest
    inputs = original.sample(3).inputs
    assert torch.equal(wrapped.model.complete(inputs), original.model.complete(inputs))
