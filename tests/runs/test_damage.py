"""Damaged files: every byte, every length, swapped, rewritten; each is found when read, and named."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from small_run import interrupt_at, small_config
from test_resume import assert_same_run
from torch import Tensor

from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, ConfigError, McinterpError, TrainingError
from mcinterp.runs import Run, densify, train
from mcinterp.runs.checkpoint import _seal, load_checkpoint
from mcinterp.runs.files import read_sealed
from mcinterp.runs.verify import verify

LAST = "step-00000004"
WEIGHTS, RECORD, STATE = f"{LAST}/model.safetensors", f"{LAST}/checkpoint.json", "training-state.safetensors"


def least_config(seed: int = 0) -> RunConfig:
    """The smallest run: 22 tokens, one head of width 4, four steps."""
    return small_config(
        task={"decimals": 1, "v_min": -1.0, "v_max": 1.0},
        model={"n_layers": 1, "n_heads": 1, "d_model": 4, "d_mlp": 4},
        training={"steps": 4, "batch_size": 2, "checkpoints": 2, "replay_states": 2, "seed": seed},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two finished runs of other seeds; to be read only."""
    folder = tmp_path_factory.mktemp("least")
    return tuple(train(folder / f"seed{seed}", least_config(seed), "cpu").path for seed in (0, 1))


@pytest.fixture
def run(runs: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs[0], tmp_path / "run"))


def flipped(content: bytes, start: int = 0, every: int = 1) -> Iterator[bytes]:
    for at in range(start, len(content), every):
        yield content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :]


def header_size(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def damaged_checkpoints(run: Path, name: str, contents: Iterator[bytes]) -> int:
    """Read the last checkpoint with each content in place of one file; returns how many were refused."""
    file, config = run / name, Run(run).config
    whole = load_checkpoint(run / LAST, config, "run", "cpu")
    sentences = []
    for content in contents:
        file.write_bytes(content)
        try:
            read = load_checkpoint(run / LAST, config, "run", "cpu")
        except CheckpointError as error:
            sentences.append(str(error))
        else:  # the same value in other digits
            assert (read.step, read.digest, read.metrics) == (whole.step, whole.digest, whole.metrics)
    assert all(str(file) in sentence for sentence in sentences)
    return len(sentences)


@pytest.mark.parametrize("name", [WEIGHTS, RECORD])
def test_every_flipped_byte_of_a_checkpoint_is_found(run: Path, name: str) -> None:
    content = (run / name).read_bytes()
    refused = damaged_checkpoints(run, name, flipped(content))
    assert len(content) - refused <= (2 if name == RECORD else 0)


@pytest.mark.parametrize("name", [WEIGHTS, RECORD])
def test_a_checkpoint_cut_off_anywhere_is_found(run: Path, name: str) -> None:
    content = (run / name).read_bytes()
    assert damaged_checkpoints(run, name, (content[:length] for length in range(len(content)))) == len(content)


def test_flipped_bytes_of_a_training_state_are_found(run: Path) -> None:
    file, config = run / STATE, Run(run).config
    content = file.read_bytes()
    stored = read_sealed(file, config.hash, safetensors.torch.load(content))
    header = header_size(content)
    damages = [*flipped(content[:header]), *(content[:length] for length in range(0, header, 13))]
    damages = [damage + content[header:] if len(damage) == header else damage for damage in damages]
    damages += [*flipped(content, header, 41), *(content[:length] for length in range(header, len(content), 401))]
    for damage in damages:
        file.write_bytes(damage)
        with pytest.raises(CheckpointError) as caught:
            read_sealed(file, config.hash, stored)
        assert str(file) in str(caught.value)


def test_metrics_cut_off_anywhere_are_found(run: Path) -> None:
    file = run / "metrics.csv"
    content = file.read_bytes()
    for length in range(0, len(content), 23):
        file.write_bytes(content[:length])
        assert str(file) in "\n".join(verify(Run(run)))


def test_a_torn_last_line_is_named_and_does_no_harm(run: Path) -> None:
    before = Run(run).metrics
    with (run / "metrics.csv").open("a") as file:
        file.write("5,0.3,0.2")
    assert Run(run).metrics.equals(before)
    assert verify(Run(run)) == [f"{run / 'metrics.csv'} ends in a line that was cut off; it is left out"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda lines: [*lines[:2], *lines[3:]], "line 3 is not a whole line of its step"),
        (lambda lines: [*lines[:2], lines[2][:9], *lines[3:]], "line 3 is not a whole line of its step"),
        (lambda lines: [*lines[:2], f"{lines[2]},1", *lines[3:]], "cannot be read"),
        (lambda lines: [lines[0].replace("loss", "cost"), *lines[1:]], "begins with step,cost"),
        (lambda lines: [*lines[:4], lines[4].replace(",", ",9", 1)], "at step 4, its checkpoint"),
    ],
)
def test_metrics_changed_by_hand_are_found(run: Path, change: Callable[[list[str]], list[str]], sentence: str) -> None:
    file = run / "metrics.csv"
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")
    assert sentence in "\n".join(verify(Run(run)))


