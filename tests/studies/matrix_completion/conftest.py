"""A short run's checkpoints as other people would have saved them, and a run made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported import LAYOUTS, exported

from mcinterp.runs import Run, import_run


@pytest.fixture(scope="session")
def folders(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The short run's checkpoints in every layout; to be read only."""
    home = tmp_path_factory.mktemp("theirs")
    return {layout: exported(Run(trained_folder), layout, home / layout) for layout in LAYOUTS}


@pytest.fixture(scope="session")
def imported(folders: dict[str, Path], trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of Hugging Face's folders; to be read only."""
    home = tmp_path_factory.mktemp("imported")
    return import_run(folders["hugging_face"], home / "theirs", task=Run(trained_folder).config.task)
