"""The study as a whole: short trainings and measures through `reproduce`, its page, and its sentences."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from judging import TRUTHS, contradictions, forged

from mcinterp.cli import main
from mcinterp.config import load_preset
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.adam_dynamics import explosions, flow, grid, invariant, study, tokens, trained
from mcinterp.studies.adam_dynamics.views import layers, updates
from mcinterp.study import Setting, find_study, reproduce

NAMES = ("bounds", "flow", "explosions", "tokens", "invariant", "stages", "trained")
SHORT = ("training.steps=30", "training.seed=3", "task.networks=3")
WORDS = {"to_adam": ("higher than", "lower than"), "small": ("higher than", "lower than")}
PLAIN = (r"How fast v of the largest entry falls", r"the least rate of all")


def setting(folder: Path, said: list[str]) -> Setting:
    return Setting(
        "tanh-teacher", folder / "run", folder / "out", 1, None, "cpu", said.append, lambda _, __: nullcontext(None)
    )


def shrunk(patch: pytest.MonkeyPatch) -> None:
    """Fewer updates, seeds, conditions and runs."""
    patch.setattr(study, "load_preset", lambda name: load_preset(name, SHORT))
    patch.setattr(grid, "UPDATES", 60)
    patch.setattr(grid, "LAST", 20)
    patch.setattr(explosions, "UPDATES", 60)
    patch.setattr(explosions, "SEEDS", 2)
    patch.setattr(explosions, "CONDITIONS", (explosions.REFERENCE, explosions.LEVEL))
    patch.setattr(flow, "RATES", (0.001, 0.01))
    patch.setattr(flow, "WAY", 0.2)
    patch.setattr(tokens, "UPDATES", 50)
    patch.setattr(tokens, "SEEDS", 2)
    patch.setattr(invariant, "UPDATES", 40)
    patch.setattr(invariant, "LAST", 10)
    patch.setattr(trained, "RATES", (0.0003, 0.01))
    patch.setattr(trained, "COMPARED", {"plain": ("Adam", "2-Adam"), "normalised": ("Adam",)})
    patch.setattr(trained, "POINTS", 200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        shrunk(patch)
        path = tmp_path_factory.mktemp("adam")
        reproduce(find_study("adam-dynamics"), setting(path, []))
        write_report(path / "out")
    return path


@pytest.fixture
def results(folder: Path) -> dict[str, Result]:
    return {name: Result.load(folder / "out" / "data" / "study" / name) for name in NAMES}


def changed(result: Result, table: str, **values: Any) -> Result:
    """The result with other values in all rows of a table."""
    own = result.tables[table]
    return replace(result, tables={**result.tables, table: Table(own.frame.assign(**values), own.columns)})


def test_what_is_exact_holds_of_short_trainings_too(folder: Path) -> None:
    found = Result.load(folder / "out" / "data" / "study" / "claims").table("claims").set_index("claim")["verdict"]
    assert len(found) == 10
    assert found["k-Adam in stages"] == "holds"
    # That none of 112 networks explodes leaves open whether one of 50 does.
    assert found["bounded inside"] == "undecided"


def test_measures_take_the_seed_of_the_run(results: dict[str, Result]) -> None:
    for name, table in (("bounds", "pairs"), ("tokens", "settings"), ("invariant", "settings"), ("trained", "best")):
        assert set(results[name].table(table)["seed"]) == {3}, name
    assert set(results["explosions"].table("networks")["seed"]) == {3, 4}


def test_runs_are_trained_with_what_they_are_called(folder: Path, results: dict[str, Result]) -> None:
    two, adam = (
        Run(folder / "run" / "variants" / name).config for name in ("plain-2-adam-0.01", "normalised-adam-0.01")
    )
    assert two.training.optimiser == "k-adam"
    assert two.training.setting("stages") == ((0.9, 0.999), (0.0, 0.999))
    assert (two.training.learning_rate, two.model.normalised) == (0.01, False)
    assert (adam.training.optimiser, adam.model.normalised) == ("adam", True)
    check = results["trained"].table("check").iloc[0]
    assert abs(check["difference"]) < 1e-4


def test_the_next_update_is_the_one_that_training_would_make(folder: Path) -> None:
    short = Run(folder / "run" / "variants" / "plain-2-adam-0.01")
    found = trained.next_update(short)
    assert found.shape == (3,)
    assert ((found > 0.05) & (found < 2)).all()
    assert np.array_equal(found, trained.next_update(short))
    adam = trained.next_update(Run(folder / "run" / "variants" / "plain-adam-0.01"))
    assert (found > adam).all()


def test_what_stands_is_not_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk(monkeypatch)
    for module in (grid, flow, invariant):
        for name in ("train", "adam_path", "_course"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *_: pytest.fail("measured again"))
    said: list[str] = []
    before = Result.load(folder / "out" / "data" / "study" / "claims").table("findings")
    again = reproduce(find_study("adam-dynamics"), setting(folder, said))
    assert said[0] == "7 variants: 0 trained, 7 kept"
    pd.testing.assert_frame_equal(
        again.table("findings").fillna({"control": "", "control_text": ""}),
        before.fillna({"control": "", "control_text": ""}),
    )


def test_the_page_shows_every_measure(folder: Path) -> None:
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for anchor in NAMES:
        assert f'id="{anchor}"' in page
        assert f'href="#{anchor}"' in page
    assert '"name":"the rare token comes"' in page
    assert page.count('"type":"heatmap"') == 3
    assert ">nan<" not in page.lower()


@pytest.mark.parametrize("truth", TRUTHS)
def test_a_loss_is_told_from_adams_as_its_interval_does(results: dict[str, Result], truth: str) -> None:
    result = forged(results["trained"], truth, "to_adam", "small")
    wrong, n_words = contradictions(lambda: layers.trained(result, {}).sentences, WORDS, PLAIN)
    assert wrong == []
    assert n_words == 2


def test_no_other_sentence_decides_by_itself(results: dict[str, Result]) -> None:
    shown = {"bounds": updates.bounds, "flow": updates.flow, "explosions": updates.explosions, "tokens": updates.tokens}
    shown |= {"invariant": layers.invariant, "stages": layers.stages}
    for name, view in shown.items():
        wrong, _ = contradictions(lambda view=view, name=name: view(results[name], results).sentences, {}, PLAIN)  # type: ignore[misc]
        assert wrong == [], name


def test_sentences_of_bounds_follow_the_numbers(results: dict[str, Result]) -> None:
    result = results["bounds"]
    assert "none of 43 other streams passes it" in updates.bounds(result, {}).sentences[0]
    passed = changed(result, "pairs", largest=1.2)
    assert "another stream reaches 1.20 times it" in updates.bounds(passed, {}).sentences[0]
    assert "says otherwise of (0.5, 0.3)" in updates.bounds(result, {}).sentences[1]
    agreed = changed(result, "pairs", stability=1 - result.table("pairs")["ratio"])
    assert "says the same of all of them" in updates.bounds(agreed, {}).sentences[1]
    line = result.tables["line"]
    empty = replace(result, tables={**result.tables, "line": Table(line.frame.iloc[:0], line.columns)})
    assert updates.bounds(empty, {}).sentences[2] == "No pair on the line through the usual decays is outside."


def test_where_nothing_explodes_the_page_says_no_more(results: dict[str, Result]) -> None:
    nan = {"slope": np.nan, "fastest": np.nan, "forgetting": np.nan, "outside_exploded": 0, "exploded": 0.0}
    result = changed(results["explosions"], "conditions", **nan, inside_exploded=0)
    result = changed(result, "networks", exploded=False)
    section = updates.explosions(result, results)
    assert len(section.sentences) == 2
    assert len(section.figures) == 2
    assert "the updates of none of 112 networks explode" in section.sentences[0]
    some = changed(results["explosions"], "conditions", outside_exploded=7, slope=0.5, inside_exploded=56)
    some = changed(some, "networks", exploded=True)
    section = updates.explosions(some, results)
    assert "the updates of all 112 networks explode" in section.sentences[0]
    assert any("grow at 0.5" in sentence for sentence in section.sentences)
    assert len(section.figures) == 3
    assert len(updates.explosions(some, {}).figures) == 2


def test_tokens_that_are_never_absent_are_told_without_absences(results: dict[str, Result]) -> None:
    assert "long absences of a token" in updates.tokens(results["tokens"], {}).sentences[1]
    never = changed(results["tokens"], "settings", absences=0)
    assert len(updates.tokens(never, {}).sentences) == 2


def test_one_stage_that_is_not_torchs_is_told_so(results: dict[str, Result]) -> None:
    assert "are torch's but for rounding" in layers.stages(results["stages"], {}).sentences[0]
    other = changed(results["stages"], "one", difference=0.1)
    assert "are not torch's" in layers.stages(other, {}).sentences[0]


def test_the_command_trains_and_reports_the_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["train", "--preset", "tanh-teacher", "--run", str(run), *(f"--set={each}" for each in SHORT)]
    monkeypatch.setattr(sys, "argv", ["mcinterp", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out.strip() == str(run)
    assert "loss" in Run(run).metrics
