"""Addresses that open a view again, the way from checkpoint to checkpoint, and light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
STEP, EARLIER = "step-00009000.html", "step-00003000.html"


def opened_head(page: Any) -> str:
    """The head that is open large."""
    return str(page.locator(".large h3").inner_text())


def hash_of(page: Any) -> str:
    return str(page.evaluate("location.hash"))


def reading(page: Any) -> str:
    """The section whose heading is nearest to the top of the window."""
    return str(
        page.evaluate(
            "[...document.querySelectorAll('main > section')].sort((a, b) => "
            "Math.abs(a.getBoundingClientRect().top) - Math.abs(b.getBoundingClientRect().top))[0].id"
        )
    )


def test_an_address_on_the_index_opens_that_head_at_that_step(report: Path, opened: Opened) -> None:
    with opened(report / "index.html", place="#step=9000&head=L1H2&at=attention") as page:
        page.wait_for_url(f"**/{STEP}**")
        assert opened_head(page).startswith("L1H2")
        assert reading(page) == "attention"
        assert page.locator("#taxonomy tr.chosen th").first.text_content().strip() == "L1H2"


def test_a_step_without_a_page_is_told(report: Path, opened: Opened) -> None:
    with opened(report / "index.html", place="#step=8000") as page:
        assert "Step 8000 has no page" in page.get_by_role("status").filter(has_text="Step").inner_text()


def test_a_chosen_head_stays_chosen_from_step_to_step(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.get_by_role("button", name="L0H3 row").click()
        page.get_by_role("radio", name="checkerboard").check(force=True)
        assert "head=L0H3" in hash_of(page)
        assert "mask=checkerboard" in hash_of(page)
        assert opened_head(page).startswith("L0H3")
        with page.expect_navigation():
            page.locator("nav.steps a[rel=prev]").first.click()
        assert not page.url.split("#")[0].endswith(STEP)
        assert opened_head(page).startswith("L0H3")
        assert page.get_by_role("radio", name="checkerboard").is_checked()


def test_arrows_and_slider_go_through_the_steps_and_keep_the_place(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.locator("#probes").evaluate(
            "(section) => window.scrollTo(0, section.getBoundingClientRect().top + scrollY)"
        )
        with page.expect_navigation():
            page.keyboard.press("ArrowLeft")
        page.wait_for_load_state("load")
        assert reading(page) == "probes"
        left = page.url.split("#")[0]
        with page.expect_navigation():
            page.locator("input.steps").evaluate(
                "(slider) => { slider.value = slider.max; slider.dispatchEvent(new Event('change')); }"
            )
        assert page.url.split("#")[0] != left
        assert page.url.split("#")[0].endswith(STEP)


def test_links_within_a_page_stay_on_it(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.evaluate("window.stayed = true")
        page.get_by_role("navigation", name="On this page").get_by_role("link").last.click()
        page.wait_for_timeout(300)
        assert page.evaluate("window.stayed") is True


def test_heads_are_searched_by_name_and_class(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        heads = page.locator(".attention .head:visible")
        find = page.get_by_role("searchbox", name="Heads")
        find.fill("L0H1 l1h2")
        assert [text.split()[0] for text in heads.all_inner_texts()] == ["L0H1", "L1H2"]
        find.fill("row")
        assert heads.count()
        assert all("row" in text for text in heads.all_inner_texts())
        find.fill("nonsense")
        assert heads.count() == 0
        assert "No head" in page.locator(".scale-note").inner_text()


def colours(page: Any) -> tuple[str, str]:
    """Of the page and of a figure's text."""
    page.locator(".plot").first.scroll_into_view_if_needed()  # figures are drawn when they come near
    page.wait_for_selector(".plot .xtick text")
    script = "(one) => getComputedStyle(one)"
    return (
        str(page.locator("body").evaluate(f"({script})(document.body).backgroundColor")),
        str(page.locator(".plot .xtick text").first.evaluate(f"(one) => ({script})(one).fill")),
    )


LIGHT, DARK = ("rgb(255, 255, 255)", "rgb(31, 41, 51)"), ("rgb(20, 25, 31)", "rgb(230, 234, 238)")


@pytest.mark.parametrize(("scheme", "expected"), [("light", LIGHT), ("dark", DARK)])
def test_page_and_figures_follow_the_system(
    report: Path, opened: Opened, scheme: str, expected: tuple[str, str]
) -> None:
    with opened(report / "index.html", scheme=scheme) as page:
        assert colours(page) == expected


def test_the_switch_holds_on_the_next_page_and_paper_is_light(report: Path, opened: Opened) -> None:
    with opened(report / "index.html") as page:
        page.get_by_label("Theme").select_option("dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        page.wait_for_timeout(300)
        assert colours(page) == DARK
        page.locator("#checkpoints").get_by_role("link", name="step 9,000").click()
        assert colours(page) == DARK
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.wait_for_timeout(500)
        assert colours(page) == LIGHT
