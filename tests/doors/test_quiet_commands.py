"""Every command, carried out: no library's warning reaches a person, and degenerate runs get their pages too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_run import small_config

from mcinterp.config import RunConfig
from mcinterp.installed import studies
from mcinterp.runs import train

SHORT = "checkpoints/short"
LINES = [
    "train --config small.yaml --run checkpoints/new --device cpu",
    f"train --config small.yaml --run checkpoints/begun --from {SHORT} --device cpu",
    f"densify {SHORT} --from 20 --to 24 --every 2",
    f"excerpt {SHORT} small-copy --steps 4",
    f"retrain {SHORT} --component mlp --steps 5",
    f"import {SHORT} --run checkpoints/theirs --samples 8",
    "sweep grid.yaml --report --threads 1",
    f"report {SHORT} --samples 4 --steps last",
    f"analyze {SHORT} --samples 8 --steps last --passes attention,patching --out two --jobs 2",
    "report checkpoints/gpt --samples 4 --steps last",
    "report checkpoints/mixed --samples 4 --steps last --passes sizes,attention",
    "report checkpoints/switch",
    *(["report checkpoints/identity"] if "identity-mapping" in studies() else []),
    f"ablate {SHORT} --heads all --heads L0H0 --samples 8",
    f"ablate {SHORT} --heads masked-row --samples 4 --format latex",
    f"switch {SHORT} --from first --samples 8 --component mlp",
    f"compare {SHORT} {SHORT}@first checkpoints/mixed --samples 8",
    "compare checkpoints/gpt checkpoints/gpt@first --samples 8",
    "runs checkpoints --verify",
    "runs checkpoints",
    "show-config",
    "presets",
    "passes",
    "reproduce --list",
    "--help",
]


@pytest.fixture(scope="module")
def said(world: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """stdout and stderr of all of them, with nothing set about warnings."""
    folder = shutil.copytree(world.here, tmp_path_factory.mktemp("quiet") / "b")
    script = Path(__file__).with_name("every_command.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        input="\n".join(LINES),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout, done.stderr


def test_every_command_is_done(said: tuple[str, str]) -> None:
    marks = [line for line in said[0].splitlines() if line.startswith("= ")]
    assert marks == [f"= 0 {line}" for line in LINES], said[1]


def test_no_librarys_warning_reaches_a_person(said: tuple[str, str]) -> None:
    for text in said:
        assert "Warning" not in text
        assert "warn" not in text.lower().replace("warn-up", "")
        assert "Traceback" not in text


SHAPES: dict[str, dict[str, dict[str, object]]] = {
    "nothing masked": {"task": {"p_mask": 0.0}},
    "all masked": {"task": {"p_mask": 1.0}},
    "one layer of one head of width 1": {
        "model": {"n_layers": 1, "n_heads": 1, "d_model": 1, "d_mlp": 1},
        "training": {"steps": 1, "batch_size": 1},
    },
}


def degenerate(shape: str) -> RunConfig:
    sections = {name: dict(fields) for name, fields in SHAPES[shape].items()}
    sections["training"] = {"steps": 4, "checkpoints": 2, "replay_states": 1} | sections.get("training", {})
    return small_config(**sections)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_degenerate_run_has_a_report(world: Any, shape: str) -> None:
    run = world.here / "checkpoints" / "degenerate"
    try:
        train(run, degenerate(shape), device="cpu")
        said = world.say("report", "checkpoints/degenerate", "--samples", "4", "--steps", "last", "--device", "cpu")
        assert said.code == 0, said.err
        assert said.out == "reports/degenerate/index.html\n"
        assert "a/b/reports/degenerate/index.html" in said.made
        assert ("algorithm left out" in " ".join(said.err.split())) == (shape == "nothing masked")
        for words in (["ablate", "--heads", "all"], ["switch", "--from", "first"], ["runs"]):
            again = world.say(words[0], "checkpoints/degenerate", *words[1:])
            assert again.code == 0, again.err
            assert "nan%" not in again.out
    finally:
        shutil.rmtree(run)
