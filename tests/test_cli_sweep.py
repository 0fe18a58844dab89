"""`mcinterp sweep` as a person meets it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from small_sweep import write_grid

from mcinterp.cli import main
from mcinterp.results import Result
from mcinterp.runs.lock import sole_writer

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mcinterp", "sweep", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_grid(tmp_path / "short.yaml", {"model.d_mlp": [16, 32], "training.seed": [0, 1]}, steps=30)
    return tmp_path


def test_it_trains_summarises_and_writes_a_page(cli: Cli, here: Path) -> None:
    code, out, err = cli("short.yaml", "--device", "cpu", "--report")
    assert code == 0
    runs, groups = out.split("\n\n")
    assert runs.split()[:4] == ["d_mlp", "seed", "state", "steps"]
    assert len(runs.splitlines()) == 2 + 4
    assert len(groups.splitlines()) == 2 + 2
    assert err.count("finished after") == 4
    assert "4 finished" in err
    assert "page written to reports/short/index.html" in err
    assert (here / "reports/short/index.html").is_file()
    folder = here / "checkpoints/short"
    assert (folder / "d_mlp=16,seed=1" / "step-00000030").is_dir()
    assert len(Result.load(folder / "summary").table("runs")) == 4

    code, again, err = cli("short.yaml", "--device", "cpu")
    assert (code, again) == (0, out)
    assert err.count("kept, it was finished") == 4
    code, summary, err = cli("short.yaml", "--summary")
    assert (code, summary, err) == (0, out, "")


@pytest.mark.parametrize(("table", "rows"), [("runs", 4), ("groups", 2)])
def test_it_prints_every_format(cli: Cli, here: Path, table: str, rows: int) -> None:
    assert cli("short.yaml", "--device", "cpu")[0] == 0
    words = ("short.yaml", "--summary", "--table", table, "--format")
    assert len(pd.read_csv(io.StringIO(cli(*words, "csv")[1]))) == rows
    assert len(json.loads(cli(*words, "json")[1])) == rows
    assert cli(*words, "latex")[1].startswith(r"\begin{tabular}")
    assert len(cli(*words, "markdown")[1].splitlines()) == 2 + rows
    assert len(cli(*words, "table")[1].splitlines()) == 2 + rows


def test_a_failed_run_gives_exit_code_1_and_the_summary_all_the_same(cli: Cli, here: Path) -> None:
    write_grid(here / "wild.yaml", {"training.learning_rate": [1e4, 1e-3]})
    code, out, err = cli("wild.yaml", "--device", "cpu", "--format", "csv")
    assert code == 1
    table = pd.read_csv(io.StringIO(out)).set_index("run")
    assert table.loc["learning_rate=10000", "state"].startswith("failed: the loss became")
    assert table.loc["learning_rate=0.001", "state"] == "finished"
    assert "learning_rate=10000: failed after" in err
    assert "1 failed, 1 finished" in err


def test_a_busy_run_gives_exit_code_1(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcinterp.runs.fanout.PAUSE_SECONDS", 0.0)
    busy = here / "checkpoints/short/d_mlp=16,seed=0"
    busy.mkdir(parents=True)
    with sole_writer(busy):
        code, _, err = cli("short.yaml", "--device", "cpu")
    assert code == 1
    assert "another process is training run d_mlp=16,seed=0" in " ".join(err.split())


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["none.yaml"], 2, "cannot read grid none.yaml"),
        (["wrong.yaml"], 2, "wrong.yaml, combination task.rank = 9: task: rank 9 exceeds"),
        (["short.yaml", "--device", "cudaa"], 2, "device 'cudaa'"),
        (["short.yaml", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:9"], 2, "--jobs counts processes"),
        (["short.yaml", "--summary"], 1, "there is no sweep at checkpoints/short"),
        (["short.yaml", "--out", "file/below"], 1, "a sweep cannot be written to file/below"),
        ([], 2, "GRID.yaml"),
    ],
)
def test_mistakes_get_one_sentence_before_anything_is_trained(
    cli: Cli, here: Path, words: list[str], code: int, sentence: str
) -> None:
    write_grid(here / "wrong.yaml", {"task.rank": [1, 9]})
    (here / "file").write_text("")
    got, out, err = cli(*words)
    assert (got, out) == (code, "")
    assert sentence in err
    assert "Traceback" not in err
    assert not list(here.glob("**/metrics.csv"))
