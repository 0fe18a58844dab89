"""`mcinterp compare` as a person meets it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from planted_runs import plant_run
from planted_sweep import planted_curve
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs import Run

Cli = Callable[..., tuple[int, str, str]]
FEW = ("--samples", "8", "--device", "cpu")


@pytest.fixture
def here(trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs of several kinds under checkpoints/."""
    runs = tmp_path / "checkpoints"
    runs.mkdir()
    shutil.copytree(trained_folder, runs / "short")
    plant_run(runs / "drop", planted_curve(200, 0.02, 0, 800), 1)
    plant_run(runs / "late", planted_curve(300, 0.02, 1, 800), 2)
    plant_run(runs / "wide", planted_curve(200, 0.02, 0, 400), 0, small_config(task={"cols": 6}))
    for name, config in {"gpt": small_gpt_config(), "switch": load_preset("delayed-switch")}.items():
        (runs / name).mkdir()
        (runs / name / "config.yaml").write_text(config.to_yaml())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_checkpoints_of_a_run(cli: Cli, here: Path) -> None:
    code, out, err = cli("compare", "short@last", "checkpoints/short@first", *FEW)
    assert (code, out) == (0, "reports/compare-short@40-short@0/index.html\n")
    assert "short@40 and short@0: checkpoints" in err
    page = Path(out.strip()).read_text()
    assert "short@40 and short@0" in page
    assert 'id="compared-runs"' not in page
    assert (Path(out.strip()).parent / "data" / "compared-checkpoints" / "matches.csv").is_file()
    assert (Path(out.strip()).parent / "assets" / "plotly.min.js").is_file()


def test_runs_are_compared_by_their_last_checkpoints_and_their_curves(cli: Cli, here: Path) -> None:
    code, out, _ = cli("compare", "drop", "late", "short@first", *FEW, "--single-file")
    assert (code, out) == (0, "reports/compare-drop-late-short@0/report.html\n")
    data = here / "reports" / "compare-drop-late-short@0" / "data"
    pairs = [Result.load(data / name).facts for name in ("compared-checkpoints", "compared-checkpoints-2")]
    assert [(one["a"]["label"], one["b"]["label"]) for one in pairs] == [
        ("drop@800", "late@800"),
        ("drop@800", "short@0"),
    ]
    assert Result.load(data / "compared-runs").facts["runs"] == ["drop", "late", "short"]
    assert (data.parent / "index.html").is_file()


def test_other_sizes_are_compared_as_far_as_they_can_be(cli: Cli, here: Path) -> None:
    code, out, _ = cli("compare", "drop", "wide", *FEW)
    assert code == 0
    page = Path(out.strip()).read_text()
    assert "The two cannot be given the same inputs: the task of drop@800 has cols 5, that of wide@400 cols 6" in page


def test_what_stands_is_kept(cli: Cli, here: Path) -> None:
    words = ("compare", "drop", "late", *FEW, "--out", "here")
    assert cli(*words)[:2] == (0, "here/index.html\n")
    before = (here / "here" / "index.html").read_bytes()
    code, _, err = cli(*words)
    assert code == 0
    assert "checkpoints kept" in err
    assert "training kept" in err
    assert (here / "here" / "index.html").read_bytes() == before
    assert "again: other samples" in cli("compare", "drop", "late", "--samples", "9", "--out", "here")[2]


def test_a_run_without_a_checkpoint_comparison_has_its_curves(cli: Cli, here: Path) -> None:
    config = load_preset("delayed-switch", ["training.steps=400"])
    for name, drop in (("one", 150), ("other", 200)):
        plant_run(here / "checkpoints" / name, planted_curve(drop, 0.02, drop, 400), 0, config)
    code, out, err = cli("compare", "one", "other")
    assert code == 0, err
    assert "left out: comparing checkpoints asks for heads and sample_scores and" in " ".join(err.split())
    data = Path(out.strip()).parent / "data"
    assert [path.name for path in data.iterdir()] == ["compared-runs"]
    code, out, err = cli("compare", "one", "other@last")
    assert (code, out) == (2, "")
    assert "comparing checkpoints asks for heads and sample_scores and" in err


