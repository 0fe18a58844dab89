"""The viewer of attention in a browser: what is drawn is what was stored, on one scale, kept from step to step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import forged_tokens
import numpy as np
import pytest
from accessible import serious_violations
from forged import Forge
from unpacking import unpack

from mcinterp.report import write_report
from mcinterp.report.packing import grouped, pack
from mcinterp.report.views.attention import largest, places, widget

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
FORGE = Forge()
STEP, EARLIER = "step-00009000.html", "step-00004000.html"
END = max(float(FORGE.attention(step).arrays["maps"].max()) for step in FORGE.steps)
"""Where colours end on every page."""
CHECKERBOARD = 2
MASKED = np.flatnonzero(FORGE.attention(9000).arrays["observed"][CHECKERBOARD] == 0).tolist()
AT_CHECKERBOARD = "#step=9000&at=attention&mask=checkerboard"
OPACITY = """(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]
    .filter((_, at) => at % 4 === 3)"""


def stored(step: int, family: int, head: int) -> np.ndarray:
    return FORGE.attention(step).arrays["maps"][family].reshape(16, 25, 25)[head]


def drawn(page: Any, head: int, size: int = 25) -> np.ndarray:
    """The shares of the full colour that the cells of a head's pattern have, (size, size)."""
    cells = page.locator(".head .pattern canvas").nth(head).evaluate(OPACITY)
    return np.array(cells).reshape(size, size) / 255


