"""A forged report, written once; and Chromium without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browsers
import pytest
from forged import Forge
from small_run import small_config

from mcinterp.report import write_report
from mcinterp.report.single import write_single
from mcinterp.runs import Run, train
from mcinterp.studies.matrix_completion.explorer.explorable import explorable
from mcinterp.studies.matrix_completion.explorer.page import write_explorer

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
ARGUMENTS += ("--disable-sync", "--no-first-run")
LOCAL = ("file:", "data:", "blob:", "about:")


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a forged report in several files; to be read only."""
    folder = Forge().write(tmp_path_factory.mktemp("report"))
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def single_report(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same report in one file, which stands alone; `opened` takes `single_report / "index.html"` for its index."""
    folder = shutil.copytree(report, tmp_path_factory.mktemp("single"), dirs_exist_ok=True)
    return shutil.move(write_single(folder), tmp_path_factory.mktemp("alone") / "report.html")


_RUNNING: list[Any] = []
"""The browser. Fixtures that two folders import are two to pytest, and playwright starts once in a process."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if _RUNNING:
        yield _RUNNING[0]
        return
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = browsers.browser()
    if path is None:
        pytest.skip(f"there is no browser; make browser gets one, or name one in {browsers.VARIABLE}")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(path), args=list(ARGUMENTS))
        _RUNNING.append(chromium)
        yield chromium
        _RUNNING.clear()
        chromium.close()


class Tab:
    """A tab without a network, which shows one page after the other: a new one would read plotly's script again."""

    def __init__(self, browser: Any) -> None:
        self.problems: list[str] = []
        context = browser.new_context(
            offline=True, accept_downloads=True, permissions=["clipboard-read", "clipboard-write"]
        )
        context.route("**/*", self._route)
        self.page = context.new_page()
        self.page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url[:200]}"))

    def _route(self, route: Any) -> None:
        if route.request.url.startswith(LOCAL):
            route.continue_()
        else:
            self.problems.append(f"request of {route.request.url}")
            route.abort()

    def show(self, path: Path, place: str, width: int, scheme: str) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(media="screen", color_scheme=scheme)  # a test may have left it printed
        in_one = path.parent.is_file()
        self.page.goto((f"{path.parent.as_uri()}?{path.name}" if in_one else path.as_uri()) + place)
        if in_one:
            self.page.locator("#main").wait_for()

    def leave(self) -> list[str]:
        """Forget the page; returns what was wrong with it."""
        self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        found = list(self.problems)
        self.page.goto("about:blank")
        self.page.mouse.move(0, 0)
        self.problems.clear()
        return found


@pytest.fixture(scope="session")
def idle_tabs() -> list[Tab]:
    return []


@pytest.fixture
def opened(browser: Any, idle_tabs: list[Tab]) -> Callable[..., Any]:
    """Open a local page offline; on leaving, no request, console error or page error may have happened."""

    @contextmanager
    def open_page(path: Path, width: int = 1400, scheme: str = "light", place: str = "") -> Iterator[Any]:
        tab = idle_tabs.pop() if idle_tabs else Tab(browser)
        try:
            tab.show(path, place, width, scheme)
            yield tab.page
            problems = tab.leave()
        except BaseException:
            tab.page.context.close()
            raise
        idle_tabs.append(tab)
        assert problems == []

    return open_page


@pytest.fixture(scope="session")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of 4 × 5 matrices with an ε of LayerNorm that matters, and attention far from uniform."""
    config = small_config(
        task={"rows": 4, "cols": 5},
        model={"n_heads": 4, "d_model": 24, "layer_norm_eps": 0.02, "init_std": 0.6},
        training={"learning_rate": 3e-3},
    )
    folder = tmp_path_factory.mktemp("runs") / "small"
    train(folder, config, device="cpu")
    return Run(folder)


@pytest.fixture(scope="session")
def explorer_page(explored: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_explorer(explorable(explored, explored.steps), tmp_path_factory.mktemp("small") / "explore.html")


@pytest.fixture
def page(explorer_page: Path, opened: Callable[..., Any]) -> Iterator[Any]:
    with opened(explorer_page) as page:
        yield page
