"""Maps of large matrices: what a page takes, how far packed cells are off, and what a browser shows and loads."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import Forge
from unpacking import unpack

from mcinterp.notebook import show_attention
from mcinterp.report import write_report
from mcinterp.report.packing import LARGE, SPAN, grouped, pack
from mcinterp.report.single import write_single
from mcinterp.report.views.attention import is_large
from mcinterp.results import Result

LARGEST = Forge(rows=18, cols=18, n_heads=3, steps=(9000,), masks=("checkerboard",))
PAGE = "step-00009000.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = written(LARGEST, tmp_path_factory.mktemp("large"))
    write_report(folder)
    return folder


def written(forge: Forge, folder: Path) -> Path:
    forge.training().save(folder / "data" / "training")
    forge.checkpoint(9000, "attention").save(folder / "data" / "step-00009000" / "attention")
    return folder


def stored() -> np.ndarray:
    return LARGEST.attention(9000).arrays["maps"].reshape(2, 6, 324, 324)


@pytest.mark.parametrize("sharpness", [0.0, 0.3, 1.0, 4.0])
def test_packed_cells_are_off_by_a_small_share_of_themselves(sharpness: float) -> None:
    values = np.exp(sharpness * np.random.default_rng(0).standard_normal((400, 400)))
    values /= values.sum(1, keepdims=True)
    told = values >= SPAN * values.max()
    off = np.abs(unpack(pack(values), 400) - values)
    assert (off[told] / values[told]).max() < 0.023
    assert off[~told].max(initial=0.0) < SPAN * values.max()


def test_packed_ends_are_exact_and_0_is_0() -> None:
    values = np.array([[0.0, 0.5], [0.125, np.nan]])
    assert unpack(pack(values), 2) == pytest.approx(np.array([[0.0, 0.5], [0.125, 0.0]]), rel=1e-12)
    assert unpack(pack(np.zeros((2, 2))), 2).tolist() == [[0, 0], [0, 0]]


def test_a_map_of_groups_sums_over_keys_and_averages_over_queries() -> None:
    maps = np.array([[1, 2, 3], [3, 4, 5], [6, 7, 8]])
    assert grouped(maps, [0, 0, 1]).tolist() == [[5, 4], [13, 8]]


def test_large_maps_stand_beside_the_page_in_a_byte_a_cell(large: Path) -> None:
    files = sorted((large / "maps" / "step-00009000").iterdir())
    assert len(files) == 2 * 6
    # Three bytes in four letters, and a line around them.
    assert all(file.stat().st_size < 324**2 * 4 / 3 + 120 for file in files)
    found = re.fullmatch(r'mcinterp.take\("1-4.js",(.+)\);\n', (large / "maps/step-00009000/1-4.js").read_text())
    assert found
    assert unpack(json.loads(found[1]), 324) == pytest.approx(stored()[1, 4], rel=0.023, abs=SPAN)


def test_the_page_grows_with_groups_and_not_with_cells(large: Path, tmp_path: Path) -> None:
    larger = Forge(rows=22, cols=22, n_heads=3, steps=(9000,), masks=("checkerboard",))
    write_report(written(larger, tmp_path))
    own, other = (folder.joinpath(PAGE).stat().st_size for folder in (large, tmp_path))
    # For each position a name and, under both masks, a square of a drawing; 24 maps of groups.
    assert other - own < (22**2 - 18**2) * (20 + 2 * 320 + 24 * 4 / 3)
    assert own < 1_000_000


def test_a_report_in_one_file_has_the_groups_alone(large: Path, tmp_path: Path, opened: Callable[..., Any]) -> None:
    alone = shutil.move(write_single(large), tmp_path / "report.html")
    with opened(alone / PAGE) as page:
        assert page.locator(".level-choice option").first.inner_text() == "row × row"
        assert page.locator(".head .most").first.inner_text().startswith("most at row ")
        page.select_option(".level-choice", "cells")
        page.locator(".scale-note", has_text="too large for a report in one file").wait_for()


def test_maps_of_steps_that_are_gone_are_removed(tmp_path: Path) -> None:
    folder = written(LARGEST, tmp_path)
    left = folder / "maps" / "step-00000007"
    left.mkdir(parents=True)
    write_report(folder)
    assert [path.name for path in (folder / "maps").iterdir()] == ["step-00009000"]


def test_groups_come_first_and_positions_one_head_at_a_time(large: Path, opened: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    with opened(large / PAGE) as page:
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url.rpartition("/")[2]))
        most = page.locator(".head .most")
        assert most.count() == 6
        assert all(text.startswith("most at row ") for text in most.all_inner_texts())
        assert loaded == []
        page.select_option(".level-choice", "cells")
        expect(page.locator(".large h3")).to_have_text("L0H0 ")
        expect(page.locator(".head.unloaded")).to_have_count(5)
        page.get_by_role("button", name="L1H1").click()
        expect(page.locator(".large h3")).to_have_text("L1H1 ")
        expect(page.locator(".head.unloaded")).to_have_count(4)
        page.get_by_role("radio", name="checkerboard").check(force=True)
        expect(page.locator(".head.unloaded")).to_have_count(5)
        at = int(stored()[1, 4][0].argmax())
        page.select_option(".query-choice", "0")
        expect(most.nth(4)).to_have_text(f"most at {LARGEST.positions[at]}: {stored()[1, 4][0, at]:.2g}")
        assert [name for name in loaded if name.endswith(".js")] == ["0-0.js", "0-4.js", "1-4.js"]
        assert page.locator("script[src*='maps/']").count() == 0
        assert "head=L1H1" in page.url


def test_an_address_of_a_head_opens_its_positions(large: Path, opened: Callable[..., Any]) -> None:
    with opened(large / PAGE, place="#step=9000&head=L0H2&at=attention") as page:
        page.locator(".head:not(.unloaded)").wait_for()
        assert page.locator(".large h3").inner_text().strip() == "L0H2"


def test_cells_are_what_was_packed(large: Path, opened: Callable[..., Any]) -> None:
    with opened(large / PAGE) as page:
        cells = page.evaluate("(packed) => [...mcinterp.packed.cells(packed)]", pack(stored()[0, 5]))
    assert np.array(cells) == pytest.approx(unpack(pack(stored()[0, 5]), 324).ravel(), rel=1e-12)


def test_a_notebook_shows_groups_first_and_heads_that_are_named_in_full() -> None:
    result: Result = LARGEST.attention(9000)
    assert is_large(result)
    assert result.arrays["maps"][0].size > LARGE
    assert np.shape(show_attention(result).props["attention"]) == (6, 18, 18)
    assert show_attention(result).props["tokens"][3] == "row 3"
    assert np.shape(show_attention(result, heads=["L1H1"]).props["attention"]) == (1, 324, 324)