def test_a_configuration_changed_by_hand_is_found(run: Path) -> None:
    file = run / "config.yaml"
    file.write_text(file.read_text().replace("batch_size: 2", "batch_size: 3"))
    changed = Run(run)
    sentences = verify(changed)
    assert len(sentences) == len(changed.steps) + 3
    assert all("belongs to configuration" in sentence and str(run) in sentence for sentence in sentences)
    with pytest.raises(CheckpointError, match="belongs to configuration"):
        train(run, changed.config, "cpu")


def test_a_configuration_cut_off_anywhere_is_another_or_none(run: Path) -> None:
    file, whole = run / "config.yaml", Run(run).config
    content = file.read_bytes()
    sentences = []
    for length in range(0, len(content), 7):
        file.write_bytes(content[:length])
        try:
            assert Run(run).checkpoint("last").config == whole
        except (CheckpointError, ConfigError) as error:
            sentences.append(str(error))
    assert len(sentences) > 50
    assert all(str(run) in sentence for sentence in sentences)


@pytest.mark.parametrize(
    "name", [WEIGHTS, RECORD, LAST, STATE, "replay/step-00000002.safetensors", "metrics.csv", "config.yaml"]
)
def test_files_swapped_between_runs_are_found(runs: tuple[Path, Path], run: Path, name: str) -> None:
    assert verify(Run(run)) == []
    mine, theirs = run / name, runs[1] / name
    if mine.is_dir():
        shutil.rmtree(mine)
        shutil.copytree(theirs, mine)
    else:
        shutil.copyfile(theirs, mine)
    sentences = verify(Run(run))
    assert sentences
    assert str(run if name == "config.yaml" else mine) in "\n".join(sentences)


