"""`mcinterp reproduce --all`: every study that there is, on one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mcinterp import installed
from mcinterp.cli import study as command
from mcinterp.declared import Study
from mcinterp.errors import TrainingError
from mcinterp.results import Result
from mcinterp.study import Setting

Cli = Callable[..., tuple[int, str, str]]


def refusing(study: Study, setting: Setting) -> Result:
    raise TrainingError(f"{study.name} with {setting.preset} in {setting.out}")


def test_all_are_all_that_there_are_each_with_its_first_preset(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mcinterp.study.every.reproduce", refusing)
    code, out, err = cli("reproduce", "--all")
    assert code == 1
    stored = Result.load(Path("reports/all/data/overview")).table("studies")
    known = installed.studies()
    assert stored["study"].tolist() == list(known)
    assert set(known) >= set(installed.own_studies())
    assert stored["preset"].tolist() == [study.presets[0] for study in known.values()]
    assert out.splitlines()[-1] == "reports/all/index.html"
    for name, study in known.items():
        where = name if study.presets[0] in study.alone else study.presets[0]
        assert f"failed: {name} with {study.presets[0]} in reports/{where}" in out
        assert f"study {name}" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--all", "ghost-points"), "leave out the study"),
        (("--all", "--preset", "tiny"), "leave out --preset"),
        (("--all", "--run", "x"), "leave out --run"),
        ((), "name a study, take --all, or ask for them with --list"),
    ],
)
def test_all_takes_no_study_of_its_own(cli: Cli, words: tuple[str, ...], sentence: str) -> None:
    code, _, err = cli("reproduce", *words)
    assert code == 2
    assert sentence in err


def test_the_settings_are_those_of_each_study_alone() -> None:
    assert command._run_of(installed.study_named("matrix-completion"), "tiny") == Path("checkpoints/tiny")
    assert command._of_seeds(Path("checkpoints/tiny")) == Path("checkpoints/tiny-seeds")
