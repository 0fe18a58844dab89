"""Pages of single heads: what they say over the steps, where they lead, and that they are light and safe."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import draw_all
from forged import PASSES, Forge
from forged_circuits import forged_circuits, save_circuits

from mcinterp.report import head_circuits, head_maps, write_report
from mcinterp.report.head_maps import HeadMaps
from mcinterp.report.heads import HeadPages, heads_of
from mcinterp.report.maps import LEVELS, ZERO, rounded, spread
from mcinterp.report.views.head.classes import class_sentence
from mcinterp.results import Table

Opened = Callable[..., Any]
FORGE = Forge(n_heads=2)
HEADS = [f"head-{head}.html" for head in FORGE.heads]
PAGE = "head-L1H1.html"  # after the drop a row head


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with circuits; to be read only."""
    folder = tmp_path_factory.mktemp("heads")
    save_circuits(FORGE, FORGE.write(folder))
    write_report(folder)
    return folder


def text_of(path: Path) -> str:
    return " ".join(html.unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", path.read_text(), flags=re.S)).split())


def blocks(path: Path) -> list[dict[str, Any]]:
    found = re.findall(r'<script type="application/json">(.*?)</script>', path.read_text(), re.S)
    return [json.loads(each) for each in found]


def test_every_head_has_a_page(pages: Path) -> None:
    assert sorted(path.name for path in pages.glob("head-*.html")) == HEADS
    assert all((pages / name).stat().st_size < 1.5e6 for name in HEADS)


def test_head_pages_lead_to_each_other_and_to_the_steps(pages: Path) -> None:
    first, middle, last = ((pages / name).read_text() for name in (HEADS[0], HEADS[2], HEADS[-1]))
    assert 'rel="prev"' not in first
    assert f'rel="next" href="{HEADS[1]}"' in first
    assert f'rel="prev" href="{HEADS[1]}"' in middle
    assert f'rel="next" href="{HEADS[3]}"' in middle
    assert 'rel="next"' not in last
    assert 'href="index.html"' in middle
    assert 'href="step-00004000.html#step=4000&amp;head=L1H0&amp;at=attention"' in middle
    for name in HEADS:
        targets = set(re.findall(r'(?:href|src)="([^"#]+)', (pages / name).read_text())) - {"data:,"}
        assert [target for target in targets if not (pages / target).exists()] == []


def test_index_and_steps_lead_to_the_heads(pages: Path) -> None:
    index, step = ((pages / name).read_text() for name in ("index.html", "step-00009000.html"))
    assert index.count(f'<a href="{PAGE}">L1H1</a>') == 3  # both timelines, and the list
    assert step.count(f'<a href="{PAGE}">L1H1</a>') >= 4
    widget = next(json.loads(each) for each in re.findall(r'class="stored">(.*?)</script>', step) if "levels" in each)
    assert widget["pages"]["L1H1"] == PAGE


def test_a_page_tells_the_head_over_the_steps(pages: Path) -> None:
    page = text_of(pages / PAGE)
    assert (
        "L1H1 fits no family at step 1,000; it becomes a row head between steps 4,000 and 9,000. At the last step"
        in page
    )
    assert "L1H1 fits no group at any of the 3 analysed steps; its highest score is" in page
    assert (
        "Ablating L1H1 alone (uniform, n = 512 fresh matrices, seed 7) raises L_mask at step 9,000: change 0.054"
        in page
    )
    assert "; verdict: hurts more than every control" in page
    assert (
        "With L1H1 alone patched (X into −X, n = 256 fresh matrices, seed 7) the masked entries are nearer to the "
        "base's matrix" in page
    )
    assert "MSE to base − MSE to source is −0.550 [−0.558, −0.542]; with nothing exchanged it is −0.550." in page
    assert "the QK circuits account for a share of 0.875 [0.865, 0.885] of the attention scores of L1H1" in page
    assert "scores keys 1.50 higher for those of its row" in page
    assert "0.250 lower for those of its column" in page
    assert "scores keys that hold MASK 2.50 lower, against those that hold a value" in page
    assert "adds 0.750 to the answer for each 1 of the value" in page


def test_the_nearest_head_is_the_nearest(pages: Path) -> None:
    forge = FORGE
    first, last = (forge.attention(step).arrays["maps"][0].reshape(4, 25, 25) for step in (1000, 9000))
    distances = [np.abs(own - last[3]).sum(-1).mean() / 2 for own in last]
    best = int(np.argsort(distances)[1])
    name = forge.heads[best]
    page = text_of(pages / PAGE)
    assert f"the attention of {name} is nearest to that of L1H1: total variation {distances[best]:.3g}" in page
    control = np.abs(first[best] - first[3]).sum(-1).mean() / 2
    assert f"at step 1,000, the first, {name} was at {control:.3g}" in page
    assert "two halves of the samples differ by 0.01" in page


def test_the_maps_are_those_that_were_stored(pages: Path) -> None:
    attention, circuits = blocks(pages / PAGE)
    assert [choice["name"] for choice in attention["choices"]] == ["random", *FORGE.masks]
    for choice, mask in ((attention["choices"][0], 0), (attention["choices"][2], 2)):
        stored = FORGE.attention(9000).arrays["maps"][mask, 1, 1]
        cells = np.frombuffer(base64.b64decode(choice["maps"][2]["data"]), np.uint8).reshape(25, 25)
        assert choice["maps"][2]["top"] == pytest.approx(stored.max(), rel=1e-3)
        np.testing.assert_allclose(cells / 255 * stored.max(), stored, atol=stored.max() / 400)
    assert "step 9,000, random: 0." in attention["choices"][0]["maps"][2]["alt"]
    names = ["QK, positions", "QK, tokens", "OV, positions"]
    assert [choice["name"] for choice in circuits["choices"]] == names
    stored = forged_circuits(FORGE, 4000).arrays["qk_position"][1, 1]
    stored = stored - stored.mean(-1, keepdims=True)
    cells = np.frombuffer(base64.b64decode(circuits["choices"][0]["maps"][1]["data"]), np.uint8).reshape(25, 25)
    top = np.abs(stored).max()
    np.testing.assert_allclose((cells.astype(float) - 128) / 127 * top, stored, atol=top / 200)
    assert circuits["choices"][1]["rows"][:2] == ["MASK", "−1.00"]


def test_the_shares_in_the_words_are_those_of_the_map(pages: Path) -> None:
    stored = FORGE.attention(9000).arrays["maps"][0, 1, 1]
    row, col = np.divmod(np.arange(25), 5)
    own = np.diag(stored).mean()
    same_row = (stored * (row[:, None] == row)).sum(1).mean() - own
    same_column = (stored * (col[:, None] == col)).sum(1).mean() - own
    words = f"{own:.2g} is on the query's own position, {same_row:.2g} elsewhere in its row and {same_column:.2g}"
    assert words in text_of(pages / PAGE)


@pytest.mark.parametrize("missing", PASSES[:4])
def test_a_pass_that_was_not_run_says_so(tmp_path: Path, missing: str) -> None:
    write_report(Forge(steps=(1000, 9000), n_heads=2).write(tmp_path, [name for name in PASSES if name != missing]))
    page = text_of(tmp_path / PAGE)
    said = {
        "attention": "No analysed step has attention maps of this head.",
        "taxonomy": "No analysed step has a taxonomy of this head.",
        "ablation": "No analysed step has an ablation of this head on its own.",
        "patching": "No analysed step has a patching of this head on its own.",
    }
    assert said[missing] in page
    assert all(text not in page for name, text in said.items() if name != missing)
    assert "No analysed step has circuits of this head." in page


def test_a_single_step_is_told_as_one(tmp_path: Path) -> None:
    write_report(Forge(steps=(9000,), n_heads=2).write(tmp_path))
    page = text_of(tmp_path / PAGE)
    assert "At step 9,000, the only one analysed, L1H1 is a row head." in page
    assert "Over the" not in page
    assert "As a control" not in page


def test_passes_may_differ_between_steps(tmp_path: Path) -> None:
    forge = FORGE
    for step, name in zip(forge.steps, ("attention", "taxonomy", "ablation"), strict=True):
        forge.checkpoint(step, name).save(tmp_path / "data" / f"step-{step:08d}" / name)
    write_report(tmp_path)
    page = text_of(tmp_path / PAGE)
    assert "At step 4,000, the only one analysed, L1H1 fits no family; its highest score is" in page
    assert "raises L_mask at step 9,000" in page


def test_without_heads_there_are_no_pages_and_old_ones_go(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,), n_heads=2).write(tmp_path, ["probes"])
    (folder / PAGE).write_text("old")
    (folder / "head-notes.html").write_text("mine")
    write_report(folder)
    assert [path.name for path in folder.glob("head-*.html")] == ["head-notes.html"]
    assert "Every head over" not in (folder / "index.html").read_text()


