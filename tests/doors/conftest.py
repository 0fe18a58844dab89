"""A folder to give commands in, with a run of every kind, and commands that stop where anything heavy would begin."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from small_gpt import small_gpt_config
from small_run import small_config
from small_sweep import write_grid

from mcinterp.cli import main
from mcinterp.config import RunConfig, load_preset, preset_names
from mcinterp.errors import McinterpError
from mcinterp.installed import studies
from mcinterp.model import blocks, encoder
from mcinterp.model.build import template
from mcinterp.runs import Run, train
from mcinterp.studies.matrix_completion import gpt
from mcinterp.studies.matrix_completion.task.matrix_task import MatrixTask

BEGAN = "something heavy began"


class BeganError(McinterpError):
    """Raised where the first heavy thing would have been done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Thousands of words and values: slow when measured, and what they reach others reach too."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("no_cover")


def began(*_: object, **__: object) -> None:
    raise BeganError(BEGAN)


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, what it printed and told, and the files that it made."""

    code: int
    out: str
    err: str
    made: tuple[str, ...] = ()

    @property
    def began(self) -> bool:
        return BEGAN in self.err


def run_command(words: list[str]) -> Said:
    """The command line in this very process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["mcinterp", *words]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    return Said(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class World:
    """A folder with runs and files.

    Attributes:
        root: of everything; commands are given in a folder below it.
    """

    root: Path

    @property
    def here(self) -> Path:
        return self.root / "a" / "b"

    def files(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*")}

    def say(self, *words: str) -> Said:
        """Give a command; what it makes is told, and taken away again."""
        before = self.files()
        with contextlib.chdir(self.here):
            said = run_command(list(words))
        made = sorted(self.files() - before)
        for name in made:
            path = self.root / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        return replace(said, made=tuple(made))


def kinds() -> dict[str, RunConfig]:
    """A configuration of every kind of task, each trained in a moment."""
    few = ["training.steps=6", "training.batch_size=4", "training.checkpoints=2", "training.dense_checkpoints=0"]
    few += ["training.replay_states=1", "training.warmup_steps=0"]
    narrow = ["model.d_model=8", "model.n_heads=2", "model.d_mlp=8", "model.n_layers=1"]
    return {
        "gpt": small_gpt_config(training={"steps": 6}),
        "mixed": load_preset("mixed-sizes", few + narrow),
        **{
            name: load_preset(preset, few)
            for name, preset in (("identity", "identity-mapping"), ("switch", "delayed-switch"))
            if preset in preset_names()
        },
    }


@pytest.fixture(scope="session")
def world(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("world"))
    runs = made.here / "checkpoints"
    runs.mkdir(parents=True)
    shutil.copytree(trained_folder, runs / "short")
    for name, config in kinds().items():
        train(runs / name, config, device="cpu")
    (made.here / "empty").mkdir()
    (made.here / "file").write_text("words\n")
    (made.here / "reports" / "shown").mkdir(parents=True)
    (made.here / "reports" / "shown" / "index.html").write_text("<p>a report")
    (made.here / "small.yaml").write_text(small_config().to_yaml())
    (made.here / "wrong.yaml").write_text("task: {rowz: 3}\n")
    write_grid(made.here / "grid.yaml", {"training.seed": [0, 1]}, steps=4)
    (made.here / "wrong-grid.yaml").write_text(yaml.safe_dump({"base": "tiny", "grid": {"task.rank": [9]}}))
    (made.here / "json.yaml").write_text(json.dumps(small_config().model_dump()))
    return made


@pytest.fixture(scope="module")
def lazy(world: World) -> Iterator[Callable[..., Said]]:
    """Commands that judge their words, and raise `BeganError` where they would draw, compute or train."""
    shapes = _templates(world)
    with pytest.MonkeyPatch.context() as patches:
        training = importlib.import_module("mcinterp.runs.train")  # of which the package has a function of that name
        for made in (training._Session, blocks.Blocks, encoder.Encoder, gpt.MatrixGPT):
            patches.setattr(made, "__init__", began)
        for drawn in ("sample", "draw"):
            patches.setattr(MatrixTask, drawn, began)
        patches.setattr("mcinterp.runs.fanout._answers", _one_by_one)
        patches.setattr("mcinterp.analysis.work._in_parallel", lambda work, *_: [each(None) for each in work])
        patches.setattr("mcinterp.cli.view._Server", began)
        patches.setattr("mcinterp.model.build._TEMPLATES", shapes)
        for name, study in dict(studies()).items():
            patches.setitem(studies(), name, replace(study, measure=began))
        yield world.say


def _one_by_one(function: Callable[..., object], tasks: list[tuple[object, ...]], *_: object) -> Iterator[object]:
    return (function(*task) for task in tasks)


def _templates(world: World) -> dict[str, object]:
    """Shapes of the runs' models, which are looked up to read their weights."""
    configs = [Run(path.parent).config for path in world.here.glob("checkpoints/*/config.yaml")]
    return {config.hash: template(config) for config in configs}
