"""What the explorer shows is in its address: written there, restored from there, and told where it does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_run import small_config

from mcinterp.runs import Run, train
from mcinterp.studies.matrix_completion.explorer.explorable import explorable
from mcinterp.studies.matrix_completion.explorer.page import write_explorer

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
SHOWN = """() => {
  const { at, size, values, observed, mask, entry, head, ablated, method, second, shown } = Explorer.live.state;
  const answers = [...Explorer.outcome.model.answers];
  return { at, size, values: [...values], observed: [...observed], mask, entry, head, ablated, method,
    second: second && [...second], shown, answers };
}"""
ARRIVE = """(place) => new Promise((then) => {
  addEventListener("hashchange", () => then(), { once: true });
  location.hash = place;
})"""
LOOKS = "[...document.querySelectorAll('#given td')].map((cell) => +cell.style.getPropertyValue('--look'))"
MATRIX = [round(-0.95 + 0.1 * i, 2) for i in range(20)]
MASK = "11011011111111010111"


def address(**parts: str) -> str:
    return "#" + "&".join(f"{key}={value}" for key, value in parts.items())


def joined(values: list[float]) -> str:
    return ",".join(map(str, values))


def arrive(page: Any, place: str) -> None:
    """Go to another address of the same page."""
    page.evaluate(ARRIVE, place)


def test_an_address_is_shown(opened: Opened, explorer_page: Path, explored: Run) -> None:
    step = explored.steps[2]
    place = address(step=str(step), rows="4", cols="5", values=joined(MATRIX), mask=MASK, entry="1,3", head="L1H2")
    with opened(explorer_page, place=place) as page:
        shown = page.evaluate(SHOWN)
        assert shown["at"] == 2
        assert shown["values"] == MATRIX
        assert "".join(map(str, shown["observed"])) == MASK
        assert (shown["entry"], shown["head"], shown["mask"]) == (8, [1, 2], "by hand")
        assert page.locator("#now").inner_text() == f"step {step}"
        assert page.locator("#address").inner_text() == ""
        assert page.locator("button.head.looking").count() == 1
        assert page.locator("#looking").inner_text() == "Green: where L1H2 looks from 1,3."
        assert page.locator("#given td.chosen").inner_text() == "−0.15"
        assert max(page.evaluate(LOOKS)) == 1


def test_what_was_done_is_in_the_address_and_comes_back_with_it(opened: Opened, explorer_page: Path) -> None:
    with opened(explorer_page) as page:
        assert "#" not in page.url
        page.get_by_label("Mask", exact=True).select_option("checkerboard")
        page.locator("#given td.entry").nth(6).click()
        page.keyboard.type("-1.25")
        page.keyboard.press("Enter")
        page.get_by_label("Ablated heads").select_option("patch")
        page.get_by_role("button", name="A new one").click()
        page.get_by_label("Completions as").select_option("errors")
        page.locator("#curve .mark").nth(1).click()
        for at in (2, 5):
            page.locator("button.head").nth(at).click()
        before = page.evaluate(SHOWN)
        assert before["ablated"] == [[False, False, True, False], [False, True, False, False]]
        page.wait_for_url(re.compile("ablated=L0H2,L1H1"))
        place = page.evaluate("location.hash")
        page.reload()
        assert page.evaluate(SHOWN) == before
    with opened(explorer_page, place=place) as page:
        assert page.evaluate(SHOWN) == before
        assert page.locator("#second-matrix").is_visible()
        assert page.get_by_label("Completions as").input_value() == "errors"


def test_a_mask_of_the_page_has_its_name_again(opened: Opened, explorer_page: Path) -> None:
    with opened(explorer_page) as page:
        page.get_by_label("Mask", exact=True).select_option("checkerboard")
        page.wait_for_url(re.compile("mask="))
        page.reload()
        assert page.get_by_label("Mask", exact=True).input_value() == "checkerboard"


@pytest.fixture(scope="module")
def mixed_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of matrices of two sizes."""
    folder = tmp_path_factory.mktemp("mixed")
    config = small_config(task={"cols": 4, "sizes": ((3, 3), (5, 4))}, training={"steps": 2})
    train(folder / "mixed", config, device="cpu")
    return write_explorer(explorable(Run(folder / "mixed")), folder / "mixed.html")


