"""What axe-core finds in the pages: nothing serious, in either theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accessible import serious_violations
from drawn import draw_all

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "step-00009000.html", "head-L1H1.html"])
def test_no_serious_violation(report: Path, opened: Opened, name: str, scheme: str) -> None:
    with opened(report / name, scheme=scheme) as page:
        draw_all(page)
        assert serious_violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation_of_the_explorer(explorer_page: Path, opened: Opened, scheme: str) -> None:
    with opened(explorer_page, scheme=scheme) as page:
        assert serious_violations(page) == []
