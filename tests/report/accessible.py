"""What axe-core finds in a page."""

from __future__ import annotations

from typing import Any

import pytest


def serious_violations(page: Any) -> list[str]:
    """A line a serious or critical violation, with the first element that has it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    # Every node that passes a rule would be told too, which takes longer than to look.
    options = {"preload": False, "resultTypes": ["violations"]}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {one['help']} ({one['nodes'][0]['html'][:200]})"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
