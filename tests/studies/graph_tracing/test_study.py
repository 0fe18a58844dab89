"""The whole study on rings of 7 with few steps, through the command; forged numbers for every verdict; sentences."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from mcinterp.cli import main
from mcinterp.config import load_preset
from mcinterp.results import Result, Table
from mcinterp.studies.graph_tracing import ablation as cut
from mcinterp.studies.graph_tracing import runs, sizes, structure, study, views
from mcinterp.studies.graph_tracing.claims import tracing_claims
from mcinterp.study import Evidence

SMALL = {
    "task.length": 24,
    "training.steps": 30,
    "training.warmup_steps": 5,
    "training.batch_size": 16,
    "model.d_model": 16,
    "model.d_mlp": 16,
}
CHANGES = [f"{name}={value}" for name, value in SMALL.items()]


def shrunk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(study, "load_preset", lambda name: load_preset(name, CHANGES))
    for module, names in ((runs, ("LABELLINGS", "WALKS")), (cut, ("LABELLINGS",)), (sizes, ("LABELLINGS",))):
        for name in names:
            patch.setattr(module, name, 3 if name == "LABELLINGS" else 42)
    patch.setattr(structure, "LABELLINGS", 3)


def reproduced(folder: Path, patch: pytest.MonkeyPatch) -> int:
    words = ["reproduce", "graph-tracing", "--preset", "graph-tracing-ring7", "--run", str(folder / "run")]
    patch.setattr(sys, "argv", ["mcinterp", *words, "--out", str(folder / "out"), "--jobs", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tracing")
    with pytest.MonkeyPatch.context() as patch:
        shrunk(patch)
        assert reproduced(path, patch) == 0
    return path


def test_the_command_trains_measures_and_writes_the_page(folder: Path) -> None:
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for name in ("structure", "ablation", "sizes", "nulls"):
        assert f'id="{name}"' in page
    assert "Slide through context" in page
    assert '"method":"animate"' in page
    assert '"frames":[{' in page
    assert len(Result.load(folder / "out" / "data" / "study" / "claims").table("claims")) == 11
