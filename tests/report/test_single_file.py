"""A report in one file: it is all there, opens alone and offline, and each page behaves as it does in a folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accessible import serious_violations
from drawn import draw_all
from forged import Forge
from unpacking import parts_of

from mcinterp.report import single, write_report

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
STEP, EARLIER, HEAD = "step-00009000.html", "step-00004000.html", "head-L0H1.html"


def test_pages_scripts_and_numbers_are_in_it_once(report: Path, single_report: Path) -> None:
    parts = parts_of(single_report)
    pages = {path.name for path in report.glob("*.html")}
    numbers = {path.relative_to(report).as_posix() for path in (report / "data").rglob("*.*")}
    scripts = {name for name in parts if name.startswith("assets/")}
    assert parts.keys() == pages | numbers | scripts
    assert {f"assets/{name}" for name in ("plotly.min.js", "circuitsvis.js", "report.css", "place.js")} <= scripts
    assert all(parts[name] == (report / name).read_bytes() for name in numbers | scripts)
    assert single_report.stat().st_size < 4_500_000


def test_it_names_no_file_beside_it(single_report: Path) -> None:
    pages = {name: text.decode() for name, text in parts_of(single_report).items() if name.endswith(".html")}
    for text in (single_report.read_text(), *pages.values()):
        assert not re.search(r'<a href="(?![?#]|data/)', text)
        assert "'self' file:;" not in re.findall(r"script-src[^;]+;", text)[0]
    assert "<script src" not in single_report.read_text()


def test_the_same_pages_are_the_same_file(report: Path, single_report: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(report, tmp_path, dirs_exist_ok=True)
    assert single.write_single(folder).read_bytes() == single_report.read_bytes()


def test_it_stands_beside_the_pages_as_long_as_it_is_asked_for(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,)).write(tmp_path, ["probes"])
    (folder / "step-notes.html").write_text("mine")
    made = write_report(folder, single_file=True)
    assert made == folder / "report.html"
    assert {name for name in parts_of(made) if name.endswith(".html")} == {"index.html", "step-00001000.html"}
    assert write_report(folder) == folder / "index.html"
    assert not made.exists()


def test_numbers_that_are_too_many_are_left_out_and_told(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(report, tmp_path, dirs_exist_ok=True)
    arrays = "data/step-00009000/attention/arrays.npz"
    monkeypatch.setattr(single, "LARGEST", (folder / arrays).stat().st_size - 1)
    parts = parts_of(single.write_single(folder))
    page = parts[STEP].decode()
    assert arrays not in parts
    assert f'href="{arrays}"' not in page
    assert "arrays.npz (too large for this file, which has none of its numbers)" in page
    assert "data/step-00009000/attention/heads.csv" in parts


def test_a_way_through_it_and_back(single_report: Path, opened: Opened) -> None:
    with opened(single_report / "index.html") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.split("?")[0]))
        assert draw_all(page) == 1
        page.get_by_role("link", name="step 9,000 (last)").click()
        page.wait_for_selector(".heads canvas")
        assert page.title().startswith("forged, step 9,000")
        page.get_by_role("navigation", name="On this page").get_by_role("link", name="Linear probes").click()
        assert page.url.endswith(f"report.html?{STEP}#probes")
        page.locator("#taxonomy details:has(table)").first.evaluate("(one) => { one.open = true; }")
        page.locator("#taxonomy").get_by_role("link", name="L0H1").first.click()
        page.get_by_role("heading", level=1, name="Head L0H1").wait_for()
        page.go_back()
        page.get_by_role("heading", level=1, name="Step 9,000").wait_for()
        assert page.url.endswith(f"report.html?{STEP}#probes")
        page.go_back()
        page.go_back()
        page.get_by_role("heading", level=1, name="Training run").wait_for()
        page.go_forward()
        page.get_by_role("heading", level=1, name="Step 9,000").wait_for()
        assert set(asked) == {single_report.as_uri()}


def test_the_slider_and_the_arrows_keep_the_place(single_report: Path, opened: Opened) -> None:
    with opened(single_report / STEP, place="#step=9000&head=L0H2") as page:
        page.wait_for_selector(".large h3:has-text('L0H2')")
        page.keyboard.press("ArrowLeft")
        page.wait_for_url("**/report.html?step-*#*")
        page.get_by_role("heading", level=1, name="Step 4,000").wait_for()
        assert f"report.html?{EARLIER}#" in page.url
        assert "head=L0H2" in page.url
        slide = "(one) => { one.value = one.max; one.dispatchEvent(new Event('change')); }"
        page.locator("input.steps").evaluate(slide)
        page.get_by_role("heading", level=1, name="Step 9,000").wait_for()
        assert "head=L0H2" in page.url
        page.locator("#taxonomy tr.chosen th").first.wait_for(state="attached")


def test_an_address_of_a_step_on_the_index_leads_to_its_page(single_report: Path, opened: Opened) -> None:
    with opened(single_report / "index.html", place="#step=9000&head=L1H2&at=attention") as page:
        page.wait_for_url(f"**/report.html?{STEP}#**")
        page.wait_for_selector(".large h3:has-text('L1H2')")


@pytest.mark.parametrize(
    ("section", "name"), [("probes", "probes.csv"), ("probes", "result.json"), ("attention", "arrays.npz")]
)
def test_numbers_are_saved_as_they_are_stored(
    report: Path, single_report: Path, opened: Opened, section: str, name: str
) -> None:
    with opened(single_report / STEP) as page, page.expect_download() as download:
        page.locator(f"#{section} .files > summary").click()
        page.locator(f"#{section} .numbers").get_by_role("link", name=name).focus()
        page.keyboard.press("Enter")
    kept = report / "data" / "step-00009000" / section / name
    assert download.value.path().read_bytes() == kept.read_bytes()
    assert download.value.suggested_filename == f"step-00009000-{section}-{name}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", HEAD])
def test_no_one_is_shut_out(single_report: Path, opened: Opened, name: str, scheme: str) -> None:
    with opened(single_report / name, scheme=scheme) as page:
        draw_all(page)
        assert serious_violations(page) == []


def test_the_page_that_is_shown_is_printed(single_report: Path, opened: Opened) -> None:
    with opened(single_report / HEAD) as page:
        printed = page.pdf()
    assert len(re.findall(rb"/Type /Page\b", printed)) > 2


def test_the_explorer_is_in_it_and_runs(explorer_page: Path, tmp_path: Path, opened: Opened) -> None:
    folder = Forge(steps=(1000,)).write(tmp_path / "report", ["probes"])
    shutil.copyfile(explorer_page, folder / "explore.html")
    alone = shutil.move(write_report(folder, single_file=True), tmp_path / "report.html")
    with opened(alone / "index.html") as page:
        page.locator("a[href='?explore.html']").first.click()
        page.locator("#answered td").last.wait_for()
        assert page.locator("#answered td").count() >= 20


def test_a_page_that_is_not_there_is_told(single_report: Path, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{single_report.as_uri()}?step-00000007.html")
    assert page.locator("p").inner_text() == "This report has no page step-00000007.html: to its overview."
    page.get_by_role("link", name="overview").click()
    page.get_by_role("heading", level=1, name="forged").wait_for()
    page.context.close()


def test_without_scripts_and_in_old_browsers_a_sentence_says_so(single_report: Path, browser: Any) -> None:
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(single_report.as_uri())
    assert "which JavaScript unpacks" in plain.locator("body").inner_text()
    plain.context.close()
    old = browser.new_page()
    old.add_init_script("delete window.DecompressionStream")
    old.goto(single_report.as_uri())
    assert "which this browser cannot unpack" in old.locator("p").inner_text()
    old.context.close()