def test_names_that_are_no_heads_get_no_page(tmp_path: Path) -> None:
    forge = Forge(steps=(9000,), n_heads=4)
    result = forge.taxonomy(9000)
    evil = ["../../evil", "L1H0/../../x", "<script>", "L1", "L1H0 ", "L٣H1"]
    table = result.tables["heads"]
    frame = table.frame.assign(head=[*evil, *table.frame["head"][len(evil) :]])
    result = replace(result, tables={**result.tables, "heads": Table(frame, table.columns)})
    assert list(heads_of({"taxonomy": result})) == forge.heads[len(evil) :]
    result.save(forge.write(tmp_path, []) / "data" / "step-00009000" / "taxonomy")
    write_report(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("head-*")) == ["head-L1H2.html", "head-L1H3.html"]


def test_heads_are_in_the_order_of_layers_and_numbers() -> None:
    result = Forge(n_layers=2, n_heads=12).taxonomy(1000)
    order = list(heads_of({"taxonomy": result}))
    assert order[9:13] == ["L0H9", "L0H10", "L0H11", "L1H0"]


def test_nothing_masked_is_said(tmp_path: Path) -> None:
    forge = Forge(steps=(1000,), n_heads=2)
    folder = forge.write(tmp_path)
    for name, column in (("ablation", "masked_delta"), ("patching", "nearer")):
        result = forge.checkpoint(1000, name)
        table = result.tables[name]
        where = table.frame["entries"] == "masked" if name == "patching" else slice(None)
        frame = table.frame.copy()
        gone = [name for name in frame if name.startswith((column, "masked_"))]
        frame.loc[where, gone] = np.nan
        replace(result, tables={**result.tables, name: Table(frame, table.columns)}).save(
            folder / "data" / "step-00001000" / name
        )
    write_report(folder)
    page = text_of(folder / PAGE)
    assert "No entry was masked, so that there is no L_mask to change." in page
    assert "No entry was masked, so that there is nothing to bring nearer." in page


