"""The whole study at a size at which it takes seconds, carried out once for all tests that look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from short_concept import SHORT, Carry, Plant

from mcinterp.analysis.statistics import Floats
from mcinterp.config import load_preset
from mcinterp.report import write_report
from mcinterp.runs import Run
from mcinterp.studies.concept_space import networks, study
from mcinterp.studies.concept_space.courses import Course
from mcinterp.studies.concept_space.networks import GATED, MIDDLE, Family
from mcinterp.study import Setting, find_study, reproduce


@pytest.fixture(scope="session")
def carry_out() -> Iterator[Carry]:
    """Carries the shortened study out, with a list that is told its progress and a number of noises."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(study, "load_preset", lambda name: load_preset(name, SHORT))
        monkeypatch.setattr(networks, "SEEDS", 2)

        def carry(path: Path, said: list[str], samples: int) -> None:
            watch = lambda _, __: nullcontext(None)  # noqa: E731
            out = Setting("concept-space", path / "run", path / "out", 1, samples, "cpu", said.append, watch)
            reproduce(find_study("concept-space"), out)

        yield carry


@pytest.fixture(scope="session")
def told() -> list[str]:
    """What the study said."""
    return []


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, carry_out: Carry, told: list[str]) -> Path:
    """The study, carried out and reported."""
    path = tmp_path_factory.mktemp("concept")
    carry_out(path, told, 8)
    write_report(path / "out")
    return path


@pytest.fixture(scope="session")
def plant(folder: Path) -> Plant:
    """From planted values of prompts at the first run's checkpoints to a course of the first run."""
    run = Run(folder / "run")

    def planted(values: dict[tuple[str, str], Floats], reading: str = GATED) -> Course:
        return Course(Family(reading, MIDDLE, (run,)), run, values, ())

    return planted
