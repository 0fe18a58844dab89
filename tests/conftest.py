"""Fixtures of every test: one thread, a small configuration, and a short run trained once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from left_out import pytest_unconfigure
from small_run import small_config

from mcinterp import installed
from mcinterp.cli import main
from mcinterp.config import RunConfig
from mcinterp.declared import Study
from mcinterp.runs import Run, train

__all__ = ["pytest_unconfigure"]
# A busy machine is no failure, and a run on one commit gives the same answer as the next.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Fixtures that a test marked no_cover is the first to need are not measured either."""
    measured = item.config.pluginmanager.get_plugin("_cov")
    if not (measured and measured.cov_controller and item.get_closest_marker("no_cover")):
        return (yield)
    measured.cov_controller.pause()
    try:
        return (yield)
    finally:
        measured.cov_controller.resume()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out tests whose second family of models went with its study."""
    for item in items:
        for mark in item.iter_markers("needs_study"):
            if mark.args[0] not in installed.studies():
                item.add_marker(pytest.mark.skip(reason=f"study {mark.args[0]} is not there"))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def config() -> RunConfig:
    return small_config()


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of `small_config()`; to be read only."""
    folder = tmp_path_factory.mktemp("runs") / "short"
    train(folder, small_config(), device="cpu")
    return folder


@pytest.fixture
def trained(trained_folder: Path) -> Run:
    return Run(trained_folder)


@pytest.fixture
def own_copy(trained_folder: Path, tmp_path: Path) -> Path:
    """The same run in a folder that a test may change."""
    return Path(shutil.copytree(trained_folder, tmp_path / "copy"))


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[[Study], None]:
    """Have one more study, as if another package had brought it; the last one declared stands."""
    there = dict(installed.studies())

    def declared(study: Study) -> None:
        monkeypatch.setattr(installed, "_found", lambda: ({**there, study.name: study}, {}))

    return declared


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run a command; returns exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mcinterp", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run
