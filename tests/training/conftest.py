"""An optimiser that is there for a test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from two_speeds import KIND

from mcinterp import installed
from mcinterp.declared import OptimiserKind, Study


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, OptimiserKind]], None]:
    """Have a study that brings optimisers, besides those that there are."""
    there = dict(installed.studies())

    def declared(optimisers: dict[str, OptimiserKind]) -> None:
        study = Study("for-tests", "", "", "", (), "", "", optimisers=optimisers)
        monkeypatch.setattr(installed, "_found", lambda: ({**there, study.name: study}, {}))
        installed.studies.cache_clear()

    yield declared
    monkeypatch.undo()
    installed.studies.cache_clear()


@pytest.fixture
def two_speeds(declare: Callable[[dict[str, OptimiserKind]], None]) -> None:
    """As if a study had declared it."""
    declare({"two-speeds": KIND})
