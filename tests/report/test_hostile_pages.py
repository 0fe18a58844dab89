"""Pages made of hostile results: nothing in them runs, loads, or turns the text around it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import draw_all
from forged import Forge
from unpacking import parts_of

from mcinterp.errors import CheckpointError
from mcinterp.report import site, write_report
from mcinterp.report.parts import embed_json, visible
from mcinterp.results import Result, Table

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
STEP, HEAD = "step-00009000.html", "head-L1H1.html"
EVIL = "\"'><script>window.hacked=1</script></script><img src=x onerror='window.hacked=2'>{{7*7}}\u202egnp.exe\u2066"
LINK = '<a href="https://example.org">click</a>'


@pytest.fixture(scope="module", params=[False, True], ids=["linked", "single"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the pages, or the one file that they are in."""
    forge = Forge(run=EVIL, masks=(EVIL, LINK), steps=(1000, 9000), n_heads=2)
    folder = forge.write(tmp_path_factory.mktemp("hostile"))
    for step in forge.steps:
        for name in ("attention", "taxonomy", "ablation", "patching", "probes"):
            result = forge.checkpoint(step, name)
            tables = {
                key: Table(_spoilt(table.frame), _spoilt_meanings(table.columns))
                for key, table in result.tables.items()
            }
            replace(result, title=EVIL, tables=tables).save(folder / "data" / f"step-{step:08d}" / name)
    table = Table.of({"token": EVIL, LINK: EVIL}, [{"token": EVIL, LINK: LINK}, {"token": LINK, LINK: EVIL}])
    Result(EVIL, EVIL, {}, {}, {"t": table}).save(folder / "data" / "step-00009000" / "other")
    made = write_report(folder, single_file=request.param)
    return made if request.param else folder


def _spoilt(frame: Any) -> Any:
    """The texts that nothing is looked up by made hostile."""
    verdicts = [name for name in ("verdict", "note", "why") if name in frame]
    return frame.assign(**dict.fromkeys(verdicts, EVIL))


def _spoilt_meanings(columns: Any) -> dict[str, str]:
    return {name: f"{meaning} {EVIL}" for name, meaning in columns.items()}


@pytest.mark.parametrize("name", ["index.html", STEP, HEAD])
def test_nothing_hostile_runs_in_a_browser(folder: Path, opened: Opened, name: str) -> None:
    with opened(folder / name) as page:
        draw_all(page)
        if name == STEP:
            assert page.locator(".families").inner_text().count("<script>") == 1
            page.locator(".circuitsvis-choice").check()
            page.wait_for_selector(".circuitsvis canvas")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("window.hacked") is None
        assert page.locator("img:not([src^='data:'])").count() == 0
        assert page.locator("a[href*='example.org']").count() == 0
        assert page.evaluate("[...document.querySelectorAll('a')].every((a) => !/^(java|vb)script/i.test(a.href))")
        assert "\\u202egnp.exe" in page.title()
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.content())


class Watched:
    """A page, what it asked the network for, and what it told."""

    def __init__(self, browser: Any) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []
        self.page = browser.new_context().new_page()
        self.page.context.route("http*://**", self._refuse)
        self.page.on("console", lambda message: self.told.append(message.text))

    def _refuse(self, route: Any) -> None:
        self.asked.append(route.request.url)
        route.abort()

    def show(self, folder: Path) -> None:
        self.page.goto("about:blank")
        self.asked.clear()
        self.told.clear()
        self.page.goto((folder if folder.is_file() else folder / "index.html").as_uri())
        self.page.locator("#main").wait_for()


@pytest.fixture(scope="module")
def watched(browser: Any) -> Iterator[Watched]:
    watched = Watched(browser)
    yield watched
    watched.page.context.close()