# Sentences -------------------------------------------------------------------------------------------------------


def scores(value: float = 0.12) -> pd.DataFrame:
    return pd.DataFrame(
        [{"step": 5, "kind": "family", "class": "row", "score": value, "score_low": value - 0.02}]
    ).assign(score_high=value + 0.02, threshold=0.3)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({1: "row", 2: "row"}, "L0H0 is a row head at all of the 2 analysed steps."),
        (
            {1: "none", 2: "none"},
            "L0H0 fits no family at any of the 2 analysed steps; its highest score is 0.120 [0.100, 0.140], for row at "
            "step 5, where the threshold is 0.300.",
        ),
        ({7: "identity"}, "At step 7, the only one analysed, L0H0 is an identity head."),
        (
            {1: "row", 2: "none", 3: "column"},
            "L0H0 is a row head at step 1; it stops fitting any family between steps 1 and 2, becomes a column head "
            "between steps 2 and 3. At the last step, 3, it is a column head.",
        ),
    ],
)
def test_the_course_of_a_class(named: dict[int, str], said: str) -> None:
    assert class_sentence("L0H0", "family", named, scores()) == said


def test_many_changes_are_counted() -> None:
    named = {step: "row" if step % 2 else "none" for step in range(9)}
    assert "changes 4 more times. At the last step, 8, it fits no family." in class_sentence(
        "L0H0", "family", named, scores()
    )
    undefined = class_sentence("L0H0", "family", {1: "none"}, scores(float("nan")))
    assert undefined.endswith("fits no family; its scores are not defined.")