def test_a_size_comes_before_what_has_it(opened: Opened, mixed_page: Path) -> None:
    place = address(mask="110011111", values=joined(MATRIX[:9]), cols="3", rows="3", entry="2,2")
    with opened(mixed_page, place=place) as page:
        assert page.locator("#address").inner_text() == ""
        shown = page.evaluate(SHOWN)
        assert (shown["size"], shown["values"], shown["entry"]) == ([3, 3], MATRIX[:9], 8)
        assert page.get_by_label("Size").input_value() == "3,3"
        arrive(page, address(rows="7", cols="3"))
        assert "rows and cols ask for 7 × 3, and the model knows 3 × 3, 5 × 4" in page.locator("#address").inner_text()
        assert page.evaluate(SHOWN)["size"] == [3, 3]


@pytest.fixture
def told(opened: Opened, explorer_page: Path) -> Iterator[Callable[[str], str]]:
    """What the page says of an address that it is brought to."""
    with opened(explorer_page) as page:

        def arrived(place: str) -> str:
            arrive(page, place)
            assert len(page.evaluate(SHOWN)["answers"]) == 20
            return str(page.locator("#address").inner_text())

        yield arrived


def test_what_does_not_fit_is_told_in_a_sentence(told: Callable[[str], str], explored: Run) -> None:
    near = explored.steps[-1]
    assert near - 1 not in explored.steps
    start = "Not all of the address fits this page: "
    for place, said in {
        address(step=str(near - 1)): f"step {near - 1} is not in this page, and the nearest, {near}, is shown",
        address(step="soon"): "step soon is no step",
        address(values="1,2,3"): "values has 3 numbers in the place of 20",
        address(values="1,2,x" + ",0" * 17): "values has x where a number is expected",
        address(values=""): "values has nothing where a number is expected",
        address(mask="1012"): "mask 1012 is not a row of 1 (observed) and 0 (masked)",
        address(mask="101"): "mask has 3 digits in the place of 20",
        address(entry="4,0"): "entry 4,0 is none of 4 × 5",
        address(entry="-1"): "entry -1 is none of 4 × 5",
        address(head="L2H0"): "head L2H0 is none of L0H0 … L1H3",
        address(ablated="L0H0,all"): "ablated all is none of L0H0 … L1H3",
        address(method="magic"): "method magic is none of uniform, zero, mean, patch",
        address(shown="colours"): "shown colours is none of values, errors",
        address(rows="4"): "rows and cols ask for 4 × ?, and the model knows 4 × 5",
        address(entry="9,9", head="x"): "entry 9,9 is none of 4 × 5; head x is none of L0H0 … L1H3",
    }.items():
        assert told(place) == f"{start}{said}.", place


@pytest.mark.parametrize(
    "place", ["#%E0%A4%A", "#=", "#&&&", "#step", "#unknown=1", "#step=%", "#heads-title", f"#values={'9,' * 19}9e999"]
)
def test_nothing_in_an_address_throws(told: Callable[[str], str], place: str) -> None:
    assert "<" not in told(place)  # the tab fails on any error of the page


def test_what_fits_is_shown_beside_what_does_not(opened: Opened, explorer_page: Path) -> None:
    hostile = "<img src=x onerror='window.hacked=1'>" * 3
    with opened(explorer_page, place=address(values=hostile, mask=MASK, head="L0H1")) as page:
        shown = page.evaluate(SHOWN)
        assert "".join(map(str, shown["observed"])) == MASK
        assert shown["head"] == [0, 1]
        assert page.locator("img").count() == 0
        assert page.evaluate("window.hacked") is None
        assert len(page.locator("#address").inner_text()) < 140