def test_runs_of_the_same_name_are_told_apart(cli: Cli, here: Path) -> None:
    shutil.copytree(here / "checkpoints" / "short", here / "short")
    code, out, _ = cli("compare", "short", "checkpoints/short", *FEW)
    assert (code, out) == (0, "reports/compare-short-checkpoints-short/index.html\n")
    page = Path(out.strip()).read_text()
    assert "short@40 and checkpoints/short@40 have the same weights" in page


def test_a_folder_with_an_at_in_its_name_is_a_run(cli: Cli, here: Path) -> None:
    shutil.copytree(here / "checkpoints" / "short", here / "checkpoints" / "short@0")
    code, out, _ = cli("compare", "short@0", "short@0@0", *FEW)
    assert code == 0
    facts = Result.load(Path(out.strip()).parent / "data" / "compared-checkpoints").facts
    assert [facts[side]["step"] for side in "ab"] == [40, 0]
    assert facts["a"]["run"] == "short@0"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("", 2, "A B"),
        ("short", 2, "compare needs two runs or checkpoints at least, got 'short' alone"),
        ("short shrot", 1, "there is no run at shrot; did you mean checkpoints/short?"),
        ("short shrot@last", 1, "there is no run at shrot; did you mean checkpoints/short?"),
        ("short short", 2, "short is given twice; there is nothing to compare"),
        ("short checkpoints/short", 2, "short and checkpoints/short are the same checkpoint"),
        ("short short@40", 2, "short and short@40 are the same checkpoint"),
        ("short@last short@40", 2, "short@last and short@40 are the same checkpoint"),
        ("short@17 short", 1, "run short has no checkpoint at step 17; the nearest is"),
        ("short@newest short", 2, "'newest' is neither a step nor auto, all, first or last"),
        ("short@ short", 2, "'' is neither a step"),
        ("short@auto short", 2, "short@auto: 'auto' means the checkpoints 0, 40; name one of them"),
        ("short@first,last short", 2, "means the checkpoints 0, 40; name one of them"),
        ("short gpt", 2, "short is asked matrix-completion and gpt matrix-sequence: runs of two kinds of"),
        ("short switch", 2, "short is asked matrix-completion and switch delayed-switch: runs of two kinds"),
        ("gpt short@first", 2, "runs of two kinds of task"),
        ("short short@0 --samples 3", 2, "samples"),
        ("short short@0 --device cudaa", 2, "device 'cudaa'"),
        ("short short@0 --out checkpoints/short/config.yaml", 1, "cannot be written"),
    ],
)
def test_mistakes_get_one_sentence_and_their_code(cli: Cli, here: Path, words: str, code: int, sentence: str) -> None:
    got, out, err = cli("compare", *words.split())
    assert (got, out) == (code, ""), err
    assert sentence in " ".join(err.split())
    assert "Traceback" not in err
    assert not (here / "reports").exists()


def test_other_results_are_not_mixed_in(cli: Cli, here: Path) -> None:
    assert cli("compare", "drop", "late", *FEW, "--out", "here")[0] == 0
    got, out, err = cli("compare", "late", "drop", *FEW, "--out", "here")
    assert (got, out) == (2, "")
    assert "here holds the comparison of drop and late, not of late and drop; choose another folder" in err
    (here / "report" / "data" / "training").mkdir(parents=True)
    got, _, err = cli("compare", "late", "drop", *FEW, "--out", "report")
    assert got == 2
    assert "report holds the report of a run; a comparison needs a folder of its own" in err


def test_nothing_is_written_into_the_runs(cli: Cli, here: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (here / "checkpoints").rglob("*")}
    assert cli("compare", "short", "drop", *FEW)[0] == 0
    assert before == {path: path.stat().st_mtime_ns for path in (here / "checkpoints").rglob("*")}
    assert Run(here / "checkpoints" / "short").steps
