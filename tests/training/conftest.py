"""An optimiser that is there for a test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from two_speeds import KIND

from mcinterp.declared import Study


@pytest.fixture
def two_speeds(declare: Callable[[Study], None]) -> None:
    """As if a study had declared it."""
    declare(Study("for-tests", "", "", "", (), "", "", optimisers={"two-speeds": KIND}))
