"""Where things stand on the page of a step: its head, the contents, groups of passes, folded parts, tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from drawn import draw_all
from forged import Forge

from mcinterp.declared import View
from mcinterp.report.figures.base import with_decimals
from mcinterp.report.headers import header
from mcinterp.report.page import marked_up, worded
from mcinterp.report.parts import Section
from mcinterp.report.small_curve import place_words
from mcinterp.report.views.groups import GROUPS, asked, grouped
from mcinterp.report.views.reading import paragraphs
from mcinterp.report.views.training import flattened

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
STEP = "step-00009000.html"
SCREEN = 900


def test_sections_stand_in_the_order_of_the_groups(report: Path) -> None:
    text = (report / STEP).read_text(encoding="utf-8").partition("<main")[2]
    places = [text.index(f">{heading}</h2>") for heading in GROUPS.values() if f">{heading}</h2>" in text]
    assert places == sorted(places)
    assert len(places) >= 3
    order = [
        text.index(f'<section id="{name}"') for name in ("attention", "taxonomy", "ablation", "patching", "probes")
    ]
    assert order == sorted(order)


def test_a_pass_that_nobody_knows_is_about_what_is_computed() -> None:
    assert asked("of-nobody") == "computes" == View("", "").asks
    assert asked("positions") == "needs"
    sections = [Section(name, name, asks=asked(name)) for name in ("of-nobody", "probes", "attention")]
    assert [(heading, [one.name for one in own]) for heading, own in grouped(sections)] == [
        ("Where does it look?", ["attention"]),
        ("What does it represent?", ["probes"]),
        ("What does it compute?", ["of-nobody"]),
    ]


def test_a_step_is_read_in_eight_screens_without_a_scroll_in_the_scroll(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.wait_for_selector(".heads canvas")
        assert page.evaluate("document.documentElement.scrollHeight") <= 8 * SCREEN
        draw_all(page)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        nested = (
            "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollHeight > box.clientHeight + 1).length"
        )
        assert page.evaluate(nested) == 0


def test_a_definition_is_reached_by_keyboard_and_leaves_with_escape(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.locator("#patching details:has(table)").first.evaluate("(one) => { one.open = true; }")
        head = page.locator("#patching th[data-meaning]").first
        head.get_by_role("button").focus()
        definition = page.get_by_role("tooltip")
        assert definition.inner_text() == head.get_attribute("data-meaning")
        assert head.get_by_role("button").get_attribute("aria-describedby") == "definition"
        page.keyboard.press("Escape")
        assert not definition.is_visible()


def test_contents_stand_at_the_left_and_mark_what_is_read(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        contents = page.locator("nav.contents")
        page.evaluate("document.getElementById('patching').scrollIntoView({ behavior: 'instant' })")
        contents.locator("a[href='#patching'][aria-current]").wait_for()
        box, main = contents.bounding_box(), page.locator("main").bounding_box()
        assert (box["y"], box["x"] + box["width"] <= main["x"]) == (0, True)
    with opened(report / STEP, 700) as page:
        box = page.locator("nav.contents").bounding_box()
        page.evaluate("scrollTo({ top: 2000, behavior: 'instant' })")
        assert page.locator("nav.contents").bounding_box()["y"] < box["y"]


def test_the_head_of_a_step_says_where_it_is_and_leads_to_the_others(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        assert page.locator(".small-curve .here").count() == 1
        assert page.locator(".small-curve a").count() == 2
        assert page.locator(".scores dd").count() >= 1
        page.locator(".small-curve a").first.click()
        assert page.url.split("#")[0].endswith("step-00001000.html")


def test_the_place_of_a_step_in_words() -> None:
    training = Forge().training()
    drop = training.facts["transition"]
    start, end = round(drop["start"]), round(drop["end"])
    assert place_words(training, start - 100).startswith("On the plateau before the drop, 100 steps")
    assert place_words(training, (start + end) // 2).startswith("Within the drop (steps ")
    assert place_words(training, end + 7).endswith("7 steps after its end")
    assert place_words(None, 5) == ""


def test_a_wide_table_says_that_it_goes_on(report: Path, opened: Opened) -> None:
    with opened(report / STEP, 480) as page:
        page.locator("#ablation details:has(table)").first.evaluate("(one) => { one.open = true; }")
        page.locator("#ablation .frame.cut").first.wait_for()
        assert page.locator("#ablation .sideways").first.is_visible()


def test_printing_opens_folded_figures(report: Path, opened: Opened) -> None:
    folded = "document.querySelectorAll('details:not([open]) .plot').length"
    with opened(report / STEP) as page:
        before = page.evaluate(folded)
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert (before > 0, page.evaluate(folded)) == (True, 0)
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.evaluate(folded) == before


def test_logarithmic_axes_have_decimals() -> None:
    figure = go.Figure(layout={"xaxis": {"type": "log", "dtick": "D2", "exponentformat": "power"}, "yaxis_type": "log"})
    with_decimals(figure)
    assert (figure.layout.xaxis.tickformat, figure.layout.yaxis.tickformat) == (",~r", ",~r")
    assert figure.layout.xaxis.exponentformat is None
    kept = go.Figure(layout={"xaxis": {"type": "log", "tickvals": [1, 10]}, "yaxis": {"type": "linear"}})
    with_decimals(kept)
    assert (kept.layout.xaxis.tickformat, kept.layout.yaxis.tickformat) == (None, None)


def test_words_of_pages() -> None:
    assert worded("run `a <b>` now") == "run <code>a &lt;b&gt;</code> now"
    assert worded("one ` is a letter") == "one ` is a letter"
    assert marked_up("*rows* of `a`") == "<em>rows</em> of <code>a</code>"
    assert header("mse_to_base") == "MSE to base"
    assert flattened({"steps": ["tiny@1", "tiny"], "none": [], "kept": True}) == [
        ("steps", "tiny@1 and tiny"),
        ("none", "–"),
        ("kept", "yes"),
    ]
    assert paragraphs("**What is shown.** a\nb\n\n**What not to conclude.** c") == (
        ("What is shown", "a b"),
        ("What not to conclude", "c"),
    )
