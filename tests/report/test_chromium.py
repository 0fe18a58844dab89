"""The pages in a browser, from the disk and offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import draw_all

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
STEP = "step-00009000.html"


@pytest.fixture(params=["report", "single_report"])
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def test_the_index_draws_and_leads_to_a_checkpoint(folder: Path, opened: Opened) -> None:
    with opened(folder / "index.html") as page:
        assert draw_all(page) == 1
        page.get_by_role("link", name="step 9,000", exact=True).first.click()
        assert page.get_by_role("heading", level=1).inner_text().endswith("Step 9,000")


def test_a_click_on_a_checkpoints_mark_opens_its_page(report: Path, opened: Opened) -> None:
    with opened(report / "index.html") as page:
        draw_all(page)
        page.locator(".subplot.xy .scatterlayer .trace").last.locator(".point").nth(2).hover(force=True)
        box = page.locator(".subplot.xy .scatterlayer .trace").last.locator(".point").nth(2).bounding_box()
        with page.expect_navigation():
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert page.url.split("#")[0].endswith(STEP)


def test_a_checkpoint_draws_its_figures_and_heads(folder: Path, opened: Opened) -> None:
    with opened(folder / STEP) as page:
        assert draw_all(page) >= 10
        assert page.locator(".attention .head").count() == 16
        assert page.locator("svg.mask-grid:visible rect").count() == 25


def test_a_figure_is_drawn_when_the_reader_comes_near_saves_or_prints(report: Path, opened: Opened) -> None:
    drawn = "[...document.querySelectorAll('.plot')].map((plot) => plot.querySelector('.main-svg') !== null)"
    with opened(report / STEP) as page:
        figures = page.locator("figure:has(.plot):visible")
        assert page.evaluate(drawn)[-2:] == [False, False]
        figures.last.scroll_into_view_if_needed()
        figures.last.locator(".main-svg").first.wait_for()
        page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
        far = page.evaluate(drawn).index(False)
        with page.expect_download() as download:
            figures.nth(far).locator("[data-save=csv]").evaluate("(button) => button.click()")
        assert download.value.path().read_text().startswith("trace,x,y")
        assert not all(page.evaluate(drawn))
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        # Looked at without scrolling; wait_for_function would need a script that the page's policy refuses.
        page.locator(".plot:not(:has(.main-svg))").first.wait_for(state="detached")


def test_a_table_sorts_both_ways_from_the_keyboard(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.locator("#patching details:has(table)").first.evaluate("(one) => { one.open = true; }")
        table = page.locator("#patching table.sortable").first
        button = table.get_by_role("button", name="MSE to source")
        column = [cell.inner_text() for cell in table.locator("thead th").all()].index(button.inner_text())
        values = lambda: [  # noqa: E731
            float(row.locator("> *").nth(column).get_attribute("data-sort")) for row in table.locator("tbody tr").all()
        ]
        unsorted = values()
        button.focus()
        page.keyboard.press("Enter")
        assert values() == sorted(unsorted) != unsorted
        page.keyboard.press("Space")
        assert values() == sorted(unsorted, reverse=True)
        assert table.locator("th[aria-sort=descending]").count() == 1


def test_rows_are_filtered(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.locator("#taxonomy details:has(table)").first.evaluate("(one) => { one.open = true; }")
        page.locator("#taxonomy .filter input").first.fill("l1h3")
        assert page.locator("#taxonomy table").first.locator("tbody tr:visible").count() == 1


@pytest.mark.parametrize("width", [480, 1400])
@pytest.mark.parametrize("name", ["index.html", STEP])
def test_no_page_scrolls_sideways(report: Path, opened: Opened, name: str, width: int) -> None:
    with opened(report / name, width) as page:
        draw_all(page)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_landmarks_and_names(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        draw_all(page)
        assert page.get_by_role("main").count() == 1
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.locator(".plot:not([aria-label])").count() == 0
        assert page.locator("svg.mask-grid:not([aria-label])").count() == 0
        assert (
            page.evaluate("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size")
            == page.locator("[id]").count()
        )
