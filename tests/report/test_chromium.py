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


def ink(page: Any) -> str:
    """The pixels of the large map."""
    return str(page.locator(".circuitsvis canvas").last.evaluate("(canvas) => canvas.toDataURL()"))


def test_the_index_draws_and_leads_to_a_checkpoint(folder: Path, opened: Opened) -> None:
    with opened(folder / "index.html") as page:
        assert draw_all(page) == 1
        page.get_by_role("link", name="step 9,000 (last)").click()
        assert page.get_by_role("heading", level=1).inner_text().endswith("Step 9,000")


def test_a_click_on_a_checkpoints_mark_opens_its_page(report: Path, opened: Opened) -> None:
    with opened(report / "index.html") as page:
        draw_all(page)
        page.locator(".scatterlayer .trace").last.locator(".point").nth(2).hover(force=True)
        box = page.locator(".scatterlayer .trace").last.locator(".point").nth(2).bounding_box()
        with page.expect_navigation():
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert page.url.split("#")[0].endswith(STEP)


def test_a_checkpoint_draws_its_figures_and_heads(folder: Path, opened: Opened) -> None:
    with opened(folder / STEP) as page:
        assert draw_all(page) >= 10
        page.wait_for_selector(".circuitsvis canvas")
        assert page.locator(".circuitsvis canvas").count() == 17
        assert page.locator("svg.mask-grid:visible rect").count() == 25


def test_a_figure_is_drawn_when_the_reader_comes_near_saves_or_prints(report: Path, opened: Opened) -> None:
    drawn = "[...document.querySelectorAll('.plot')].map((plot) => plot.querySelector('.main-svg') !== null)"
    with opened(report / STEP) as page:
        page.wait_for_selector(".circuitsvis canvas")
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


def test_the_mask_choice_redraws_maps_and_mask(folder: Path, opened: Opened) -> None:
    with opened(folder / STEP) as page:
        page.wait_for_selector(".circuitsvis canvas")
        page.wait_for_timeout(300)
        before = ink(page)
        page.locator("select.family-choice").select_option(label="checkerboard")
        page.wait_for_selector("#circuitsvis-2 canvas")
        page.wait_for_timeout(300)
        assert ink(page) != before
        assert page.locator(".pictures figure:visible").inner_text().count("checkerboard") == 1
        page.locator("select.layer-choice").select_option("1")
        page.wait_for_selector("#circuitsvis-3 canvas")
        assert page.locator(".circuitsvis canvas").count() == 9
        page.locator("select.scale-choice").select_option("own")
        page.wait_for_selector("#circuitsvis-4 canvas")
        assert "each head's own maximum" in page.locator(".scale-note").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_bar_says_what_the_colours_of_the_maps_are(scheme: str, report: Path, opened: Opened) -> None:
    with opened(report / STEP, 500, scheme) as page:
        page.wait_for_selector(".circuitsvis canvas")
        bar, note = page.locator(".attention .colour-bar"), page.locator(".scale-note").inner_text()
        low, _, high = [bar.locator("span").nth(at).inner_text() for at in range(3)]
        assert (low, f"darkest blue {high} and more" in note) == ("0", True)
        assert "rgb(255, 255, 255), rgb(0, 90, 140)" in bar.locator(".ramp").evaluate("(one) => one.style.background")
        assert bar.bounding_box()["y"] < page.locator(".heads").bounding_box()["y"]
        page.locator("select.scale-choice").select_option("0.5")
        assert bar.inner_text().split("\n")[-1] == f"{float(high) / 2:.2g} and more"
        page.locator("select.scale-choice").select_option("own")
        assert bar.inner_text().endswith("its maximum")
        page.locator(".head-search").fill("nothing")
        assert not bar.is_visible()


def test_a_head_is_chosen_with_the_keyboard(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        tile = page.get_by_role("button", name="Show L0H3 row large")
        tile.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("text=L0H3 row Zoomed")
        assert page.locator("text=L0H3 row Zoomed").is_visible()


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
        if name == STEP:
            page.wait_for_selector(".circuitsvis canvas")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_numbers_are_saved_from_a_single_file(single_report: Path, opened: Opened, tmp_path: Path) -> None:
    with opened(single_report / STEP) as page:
        with page.expect_download() as download:
            page.locator("#probes").get_by_role("link", name="probes.csv").click()
        download.value.save_as(tmp_path / "probes.csv")
    stored = single_report / "data" / "step-00009000" / "probes" / "probes.csv"
    assert (tmp_path / "probes.csv").read_bytes() == stored.read_bytes()


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