@pytest.mark.parametrize("attack", ["inline", "handler", "fetch", "image", "frame", "elsewhere"])
def test_the_policy_of_a_page_holds_even_if_something_got_in(folder: Path, watched: Watched, attack: str) -> None:
    script = "const s = document.createElement('script'); s.{}; document.body.append(s)"
    attacks = {
        "inline": script.format("textContent = 'window.hacked = 1'"),
        "handler": "document.body.insertAdjacentHTML('beforeend', '<details open ontoggle=\"window.hacked=1\">')",
        "fetch": "fetch('https://example.org/').then(() => { window.hacked = 1 }, () => 0)",
        "image": "new Image().src = 'https://example.org/x.png'",
        "frame": "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"https://example.org/\"></iframe>')",
        "elsewhere": script.format("src = 'https://example.org/x.js'"),
    }
    watched.show(folder)
    assert not any("Content Security Policy" in text for text in watched.told)
    # What playwright evaluates is not bound by the policy; what that puts into the page is.
    watched.page.evaluate(f"() => {{ {attacks[attack]} }}")
    watched.page.wait_for_timeout(200)
    assert watched.page.evaluate("window.hacked") is None
    assert watched.asked == []
    assert any("Content Security Policy" in text for text in watched.told)


def pages_of(folder: Path) -> dict[str, str]:
    """Name → text of every page, of the one file's own too."""
    if folder.is_dir():
        return {page.name: page.read_text(encoding="utf-8") for page in folder.glob("*.html")}
    packed = {name: content.decode() for name, content in parts_of(folder).items() if name.endswith(".html")}
    return {folder.name: folder.read_text(encoding="utf-8"), **packed}


def test_every_page_has_the_policy(folder: Path) -> None:
    for text in pages_of(folder).values():
        policy = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
        assert len(policy) == 1
        assert policy[0].startswith("default-src 'none'; script-src ")
        scripts = re.search("script-src ([^;]+);", policy[0])
        assert scripts
        assert "unsafe" not in scripts[1]
        assert not re.search(r"https?:|\*", policy[0])


def test_labels_of_figures_hold_no_foreign_markup(folder: Path) -> None:
    text = pages_of(folder)[STEP]
    blocks = [
        json.loads(each)
        for each in re.findall(r'<script type="application/json"[^>]*data-plot[^>]*>(.*?)</script>', text)
    ]
    assert len(blocks) >= 10
    assert "&lt;script&gt;" in json.dumps(blocks)
    assert not re.findall(r"<(?!/?(?:br|b|i|sub|sup|extra)>)[^ =<]", json.dumps(blocks))


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u061c", "\x1b", "\x00", "\u200b", "\ufeff"])
def test_marks_that_turn_or_hide_text_are_written_out(mark: str) -> None:
    written = f"\\u{ord(mark):04x}"
    assert visible(f"a{mark}b") == f"a{written}b"
    shown = json.loads(embed_json({"label": f"a{mark}b"}))["label"]
    assert shown in (f"a{written}b", f"a{mark}b" if ord(mark) < 32 else "")
    assert visible("é − ½ \n") == "é − ½ \n"


def test_links_in_a_reports_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("mine")
    folder = Forge(steps=(1000,)).write(tmp_path / "report", ["probes"])
    (folder / "data" / "step-00001000" / "probes" / "more.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(CheckpointError, match=r"more\.csv is a symbolic link"):
        write_report(folder, single_file=True)
    assert not (folder / "index.html").exists()


def test_a_record_cannot_name_another_folder(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,)).write(tmp_path / "report", ["probes"])
    (tmp_path / "report" / "data" / "secret.csv").write_text("mine")
    file = folder / "data" / "training" / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "name": ".."}))
    write_report(folder)
    index = (folder / "index.html").read_text()
    assert "secret.csv" not in index
    assert 'href="data/training/' in index


def test_the_index_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, written = Forge(steps=(1000,)).write(tmp_path, ["probes"]), []
    write = site.write_atomic
    monkeypatch.setattr(site, "write_atomic", lambda path, content: (written.append(path.name), write(path, content)))
    write_report(folder)
    assert written[-1] == "index.html"
    assert {"figures.js", "plotly.min.js", "step-00001000.html"} <= set(written)


def test_numbers_in_figures_are_what_they_were(tmp_path: Path) -> None:
    import plotly.graph_objects as go

    from mcinterp.report.parts import FigureView

    values = [0.1, 1e-300, np.pi, float("nan"), 5]
    figure = go.Figure(go.Scatter(y=values, text=["<b>\u202e"]))
    shown = json.loads(FigureView("c", figure).json)
    assert shown["data"] == json.loads(figure.to_json().replace("\\u202e", "\\\\u202e"))["data"]
