"""An optimiser that is there for a test."""

from __future__ import annotations

import pytest
from two_speeds import KIND

from mcinterp.config.optimisers import FURTHER


@pytest.fixture
def two_speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a study had declared it."""
    monkeypatch.setitem(FURTHER, "two-speeds", KIND)
