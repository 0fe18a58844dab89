"""Sweeps on a Dask cluster of real worker processes."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_sweep import assert_same_numbers, begun_and_holder, write_grid

from mcinterp.errors import TrainingError, UsageError
from mcinterp.runs import Run, fanout, load_sweep, run_sweep
from mcinterp.runs.sweep import Outcome

distributed = pytest.importorskip("distributed")

CLUSTER: dict[str, Any] = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": 50}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with two worker processes."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        yield str(cluster.scheduler_address)


def when_trained(out: Path, steps: int, act: Any) -> threading.Thread:
    """Call `act` with the process of the first run that has done so many steps."""

    def watch() -> None:
        end = time.monotonic() + 600
        while time.monotonic() < end:
            if found := begun_and_holder(out, steps):
                act(found[1])
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.no_cover
def test_a_killed_workers_run_is_continued_by_another(
    grid: Path, sequential: Path, scheduler: str, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill(process: int) -> None:
        os.kill(process, signal.SIGKILL)
        killed.append(process)

    out = tmp_path / "out"
    thread = when_trained(out, 60, kill)
    outcomes = run_sweep(load_sweep(grid), out, scheduler=scheduler, device="cpu")
    thread.join()
    assert len(killed) == 1
    assert killed[0] != os.getpid()
    assert [outcome.state for outcome in outcomes] == ["finished"] * 4
    assert any(outcome.continued for outcome in outcomes)
    assert_same_numbers(out, sequential)


def test_ctrl_c_reaches_the_workers(scheduler: str, tmp_path: Path) -> None:
    grid = write_grid(tmp_path / "grid.yaml", {"training.seed": [0, 1, 2]}, steps=20_000)
    thread = when_trained(tmp_path / "out", 20, lambda _: os.kill(os.getpid(), signal.SIGINT))
    outcomes = run_sweep(load_sweep(grid), tmp_path / "out", scheduler=scheduler, device="cpu")
    thread.join()
    assert [outcome.state for outcome in outcomes] == ["stopped"] * 3
    begun = [folder.parent for folder in (tmp_path / "out").glob("*/metrics.csv")]
    assert 1 <= len(begun) <= 2
    for folder in begun:
        assert Run(folder).steps[-1] == int(Run(folder).metrics["step"].max())


def test_a_worker_that_does_not_see_the_folder_says_so(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = write_grid(tmp_path / "grid.yaml", {"training.seed": [0]})
    # The declaration is what a worker looks for.
    monkeypatch.setattr("mcinterp.runs.grid.Sweep.save", lambda *_: None)
    outcomes: list[Outcome] = run_sweep(load_sweep(grid), tmp_path / "out", scheduler=scheduler, device="cpu")
    assert [outcome.state for outcome in outcomes] == ["failed"]
    assert outcomes[0].sentence.endswith("on a cluster, all workers need the same file system")


def thread_and_process(_: int) -> tuple[bool, int]:
    return threading.current_thread() is threading.main_thread(), os.getpid()


def test_a_cluster_with_a_single_slot_is_used() -> None:
    # Asked for one job, joblib would work in the main thread of this process.
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", **CLUSTER
        ) as cluster,
        fanout.fan_out(cluster.scheduler_address, 1) as hand_out,
    ):
        assert list(hand_out(thread_and_process, [(1,), (2,)])) == [(False, os.getpid())] * 2


def test_a_lost_scheduler_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> Iterator[None]:
        yield None
        raise distributed.client.FutureCancelledError("key", "scheduler-connection-lost")

    monkeypatch.setattr(fanout, "_answers", lost)
    monkeypatch.setattr(fanout, "_dask_backend", lambda client: client)
    with pytest.raises(TrainingError, match="the connection to the Dask scheduler was lost"):
        list(fanout._cluster_answers(print, [], None))


def test_a_scheduler_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcinterp.runs.fanout.CONNECT_SECONDS", 0.5)
    sweep = load_sweep(write_grid(tmp_path / "grid.yaml", {"training.seed": [0]}))
    for address in ("tcp://127.0.0.1:9", "tls://127.0.0.1:9", "nowhere:99999", "[::1]:9"):
        with pytest.raises(TrainingError, match=re.escape(f"no Dask scheduler answers at {address}")):
            run_sweep(sweep, tmp_path / "out", scheduler=address)


@pytest.mark.parametrize(
    "words",
    ["nonsense://x:1", "²", " ", "/dev/null/x", "\udcff:1", "x\u202e:1", "9" * 5000, "tcp://", ":1", "a:¹", "--"],
)
def test_what_is_no_address_is_refused_at_once(words: str, tmp_path: Path) -> None:
    sweep = load_sweep(write_grid(tmp_path / "grid.yaml", {"training.seed": [0]}))
    with pytest.raises(UsageError, match="is no address of a Dask scheduler; they look like tcp://host:8786"):
        run_sweep(sweep, tmp_path / "out", scheduler=words)


def test_a_scheduler_without_workers_is_named(tmp_path: Path) -> None:
    sweep = load_sweep(write_grid(tmp_path / "grid.yaml", {"training.seed": [0]}))
    with (
        distributed.LocalCluster(n_workers=0, **CLUSTER) as empty,
        pytest.raises(TrainingError, match=r"has no worker: start some with `dask worker tcp://"),
    ):
        run_sweep(sweep, tmp_path / "out", scheduler=empty.scheduler_address)


def test_without_dask_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    sweep = load_sweep(write_grid(tmp_path / "grid.yaml", {"training.seed": [0]}))
    with pytest.raises(UsageError, match=r"needs the package distributed: pip install 'mcinterp\[cluster\]'"):
        run_sweep(sweep, tmp_path / "out", scheduler="tcp://127.0.0.1:9")
