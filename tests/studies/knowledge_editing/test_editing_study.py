"""The whole study at a small size, through the command that carries it out."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mcinterp.cli import app
from mcinterp.config import RunConfig, load_preset
from mcinterp.results import Result
from mcinterp.studies.knowledge_editing import editing, edits, knowledge, rings, sequences, study
from mcinterp.study.trained import changed

SMALL = {
    "task.entities": 24,
    "task.reach": 2,
    "task.length": 12,
    "task.composed": 0.2,
    "model.d_model": 16,
    "model.d_mlp": 32,
    "training.steps": 250,
    "training.batch_size": 64,
    "training.learning_rate": 0.01,
    "training.weight_decay": 0.0,
    "training.warmup_steps": 20,
    "training.checkpoints": 2,
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """The preset shrunk, and less of every measurement."""
    config = changed(load_preset("editing"), SMALL)
    monkeypatch.setattr(study, "load_preset", lambda name: config)
    monkeypatch.setattr(knowledge, "ASKED", 10)
    monkeypatch.setattr(editing, "STEP", 0.15)
    monkeypatch.setattr(editing, "STEPS", 40)
    monkeypatch.setattr(editing, "TUNED_STEPS", 20)
    monkeypatch.setattr(edits, "FACTS", 2)
    monkeypatch.setattr(edits, "DISTANCES", (1, 4))
    monkeypatch.setattr(sequences, "REPEATS", 2)
    monkeypatch.setattr(sequences, "LENGTH", 2)
    monkeypatch.setattr(rings, "RANDOM_ORDERS", 20)
    return config


def test_the_study_is_carried_out_and_kept(small: RunConfig, tmp_path: Path) -> None:
    command = ["reproduce", "knowledge-editing", "--run", str(tmp_path / "run"), "--out", str(tmp_path / "report")]
    told = CliRunner().invoke(app, command, catch_exceptions=False)
    assert told.exit_code == 0, told.output
    stored = tmp_path / "report" / "data" / "study"
    summary = Result.load(stored / "edits").table("summary").set_index(["network", "method", "distance"])
    none = summary.loc[("own", "none", 0)]
    assert none[["r_edited", "r_retained", "recall_edited", "composed_edited"]].fillna(0).eq(0).all()
    assert summary.loc[("own", "edit", 4), "success"] > 0.5
    assert summary.loc[("own", "edit", 4), "r_edited"] > summary.loc[("own", "present answer", 0), "r_edited"]
    claims = Result.load(stored / "claims")
    assert len(claims.table("claims")) == 12
    findings = claims.table("findings")
    # So few held-out facts may be right that nothing of them can be lost.
    assert findings[findings["value"].isna()]["finding"].str.contains("held-out facts").all()
    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert "0 trained" in again.output
