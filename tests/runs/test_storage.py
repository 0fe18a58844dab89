"""Full disks, folders that cannot be written to or are gone, links, and what killed processes leave."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_run import interrupt_at
from test_resume import assert_same_run

from mcinterp.cli import main
from mcinterp.config import RunConfig
from mcinterp.errors import CheckpointError, WriteError
from mcinterp.results import Result
from mcinterp.runs import Run, space, train
from mcinterp.runs.files import _HOST, atomic_folder, tidy, write_atomic
from mcinterp.runs.lock import sole_writer
from mcinterp.runs.verify import verify
from mcinterp.training.loop import StepRecord

SIZE = 1 << 22


def mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", *options, "tmpfs", folder], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount(folder, "-t", "tmpfs", "-o", f"size={SIZE}")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small file system can be mounted here: that needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path, left: int) -> Path:
    """Take all space but `left` bytes."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(free - left))
    return disk / "filler"


@pytest.mark.parametrize("left", [0, 1 << 14, 3 << 15, 1 << 18])
def test_a_full_disk_harms_nothing_that_was_saved(
    small_disk: Path, trained_folder: Path, config: RunConfig, left: int
) -> None:
    filler = fill(small_disk, left)
    path = small_disk / "run"
    with pytest.raises(CheckpointError, match=rf"{path}.* cannot be written: No space left on device"):
        train(path, config, "cpu")
    filler.unlink()
    if (path / "config.yaml").exists():
        assert not list(path.rglob("*.tmp"))
        assert [each for each in verify(Run(path)) if "metrics.csv" not in each] == []
    train(path, config, "cpu")
    assert_same_run(path, trained_folder)


