"""What a person sees while something is at work."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from mcinterp.cli import progress
from mcinterp.runs.sweep import Outcome
from mcinterp.training import StepRecord


@pytest.fixture(autouse=True)
def own_console(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(progress, "SILENCE_SECONDS", 0.5)
    progress._console.cache_clear()
    yield
    progress._console.cache_clear()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rich takes for one."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")


def test_it_is_said_which_time_has_elapsed_and_which_is_left(
    terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.training_progress(40) as update:
        for step in range(1, 21):
            update(StepRecord(step, 0.1, {"mse": 0.1}, 1e-3))
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert re.search(r"20/40 .* 0:00:00 elapsed, [-0-9:]+ left", said)


def test_between_two_lines_it_says_that_it_is_at_work(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.analysis_progress() as tell:
        time.sleep(1.3)
        tell("1/1 done")
    assert re.fullmatch(r"still at work, 1 s after the start\n1/1 done\n", capsys.readouterr().err)


def test_runs_at_the_same_time_are_not_silent_either(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.sweep_progress(1) as tell:
        time.sleep(1.3)
        tell(Outcome("one", "kept"))
    assert capsys.readouterr().err.startswith("still at work")


def test_in_a_terminal_a_bar_counts_the_time(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.analysis_progress() as tell:
        tell("1/1 done")
        time.sleep(0.3)
    said = capsys.readouterr().err
    assert "1/1 done" in said
    assert "at work" in said
    assert "still" not in said
