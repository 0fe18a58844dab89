"""Where an error came from is shown to who asks for it with `--debug`, and to nobody else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mcinterp.config.kinds import section_class
from mcinterp.installed import task_kinds
from mcinterp.task import make_task

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_mistake_is_one_sentence(cli: Cli) -> None:
    assert cli("report", "nowhere") == (1, "", "mcinterp: there is no run at nowhere\n")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_shows_where_it_came_from(cli: Cli, place: int) -> None:
    words = ["report", "nowhere"]
    words.insert(place, "--debug")
    code, out, err = cli(*words)
    assert (code, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):")
    assert "open_run" in err
    assert err.splitlines()[-1] == "mcinterp: there is no run at nowhere"


def test_debug_shows_what_a_sentence_stands_for(cli: Cli) -> None:
    code, _, err = cli("show-config", "--set", "task.rows=[", "--debug")
    assert code == 2
    assert "yaml" in err
    assert "During handling" in err or "direct cause" in err
    assert "yaml/" not in cli("show-config", "--set", "task.rows=[")[2]


def test_debug_changes_nothing_else(cli: Cli) -> None:
    assert cli("--debug", "presets") == cli("presets")
    assert "--debug" in cli("--help")[1]


def failing(error: BaseException) -> Callable[[], list[str]]:
    def fail() -> list[str]:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KeyError("x"), "a mistake of mcinterp itself, KeyError: 'x'; --debug shows where"),
        (RuntimeError("odd\nand more"), "a mistake of mcinterp itself, RuntimeError: odd; --debug shows where"),
        (MemoryError(), "there is not enough memory for this (no more is left)"),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you tried"), "there is not enough memory"),
        (OSError(28, "No space left on device", "a/file"), "a/file: No space left on device"),
    ],
)
def test_what_nobody_foresaw_is_a_sentence_too(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    monkeypatch.setattr("mcinterp.cli.listing.preset_files", failing(error))
    code, out, err = cli("presets")
    assert (code, out) == (1, "")
    assert err.startswith(f"mcinterp: {sentence}")
    assert len(err.splitlines()) == 1
    assert "Traceback" in cli("presets", "--debug")[2]


def test_memory_that_torch_cannot_have_is_recognised(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    monkeypatch.setattr("mcinterp.cli.listing.preset_files", failing(caught.value))
    assert cli("presets")[2].startswith("mcinterp: there is not enough memory for this (")


@pytest.mark.parametrize(
    "words", [["report", ""], ["train", "--run", ""], ["train", "--run="], ["show-config", "--set="]]
)
def test_an_empty_word_is_not_the_current_folder(cli: Cli, tmp_path: Path, words: list[str]) -> None:
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert "an empty word, as a variable leaves that is not set" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["", "two", "-1", "9" * 30])
def test_a_launchers_variable_that_is_no_number_is_no_launchers(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", value)
    monkeypatch.setenv("RANK", value)
    assert cli("report", "nowhere")[0] == 1


def test_names_that_are_told_at_once_are_those_that_there_are() -> None:
    from mcinterp.analysis.passes.ablation import METHODS
    from mcinterp.cli import names

    assert names.METHODS == METHODS


@pytest.mark.parametrize("kind", [name for name, kind in task_kinds().items() if kind.head_classes])
def test_declared_classes_of_heads_are_the_tasks_own(kind: str) -> None:
    task: Any = make_task(section_class("task", kind)())
    assert [name for names in task.head_classes().kinds.values() for name in names] == list(
        task_kinds()[kind].head_classes
    )


SLIPS = (
    "report nowhere",
    "report RUN --passes probe",
    "ablate RUN --method Zero",
    "ablate RUN --heads L9H0",
    "ablate RUN --out nowhere/x.csv",
    "compare RUN",
    "compare RUN RUN",
    "compare RUN nowhere@last",
    "reproduce ghost-point",
    "reproduce ghost-points --preset exakt",
    "show-config --preset tinny",
    "train --preset tinny",
    "train --preset tiny --set task.rank=9",
    "runs nowhere",
)


def test_a_slip_is_told_before_a_heavy_library_is_loaded(trained_folder: Path) -> None:
    """In a process of its own: in this one they are loaded."""
    code = f"""
import sys
from mcinterp.cli import main
for line in {SLIPS!r}:
    sys.argv = ["mcinterp", *line.replace("RUN", {str(trained_folder)!r}).split()]
    try:
        main()
    except SystemExit as stopped:
        loaded = [name for name in ("torch", "transformer_lens", "pandas") if name in sys.modules]
        print(stopped.code in (1, 2), loaded)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True []"] * len(SLIPS)
    assert len(done.stderr.splitlines()) == len(SLIPS)
