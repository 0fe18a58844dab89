"""Lists that the command line prints, at the width of a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mcinterp.cli.tables import listed, text_width
from mcinterp.installed import preset_files

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=[80, 120])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def test_every_command_has_its_whole_sentence_under_a_heading(cli: Cli, columns: int) -> None:
    said = cli("--help")[1]
    assert max(map(len, said.splitlines())) <= columns
    assert "..." not in said.partition("begin with")[2]
    assert "and write its report." in " ".join(said.split())
    headings = [line for line in said.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[1:] == ["To begin with:", "Train:", "Take apart:", "Look:", "List:"]
    indents = {len(line) - len(line.lstrip()) for line in said.partition("begin with")[2].splitlines() if line}
    assert len(indents) == 3  # headings, commands, and where sentences go on


def test_every_preset_says_what_it_is_in_whole_sentences(cli: Cli, columns: int) -> None:
    said = cli("presets")[1].splitlines()
    assert max(map(len, said)) <= columns
    starts = [line for line in said if not line.startswith(" ")]
    assert [line.split()[0] for line in starts] == sorted(preset_files())
    ends = [line for line, following in zip(said, [*said[1:], "x"], strict=True) if not following.startswith(" ")]
    assert all(line.endswith(".") for line in ends)
    assert {line.index(line.split()[1], len(line.split()[0])) for line in starts} == {18}


def test_a_long_name_leaves_room_for_what_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert text_width() == 30
    said = listed({"a" * 40: "one two three four five six"})
    assert said.splitlines() == ["a" * 40 + "  one two three four", " " * 42 + "five six"]
    assert listed({}) == ""


def test_runs_are_rows_whose_sentences_stay_in_their_column(cli: Cli, columns: int, own_copy: Path) -> None:
    shutil.copytree(own_copy, own_copy.parent / "runs" / "a")
    shutil.copytree(own_copy, own_copy.parent / "runs" / "b")
    (own_copy.parent / "runs" / "b" / "metrics.csv").unlink()
    said = cli("runs", str(own_copy.parent / "runs"))[1].splitlines()
    assert said[0].split() == ["run", "steps", "checkpoints", "drop,", "by", "step", "confidence"]
    rows = [line.split() for line in said if line.startswith("/")]
    assert [(row[0].rpartition("/")[2], row[1]) for row in rows] == [("a", "40/40"), ("b", "unreadable:")]
    whole = " ".join(" ".join(said).split())
    assert whole.count("metrics.csv") == 1
    assert "cannot be read: No such file" in whole


def test_a_report_that_is_not_there_is_told_without_an_empty_list(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = "mcinterp: reports/nope holds no report; write one with mcinterp report RUN\n"
    assert cli("view", "nope") == (1, "", said)
