"""The study as a whole: a small network trained and measured through `reproduce`, its pages, and their sentences."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mcinterp.cli import main
from mcinterp.config import load_preset
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.forking_tokens import generated, study, views
from mcinterp.study import Setting, find_study, reproduce

SMALL = ("task.layers=4", "task.width=4", "task.p=0.4", "training.steps=250", "training.learning_rate=0.005")


def setting(folder: Path, said: list[str]) -> Setting:
    return Setting(
        "forking-walks", folder / "run", folder / "out", 1, None, "cpu", said.append, lambda _, __: nullcontext(None)
    )


def shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller graph, and fewer texts and samples."""
    monkeypatch.setattr(study, "load_preset", lambda name: load_preset(name, SMALL))
    monkeypatch.setattr(study, "PATHS", 3)
    monkeypatch.setattr(generated, "PLACES", 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        shrunk(monkeypatch)
        path = tmp_path_factory.mktemp("forking")
        reproduce(find_study("forking-tokens"), setting(path, []))
        write_report(path / "out")
    return path


def stored(folder: Path, name: str) -> Result:
    return Result.load(folder / "out" / "data" / "study" / name)


def test_a_trained_network_has_the_graphs_forks(folder: Path) -> None:
    assert Run(folder / "run").finished
    row = stored(folder, "forks").table("forks").query("effect == 0.2").iloc[0]
    assert row["precision"] > 0.8
    assert row["recall"] > 0.8
    claims = stored(folder, "claims").table("claims").set_index("claim")["verdict"]
    assert claims["other tokens do not matter"] != "does not hold"
    assert claims["uncertainty is not forking"] != "undecided"


def test_what_stands_is_not_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk(monkeypatch)
    monkeypatch.setattr(study, "laws", lambda *_: pytest.fail("measured again"))
    before = stored(folder, "claims").table("findings")
    again = reproduce(find_study("forking-tokens"), setting(folder, []))
    pd.testing.assert_frame_equal(
        again.table("findings").fillna({"control": "", "control_text": ""}),
        before.fillna({"control": "", "control_text": ""}),
    )


def test_the_page_shows_laws_trees_callers_and_noise(folder: Path) -> None:
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for anchor in ("laws", "forks", "sampled", "generated"):
        assert f'id="{anchor}"' in page
        assert f'href="#{anchor}"' in page
    assert page.count('"stackgroup":"law"') >= 6
    assert '"type":"sankey"' in page
    assert "∝ 1/√samples" in page
    assert ">nan<" not in page.lower()


def test_sentences_hold_where_nothing_is_found(folder: Path) -> None:
    found = stored(folder, "forks")
    none = changed(found, "forks", forks=0, precision=float("nan"), recall=float("nan"))
    assert len(views._fork_sentences(none)) == 1
    assert views._entropy_sentence(changed(found, "entropy", calls=0)) == "No token is uncertain."
    for value, word in ((0.2, "Fewer than half"), (0.8, "Most")):
        ends = {"precision": value, "precision_low": value - 0.1, "precision_high": value + 0.1}
        assert views._entropy_sentence(changed(found, "entropy", calls=9, **ends)).startswith(word)
    open_ends = {"precision": 0.5, "precision_low": 0.3, "precision_high": 0.6}
    assert views._entropy_sentence(changed(found, "entropy", calls=9, **open_ends)).startswith("About half")


def test_sentences_of_samples_say_what_their_intervals_do(folder: Path) -> None:
    found = stored(folder, "sampled")
    for low, high, word in ((1.2, 1.8, "more than"), (0.5, 0.8, "less than"), (0.9, 1.2, "about as much as")):
        ends = {"inflation": (low + high) / 2, "inflation_low": low, "inflation_high": high}
        assert f"{word} there is" in views._noise(changed(found, "hazard", **ends))
    row = found.table("callers").iloc[0].copy()
    row["calls"] = 0
    assert views._caller_sentence(row) == "With 10 samples there are no steps of the weighted estimates."


def test_sections_are_shown_without_the_exact_laws_beside_them(folder: Path) -> None:
    assert len(views.forks(stored(folder, "forks"), {}).figures) == 0
    assert len(views.sampled(stored(folder, "sampled"), {}).figures) == 2


def changed(result: Result, table: str, **values: object) -> Result:
    """The result with other values in all rows of a table."""
    own = result.tables[table]
    return replace(result, tables={**result.tables, table: Table(own.frame.assign(**values), own.columns)})


def test_the_command_carries_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shrunk(monkeypatch)
    monkeypatch.setattr(
        study, "load_preset", lambda name: load_preset(name, (*SMALL, "training.steps=60", "task.layers=3"))
    )
    words = ["reproduce", "forking-tokens", "--run", str(tmp_path / "run"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["mcinterp", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("laws are exact")
    assert lines[-1] == str(tmp_path / "out" / "paper.html")
