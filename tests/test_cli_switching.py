"""`mcinterp switch` and `mcinterp retrain` as a person meets them."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import forged_tokens
import pandas as pd
import pytest
from listings import entries
from small_run import interrupt_at

from mcinterp.analysis import switch
from mcinterp.cli.analysis import _switches
from mcinterp.report.scores import Scores
from mcinterp.runs import Run
from mcinterp.runs.retrain import COMPONENTS

Cli = Callable[..., tuple[int, str, str]]


SWITCH = ("--from", "first", "--to", "last", "--samples", "8", "--device", "cpu", "--component", "mlp:1+read-out")


@pytest.mark.parametrize("format", ["csv", "json", "latex", "markdown", "table"])
def test_switch_writes_every_format(cli: Cli, trained_folder: Path, format: str) -> None:
    code, out, _ = cli("switch", str(trained_folder), *SWITCH, "--format", format)
    assert code == 0
    run = Run(trained_folder)
    expected = switch(run.checkpoint("first"), run.checkpoint("last"), "mlp:1+read-out", 8).table("switching")
    if format == "csv":
        assert pd.read_csv(io.StringIO(out)).to_csv() == expected.to_csv()
    elif format == "json":
        assert [row["component"] for row in json.loads(out)] == expected["component"].tolist()
    else:
        assert out.startswith({"latex": r"\begin{tabular}", "markdown": "|", "table": "direction"}[format])
        assert "mlp:1+read-out" in out


def test_the_readable_table_has_a_line_a_component(cli: Cli, trained_folder: Path) -> None:
    _, out, _ = cli("switch", str(trained_folder), *SWITCH, "--component", "tokens")
    lines = out.splitlines()
    heads = ["direction", "component", "L", "L_obs", "L_mask", "L_mask change [95 %]", "moved to donor"]
    assert re.split(r"\s{2,}", lines[0].strip()) == heads
    assert [line.split()[5] for line in lines[2:]] == ["mlp:1+read-out", "tokens", "none", "everything"]
    assert "step 0 → step 40" in lines[2]
    assert "+0.0000 [+0.0000, +0.0000]" in lines[4]
    assert "nan" not in out


def test_scores_of_other_tasks_head_their_columns() -> None:
    result = forged_tokens.switching()
    text = _switches(result.table("pre_post"), Scores.of(result))
    heads = ["direction", "component", "cross-entropy", "cross-entropy change [95 %]", "moved to donor"]
    assert re.split(r"\s{2,}", text.splitlines()[0].strip()) == heads


def test_switch_takes_another_run_and_a_file(cli: Cli, trained_folder: Path, own_copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    words = ("--donor-run", str(own_copy), "--format", "csv", "--out", str(out))
    assert cli("switch", str(trained_folder), *SWITCH, *words)[:2] == (0, "")
    table = pd.read_csv(out)
    assert (table["donor"] == "copy").all()
    assert (table["recipient"] == "short").all()


def test_retrain_trains_lists_and_continues(cli: Cli, own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = cli("retrain", str(own_copy), "--set", "training.batch_size=4", "--device", "cpu")
    folders = [own_copy / "retrained" / f"{name}-seed1" for name in COMPONENTS]
    assert (code, out.splitlines()) == (0, [str(folder) for folder in folders])
    assert "step 14/14" in err
    assert all(Run(folder).config.training.batch_size == 4 for folder in folders)
    listed = entries(cli("runs", str(own_copy / "retrained"))[1])[2:]  # after the heads and the line beneath them
    assert [line.split()[:2] for line in listed] == [[str(folder), "14/14"] for folder in sorted(folders)]
    before = (folders[0] / "metrics.csv").read_bytes()
    words = ("--component", "attention", "--set", "training.batch_size=4", "--device", "cpu")
    assert cli("retrain", str(own_copy), *words)[:2] == (0, f"{folders[0]}\n")
    assert (folders[0] / "metrics.csv").read_bytes() == before


def test_components_are_trained_at_the_same_time(cli: Cli, own_copy: Path, tmp_path: Path) -> None:
    words = ["--component", "mlp", "--component", "positions", "--device", "cpu"]
    alone = shutil.copytree(own_copy, tmp_path / "alone" / own_copy.name)
    code, out, _ = cli("retrain", str(alone), *words)
    assert (code, [Path(line).name for line in out.split()]) == (0, ["mlp-seed1", "positions-seed1"])
    code, out, err = cli("retrain", str(own_copy), *words, "--jobs", "2")
    folders = [own_copy / "retrained" / name for name in ("mlp-seed1", "positions-seed1")]
    assert (code, out.split()) == (0, [str(folder) for folder in folders])
    assert "positions-seed1: finished after" in err
    for folder in folders:
        weights = (folder / "step-00000014" / "model.safetensors").read_bytes()
        assert weights == (alone / "retrained" / folder.name / "step-00000014" / "model.safetensors").read_bytes()
    assert "mlp-seed1: kept" in cli("retrain", str(own_copy), *words, "--jobs", "2")[2]
    assert cli("retrain", str(own_copy), *words, "--jobs", "2", "--steps", "5")[0] == 2


def test_a_stopped_retraining_ends_the_command(cli: Cli, own_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcinterp.runs import retrain

    def stopped(*arguments: object) -> Run:
        return retrain(*arguments[:-1], interrupt_at(3))  # type: ignore[arg-type]

    monkeypatch.setattr("mcinterp.runs.retrain", stopped)
    code, out, err = cli("retrain", str(own_copy), "--component", "mlp", "--component", "tokens", "--device", "cpu")
    assert (code, out) == (1, "")
    assert "stopped at step 4; the same command goes on from there" in err
    assert not (own_copy / "retrained" / "tokens-seed1").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["switch", "RUN", "--from", "auto"], 2, "--from 'auto' means the checkpoints 0, 40; name one of them"),
        (["switch", "RUN", "--from", "17"], 1, "the nearest is"),
        (["switch", "RUN", "--from", "newest"], 2, "'newest' is neither"),
        (["switch", "RUN", "--from", "first", "--component", "atention"], 2, "did you mean 'attention'"),
        (["switch", "RUN", "--from", "first", "--component", "mlp:5"], 2, "layers are mlp:0 … mlp:1"),
        (["switch", "RUN", "--from", "first", "--donor-run", "nowhere"], 1, "there is no run at nowhere"),
        (["switch", "RUN", "--from", "first", "--donor-run", "OTHER"], 2, "models of different shapes"),
        (["switch", "RUN", "--from", "first", "--format", "xml"], 2, "xml"),
        (["switch", "RUN"], 2, "--from"),
        (["retrain", "RUN", "--component", "postions"], 2, "did you mean 'positions'"),
        (["retrain", "RUN", "--component", "mlp", "--component", "none"], 2, "no parameters to train"),
        (["retrain", "RUN", "--set", "task.rank=2"], 2, "set fields of training only"),
        (["retrain", "RUN", "--set", "training.warmup_steps=50"], 2, "warmup_steps 50 exceeds steps 14"),
        (["retrain", "RUN", "--steps", "0"], 2, "steps"),
        (["retrain", "nowhere"], 1, "there is no run at nowhere"),
        (["retrain"], 2, "RUN"),
    ],
)
def test_mistakes_get_one_sentence_and_their_code(
    cli: Cli, own_copy: Path, tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    if "OTHER" in words:
        from small_run import small_config

        from mcinterp.runs import train

        train(tmp_path / "wide", small_config(model={"d_mlp": 64}, training={"steps": 2, "checkpoints": 2}), "cpu")
    names = {"RUN": str(own_copy), "OTHER": str(tmp_path / "wide")}
    got, out, err = cli(*(names.get(word, word) for word in words))
    assert (got, out) == (code, "")
    assert sentence in err
    assert "Traceback" not in err
    assert not (own_copy / "retrained").exists()
