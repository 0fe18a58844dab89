"""What a reader takes away: tables as CSV, figures as pictures and numbers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
STEP = "step-00009000.html"


def test_a_table_is_copied_as_it_is_sorted_and_filtered(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        page.locator("#taxonomy details:has(table)").first.evaluate("(one) => { one.open = true; }")
        part = page.locator("#taxonomy .table").first
        part.locator(".filter input").fill("L1")
        part.locator("button.sort").first.click()
        part.locator("button.sort").first.click()
        part.get_by_role("button", name="Copy as CSV").click()
        part.get_by_text("rows copied").wait_for()
        copied = pd.read_csv(io.StringIO(page.evaluate("navigator.clipboard.readText()")))
    assert list(copied["head"]) == [f"L1H{head}" for head in reversed(range(8))]


def test_copied_numbers_are_the_stored_ones(report: Path, opened: Opened) -> None:
    with opened(report / STEP) as page:
        part = page.locator("#patching .table", has=page.locator("table.sortable")).first
        part.evaluate("(one) => one.querySelectorAll('details').forEach((d) => { d.open = true; })")
        part.get_by_role("button", name="Copy as CSV").click()
        part.get_by_text("rows copied").wait_for()
        copied = pd.read_csv(io.StringIO(page.evaluate("navigator.clipboard.readText()")))
    stored = pd.read_csv(report / "data" / "step-00009000" / "patching" / "patching.csv")
    assert len(copied) > 1
    assert set(copied["MSE to source"]) <= set(stored["mse_to_source"])
    assert copied["MSE to source, 95 %"].str.startswith("[").all()


def test_a_figure_gives_its_numbers_and_a_picture(report: Path, opened: Opened, tmp_path: Path) -> None:
    with opened(report / "index.html") as page:
        page.wait_for_selector("#training .main-svg")
        figure = page.locator("#training figure").first
        shown = json.loads(figure.locator("script[data-plot]").text_content())
        for button, name in (("numbers", "curve.csv"), ("SVG", "curve.svg")):
            with page.expect_download() as download:
                figure.get_by_role("button", name=button).click()
            download.value.save_as(tmp_path / name)
            assert download.value.suggested_filename.endswith(Path(name).suffix)
    saved = pd.read_csv(tmp_path / "curve.csv")
    trace = next(one for one in shown["data"] if one["name"] == "L_mask")
    own = saved[saved["trace"] == "L_mask"].head(len(trace["x"]))  # once more on a logarithmic axis
    np.testing.assert_allclose(own["x"], trace["x"])
    np.testing.assert_allclose(own["y"], [np.nan if y is None else y for y in trace["y"]])
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")
