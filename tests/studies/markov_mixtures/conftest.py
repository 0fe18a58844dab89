"""The whole study at a size at which it takes seconds, carried out once for all tests that look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from short_markov import SHORT, Carry, Plant
from torch import Tensor

from mcinterp.analysis.passes.oracles import Bench
from mcinterp.config import load_preset
from mcinterp.report import write_report
from mcinterp.runs import Run
from mcinterp.studies.markov_mixtures import networks, study, weights
from mcinterp.studies.markov_mixtures.networks import MIDDLE, Network
from mcinterp.studies.markov_mixtures.readings import FAMILIES, Reading, Sequences
from mcinterp.study import Setting, find_study, reproduce


@pytest.fixture(scope="session")
def carry_out() -> Iterator[Carry]:
    """Carries the shortened study out, with a list that is told its progress and a number of sequences."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(study, "load_preset", lambda name: load_preset(name, SHORT))
        monkeypatch.setattr(networks, "CHECKPOINTS", 4)
        monkeypatch.setattr(weights, "RESAMPLES", 20)

        def carry(path: Path, said: list[str], samples: int) -> None:
            watch = lambda _, __: nullcontext(None)  # noqa: E731
            out = Setting("markov-mixtures", path / "run", path / "out", 1, samples, "cpu", said.append, watch)
            reproduce(find_study("markov-mixtures"), out)

        yield carry


@pytest.fixture(scope="session")
def told() -> list[str]:
    """What the study said."""
    return []


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, carry_out: Carry, told: list[str]) -> Path:
    """The study, carried out and reported."""
    path = tmp_path_factory.mktemp("markov")
    carry_out(path, told, 24)
    write_report(path / "out")
    return path


@pytest.fixture(scope="session")
def plant(folder: Path) -> Plant:
    """From planted predictions of every step, given what the algorithms predict, to a reading of the first run."""
    run = Run(folder / "run")

    def planted(points: Callable[[Bench], list[Tensor]]) -> Reading:
        task, of = run.checkpoint("last").task, {}
        for name, family in FAMILIES.items():
            bench = Bench.of(task, task.examples(120, torch.Generator().manual_seed(3), family=family))
            of[name] = Sequences(bench, task.truth(bench.batch), tuple(points(bench)))
        steps = tuple(10**at for at in range(len(of["ID"].points)))
        return Reading(Network(MIDDLE, 1, run), steps, (), 0, of)

    return planted