def test_files_swapped_within_a_run_are_found(run: Path) -> None:
    shutil.copyfile(run / "step-00000000/model.safetensors", run / WEIGHTS)
    shutil.copyfile(run / "replay/step-00000000.safetensors", run / "replay/step-00000002.safetensors")
    sentences = "\n".join(verify(Run(run)))
    assert f"{run / WEIGHTS} is damaged" in sentences
    assert f"{run / 'replay/step-00000002.safetensors'} belongs to step 0" in sentences


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Other tensors, with all digests as they must be."""
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    change(weights)
    content = safetensors.torch.save(weights)
    (folder / "model.safetensors").write_bytes(content)
    record = json.loads((folder / "checkpoint.json").read_text())
    del record["seal"]
    record["digest"] = hashlib.sha256(content).hexdigest()
    (folder / "checkpoint.json").write_text(json.dumps({**record, "seal": _seal(record)}))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weights: weights.pop("unembed.b_U"), "lacks unembed.b_U"),
        (lambda weights: weights.update(extra=torch.zeros(2)), "has an unknown tensor extra"),
        (
            lambda weights: weights.update({"unembed.b_U": torch.zeros(2)}),
            "unembed.b_U is torch.float32 (2,), expected",
        ),
        (
            lambda weights: weights.update({"unembed.b_U": torch.zeros(1, dtype=torch.float64)}),
            "unembed.b_U is torch.float64 (1,), expected torch.float32",
        ),
    ],
)
def test_other_tensors_are_found_though_their_digests_fit(
    run: Path, change: Callable[[dict[str, Tensor]], None], sentence: str
) -> None:
    rewrite(run / LAST, change)
    with pytest.raises(CheckpointError) as caught:
        Run(run).checkpoint("last")
    assert str(run / WEIGHTS) in str(caught.value)
    assert sentence in str(caught.value)
    assert verify(Run(run)) == [str(caught.value)]


def test_records_of_earlier_versions_open(run: Path) -> None:
    file = run / RECORD
    record = json.loads(file.read_text())
    del record["seal"]
    file.write_text(json.dumps(record))
    state = safetensors.torch.load_file(run / STATE)
    safetensors.torch.save_file(state, run / STATE)
    assert verify(Run(run)) == []


@pytest.mark.parametrize(
    ("field", "value"), [("step", "4"), ("step", 4.0), ("step", True), ("metrics", []), ("digest", 3), ("more", 1)]
)
def test_a_record_of_other_kinds_is_refused(run: Path, field: str, value: object) -> None:
    file = run / RECORD
    record = {**json.loads(file.read_text()), field: value}
    del record["seal"]
    file.write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=field):
        Run(run).checkpoint("last")


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


@pytest.fixture
def stopped(tmp_path: Path, config: RunConfig) -> Path:
    """A run stopped after step 24, with states of the steps 0, 10, 20 and 24."""
    train(tmp_path / "stopped", config, "cpu", interrupt_at(23))
    return tmp_path / "stopped"


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(("also", "then"), [([], 20), ([20], 10), ([20, 10], 0)])
def test_training_goes_on_from_the_newest_whole_state_and_says_so(
    stopped: Path,
    trained_folder: Path,
    config: RunConfig,
    also: list[int],
    then: int,
    missing: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for step in also:
        damage(stopped / f"replay/step-{step:08d}.safetensors")
    (stopped / STATE).unlink() if missing else damage(stopped / STATE)
    train(stopped, config, "cpu")
    assert f"{stopped / STATE} {'cannot be read' if missing else 'is damaged'}" in caplog.messages[0]
    assert caplog.messages[-1] == f"run stopped goes on from {stopped}/replay/step-{then:08d}.safetensors"
    assert_same_run(stopped, trained_folder)


def test_without_any_whole_state_training_refuses_and_touches_nothing(stopped: Path, config: RunConfig) -> None:
    for file in [stopped / STATE, *(stopped / "replay").iterdir()]:
        damage(file)
    before = (stopped / "metrics.csv").read_bytes()
    with pytest.raises(TrainingError, match="cannot be continued: no whole training state is left"):
        train(stopped, config, "cpu")
    assert (stopped / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.json"])
def test_a_damaged_newest_checkpoint_is_trained_again(
    own_copy: Path, trained_folder: Path, config: RunConfig, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    damage(own_copy / "step-00000040" / name)
    with pytest.raises(CheckpointError, match="step-00000040"):
        Run(own_copy).checkpoint("last")
    train(own_copy, config, "cpu")
    assert "it is now step-00000040.damaged" in caplog.messages[0]
    assert caplog.messages[1] == f"run copy goes on from {own_copy}/replay/step-00000030.safetensors"
    assert_same_run(own_copy, trained_folder)
    assert (own_copy / "step-00000040.damaged" / name).is_file()


def test_a_damaged_newest_checkpoint_stays_where_nothing_can_train_it_again(own_copy: Path, config: RunConfig) -> None:
    (own_copy / STATE).unlink()
    shutil.rmtree(own_copy / "replay")
    damage(own_copy / "step-00000040" / "model.safetensors")
    before = sorted(own_copy.iterdir())
    with pytest.raises(TrainingError, match="cannot be continued: no whole training state is left"):
        train(own_copy, config, "cpu")
    assert sorted(path for path in own_copy.iterdir() if path.name != ".lock") == [
        path for path in before if path.name != ".lock"
    ]


def test_a_damaged_first_checkpoint_is_begun_again(tmp_path: Path, trained_folder: Path, config: RunConfig) -> None:
    with pytest.raises(ZeroDivisionError):
        train(tmp_path / "run", config, "cpu", lambda record: 1 // 0)
    shutil.rmtree(tmp_path / "run" / "step-00000001", ignore_errors=True)
    damage(tmp_path / "run/step-00000000/model.safetensors")
    train(tmp_path / "run", config, "cpu")
    assert_same_run(tmp_path / "run", trained_folder)


def test_a_replay_starts_before_a_damaged_state(own_copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(own_copy / "replay/step-00000020.safetensors")
    assert densify(own_copy, 25, 25, 1, "cpu") == [25]
    assert "step-00000020.safetensors is damaged" in caplog.text
    assert Run(own_copy).checkpoint(25).step == 25


def test_whole_runs_are_trained_without_a_word(
    tmp_path: Path, config: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        train(tmp_path / "run", config, "cpu", interrupt_at(23))
        train(tmp_path / "run", config, "cpu")
    assert caplog.messages == []
    assert verify(Run(tmp_path / "run")) == []


def test_a_weights_file_much_too_long_is_not_read(run: Path) -> None:
    with (run / WEIGHTS).open("r+b") as file:
        file.truncate(1 << 40)  # a terabyte that takes no space
    with pytest.raises(McinterpError, match=r"model\.safetensors is damaged: it has 1,099,511,627,776 bytes"):
        Run(run).checkpoint("last")


def test_a_header_that_claims_terabytes_is_refused(run: Path) -> None:
    def claim(numbers: int) -> bytes:
        header = json.dumps({"step": {"dtype": "F32", "shape": [numbers], "data_offsets": [0, 4 * numbers]}}).encode()
        return len(header).to_bytes(8, "little") + header + bytes(16)

    for content in (claim(1 << 40), (1 << 45).to_bytes(8, "little") + bytes(64)):
        (run / STATE).write_bytes(content)
        with pytest.raises(CheckpointError, match=r"training-state\.safetensors cannot be read"):
            read_sealed(run / STATE, "", {})
        rewrite_bytes(run / LAST, content + bytes(2000))
        with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
            Run(run).checkpoint("last")


def rewrite_bytes(folder: Path, content: bytes) -> None:
    """A file of weights that is none, with the digests as they must be."""
    (folder / "model.safetensors").write_bytes(content)
    record = {**json.loads((folder / "checkpoint.json").read_text()), "digest": hashlib.sha256(content).hexdigest()}
    record.pop("seal", None)
    (folder / "checkpoint.json").write_text(json.dumps(record))


def test_a_configuration_of_an_endless_model_is_refused_before_it_is_built(run: Path) -> None:
    file = run / "config.yaml"
    file.write_text(file.read_text().replace("d_model: 4", "d_model: 4000000").replace("d_mlp: 4", "d_mlp: 4000000"))
    huge = Run(run).config
    record = json.loads((run / RECORD).read_text())
    del record["seal"]
    (run / RECORD).write_text(json.dumps({**record, "config_hash": huge.hash}))
    with pytest.raises(CheckpointError, match="a model of its configuration takes at least 384,000,000,000,000 bytes"):
        Run(run).checkpoint("last")


def test_leftovers_and_links_are_named(run: Path) -> None:
    (run / ".step-00000002.elsewhere.77.tmp").mkdir()
    (run / "replay" / ".step-00000000.safetensors.elsewhere.77.tmp").write_bytes(b"half")
    (run / "notes").symlink_to("/etc/hostname")
    sentences = verify(Run(run))
    assert len(sentences) == 3
    assert all(name in "\n".join(sentences) for name in ("notes is a symbolic link", "replay/.step", "/.step-00000002"))
