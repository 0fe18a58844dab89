"""What axe-core finds in a page."""

from __future__ import annotations

from typing import Any

import pytest


def serious_violations(page: Any, scheme: str = "light") -> list[str]:
    """A line a serious or critical violation, with the first element that has it; in the dark, of colours alone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    rules = {"runOnly": ["color-contrast", "link-in-text-block"]} if scheme == "dark" else {}
    found = axe.Axe().run(page, options={"preload": False, **rules}).response["violations"]
    return [
        f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:200]})"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
