from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import Forge
from markupsafe import escape

from mcinterp.errors import InputError
from mcinterp.notebook import OfflineFigure, show, show_ablation, show_attention, show_curve, show_scores
from mcinterp.results import Result

FORGE = Forge()


def test_attention_is_given_to_circuitsvis() -> None:
    result = FORGE.attention(9000)
    view = show_attention(result, "checkerboard", ["L1H2", "L0H0"])
    assert np.shape(view.props["attention"]) == (2, 25, 25)
    assert np.array(view.props["attention"][0]) == pytest.approx(result.arrays["maps"][2, 1, 2], abs=5e-4)
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


def test_a_result_without_a_view_is_shown_by_name() -> None:
    assert "Own pass" in show(Result("own", "Own pass", {}))._repr_html_()


def test_a_view_is_drawn_without_the_network(tmp_path: Path, opened: Callable[..., Any]) -> None:
    path = tmp_path / "cell.html"
    body = show_attention(FORGE.attention(9000), heads=["L0H1", "L0H2"])._repr_html_()
    path.write_text(f"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>{body}", encoding="utf-8")
    with opened(path) as page:
        page.wait_for_selector("canvas")
        assert page.locator("canvas").count() == 3
        assert page.locator("svg rect").count() == 25


def test_figures_are_drawn_without_the_network_and_share_one_library(
    tmp_path: Path, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OfflineFigure, "_library_sent", False)
    cells = [show_curve(FORGE.training()), show_ablation(FORGE.ablation(9000)), show_scores(FORGE.taxonomy(9000))]
    body = "".join(cell._repr_html_() for cell in cells)
    assert body.count("plotly.js v") == 1
    path = tmp_path / "cells.html"
    amd = "<script>window.define = () => {}; window.define.amd = {};</script>"
    path.write_text(f"<!doctype html><meta charset=utf-8><link rel=icon href='data:,'>{amd}{body}", encoding="utf-8")
    with opened(path) as page:
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 3")


def test_a_kernel_displays_a_figure_as_html() -> None:
    formatter = pytest.importorskip("IPython.core.formatters", reason="IPython is not installed")
    bundle, _ = formatter.DisplayFormatter().format(show_curve(FORGE.training()))
    assert set(bundle) == {"text/html", "text/plain"}
    assert "Plotly.newPlot" in bundle["text/html"]
