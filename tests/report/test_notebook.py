from __future__ import annotations

import base64
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
from forged import Forge
from markupsafe import escape

import mcinterp
from mcinterp.errors import InputError
from mcinterp.notebook import cell, show, show_ablation, show_attention, show_curve, show_scores
from mcinterp.notebook.cards import HEIGHT
from mcinterp.notebook.tables import STYLE
from mcinterp.report.numbers import number
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.training import find_transition

FORGE = Forge()


def test_attention_is_given_to_circuitsvis() -> None:
    result = FORGE.attention(9000)
    view = show_attention(result, "checkerboard", ["L1H2", "L0H0"])
    assert np.shape(view.props["attention"]) == (2, 25, 25)
    assert np.array(view.props["attention"][0]) == pytest.approx(result.arrays["maps"][2, 1, 2], rel=5e-4)
    assert view.props["maskUpperTri"] is False
    assert view.props["maxValue"] == np.max(view.props["attention"])
    assert view.props["attentionHeadNames"] == ["L1H2", "L0H0"]


def test_all_heads_by_default() -> None:
    assert len(show_attention(FORGE.attention(9000)).heads) == 16


def test_two_views_do_not_share_an_element() -> None:
    view = show_attention(FORGE.attention(9000), heads=["L0H0"])
    assert view._repr_html_() != view._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": "checkerbord"}, "did you mean 'checkerboard'"),
        ({"heads": ["L9H0"]}, "no head 'L9H0'"),
        ({"heads": []}, "names no head"),
    ],
)
def test_a_wrong_name_is_an_input_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        show_attention(FORGE.attention(1000), **arguments)


@pytest.mark.parametrize("show", [show_attention, show_curve, show_ablation, show_scores])
def test_the_result_of_another_pass_is_an_input_error(show: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="'probes'"):
        show(FORGE.probes(1000))


def test_figures_hold_the_numbers() -> None:
    ablation = FORGE.ablation(9000)
    figure = show_ablation(ablation)
    uniform = next(trace for trace in figure.data if trace.name == "uniform")
    assert list(uniform.x) == ablation.table("ablation").query("method == 'uniform'")["masked_delta"].tolist()
    assert np.shape(show_scores(FORGE.taxonomy(9000)).data[0].z) == (16, 8)
    curve = show_curve(FORGE.training())
    assert curve.layout.yaxis.type == "log"
    assert "analysed checkpoint" in [trace.name for trace in curve.data]


@pytest.mark.parametrize("name", ["probes", "patching", "ablation"])
def test_any_result_is_shown_as_on_its_page(name: str) -> None:
    result = FORGE.checkpoint(9000, name)
    shown = show(result)
    html = shown._repr_html_()
    assert shown.section.title == result.title
    assert all(escape(sentence) in html for sentence in shown.section.sentences)
    assert html.count("Plotly.newPlot") == len(shown.section.figures) > 0


def test_tables_are_shown_with_captions_intervals_and_meanings() -> None:
    result = FORGE.checkpoint(9000, "patching")
    shown = show(result)
    html = shown._repr_html_()
    assert html.count("<table>") == len(shown.section.tables) > 0
    for view in shown.section.tables:
        assert escape(view.caption) in html
        assert all(escape(cell.text) in html for row in view.rows for cell in row)
        assert all(f"<dd>{escape(column.meaning)}</dd>" in html for column in view.columns if column.meaning)


def test_every_rule_of_the_style_is_for_what_this_package_shows() -> None:
    rules = re.findall(r"([^{}]+)\{", STYLE.removeprefix("<style>"))
    assert all(rule.startswith(".mcinterp-cell") for rule in rules)
    assert all("," not in re.sub(r":is\(.*?\)", "", rule) for rule in rules)


def test_an_attention_result_brings_its_maps() -> None:
    html = show(FORGE.attention(9000))._repr_html_()
    assert html.count("CircuitsVis.render(") == 1
    assert "Every head under every mask" in html


def test_a_hostile_table_is_text() -> None:
    table = Table.of({"name": "<b>what</b>", "x": ""}, [{"name": "<script>alert(1)</script>\u202e", "x": 1.0}])
    html = show(Result("own", "<i>Own</i>", {}, tables={"a<b": table}))._repr_html_()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in html
    assert "<i>" not in html
    assert "<b>" not in html


def test_the_training_result_is_its_curve() -> None:
    shown = show(FORGE.training())
    assert shown.section.title == "Loss curve"
    assert len(shown.figures) == 1


