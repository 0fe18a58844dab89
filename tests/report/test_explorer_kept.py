"""The explorer beside a report: made with it, kept while nothing changes, and no reason for a report to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from forged import Forge
from small_gpt import small_gpt_config

import mcinterp.studies.matrix_completion.explorer.explorable as gathering
from mcinterp.declared import Explorer
from mcinterp.installed import own_studies
from mcinterp.report import keep_explorer, write_report
from mcinterp.runs import Run

Cli = Callable[..., tuple[int, str, str]]
PAGE = "explore.html"


@pytest.fixture
def run(trained_folder: Path) -> Run:
    return Run(trained_folder)


def test_it_is_made_once(run: Run, tmp_path: Path) -> None:
    assert keep_explorer(run, tmp_path) == ""
    text, made = (tmp_path / PAGE).read_text(), (tmp_path / PAGE).stat().st_mtime_ns
    assert keep_explorer(run, tmp_path) == ""
    assert (tmp_path / PAGE).stat().st_mtime_ns == made
    # One that was damaged or replaced is not what was made.
    (tmp_path / PAGE).write_text(text[:1000])
    assert keep_explorer(run, tmp_path) == ""
    assert (tmp_path / PAGE).read_text() == text


def test_it_is_made_again_where_its_record_is_of_something_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_explorer(run, tmp_path)
    made = (tmp_path / PAGE).stat().st_mtime_ns
    monkeypatch.setattr(Run, "fingerprint", lambda self: "of another training")
    keep_explorer(run, tmp_path)
    assert (tmp_path / PAGE).stat().st_mtime_ns != made


def test_a_model_that_is_too_large_is_told_and_costs_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MAX_BYTES", 1000)
    assert "a page holds at most" in keep_explorer(run, tmp_path)
    assert list(tmp_path.iterdir()) == []


def failing(run: Run, steps: object) -> None:
    raise KeyError("a mistake")


def test_nor_does_a_mistake_of_a_study(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = own_studies()["matrix-completion"]
    broken = replace(own, explorer=Explorer((), f"{__name__}:failing", f"{__name__}:failing"))
    monkeypatch.setattr("mcinterp.report.explorer.study_of", lambda kind: broken)
    assert keep_explorer(run, tmp_path) == "KeyError: 'a mistake'"


def test_a_run_that_can_have_none_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "gpt").mkdir()
    (tmp_path / "gpt" / "config.yaml").write_text(small_gpt_config().to_yaml())
    assert keep_explorer(Run(tmp_path / "gpt"), tmp_path / "out") == ""
    assert not (tmp_path / "out").exists()


def test_pages_lead_to_it(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,), n_heads=1).write(tmp_path)
    index = write_report(folder)
    pages = [index, folder / "step-00001000.html", folder / "head-L0H0.html"]
    assert not any(PAGE in page.read_text() for page in pages)
    (folder / PAGE).write_text("the explorer")
    write_report(folder)
    places = ("", "#step=1000", "#step=1000&amp;head=L0H0")
    for page, place in zip(pages, places, strict=True):
        assert f'<a href="{PAGE}{place}">' in page.read_text()
    assert index.read_text().partition("<h1>")[2].partition('<a href="')[2].startswith(PAGE)
    # What a model wrote stays where pages are written without it.
    assert (folder / PAGE).read_text() == "the explorer"


def test_the_command_makes_it_with_the_report(
    cli: Cli, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("report", str(trained_folder), "--steps", "last", "--passes", "tokens", "--samples", "8")
    out = tmp_path / "out"
    code, said, _ = cli(*words, "--out", str(out))
    assert (code, said) == (0, f"{out / 'index.html'}\n")
    assert f'href="{PAGE}"' in (out / "index.html").read_text()
    assert (out / PAGE).is_file()
    monkeypatch.setattr(gathering, "MAX_BYTES", 1000)
    (out / PAGE).unlink()
    code, said, err = cli(*words, "--out", str(out))
    assert (code, said) == (0, f"{out / 'index.html'}\n")
    assert "explorer left out: the weights of" in " ".join(err.split())