# Bytes -----------------------------------------------------------------------------------------------------------


def test_rounding_to_bytes_keeps_what_a_picture_needs() -> None:
    values = np.array([[[0.0, 0.5], [1.0, np.nan]], [[0.0, 0.0], [0.0, 0.0]]])
    cells, top = rounded(values, signed=False)
    assert (cells[0].tolist(), top.tolist()) == ([[0, 128], [LEVELS, 0]], [1.0, 0.0])
    cells, top = rounded(np.array([[[-2.0, 0.0, 1.0]]]), signed=True)
    assert (cells[0].tolist(), top[0]) == ([[1, ZERO, 192]], 2.0)


def test_steps_are_spread() -> None:
    assert spread([1, 2, 3, 4, 5], 3) == [1, 3, 5]
    assert spread([1, 2, 3], 9) == [1, 2, 3]
    assert len(spread([1, 2, 3], 0)) == 1


def test_a_page_stays_light(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = FORGE
    monkeypatch.setattr(head_maps, "ROOM", 4 * 834)  # four maps of 25 × 25, in base 64
    kept = HeadMaps(forge.steps)
    for step in forge.steps:
        kept.add(step, forge.attention(step))
    maps = kept.maps("L0H0", dict.fromkeys(forge.steps, "page"))
    assert maps is not None
    assert [(choice.name, sorted(choice.pictures)) for choice in maps.choices] == [("random", list(forge.steps))]
    assert "the masks masked-rows:1@1,3@3, checkerboard are left to the pages of the steps" in kept.left_out()
    monkeypatch.setattr(head_maps, "ROOM", 2 * 834)
    kept = HeadMaps(forge.steps)
    for step in forge.steps:
        kept.add(step, forge.attention(step))
    maps = kept.maps("L0H0", dict.fromkeys(forge.steps, "page"))
    assert maps is not None
    assert list(maps.places) == [1000, 9000]
    assert "1 of the 3 steps are left" in kept.left_out()
    assert len(kept.distances("L0H0")) == 3


def test_the_page_of_a_head_of_many_steps_and_masks_stays_light(tmp_path: Path) -> None:
    masks = tuple(f"rows:{row}" for row in range(8))
    forge = Forge(rows=7, cols=7, n_layers=2, n_heads=1, masks=masks, steps=tuple(range(0, 16_500, 500)))
    gathered = HeadPages("many", None, {step: f"step-{step:08d}.html" for step in forge.steps}, tmp_path)
    for step in forge.steps:
        gathered.add(
            step,
            {name: forge.checkpoint(step, name) for name in PASSES[:4]} | {"circuits": forged_circuits(forge, step)},
        )
    page = dict(gathered.write())["head-L1H0.html"]
    assert 5e5 < len(page.encode()) < 1.5e6


def test_circuits_beyond_the_room_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    forge = FORGE
    monkeypatch.setattr(head_circuits, "ROOM", 2000)
    kept = head_circuits.HeadCircuits(forge.steps)
    for step in forge.steps:
        kept.add(step, forged_circuits(forge, step))
    maps = kept.maps("L0H0", dict.fromkeys(forge.steps, "page"))
    assert maps is not None
    assert list(maps.places) == [1000, 9000]
    assert list(kept.written("L1H1")) == [1000, 9000]
    assert kept.maps("L9H9", {}) is None


# In a browser ----------------------------------------------------------------------------------------------------


def ink(page: Any, section: str, tile: int) -> int:
    """How many pixels of a map are not the page's own colour."""
    script = (
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
        ".reduce((sum, value, index) => sum + (index % 4 === 3 && value > 0 ? 1 : 0), 0)"
    )
    return int(page.locator(f"#{section} .tile canvas").nth(tile).evaluate(script))


def test_maps_are_drawn_chosen_and_read(pages: Path, opened: Opened) -> None:
    with opened(pages / PAGE) as page:
        assert page.locator("#attention .tile").count() == 3
        assert ink(page, "attention", 0) > 300
        page.locator("#attention select.map-choice").select_option(label="checkerboard")
        assert "mask=checkerboard" in page.evaluate("location.hash")
        first = page.locator("#attention .tile").first
        assert first.get_attribute("href").endswith("head=L1H1&at=attention&mask=checkerboard")
        assert "checkerboard" in first.locator("canvas").get_attribute("aria-label")
        first.hover(position={"x": 3, "y": 3})
        assert re.match(r"step 1,000, query 0,0, key 0,0: 0\.\d", page.locator("#attention .reading").inner_text())
        page.locator("#circuits select.map-choice").select_option(label="OV, positions")
        page.locator("#circuits select.map-scale").select_option("own")
        assert page.locator("#circuits canvas").first.evaluate("(one) => [one.width, one.height]") == [5, 5]
        assert "orange below" in page.locator("#circuits .scale-note").inner_text()
        low, high = (page.locator("#circuits .colour-bar span").nth(at) for at in (0, 2))
        assert (low.inner_text(), high.inner_text()) == ("−its maximum", "its maximum")
        page.locator("#circuits select.map-scale").select_option("all")
        assert low.inner_text() == f"−{high.inner_text()}"
        assert float(high.inner_text()) > 0
        ramp = page.locator("#circuits .ramp")
        assert ramp.evaluate("(one) => one.style.background.match(/rgba?\\([^)]*\\)|transparent/g).length") == 3


def test_an_address_opens_the_mask_again(pages: Path, opened: Opened) -> None:
    with opened(pages / PAGE, place="#mask=checkerboard&at=attention") as page:
        assert page.locator("#attention select.map-choice option:checked").inner_text() == "checkerboard"


def test_arrows_go_from_head_to_head_and_a_map_to_its_step(pages: Path, opened: Opened) -> None:
    with opened(pages / PAGE) as page:
        with page.expect_navigation():
            page.keyboard.press("ArrowLeft")
        assert page.url.split("#")[0].endswith("head-L1H0.html")
        with page.expect_navigation():
            page.locator("#attention .tile").last.click()
        assert page.url.split("#")[0].endswith("step-00009000.html")
        assert page.locator(".large h3").inner_text().startswith("L1H0")
        link = page.locator(".head-links a")
        assert link.inner_text() == "L1H0"
        page.get_by_role("searchbox", name="Heads").fill("L0H1 l1h1")
        assert page.locator(".head-links a").all_inner_texts() == ["L0H1", "L1H1"]
        with page.expect_navigation():
            page.locator(".head-links a").last.click()
        assert page.url.endswith(PAGE)


@pytest.mark.parametrize("width", [1400, 480])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window_and_follows_the_theme(pages: Path, opened: Opened, width: int, scheme: str) -> None:
    with opened(pages / PAGE, width=width, scheme=scheme) as page:
        draw_all(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.locator("#attention canvas").first.evaluate(
            "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 25, 25).data].reduce("
            "(best, value, at, all) => at % 4 === 3 && value > best[0] ? [value, all[at - 3], all[at - 1]] : best, [0])"
        )
        assert (colour[1] > 50) == (scheme == "dark")