def test_training_waits_for_space_if_told_to(
    small_disk: Path,
    trained_folder: Path,
    config: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(space, "WAIT_SECONDS", 0.05)
    filler = fill(small_disk, 3 << 15)
    timer, end = threading.Timer(1.5, filler.unlink), time.monotonic() + 30
    timer.start()
    run = train(small_disk / "run", config, "cpu", stop=lambda: time.monotonic() > end, wait_for_space=True)
    assert run.finished
    timer.join()
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith(
        "No space left on device; what was saved before is as it was; waiting until there is space"
    )
    assert_same_run(small_disk / "run", trained_folder)


def test_a_wait_for_space_can_be_ended(small_disk: Path, config: RunConfig) -> None:
    fill(small_disk, 3 << 15)
    with pytest.raises(WriteError, match="No space left"):
        train(small_disk / "run", config, "cpu", stop=lambda: True, wait_for_space=True)


def test_metrics_are_whole_after_a_wait_in_the_middle_of_a_line(tmp_path: Path) -> None:
    from mcinterp.runs.metrics import MetricsWriter

    written: list[bytes] = []

    class Full:
        def write(self, data: bytes) -> int:
            if len(written) == 1:
                written.append(b"")
                raise OSError(28, "No space left on device")
            written.append(data[:3])
            return len(written[-1])

    writer = MetricsWriter(Full(), tmp_path / "metrics.csv", 0.0)  # type: ignore[arg-type]
    writer.add(StepRecord(1, 0.5, {"score": 0.25}, 0.1))
    with pytest.raises(WriteError, match=r"metrics\.csv cannot be written") as caught:
        writer.write()
    assert caught.value.full
    writer.write()
    assert b"".join(written).startswith(b"1,0.5,0.25,0.1,")
    assert b"".join(written).count(b"\n") == 1


def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mcinterp", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


def test_a_read_only_folder_is_said_in_a_sentence(
    small_disk: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = train(small_disk / "run", config, "cpu", interrupt_at(20)).path
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    code, out, err = cli(monkeypatch, capsys, "train", "--run", str(path), "--device", "cpu")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith(f"mcinterp: a run cannot be written to {path}: ")
    assert "Read-only file system" in err
    for words in (["analyze", str(path), "--steps", "last", "--passes", "patching", "--samples", "4", "--out"],):
        code, out, err = cli(monkeypatch, capsys, *words, str(small_disk / "out"))
        assert (code, out) == (1, "")
        assert err.strip().endswith("cannot be written: Read-only file system; what was saved before is as it was")
        assert "Traceback" not in err
    assert verify(Run(path)) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_folder_without_permission_is_said_in_a_sentence(tmp_path: Path, config: RunConfig) -> None:
    path = train(tmp_path / "run", config, "cpu", interrupt_at(20)).path
    script = f"""
import os, sys
os.chdir({str(tmp_path)!r})
from mcinterp.config import load_config
from mcinterp.runs import train
config = load_config("run/config.yaml")
train("loaded", config, "cpu")  # another user may not read what is imported when it is first used
os.chmod(".", 0o755)
os.chmod("run", 0o555)
if os.geteuid() == 0:
    os.chown("run/.lock", 65534, -1)
    os.seteuid(65534)
try:
    train("run", config, "cpu")
except Exception as error:
    print(type(error).__name__, error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False).stdout
    assert told.startswith("WriteError run/")
    assert "cannot be written: Permission denied" in told
    path.chmod(0o755)
    assert verify(Run(path)) == []


def test_a_folder_that_vanishes_is_not_made_again(tmp_path: Path, config: RunConfig) -> None:
    path = tmp_path / "run"

    def vanish(record: StepRecord) -> None:
        if record.step == 12:
            path.rename(tmp_path / "moved")

    with pytest.raises(WriteError, match=r"run/.* cannot be written: No such file or directory"):
        train(path, config, "cpu", vanish)
    assert not path.exists()
    assert [each for each in verify(Run(tmp_path / "moved")) if "metrics.csv" not in each] == []


def test_a_lock_that_is_a_link_empties_nothing(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(CheckpointError, match="a run cannot be written to"):
        train(tmp_path / "run", config, "cpu")
    assert (tmp_path / "victim").read_text() == "mine"


def test_nothing_is_written_through_a_link(tmp_path: Path, config: RunConfig) -> None:
    for name in ("run", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / "replay").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="replay is a symbolic link, through which nothing is written"):
        train(tmp_path / "run", config, "cpu")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_run_may_be_reached_through_a_link(tmp_path: Path, config: RunConfig) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "large")
    assert train(tmp_path / "run", config, "cpu").finished


def test_leftovers_of_dead_processes_go_and_others_stay(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    dead, alive = process.pid, os.getppid()
    (tmp_path / "replay").mkdir()
    gone = [f".config.yaml.{_HOST}.{dead}.tmp", f"replay/.a.b.{_HOST}.{dead}.tmp"]
    kept = [
        f".config.yaml.{_HOST}.{alive}.tmp",
        f".config.yaml.other-host.{dead}.tmp",
        ".step-00000041.123.tmp",
        ".tmp",
    ]
    for name in [*gone, *kept]:
        (tmp_path / name).write_text("half")
    (tmp_path / f".step-00000002.{_HOST}.{dead}.tmp").mkdir()
    (tmp_path / f".step-00000002.{_HOST}.{dead}.tmp" / "model.safetensors").write_text("half")
    with sole_writer(tmp_path, "replay"):
        pass
    left = {entry.name for entry in tmp_path.iterdir()}
    assert left == {"replay", ".lock", *kept}
    assert not list((tmp_path / "replay").iterdir())


def test_what_was_out_of_the_way_when_a_process_died_comes_back(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    Result("r", "Old", {}).save(tmp_path / "data" / "r")
    aside = tmp_path / "data" / f".r.old.{_HOST}.{process.pid}.tmp"
    (tmp_path / "data" / "r").rename(aside)
    tidy(tmp_path, "data")
    assert Result.load(tmp_path / "data" / "r").title == "Old"
    shutil.copytree(tmp_path / "data" / "r", aside)
    tidy(tmp_path, "data")
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["r"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "file", b"old")
    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError):
        write_atomic(tmp_path / "file", b"new")
    with pytest.raises(WriteError), atomic_folder(tmp_path / "folder") as folder:
        (folder / "file").write_bytes(b"new")
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", "folder"}
    assert (tmp_path / "file").read_bytes() == (tmp_path / "folder/file").read_bytes() == b"old"


def test_verify_lists_what_is_damaged_and_exits_with_1(
    own_copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (own_copy, own_copy.parent):
        code, out, _ = cli(monkeypatch, capsys, "runs", str(folder), "--verify")
        assert (code, out) == (0, f"{own_copy}: whole, {len(Run(own_copy).steps)} checkpoints\n")
    (own_copy / "step-00000000" / "checkpoint.json").write_text("{}")
    (own_copy / "training-state.safetensors").write_bytes(b"")
    code, out, _ = cli(monkeypatch, capsys, "runs", str(own_copy.parent), "--verify")
    assert code == 1
    assert [line.split(": ")[0] for line in out.splitlines()] == [str(own_copy)] * 2
    assert "checkpoint.json lacks" in out
    assert "training-state.safetensors cannot be read" in out