def test_a_run_and_its_checkpoint_show_what_they_are(trained: Run) -> None:
    html = cell(trained)
    assert f"Run {trained.name}" in html
    assert "L_mask from step 1 to 40, " in html
    assert escape(trained.transition.statement[1:]) in html
    assert all(f"{step:,}" in html for step in trained.steps)
    assert "<polyline" in html
    last = trained.checkpoint("last")
    html = cell(last)
    assert "L_mask" in html
    assert "masked_mse" not in html
    assert last.digest in html
    assert f"step {last.step:,}" in html
    assert number(last.metrics["masked_mse"]) in html


def test_a_run_that_has_done_no_step_shows_no_curve(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = trained.metrics.iloc[:0]
    monkeypatch.setattr(Run, "metrics", property(lambda run: nothing))
    html = cell(trained)
    assert "<polyline" not in html
    assert "0 of 40" in html


def test_a_drop_is_shown_with_its_numbers() -> None:
    x = np.arange(1, 2001)
    found = find_transition(x, np.where(x < 1000, 1.0, np.maximum(0.01, np.exp(-(x - 1000) / 50))))
    html = cell(found)
    assert "Plateau and drop" in html
    assert escape(found.statement[1:]) in html
    assert number(found.steepest) in html
    assert "No drop" in cell(find_transition(x, np.ones(2000)))


def test_the_curve_of_a_run_is_at_its_measured_heights(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = trained.metrics.assign(masked_mse=[1.0] * 20 + [0.1] * (len(trained.metrics) - 20))
    monkeypatch.setattr(Run, "metrics", property(lambda run: flat))
    line = re.search(r'points="([^"]+)"', cell(trained))
    assert line
    heights = [float(point.split(",")[1]) for point in line[1].split()]
    assert heights[0] == 0.0
    assert heights[-1] == HEIGHT
    assert heights == sorted(heights)


def test_every_figure_brings_its_library_packed() -> None:
    figure = show_curve(FORGE.training())
    for _ in range(2):
        packed = re.search(r'<script type="text/plain" id="[^"]+-Plotly">([^<]+)</script>', figure._repr_html_())
        assert packed
        assert "plotly.js v" in zlib.decompress(base64.b64decode(packed[1])).decode()
    # Half a megabyte of library and few maps.
    assert len(show_attention(FORGE.attention(9000), heads=["L0H0"])._repr_html_()) < 600_000


def test_figures_are_light_on_dark(tmp_path: Path, opened: Callable[..., Any]) -> None:
    for colour, ink in (("#111", "rgb(31, 41, 51)"), ("#eee", "rgb(230, 234, 238)")):
        path = tmp_path / f"cell{colour[1:]}.html"
        body = f"<body style='color:{colour}'>{show_curve(FORGE.training())._repr_html_()}"
        path.write_text(f"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>{body}", encoding="utf-8")
        with opened(path) as page:
            page.wait_for_selector(".js-plotly-plot .main-svg")
            title = page.locator(".js-plotly-plot .xtitle").first
            assert title.evaluate("(text) => getComputedStyle(text).fill") == ink


def test_ipython_is_told_who_draws(monkeypatch: pytest.MonkeyPatch, trained: Run) -> None:
    formatters = pytest.importorskip("IPython.core.formatters", reason="IPython is not installed")
    ipython = pytest.importorskip("IPython", reason="IPython is not installed")
    display = formatters.DisplayFormatter()
    monkeypatch.setattr(ipython, "get_ipython", lambda: SimpleNamespace(display_formatter=display))
    mcinterp._show_in_cells()
    shown = {
        kind: display.format(value)[0]["text/html"]
        for kind, value in (
            ("run", trained),
            ("checkpoint", trained.checkpoint()),
            ("drop", trained.transition),
            ("result", FORGE.checkpoint(9000, "patching")),
        )
    }
    assert "Run short" in shown["run"]
    assert "short, step 40" in shown["checkpoint"]
    assert "rop" in shown["drop"]
    assert "Activation patching" in shown["result"]
    assert "Plotly.newPlot" in shown["result"]


def test_importing_the_package_loads_nothing_that_draws() -> None:
    script = "import sys, mcinterp; print({'plotly', 'torch', 'mcinterp.notebook'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_result_without_a_view_is_shown_by_name() -> None:
    assert "Own pass" in show(Result("own", "Own pass", {}))._repr_html_()


def test_a_view_is_drawn_without_the_network(tmp_path: Path, opened: Callable[..., Any]) -> None:
    path = tmp_path / "cell.html"
    body = show_attention(FORGE.attention(9000), "checkerboard", heads=["L0H1", "L0H2"])._repr_html_()
    path.write_text(f"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>{body}", encoding="utf-8")
    with opened(path) as page:
        page.wait_for_selector("canvas")
        assert page.locator("canvas").count() == 3
        assert page.locator("svg rect").count() == 25
        apart = (
            "(cell) => { const [a, b] = ['rect', 'text'].map((one) => cell.querySelector(one).getBoundingClientRect());"
        )
        apart += " return Math.hypot(a.x + a.width / 2 - b.x - b.width / 2, a.y + a.height / 2 - b.y - b.height / 2); }"
        assert page.locator("svg g", has_text="·").first.evaluate(apart) < 4  # the letter is in its cell's middle


@pytest.mark.parametrize(("colour", "dark"), [("#111", False), ("#eee", True)])
def test_maps_of_heads_are_in_the_colours_of_a_report(
    tmp_path: Path, opened: Callable[..., Any], colour: str, dark: bool
) -> None:
    view = show_attention(FORGE.attention(9000), heads=["L0H1"])
    assert view.props["positiveColor"] == "#005A8C"
    body = f"<body style='color:{colour}'>{view._repr_html_()}"
    path = tmp_path / "cell.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>{body}", encoding="utf-8")
    with opened(path) as page:
        small = page.locator(".circuitsvis canvas").first
        small.wait_for()
        assert small.evaluate("(one) => getComputedStyle(one).filter !== 'none'") == dark
        title = page.locator(".circuitsvis h4").bounding_box()
        assert title["y"] + title["height"] <= small.bounding_box()["y"] + 1


@pytest.mark.parametrize("lost", [None, 0, 1, 2])
def test_figures_are_drawn_without_the_network_whatever_cell_is_lost(
    tmp_path: Path, opened: Callable[..., Any], lost: int | None
) -> None:
    shown = [show_curve(FORGE.training()), show_ablation(FORGE.ablation(9000)), show_scores(FORGE.taxonomy(9000))]
    body = "".join(each._repr_html_() for index, each in enumerate(shown) if index != lost)
    path = tmp_path / "cells.html"
    amd = "<script>window.define = () => {}; window.define.amd = {};</script>"
    path.write_text(f"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>{amd}{body}", encoding="utf-8")
    with opened(path) as page:
        n = len(shown) - (lost is not None)
        page.wait_for_function(f"document.querySelectorAll('.js-plotly-plot').length === {n}")
        assert page.evaluate("typeof Plotly.newPlot") == "function"


@pytest.mark.no_cover
def test_a_saved_notebook_keeps_its_figures(tmp_path: Path, opened: Callable[..., Any]) -> None:
    """Two cells run, the first of them again, saved, and opened as HTML."""
    client, convert = pytest.importorskip("nbclient"), pytest.importorskip("nbconvert")
    FORGE.training().save(tmp_path / "training")
    FORGE.attention(9000).save(tmp_path / "attention")
    load = "import mcinterp\nfrom pathlib import Path\nfrom mcinterp.results import Result\n"
    cells = (
        f"{load}mcinterp.show_curve(Result.load(Path('training')))",
        "mcinterp.show_curve(Result.load(Path('training')))",
        "mcinterp.show_attention(Result.load(Path('attention')), heads=['L0H0'])",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    running = client.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    with running.setup_kernel():
        for index in (0, 1, 2, 0):
            running.execute_cell(notebook.cells[index], index)
    urls = ("require_js_url", "jquery_url", "mathjax_url", "mermaid_js_url")
    page_of, _ = convert.HTMLExporter(**dict.fromkeys(urls, "")).from_notebook_node(notebook)
    (tmp_path / "saved.html").write_text(page_of.replace("<head>", "<head><link rel=icon href='data:,'>", 1))
    with opened(tmp_path / "saved.html") as page:
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 2")
        page.wait_for_selector("canvas")
        assert page.locator(".js-plotly-plot").count() == 2


def test_a_kernel_displays_a_figure_as_html() -> None:
    formatter = pytest.importorskip("IPython.core.formatters", reason="IPython is not installed")
    bundle, _ = formatter.DisplayFormatter().format(show_curve(FORGE.training()))
    assert set(bundle) == {"text/html", "text/plain"}
    assert "Plotly.newPlot" in bundle["text/html"]
