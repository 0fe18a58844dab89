"""The explorer's controls in a browser, and how it looks: by mouse and keyboard, light and dark, narrow and wide."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_run import small_config

from mcinterp.runs import Run, train
from mcinterp.studies.matrix_completion.explorer.explorable import explorable
from mcinterp.studies.matrix_completion.explorer.page import write_explorer

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]


def state(page: Any) -> dict[str, Any]:
    script = """() => {
      const { state } = Explorer.live;
      return { ...state, values: [...state.values], observed: [...state.observed], step: Explorer.outcome.step };
    }"""
    found: dict[str, Any] = page.evaluate(script)
    return found


def entry(page: Any, row: int, col: int) -> Any:
    return page.locator("#given tbody tr").nth(row).locator("td.entry").nth(col)


def texts(page: Any, table: str) -> list[str]:
    return [str(text) for text in page.locator(f"#{table} td.entry span").all_inner_texts()]


def test_a_click_masks_and_unmasks(page: Any) -> None:
    page.get_by_label("Mask", exact=True).select_option("none")
    before = texts(page, "answered")
    entry(page, 1, 2).click()
    assert [i for i, seen in enumerate(state(page)["observed"]) if not seen] == [7]
    assert "19 of 20 entries observed" in page.locator("#seen").inner_text()
    assert page.get_by_label("Mask", exact=True).input_value() == "by hand"
    assert texts(page, "answered") != before
    entry(page, 1, 2).click()
    assert all(state(page)["observed"])
    assert texts(page, "answered") == before


def test_a_masked_entrys_value_is_hidden_from_the_model(page: Any) -> None:
    page.get_by_label("Mask", exact=True).select_option("checkerboard")
    before = page.evaluate("[...Explorer.outcome.model.answers]")
    errors = page.locator("#scores tbody").inner_text()
    entry(page, 0, 1).focus()
    page.keyboard.type("1.5")
    page.keyboard.press("Enter")
    assert state(page)["values"][1] == 1.5
    assert page.evaluate("[...Explorer.outcome.model.answers]") == before
    assert page.locator("#scores tbody").inner_text() != errors


def test_entries_are_reached_masked_and_typed_by_keyboard(page: Any) -> None:
    page.get_by_label("Mask", exact=True).select_option("none")
    entry(page, 0, 0).focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    assert [i for i, seen in enumerate(state(page)["observed"]) if not seen] == [11]
    assert state(page)["entry"] == 11
    page.keyboard.press("End")
    page.keyboard.type("-0.256")
    assert state(page)["values"][14] == -0.26
    page.keyboard.press("Escape")
    assert state(page)["values"][14] != -0.26
    page.keyboard.type("1.52")
    assert state(page)["values"][14] == 1.52
    assert page.locator("#typing").inner_text() == ""
    page.keyboard.press("Home")
    page.keyboard.type("12")
    assert "from −2 to 2" in page.locator("#typing").inner_text()
    assert state(page)["values"][14] == 1.52
    page.keyboard.press("ArrowDown")
    assert state(page)["entry"] == 19
    assert page.locator("#given td[tabindex='0']").count() == 1
    assert page.evaluate("document.activeElement.dataset.index") == "19"


def test_structured_masks_and_matrices_are_chosen(page: Any) -> None:
    masks = page.get_by_label("Mask", exact=True)
    masks.select_option("masked-rows:2@1,3@3")
    grid = np.array(state(page)["observed"]).reshape(4, 5)
    assert grid.tolist() == [[1] * 5, [1] * 5, [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
    assert "checkerboard" in masks.inner_text()
    page.get_by_role("button", name="New matrix of rank 1").click()
    low = np.reshape(state(page)["values"], (4, 5))
    assert np.linalg.svd(low, compute_uv=False)[1] < 0.03
    page.get_by_role("button", name="New full-rank matrix").click()
    full = np.reshape(state(page)["values"], (4, 5))
    assert np.linalg.svd(full, compute_uv=False)[3] > 0.03
    assert np.array(state(page)["observed"]).reshape(4, 5).tolist() == grid.tolist()
    page.get_by_role("button", name="New random mask").click()
    assert masks.input_value() == "random"


def test_the_slider_goes_through_training(page: Any, explored: Run) -> None:
    slider = page.get_by_role("slider")
    assert state(page)["step"] == explored.steps[-1]
    before = texts(page, "answered")
    slider.focus()
    page.keyboard.press("Home")
    assert state(page)["step"] == explored.steps[0] == 0
    assert page.locator("#now").inner_text() == "step 0"
    assert texts(page, "answered") != before
    page.locator("#curve .mark").nth(2).click()
    assert state(page)["step"] == explored.steps[2]
    assert slider.input_value() == str(explored.steps[2])
    page.keyboard.press("Tab")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["step"] == explored.steps[3]
    page.keyboard.press("ArrowDown")
    assert state(page)["step"] == explored.steps[2]


def test_heads_layers_and_all_are_ablated(page: Any) -> None:
    before = texts(page, "answered")
    head = page.get_by_role("button", name=re.compile("^L1H2"))
    head.click()
    assert state(page)["ablated"] == [[False] * 4, [False, False, True, False]]
    assert head.get_attribute("aria-pressed") == "true"
    assert "intact model" in page.locator("#scores").inner_text()
    assert texts(page, "answered") != before
    page.get_by_role("button", name="Layer 0").click()
    assert "L0H0, L0H1, L0H2, L0H3, L1H2" in page.locator("#ablated").inner_text()
    page.get_by_role("button", name="Layer 0").click()
    assert state(page)["ablated"][0] == [False] * 4
    page.get_by_role("button", name="Ablate all").click()
    assert "all heads" in page.locator("#ablated").inner_text()
    page.get_by_role("button", name="Ablate none").click()
    assert texts(page, "answered") == before


def test_pointing_at_an_entry_shows_where_heads_look_from_it(page: Any) -> None:
    # The map's pixels are read back: the colour of a key is in proportion to its share of the attention.
    page.locator("#scale").select_option("own")
    entry(page, 2, 3).hover()
    assert page.locator("#entry").inner_text() == "2,3"
    script = """() => {
      const tile = document.querySelectorAll("button.head")[5];
      const map = tile.querySelectorAll("canvas")[1];
      const side = map.width / 5;
      const pixels = map.getContext("2d").getImageData(0, 0, map.width, map.height).data;
      const at = (key) => 4 * ((Math.floor(key / 5) * side + 3) * map.width + (key % 5) * side + 3);
      return Array.from({ length: 20 }, (_, key) => 255 - pixels[at(key)]);
    }"""
    shown = np.array(page.evaluate(script))
    pattern = np.array(page.evaluate("[...Explorer.outcome.patterns[1][1]]")).reshape(20, 20)
    np.testing.assert_allclose(shown, 255 * pattern[13] / pattern.max(), atol=1.5)
    most = int(pattern[13].argmax())
    expected = f"L1H1: entry 2,3 attends most to {most // 5},{most % 5}, {pattern[13].max():.2f}"
    assert page.locator("button.head").nth(5).get_attribute("aria-label") == expected
    page.locator("#answered td.entry").nth(0).hover()
    assert page.locator("#entry").inner_text() == "0,0"


def test_pointing_at_a_head_draws_its_look_onto_the_matrix(page: Any) -> None:
    entry(page, 1, 1).hover()
    page.get_by_role("button", name=re.compile("^L0H3")).hover()
    shown = page.evaluate(
        "[...document.querySelectorAll('#given td.entry')].map((c) => +c.style.getPropertyValue('--look'))"
    )
    shares = np.array(page.evaluate("[...Explorer.outcome.patterns[0][3].subarray(120, 140)]"))
    np.testing.assert_allclose(shown, shares / shares.max(), atol=1e-3)


def test_errors_are_shown_in_the_place_of_values(page: Any) -> None:
    page.get_by_label("Completions as").select_option("errors")
    answers, values = page.evaluate("[[...Explorer.outcome.model.answers], [...Explorer.live.state.values]]")
    shown = [float(text.replace("−", "-")) for text in texts(page, "answered")]
    np.testing.assert_allclose(shown, np.subtract(answers, values), atol=6e-4)
    assert all(
        text.lstrip("−0.") == ""
        for text, seen in zip(texts(page, "solved"), state(page)["observed"], strict=True)
        if seen
    )


def test_the_time_until_it_is_painted_is_told(page: Any) -> None:
    entry(page, 0, 0).click()
    page.wait_for_selector("#timing[data-ms]")
    told = page.locator("#timing").get_attribute("title")
    assert re.fullmatch(r"computed in [\d.]+ ms, painted after [\d.]+ ms", told)
    assert " ms" not in page.locator("body").inner_text()
    assert 0 < float(page.locator("#timing").get_attribute("data-ms")) < 5000


# The page ------------------------------------------------------------------------------------------------------------


@contextmanager
def scheme(browser: Any, path: Path, dark: bool, width: int) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()


def contrast(one: list[float], other: list[float]) -> float:
    def luminance(channels: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def channels(colour: str) -> list[float]:
    found = [float(number) for number in re.findall(r"[\d.]+", colour.removeprefix("color(srgb"))][:3]
    return found if colour.startswith("color(") else [number / 255 for number in found]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [480, 1400])
def test_it_follows_the_readers_setting_and_reads_well(
    browser: Any, explorer_page: Path, dark: bool, width: int
) -> None:
    with scheme(browser, explorer_page, dark, width) as page:
        page.get_by_label("Mask", exact=True).select_option("checkerboard")
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(channels(body)) < 0.6) == dark
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cells = page.evaluate(
            """[...document.querySelectorAll("#answered td.entry")].map((cell) => {
              const style = getComputedStyle(cell);
              return [style.color, style.backgroundColor];
            })"""
        )
        assert min(contrast(channels(ink), channels(ground)) for ink, ground in cells) > 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_maps_go_from_the_pages_colour_to_one_other(browser: Any, explorer_page: Path, dark: bool) -> None:
    with scheme(browser, explorer_page, dark, 1400) as page:
        page.wait_for_selector(".head canvas")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        strongest = page.evaluate("getComputedStyle(document.body).getPropertyValue('--attention')")
        pixels = page.locator(".head canvas").first.evaluate(
            "(map) => Array.from(map.getContext('2d').getImageData(0, 0, map.width, map.height).data)"
        )
    start, end = np.array(channels(ground)), np.array([int(strongest[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    shown = np.array(pixels).reshape(-1, 4)[:, :3] / 255 - start
    share = shown @ (end - start) / ((end - start) ** 2).sum()
    assert np.abs(shown - share[:, None] * (end - start)).max() < 0.01
    assert 0 <= share.min() < share.max() <= 1.005


@pytest.mark.parametrize("width", [480, 1400])
def test_numbers_fit_their_cells(opened: Opened, tmp_path: Path, width: int) -> None:
    config = small_config(task={"rows": 9, "cols": 10, "v_min": -20.0, "v_max": 20.0}, training={"steps": 2})
    train(tmp_path / "wide", config, device="cpu")
    with opened(write_explorer(explorable(Run(tmp_path / "wide")), tmp_path / "wide.html"), width) as page:
        page.evaluate("Explorer.change(null, (live) => { live.state.values = live.state.values.map((x) => 15 * x); })")
        wide = """[...document.querySelectorAll("td.entry")].filter(
          (cell) => cell.firstChild.getBoundingClientRect().width > cell.clientWidth).length"""
        assert page.evaluate(wide) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_landmarks_names_and_digits_of_the_page(page: Any) -> None:
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).inner_text().endswith("small")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(set(ids)) == len(ids)
    assert page.locator("button:not([aria-label]):empty").count() == 0
    for control in page.locator("main select:visible, main input:visible").all():
        assert control.evaluate("(e) => e.labels.length > 0 || e.hasAttribute('aria-label')")
    assert page.get_by_role("grid").count() == 1
    assert page.get_by_role("gridcell").count() == 20
    assert re.fullmatch(r"0,1: −?\d\.\d\d(, masked)?", entry(page, 0, 1).get_attribute("aria-label"))
    assert page.evaluate("Numbers.number(0.000012345)") == "1.23e−5"
    assert page.evaluate("[Numbers.number(-0.12345), Numbers.number(123456), Numbers.number(NaN)]") == [
        "−0.123",
        "123,456",
        "–",
    ]
    assert page.evaluate("[Numbers.fixed(-0.0004, 2), Numbers.parse('−0,5'), Numbers.parse('1e3')]") == [
        "0.00",
        -0.5,
        None,
    ]


# The slider and the curve ---------------------------------------------------------------------------------------------

CENTRES = """async (shot) => {
  const picture = new Image();
  picture.src = `data:image/png;base64,${shot}`;
  await picture.decode();
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const { data } = canvas.getImageData(0, 0, picture.width, picture.height);
  const [red, green, blue] = getComputedStyle(document.querySelector("#curve .now")).fill.match(/\\d+/g).map(Number);
  const found = [];
  for (let at = 0; at < data.length; at += 4) {
    const far = Math.abs(data[at] - red) + Math.abs(data[at + 1] - green) + Math.abs(data[at + 2] - blue);
    if (far < 20) found.push((at / 4) % picture.width);
  }
  const box = document.querySelector("#step").getBoundingClientRect();
  const mark = document.querySelector("#curve .now").getBoundingClientRect();
  const thumb = found.reduce((sum, x) => sum + x + 0.5, 0) / found.length;
  return [box.left + thumb, (mark.left + mark.right) / 2];
}"""


@pytest.mark.parametrize("width", [420, 800, 1400])
def test_the_thumb_is_under_the_mark(explorer_page: Path, opened: Opened, explored: Run, width: int) -> None:
    with opened(explorer_page, width) as page:
        # A page that was opened at another width draws its curve anew.
        page.set_viewport_size({"width": width + 90, "height": 900})
        page.evaluate("() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))")
        for index, step in enumerate(explored.steps):
            page.locator("#curve .mark").nth(index).click(force=True)
            assert state(page)["step"] == step
            shot = base64.b64encode(page.locator("#step").screenshot()).decode()
            thumb, mark = page.evaluate(CENTRES, shot)
            assert thumb == pytest.approx(mark, abs=1)


# Rank and kinds of ablation -------------------------------------------------------------------------------------------


def test_the_rank_of_what_was_typed_is_told(page: Any) -> None:
    said = page.locator("#rank")
    page.get_by_role("button", name="New matrix of rank 1").click()
    assert re.match(r"Rank 1\. Singular values [\d.]+, ", said.inner_text())
    assert "up to 0.022 count as 0, which rounding to 0.01 can make" in said.inner_text()
    entry(page, 0, 0).focus()
    page.keyboard.type("-1.9")
    page.keyboard.press("Enter")
    assert said.inner_text().startswith("Rank 2, no longer 1. ")
    page.get_by_role("button", name="New full-rank matrix").click()
    assert said.inner_text().startswith("Rank 4, not 1 as in training. ")


def test_ablated_heads_are_told_by_what_becomes_of_them(page: Any) -> None:
    ways = page.get_by_label("Ablated heads")
    head = page.get_by_role("button", name=re.compile("^L1H2"))
    head.click()
    answers = [texts(page, "answered")]
    for way, tile, said, row in [
        ("zero", "zero", "Output 0: L1H2.", "ablated model"),
        ("mean", "mean", "Output the mean over 512 random matrices (seed 0): L1H2.", "ablated model"),
        ("patch", "patched", "Output that of the second matrix: L1H2.", "patched model"),
    ]:
        ways.select_option(way)
        answers.append(texts(page, "answered"))
        assert page.locator("#ablated").inner_text() == said
        assert head.locator(".most").inner_text() == tile
        assert row in page.locator("#scores").inner_text()
        assert page.locator("#second-matrix").is_visible() == (way == "patch")
    assert len({tuple(each) for each in answers}) == 4
    assert "against the second" in page.locator("#scores").inner_text()


def test_the_second_matrix_is_the_negative_a_new_one_or_one_that_was_kept(page: Any) -> None:
    page.get_by_label("Ablated heads").select_option("patch")
    first, second = (np.array(page.evaluate(f"[...Explorer.live.{what}]")) for what in ("state.values", "second()"))
    np.testing.assert_array_equal(second, -first)
    page.get_by_role("button", name="This one, kept").click()
    page.get_by_role("button", name="New matrix of rank 1").click()
    np.testing.assert_array_equal(page.evaluate("[...Explorer.live.second()]"), first)
    shown = [float(text.replace("−", "-")) for text in texts(page, "second")]
    np.testing.assert_allclose(shown, first, atol=1e-9)
    page.get_by_role("button", name="A new one").click()
    other = np.array(page.evaluate("[...Explorer.live.second()]"))
    assert not np.array_equal(other, first)
    page.get_by_role("button", name="The negative").click()
    np.testing.assert_array_equal(page.evaluate("[...Explorer.live.second()]"), -np.array(state(page)["values"]))
