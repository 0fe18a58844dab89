"""The documentation site: it is built without a warning, and its pages ask for nothing beyond themselves.

The notebooks are left unrun here; `make docs` runs them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sphinx", reason="sphinx is not installed: pip install 'mcinterp[docs]'")
pytest.importorskip("myst_nb", reason="myst-nb is not installed: pip install 'mcinterp[docs]'")
pytest.importorskip("furo", reason="furo is not installed: pip install 'mcinterp[docs]'")

ROOT = Path(__file__).parents[2]
PAGES = (
    *("index.html", "tour.html", "commands.html", "api.html", "notation.html", "paper-map.html", "search.html"),
    *("passes/taxonomy.html", "passes/nuclear.html", "comparisons/switching.html", "extending/add-a-pass.html"),
    "notebooks/explore_attention.html",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = ["-b", "html", "-W", "--keep-going", "-n", "-q", "-D", "nb_execution_mode=off", "-d", folder / "trees"]
    command = [sys.executable, "-m", "sphinx", *words, ROOT / "docs", folder / "html"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.mark.no_cover
@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing(site: Path, opened: Callable[..., Any], name: str) -> None:
    with opened(site / name) as page:
        assert page.get_by_role("main").count() == 1
        assert page.locator("script[src^=http], link[rel=stylesheet][href^=http], img[src^=http]").count() == 0


@pytest.mark.no_cover
def test_formulas_are_drawn_by_the_browser(site: Path, opened: Callable[..., Any]) -> None:
    with opened(site / "passes" / "taxonomy.html") as page:
        fraction = page.locator("math mfrac").first.bounding_box()
        top, bottom = (page.locator("math mfrac > *").nth(index).bounding_box() for index in (0, 1))
        assert fraction["height"] > 20
        assert top["y"] + top["height"] <= bottom["y"] + 3
        assert page.locator("math merror").count() == 0


@pytest.mark.no_cover
def test_no_page_scrolls_sideways_on_a_small_screen(site: Path, opened: Callable[..., Any]) -> None:
    for name in PAGES:
        with opened(site / name, width=480) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= 480, name
