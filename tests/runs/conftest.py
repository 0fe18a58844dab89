"""A small sweep, trained once, one run after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_sweep import write_grid

from mcinterp.runs import load_sweep, run_sweep


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fields = {"model.n_layers": [1, 2], "training.seed": [0, 1]}
    return write_grid(tmp_path_factory.mktemp("grid") / "sizes.yaml", fields, steps=300)


@pytest.fixture(scope="session")
def sequential(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the finished sweep; to be read only."""
    folder = tmp_path_factory.mktemp("sequential")
    outcomes = run_sweep(load_sweep(grid), folder, device="cpu", threads=1)
    assert [outcome.state for outcome in outcomes] == ["finished"] * 4
    return folder