def looked_at(page: Any, head: int, size: int = 5) -> np.ndarray:
    """The same of the drawing of where the query looks, beside the middle of its cells, (size, size)."""
    canvas = page.locator(".head .looks").nth(head)
    cells = np.array(canvas.evaluate(OPACITY)).reshape(canvas.evaluate("(one) => [one.height, one.width]"))
    side = cells.shape[0] // size
    return cells[side // 4 :: side, side // 4 :: side] / 255


def place(page: Any) -> dict[str, str]:
    return dict(page.evaluate("[...new URLSearchParams(location.hash.slice(1))]"))


def test_patterns_and_looks_are_what_was_stored(report: Path, opened: Opened) -> None:
    with opened(report / STEP, place=f"{AT_CHECKERBOARD}&query=3,1") as page:
        for head in (0, 3, 15):
            expected = stored(9000, CHECKERBOARD, head) / END
            assert drawn(page, head) == pytest.approx(expected, rel=0.023, abs=1 / 255)
            assert looked_at(page, head).ravel() == pytest.approx(expected[16], rel=0.023, abs=1.5 / 255)
        page.select_option(".level-choice", "column × column")
        maps = np.stack([FORGE.attention(step).arrays["maps"] for step in FORGE.steps])
        columns = [at % 5 for at in range(25)]
        expected = grouped(stored(9000, CHECKERBOARD, 3), columns) / grouped(maps, columns).max()
        assert drawn(page, 3, 5) == pytest.approx(expected, rel=0.023, abs=1 / 255)
        most = page.locator(".head .most").nth(3).inner_text()
        assert most.startswith(f"most at column {expected[1].argmax()}: ")


def test_every_step_has_one_scale_unless_another_is_chosen(report: Path, opened: Opened) -> None:
    for name, step in ((EARLIER, 4000), (STEP, 9000)):
        with opened(report / name) as page:
            bar = page.locator(".attention .colour-bar")
            assert bar.inner_text().split() == ["0", f"{END:.2g}"]
            page.select_option(".scale-choice", "0.5")
            assert drawn(page, 2) == pytest.approx((stored(step, 0, 2) / END * 2).clip(0, 1), rel=0.023, abs=1 / 255)
            page.select_option(".scale-choice", "step")
            assert bar.inner_text().split() == ["0", f"{FORGE.attention(step).arrays['maps'].max():.2g}"]
            page.select_option(".scale-choice", "own")
            assert bar.inner_text().split("\n")[-1] == "its maximum"
            assert drawn(page, 2).max() == 1
            assert bar.bounding_box()["y"] < page.locator(".heads").bounding_box()["y"]


@pytest.mark.parametrize(("scheme", "colour"), [("light", [0, 90, 140]), ("dark", [108, 185, 234])])
def test_maps_are_in_the_colours_of_the_theme(report: Path, opened: Opened, scheme: str, colour: list[int]) -> None:
    with opened(report / STEP, scheme=scheme) as page:
        page.select_option(".scale-choice", "own")
        at = int(stored(9000, 0, 1).argmax())
        pixel = f"(canvas) => [...canvas.getContext('2d').getImageData({at % 25}, {at // 25}, 1, 1).data]"
        assert page.locator(".head .pattern canvas").nth(1).evaluate(pixel) == [*colour, 255]
        assert f"rgb({', '.join(map(str, colour))})" in page.locator(".attention .ramp").evaluate(
            "(one) => one.style.background"
        )


def test_heads_stand_in_a_row_a_layer_with_their_whole_class(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        boxes = [each.bounding_box() for each in page.locator(".head").all()]
        for row in (boxes[:8], boxes[8:]):
            assert len({round(box["y"]) for box in row}) == 1
        assert [round(box["x"]) for box in boxes[:8]] == [round(box["x"]) for box in boxes[8:]]
        labels = page.locator(".head .class")
        assert "longest-contiguous-column" in labels.all_inner_texts()
        assert labels.evaluate_all("(all) => all.every((one) => one.scrollWidth <= one.parentElement.clientWidth)")
        assert (
            page.locator(".head", has_text="L0H1")
            .locator(".swatch")
            .first.evaluate("(one) => getComputedStyle(one).backgroundColor")
            == "rgb(230, 159, 0)"
        )  # of the class column


def test_choices_are_kept_from_step_to_step(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.get_by_role("radio", name="checkerboard").check(force=True)
        page.get_by_role("button", name="L0H3 row").click()
        page.select_option(".query-choice", label="4,1")
        page.select_option(".scale-choice", "0.2")
        page.wait_for_url("**query=4%2C1**")  # the address follows the query a little later
        page.locator("input.steps").evaluate(
            "(slider) => { slider.value = 1; slider.dispatchEvent(new Event('change')); }"
        )
        page.wait_for_url(f"**/{EARLIER}**")
        assert page.get_by_role("radio", name="checkerboard").is_checked()
        assert page.locator(".large h3").inner_text().startswith("L0H3")
        assert page.locator(".query-choice option:checked").inner_text() == "4,1"
        expected = stored(4000, CHECKERBOARD, 3) / END * 5
        assert drawn(page, 3) == pytest.approx(expected.clip(0, 1), rel=0.023, abs=1 / 255)
        assert {"mask": "checkerboard", "head": "L0H3", "query": "4,1"}.items() <= place(page).items()


def test_positions_that_the_inputs_mark_have_ticks_and_dots(report: Path, opened: Opened) -> None:
    with opened(report / STEP, place=f"{AT_CHECKERBOARD}&head=L1H0&query=0,0") as page:
        names = [FORGE.positions[at] for at in MASKED]
        assert page.locator(".large .queries .marked").all_inner_texts() == names
        assert page.locator(".large .keys .marked").all_inner_texts() == names
        ticks = page.locator(".attention").evaluate("(one) => one.style.getPropertyValue('--ticks')").split(", ")
        assert [at for at, stop in enumerate(ticks) if "--ink" in stop] == MASKED
        # The middle of a cell of a key with a dot is full.
        middle = "(one) => { const side = one.width / 5, at = (key) => (key + 0.5) * side;"
        middle += " return [...Array(25).keys()].filter((key) => one.getContext('2d').getImageData("
        middle += "at(key % 5), at(Math.floor(key / 5)), 1, 1).data[3] === 255); }"
        assert page.locator(".head .looks").nth(8).evaluate(middle) == MASKED
        page.get_by_role("radio", name="random masks").check(force=True)
        assert page.locator(".large .marked").count() == 0


def test_the_keyboard_moves_the_query_opens_a_head_and_reads_it(report: Path, opened: Opened) -> None:
    with opened(report / STEP, place=f"{AT_CHECKERBOARD}&query=1,2") as page:
        page.locator(".head").nth(5).focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".query-choice option:checked")).to_have_text("2,3")
        page.keyboard.press("Enter")
        pattern = page.locator(".large .pattern canvas")
        pattern.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        value = unpack(pack(stored(9000, CHECKERBOARD, 5)), 25)[14, 2]
        assert 2 in MASKED
        said = "L0H5: query 2,4, key 0,2 (masked): "
        expect(page.locator(".reading")).to_contain_text(said)
        assert float(page.locator(".reading").inner_text().removeprefix(said)) == pytest.approx(value, rel=0.051)
        page.keyboard.press("Escape")
        assert page.locator(".large").count() == 0
        assert page.evaluate("document.activeElement.textContent").startswith("L0H5")
        assert page.url.split("#")[0].endswith(STEP)


def test_pointing_reads_a_cell_and_moves_the_query(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.locator(".head").nth(2).scroll_into_view_if_needed()
        box = page.locator(".head .pattern canvas").nth(2).bounding_box()
        page.mouse.move(box["x"] + box["width"] * 7.5 / 25, box["y"] + box["height"] * 19.5 / 25)
        expect(page.locator(".reading")).to_contain_text("L0H2: query 3,4, key 1,2: ")
        value = page.locator(".reading").inner_text().rpartition(": ")[2]
        assert float(value) == pytest.approx(stored(9000, 0, 2)[19, 7], rel=0.08)
        assert page.locator(".query-choice option:checked").inner_text() == "3,4"
        page.wait_for_url("**query=3%2C4**")


def test_circuitsvis_is_loaded_when_it_is_asked_for(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        assert page.evaluate("typeof CircuitsVis") == "undefined"
        page.get_by_label("CircuitsVis").check()
        page.wait_for_selector(".circuitsvis canvas")
        assert page.locator(".circuitsvis h4").count() == 16
        assert page.locator(".circuitsvis h4").nth(3).inner_text() == "L0H3 · row"
        assert not page.locator(".heads").is_visible()
        titles, canvases = (
            page.locator(f".circuitsvis > div > div > div:nth-of-type(1) {kind}").all() for kind in ("h4", "canvas")
        )
        for title, canvas in zip(titles, canvases, strict=True):
            above, below = title.bounding_box(), canvas.bounding_box()
            assert above["y"] + above["height"] <= below["y"] + 1
        assert place(page)["view"] == "circuitsvis"
        tile = page.get_by_role("button", name="Show L0H3 · row large")
        tile.focus()
        page.keyboard.press("Enter")
        page.get_by_text("L0H3 · row Zoomed").wait_for()
        page.get_by_label("CircuitsVis").uncheck()
        assert page.locator(".heads").is_visible()
        assert page.locator(".circuitsvis canvas").count() == 0


def test_circuitsvis_stands_in_a_page_that_is_one_file(single_report: Path, opened: Opened) -> None:
    with opened(single_report / STEP, place="#step=9000&view=circuitsvis&find=L1H2&at=attention") as page:
        page.wait_for_selector(".circuitsvis canvas")
        assert page.locator(".circuitsvis h4").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_open_head_has_no_serious_violation(report: Path, opened: Opened, scheme: str) -> None:
    with opened(report / STEP, 420, scheme, place=f"{AT_CHECKERBOARD}&head=L0H2") as page:
        page.locator(".large").wait_for()
        assert serious_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 420


def test_positions_in_a_line_are_a_strip_below_the_pattern(tmp_path: Path, opened: Opened) -> None:
    write_report(forged_tokens.write(tmp_path))
    with opened(tmp_path / "step-00003000.html", place="#step=3000&head=L1H1&at=attention&query=5") as page:
        assert page.locator(".families label").all_inner_texts() == list(forged_tokens.FAMILIES)
        assert page.locator(".large .looks.strip").count() == 1
        pattern, strip = (page.locator(f".large {one}").bounding_box() for one in (".pattern canvas", ".looks"))
        assert (strip["x"], strip["width"]) == pytest.approx((pattern["x"], pattern["width"]), abs=1)
        assert strip["y"] > pattern["y"] + pattern["height"]
        page.locator(".head").first.focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".query-choice option:checked")).to_have_text("6")


def test_positions_lie_as_the_task_says() -> None:
    result = FORGE.attention(9000)
    assert places(result) == [[at // 5, at % 5] for at in range(25)]
    assert places(forged_tokens.attention(3000)) is None
    own = [[0, at] for at in range(25)]
    result.facts["position_places"] = own
    assert places(result) == own


def test_colours_end_where_those_of_all_steps_do() -> None:
    result = FORGE.attention(4000)
    own = largest(result)
    assert own["cells"] == result.arrays["maps"].max()
    shown = widget(result, None).ending({"cells": 2.0, "row × row": 3.0})
    levels = {level["name"]: (level["top"], level["end"]) for level in shown.data["levels"]}
    assert levels["cells"] == (own["cells"], 2.0)
    assert levels["row × row"] == (own["row × row"], 3.0)
    assert levels["column × column"] == (own["column × column"],) * 2
