"""Runs of earlier versions: they open, under the hash that their checkpoints carry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcinterp.config import RunConfig, TrainConfig, parse_config
from mcinterp.config.schema import YOUNGER
from mcinterp.runs import Run

ROOT = Path(__file__).parents[2]
SHIPPED = {
    "checkpoints/tiny": "1698b9449026e865",
    "checkpoints/7x7-rank1": "c1fb24eeb2e16239",
    "tests/data/tiny": "1698b9449026e865",
}


@pytest.mark.parametrize("folder", SHIPPED)
def test_runs_that_are_shipped_keep_their_hash_and_open(folder: str) -> None:
    run = Run(ROOT / folder)
    records = [json.loads(file.read_text()) for file in run.path.glob("step-*/checkpoint.json")]
    assert {record["config_hash"] for record in records} == {run.config.hash} == {SHIPPED[folder]}
    assert run.checkpoint("last").step == 16_000
    # What their files do not name means what they did.
    training = run.config.training
    assert (training.optimiser, training.weight_decay, training.clip_norm, training.spacing) == ("adam", 0, None, "log")
    assert training.seeds[:2] == (0, 1)


@pytest.mark.parametrize("name", [name for name in YOUNGER if name.startswith("training.")])
def test_a_younger_field_is_hashed_only_where_it_is_not_as_before(name: str) -> None:
    field = name.removeprefix("training.")
    default = RunConfig().model_dump()["training"][field]
    assert default == YOUNGER[name]
    assert parse_config(f"training: {{{field}: {json.dumps(default)}}}", "x").hash == RunConfig().hash


def test_no_younger_field_is_forgotten() -> None:
    # The first runs' configurations had these.
    first = {"steps", "batch_size", "learning_rate", "beta1", "beta2", "schedule", "warmup_steps", "seed"}
    first |= {"checkpoints", "replay_states", "dense_checkpoints"}
    younger = {name.removeprefix("training.") for name in YOUNGER if name.startswith("training.")}
    assert TrainConfig.model_fields.keys() == first | younger
