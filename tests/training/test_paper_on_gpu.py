"""The whole paper on a GPU, at its toy size on a CPU: every stage, what is packed of it, and what fails."""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from mcinterp.runs import Run

FOLDER = Path(__file__).parents[2] / "benchmarks"
Load = Any


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All stages but the speeds, which another test measures, each done in this process."""
    with pytest.MonkeyPatch.context() as patches:
        patches.syspath_prepend(str(FOLDER))
        stages, folder = importlib.import_module("on_gpu.stages"), tmp_path_factory.mktemp("gpu")
        for name in ("checks", "paper", "passes", "wide", "wide-float32"):
            stages.alone(name, "toy", folder / name)
    return folder


@pytest.mark.no_cover
def test_checks_measure_every_pair_and_bits(work: Path) -> None:
    found = pd.read_csv(work / "checks" / "checks.csv").set_index("what")
    assert len(found) == 10
    assert found["holds"].all()
    assert (found["apart"] <= found["bound"]).all()
    assert found.loc["answers, bf16 and float32", "apart"] > found.loc["answers, fused and hooked", "apart"] > 0
    exact = found[found.index.str.startswith("losses")]
    assert exact["apart"].tolist() == exact["bound"].tolist() == [0.0] * 4
    assert "stopped after step 7 and" in exact.index[0]


@pytest.mark.no_cover
def test_trainings_end_and_say_where(work: Path) -> None:
    rows = {name: pd.read_csv(work / name / "training.csv").iloc[0] for name in ("paper", "wide", "wide-float32")}
    assert [(row["steps"], row["precision"]) for row in rows.values()] == [(60, "bf16"), (40, "bf16"), (40, "float32")]
    run = Run(work / "paper" / "run")
    assert rows["paper"]["at the end"] == pytest.approx(run.metrics["masked_mse"].mean())
    assert rows["paper"]["at the end_low"] < rows["paper"]["at the end"] < rows["paper"]["at the end_high"]
    kept = Run(work / "wide" / "excerpt")
    assert len(kept.steps) == 4
    assert kept.checkpoint("last").digest == Run(work / "wide" / "run").checkpoint("last").digest


@pytest.mark.no_cover
def test_every_stage_comes_back_from_its_archives(work: Path, tmp_path: Path, load: Load) -> None:
    packing, scale = load("on_gpu.packing"), load("on_gpu.scale")
    assert sum(stage.archives for stage in scale.STAGES.values()) == 8
    archives = []
    for name in ("checks", "paper", "passes", "wide"):
        packed, left = packing.pack(work / name, tmp_path / "out", scale.STAGES[name].archives)
        assert left == []
        archives += packed
    folders = packing.unpack(archives, tmp_path / "back")
    assert [folder.name for folder in folders] == ["checks", "paper", "passes", "wide"]
    assert Run(tmp_path / "back" / "wide" / "excerpt").checkpoint("last").model is not None
    assert not list((tmp_path / "back" / "paper").rglob("*.safetensors"))
    steps = list((tmp_path / "back" / "passes" / "data").glob("step-*"))
    assert len(steps) == 5
    record = json.loads((steps[-1] / "ablation" / "result.json").read_text())
    assert record["tables"]


def test_archives_stay_within_their_limit_and_the_small_comes_first(tmp_path: Path, load: Load) -> None:
    folder, noise = tmp_path / "passes", bytes((i * i * 31 + i // 7) % 251 for i in range(40_000))
    folder.mkdir()
    for name, size in (
        ("a.npz", 9_000),
        ("b.npz", 40_000),
        ("c.json", 100),
        ("d.csv", 4_000),
        ("e.safetensors", 3_000),
    ):
        (folder / name).write_bytes(noise[:size] if name != "b.npz" else zlib_proof(size))
    (folder / "f.html").write_text("a page, which is written from the rest")
    archives, left = load("on_gpu.packing").pack(folder, tmp_path / "out", 2, limit=12_000)
    assert left == [folder / "b.npz"]
    assert all(archive.stat().st_size <= 12_000 for archive in archives)
    names = [name for archive in archives for name in zipfile.ZipFile(archive).namelist()]
    assert sorted(names) == ["a.npz", "c.json", "d.csv", "e.safetensors"]
    assert names[:2] == ["c.json", "d.csv"]


def zlib_proof(size: int) -> bytes:
    """Bytes that do not get smaller."""
    import random

    return random.Random(0).randbytes(size)


STAGE = """
import pathlib, sys, time
name, scale, folder = sys.argv[1:]
(pathlib.Path(folder) / "found.json").write_text(scale)
print("said by", name)
if name == "paper": raise SystemExit("it broke")
if name == "passes": time.sleep(60)
"""


def test_stages_that_fail_or_overrun_are_told_and_the_others_go_on(
    tmp_path: Path, load: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stages, scale = load("on_gpu.stages"), load("on_gpu.scale")
    monkeypatch.setattr(stages, "STAGES", {**scale.STAGES, "passes": scale.Stage(2.0)})
    monkeypatch.setattr(stages, "LEAST_SECONDS", 1.0)
    command = (sys.executable, "-c", STAGE)
    names = ("checks", "paper", "passes", "wide")
    rows = list(stages.carried_out("toy", names, tmp_path / "work", tmp_path / "out", 60, command))
    assert [(row["stage"], row["state"]) for row in rows] == [
        ("checks", "done"), ("paper", "failed"), ("passes", "stopped"), ("wide", "done")
    ]  # fmt: skip
    assert "paper failed: said by paper | it broke" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{name}.1.zip" for name in sorted(names)]
    log = tmp_path / "work" / "checks" / "log.txt"
    log.write_text("")
    again = list(stages.carried_out("toy", names[:2], tmp_path / "work", tmp_path / "out", 21.5, command))
    assert [row["state"] for row in again] == ["done", "failed"]
    assert log.read_text() == ""  # what is done is not done again
    late = list(stages.carried_out("toy", ("wide-float32",), tmp_path / "work", tmp_path / "out", 5, command))
    assert [row["state"] for row in late] == ["no time left"]


def test_the_way_of_calling_kernels_that_pays_is_chosen(load: Load) -> None:
    choice = load("on_gpu.speeds").choice

    def row(kernels: str, rate: float, apart: float) -> dict[str, object]:
        return {"products": "bf16", "kernels": kernels, "steps/s": rate, "losses apart": apart}

    rows = [row("eager", 100, 0.0), row("graph", 120, 0.0), row("compiled", 160, 0.001)]
    assert choice(rows, 50_000)[0] == "compiled"
    assert choice(rows, 5_000)[0] == "graph"  # a compiler's minute is not brought in again
    assert choice(rows, 100)[0] == "eager"
    assert choice([rows[0], row("graph", 200, 1e-6)], 50_000)[0] == "eager"  # not the same kernels
    assert choice([{**rows[1], "products": "float32"}, rows[0]], 50_000)[0] == "eager"


def test_what_a_machine_lacks_is_what_it_has_not_or_too_old(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels: ModuleType = load("on_gpu.wheels")
    assert wheels.freeze("NumPy==2.5.2\npandas 2.1\n\nrich\n") == {
        "numpy": Version("2.5.2"), "pandas": Version("2.1"), "rich": None
    }  # fmt: skip
    needs = {
        "mcinterp": ["numpy>=2", "pandas>=3", "rich>=13", "torch>=2", "typer", "plotly"],
        **{"numpy": [], "pandas": ["six"], "rich": ["pygments"], "typer": ["click"], "click": [], "six": []},
    }
    known = {name: list(map(Requirement, each)) for name, each in needs.items()}
    monkeypatch.setattr(wheels, "distribution", lambda name: type("Found", (), {"version": f"1-{name}"}))
    lacking = wheels.lacking(known, wheels.freeze("numpy==2.5.2\npandas==2.1\nrich"))
    assert lacking == {name: f"1-{name}" for name in ("pandas", "six", "typer", "click")}
    monkeypatch.undo()
    assert {"numpy", "transformer-lens", "clarabel"} <= wheels.installed_needs().keys()
    assert "torch" not in wheels.installed_needs()


def test_without_a_gpu_the_command_says_so(load: Load, tmp_path: Path) -> None:
    runner = load("typer.testing").CliRunner()
    app = load("paper_on_gpu").app
    refused = runner.invoke(app, ["run", "--work", str(tmp_path)])
    assert (refused.exit_code, refused.output) == (2, "torch finds no CUDA device here; --scale toy runs on a CPU\n")
    unknown = runner.invoke(app, ["run", "--scale", "toy", "--stages", "passes,papers", "--work", str(tmp_path)])
    assert unknown.exit_code == 2
    assert "there is no 'papers'" in unknown.output
    assert list(tmp_path.iterdir()) == []
