"""What a test run says last, of tests that were left out and of the browser that they want."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browsers import VARIABLE, browser
from left_out import told

TESTS = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.skip(reason="there is no moon")
def test_moon(number): pass

@pytest.mark.skip(reason="there is no sun")
def test_sun(): pass

def test_earth(): pass
"""


def last_line(here: Path, *words: str) -> str:
    line = [sys.executable, "-m", "pytest", "-q", "-p", "left_out", "-p", "no:cacheprovider", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(line, cwd=here, env=environment, capture_output=True, text=True, timeout=300)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_last_line_says_how_many_were_left_out_and_why(processes: str, tmp_path: Path) -> None:
    (tmp_path / "test_sky.py").write_text(TESTS)
    said = last_line(tmp_path, "-n", processes)
    assert said == "3 tests left out: 2, there is no moon; 1, there is no sun"
    assert last_line(tmp_path, "-n", processes, "-k", "earth") == "No test was left out."


def test_one_reason_is_told_without_counting_it_twice() -> None:
    assert told(["there is no moon"] * 2) == "2 tests left out: there is no moon"
    assert told(["there is no moon"]) == "1 test left out: there is no moon"


def test_a_browser_that_does_not_start_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "browser"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(broken))
    assert browser() is None
    broken.write_text("#!/bin/sh\n")
    assert browser() == broken
