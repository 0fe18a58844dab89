"""What axe-core finds in the pages: nothing serious, in either theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Opened = Callable[..., Any]
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "step-00009000.html", "head-L1H1.html"])
def test_no_serious_violation(report: Path, opened: Opened, name: str, scheme: str) -> None:
    with opened(report / name, scheme=scheme) as page:
        page.wait_for_function(
            "[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))"
        )
        found = axe.Axe().run(page, options={"preload": False}).response["violations"]
    serious = [
        f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:200]})"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
