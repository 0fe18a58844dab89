"""The pages as text: what they say, that they are safe, small, and the same when written again."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from forged import DEFINED, FAMILIES, GROUPS, KIND_FACTS, PASSES, Forge
from unpacking import unpack

from mcinterp.errors import CheckpointError, InputError
from mcinterp.report import write_report
from mcinterp.report.assets import NAMES, asset
from mcinterp.report.figures.ablation import ablation_rows
from mcinterp.report.palette import CLASSES, NO_CLASS, class_colours, class_short, text_on
from mcinterp.report.parts import Cell, embed_json
from mcinterp.report.tables import table_view
from mcinterp.report.views.attention import payload
from mcinterp.report.views.changes import changed, changes_table
from mcinterp.report.widget import Family
from mcinterp.results import Result, Table

pytestmark = pytest.mark.no_cover

STEP_PAGES = ["step-00001000.html", "step-00004000.html", "step-00009000.html"]
JSON_IN_PAGE = re.compile(r'<script type="application/json"[^>]*>(.*?)</script>', re.DOTALL)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_page_for_the_run_and_one_for_each_checkpoint_and_head(report: Path) -> None:
    heads = [f"head-{head}.html" for head in Forge().heads]
    assert sorted(path.name for path in report.glob("*.html")) == [*heads, "index.html", *STEP_PAGES]
    assert sorted(path.name for path in (report / "assets").iterdir()) == sorted(NAMES)


def test_the_path_of_the_index_is_returned(tmp_path: Path) -> None:
    assert write_report(Forge(steps=(1000,)).write(tmp_path, ["probes"])) == tmp_path / "index.html"


def test_every_link_between_files_leads_somewhere(report: Path) -> None:
    for page in report.glob("*.html"):
        targets = set(re.findall(r'(?:href|src)="([^"#]+)"', read(page))) - {"data:,"}
        assert targets
        assert [target for target in targets if not (report / target).exists()] == []


def test_checkpoints_link_to_their_neighbours(report: Path) -> None:
    first, middle, last = (read(report / name) for name in STEP_PAGES)
    assert 'rel="prev"' not in first
    assert f'rel="next" href="{STEP_PAGES[1]}"' in first
    assert f'rel="prev" href="{STEP_PAGES[0]}"' in middle
    assert f'rel="next" href="{STEP_PAGES[2]}"' in middle
    assert 'rel="next"' not in last


def test_the_index_tells_the_drop_and_what_changed(report: Path) -> None:
    index = read(report / "index.html")
    assert "masked_mse stays at 0.222 until step 4500; confidence high." in index
    assert "0.00600 → 0.222 (× 37.0)<small>change 0.216 [0.205, 0.227]</small>" in index
    assert "0.550 [0.542, 0.558]" in index
    assert "0.0667 after block 2<small>better than control 0.221</small>" in index
    assert "<small>not measurably better than control 0.221</small>" in index
    assert "L1H0 is the paper&#39;s (2,1)" in index
    assert all(name in index for name in FAMILIES + GROUPS)
    assert "task.p_mask" in index
    assert "0123456789abcdef" in index


def test_the_checkpoint_page_says_what_its_numbers_show(report: Path) -> None:
    page = read(report / STEP_PAGES[2])
    assert "Of 16 heads, 12 fit a family (row 4, column 4, identity 4)" in page
    assert "seed 7) raises L_mask: 0.00600 → 0.222 (× 37.0" in page
    assert "brings the masked entries nearer to the source&#39;s matrix" in page
    assert "The masked row is best decoded after block 2: test MSE 0.067 [0.063, 0.071]" in page
    assert "sha256:" in page
    before = read(report / STEP_PAGES[0])
    assert "none fits a family" in before
    assert "leaves the masked entries nearer to the base&#39;s matrix" in before
    assert "is not told apart from shuffled targets even where its test MSE is smallest" in before


def test_every_stored_score_is_on_the_page(report: Path) -> None:
    page = read(report / STEP_PAGES[2])
    scores = Result.load(report / "data" / "step-00009000" / "taxonomy").table("scores")
    assert [score for score in scores["score"] if f'data-sort="{score!r}"' not in page] == []


@pytest.mark.parametrize(
    ("nearer", "said"),
    [
        ((0.2, 0.1, 0.3), "brings the masked entries nearer to the source's matrix than to the base's"),
        ((1e-6, 1e-7, 2e-6), "brings the masked entries nearer to the source's matrix than to the base's"),
        ((-0.2, -0.3, -0.1), "leaves the masked entries nearer to the base's matrix than to the source's"),
        ((0.0, -0.1, 0.1), "does not decide whether the masked entries are nearer to the source's matrix"),
        ((9.0, -1.0, 19.0), "does not decide whether the masked entries are nearer to the source's matrix"),
        ((np.nan, np.nan, np.nan), "so that patching has no masked entries to move."),
    ],
)
def test_the_verdict_follows_the_interval(tmp_path: Path, nearer: tuple[float, float, float], said: str) -> None:
    forge = Forge(steps=(9000,), n_heads=2)
    result = forge.patching(9000)
    value, low, high = nearer
    frame = result.table("patching").assign(nearer=value, nearer_low=low, nearer_high=high)
    replace(result, tables={"patching": Table(frame, result.tables["patching"].columns)}).save(
        forge.write(tmp_path, []) / "data" / "step-00009000" / "patching"
    )
    write_report(tmp_path)
    assert said in html.unescape(read(tmp_path / "step-00009000.html"))


def test_embedded_json_is_what_was_stored(report: Path) -> None:
    blocks = [json.loads(text) for text in JSON_IN_PAGE.findall(read(report / STEP_PAGES[1]))]
    widget = next(block for block in blocks if "levels" in block)
    positions, rows, columns = widget["levels"]
    stored = Result.load(report / "data" / "step-00004000" / "attention")
    shown = np.array([[unpack(each, 25) for each in heads] for heads in positions["maps"]])
    assert shown == pytest.approx(stored.arrays["maps"].reshape(3, 16, 25, 25), rel=0.023, abs=1e-5)
    assert positions["tokens"][7] == widget["names"][7] == "1,2"
    assert widget["places"][7] == [1, 2]
    within = stored.arrays["maps"].reshape(3, 16, 5, 5, 5, 5)
    for level, axes in ((rows, (3, 5)), (columns, (2, 4))):
        shown = np.array([[unpack(each, 5) for each in heads] for heads in level["maps"]])
        # The mean over queries, the sum over keys.
        assert shown == pytest.approx(within.sum(axes) / 5, rel=0.023)
    figures = [block for block in blocks if "layout" in block]
    assert len(figures) >= 8


def test_heads_carry_their_classes() -> None:
    forge = Forge()
    data = payload(forge.attention(9000), forge.taxonomy(9000), [Family("random")])
    column, copying = CLASSES[1], CLASSES[3 + 1]
    assert data["heads"][1] == {"name": "L0H1", "layer": 0, "classes": [("column", column), ("observed-copy", copying)]}
    assert [family["name"] for family in data["families"]] == ["random"]
    assert payload(forge.attention(9000), None, [Family("random")])["heads"][1]["classes"] == []


def test_nothing_asks_the_network(report: Path, single_report: Path) -> None:
    for page in report.glob("*.html"):
        assert "http" not in read(page).replace('http-equiv="Content-Security-Policy"', "")
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', read(single_report))


@pytest.mark.parametrize("name", NAMES)
def test_assets_may_stand_inside_an_element(name: str) -> None:
    assert not re.search(r"</(script|style)|<!--|sourceMappingURL", asset(name), re.IGNORECASE)


def test_scripts_of_an_earlier_version_go(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,), n_heads=2).write(tmp_path)
    write_report(folder)
    (folder / "assets" / "report.js").write_text("old")
    (folder / "assets" / "note.txt").write_text("own")
    write_report(folder)
    assert sorted(path.name for path in (folder / "assets").iterdir()) == sorted([*NAMES, "note.txt"])


def test_a_rebuilt_report_is_the_same(tmp_path: Path) -> None:
    first, again = (write_report(Forge(n_heads=2).write(tmp_path / name)).parent for name in ("first", "again"))
    pages = {page.name: read(page) for page in first.glob("*.html")}
    assert len(pages) == 8
    assert {page.name: read(page) for page in again.glob("*.html")} == pages


def test_pages_without_data_go(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,)).write(tmp_path, ["probes"])
    (folder / "step-00000500.html").write_text("old")
    (folder / "step-notes.html").write_text("mine")
    write_report(folder)
    assert not (folder / "step-00000500.html").exists()
    assert (folder / "step-notes.html").exists()


def test_every_text_of_a_file_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    forge = Forge(run=evil, masks=(evil,), steps=(9000,), n_heads=2)
    folder = forge.write(tmp_path)
    taxonomy = forge.taxonomy(9000)
    heads = taxonomy.tables["heads"]
    frame = heads.frame.assign(family=[evil, *heads.frame["family"][1:]])
    kinds = {**KIND_FACTS["kinds"], "family": [evil, *FAMILIES]}
    facts = {**taxonomy.facts, "kinds": kinds}
    tables = {**taxonomy.tables, "heads": Table(frame, {**heads.columns, "family": evil})}
    replace(taxonomy, title=evil, facts=facts, tables=tables).save(folder / "data" / "step-00009000" / "taxonomy")
    write_report(folder, single_file=True)
    for page in folder.glob("*.html"):
        text = read(page)
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_a_class_the_palette_does_not_know_is_drawn() -> None:
    assert class_short("previous-token") == "PT"
    assert class_short("") == ""


def test_classes_have_colours_in_the_order_of_the_task() -> None:
    """Those of matrix completion by hand; what the palette has no colour for is grey."""
    assert class_colours(KIND_FACTS["kinds"]) == {
        "row": "#0072B2",
        "column": "#E69F00",
        "identity": "#009E73",
        "masked-row": "#D55E00",
        "observed-copy": "#56B4E9",
        "mask-ignore": "#CC79A7",
        "longest-contiguous-column": "#F0E442",
        "input-processing": "#4D4D4D",
        "none": "#E4E7EB",
    }
    shorts = [class_short(name) for name in (*FAMILIES, *GROUPS, "none")]
    assert shorts == ["R", "C", "I", "MR", "OC", "MI", "LC", "IP", "–"]
    many = class_colours({"class": [str(number) for number in range(9)]})
    assert many["8"] == "#BCC4CD"


def test_text_on_every_class_colour_has_enough_contrast() -> None:
    for colour in (*CLASSES, NO_CLASS):
        assert contrast(colour, text_on(colour)) >= 4.5


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_embed_json_cannot_end_a_script() -> None:
    value = {"</script>&<!--\u2028\u2029": "é\"'\\"}
    text = embed_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_large_results_stay_small_pages(tmp_path: Path) -> None:
    masks = tuple(f"rows:{row}" for row in range(6))
    steps = tuple(range(1000, 13_000, 4000))
    forge = Forge(rows=7, cols=7, n_layers=4, n_heads=8, masks=masks, steps=steps)
    forge.write(tmp_path, ["taxonomy", "ablation", "patching", "probes"])
    forge.checkpoint(9000, "attention").save(tmp_path / "data" / "step-00009000" / "attention")
    write_report(tmp_path)
    assert (tmp_path / "step-00009000.html").stat().st_size < 6e6
    assert (tmp_path / "index.html").stat().st_size < 1.5e6


@pytest.mark.parametrize("missing", PASSES)
def test_a_pass_that_was_not_run_says_so(tmp_path: Path, missing: str) -> None:
    folder = Forge(steps=(1000, 9000), n_heads=2).write(tmp_path, [name for name in PASSES if name != missing])
    write_report(folder)
    page = read(folder / "step-00009000.html")
    assert page.count("This pass was not run.") == 1 + len(DEFINED) - len(PASSES)
    assert f'<section id="{missing}"' in page


def test_passes_may_differ_between_checkpoints(tmp_path: Path) -> None:
    forge = Forge(steps=(1000, 9000), n_heads=2)
    forge.write(tmp_path, [])
    forge.checkpoint(1000, "taxonomy").save(tmp_path / "data" / "step-00001000" / "taxonomy")
    forge.checkpoint(9000, "ablation").save(tmp_path / "data" / "step-00009000" / "ablation")
    write_report(tmp_path)
    assert "Best linear probe" not in read(tmp_path / "index.html")


def test_an_unknown_pass_shows_its_tables(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,)).write(tmp_path, ["probes"])
    table = Table.of({"token": "the token", "norm": "its norm"}, [{"token": "a", "norm": 1.25}])
    Result("other", "Token embeddings", {}, {}, {"norms": table}).save(folder / "data" / "step-00001000" / "norms")
    write_report(folder)
    page = read(folder / "step-00001000.html")
    assert "Token embeddings" in page
    assert "1.25" in page
    assert 'href="data/step-00001000/norms/norms.csv"' in page


def test_a_run_without_a_drop(tmp_path: Path) -> None:
    write_report(Forge(drop=None, n_heads=2).write(tmp_path))
    index = read(tmp_path / "index.html")
    assert "No sudden drop: masked_mse declines gradually from 0.222 to 0.1." in index
    assert "no drop was found" in index
    assert "What changed over training" in index


def test_training_alone_and_checkpoints_alone(tmp_path: Path) -> None:
    forge = Forge(steps=(1000,))
    forge.training().save(tmp_path / "a" / "data" / "training")
    write_report(tmp_path / "a")
    assert "No checkpoint has been analysed." in read(tmp_path / "a" / "index.html")
    forge.checkpoint(1000, "probes").save(tmp_path / "b" / "data" / "step-00001000" / "probes")
    write_report(tmp_path / "b")
    assert "step-00001000.html" in read(tmp_path / "b" / "index.html")


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no results"):
        write_report(tmp_path)


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    folder = Forge(steps=(1000,)).write(tmp_path, ["probes"])
    (folder / "data" / "step-00001000" / "probes" / "probes.csv").write_text("layer\n1\n")
    with pytest.raises(CheckpointError, match="probes"):
        write_report(folder)


def test_a_result_of_an_earlier_version_is_named(tmp_path: Path) -> None:
    forge = Forge(steps=(1000,), n_heads=2)
    old = forge.taxonomy(1000)
    facts = {name: fact for name, fact in old.facts.items() if name != "kinds"}
    replace(old, facts=facts).save(forge.write(tmp_path, []) / "data" / "step-00001000" / "taxonomy")
    with pytest.raises(CheckpointError, match=r"taxonomy does not say 'kinds', .*: analyse the run again"):
        write_report(tmp_path)


def test_a_control_table_of_other_rows_is_refused() -> None:
    result = Forge().ablation(9000)
    control = result.tables["control"]
    swapped = Table(control.frame.iloc[::-1].reset_index(drop=True), control.columns)
    with pytest.raises(InputError, match="control table"):
        ablation_rows(replace(result, tables={**result.tables, "control": swapped}))


def test_the_table_of_changes_is_in_the_order_of_steps_and_knows_what_stayed() -> None:
    forge = Forge()
    steps = {step: {name: getattr(forge, name)(step) for name in PASSES[1:]} for step in forge.steps}
    view = changes_table(steps, {step: f"{step}.html" for step in steps})
    assert [column.label for column in view.columns] == [
        "quantity",
        "step 1,000 (first)",
        "step 4,000",
        "step 9,000 (last)",
    ]
    assert {len(row) for row in view.rows} == {4}
    assert next(iter(view.groups.values())) == "Heads of each class"
    row = next(row for row in view.rows if row[0].text == "row")
    assert [cell.text for cell in row[1:]] == ["0", "0", "4"]
    assert row[3].note == "L0H3, L0H6, L1H1, L1H7"
    assert view.rows.index(row) not in view.same
    assert view.same
    still = changes_table(dict.fromkeys(steps, steps[9000]), {step: f"{step}.html" for step in steps})
    assert still.same == set(range(len(still.rows)))
    assert still.same_groups == still.groups.keys()


def test_a_quantity_changed_where_two_intervals_lie_apart() -> None:
    apart = [Cell("1.0 [0.9, 1.1]"), Cell("–"), Cell("1.3 [1.2, 1.4]")]
    assert changed(apart)
    assert changed([Cell("a", note="change −1.0 [−1.2, −0.8]"), Cell("b", note="change 0.3 [0.2, 0.4]")])
    assert not changed([Cell("1.00 [0.9, 1.1]"), Cell("1.05 [1.0, 1.2]")])
    assert changed([Cell("1,200 [1,100, 1,300]"), Cell("1.5e−7 [1.0e−7, 2.0e−7]")])
    assert changed([Cell("zero"), Cell("nuclear norm")])
    assert not changed([Cell("zero"), Cell("–"), Cell("zero")])
    assert not changed([])


def test_table_view_says_constants_once_and_joins_intervals() -> None:
    rows = [
        {"head": h, "seed": 7000, "x": x, "x_low": x - 0.1, "x_high": x + 0.1, "y": np.nan}
        for h, x in zip("ab", (1.0, 2.0), strict=True)
    ]
    table = Table.of({name: name for name in rows[0]}, rows)
    view = table_view(table.frame, table.columns, "c")
    assert view.shared == [("seed", "7000")]
    assert [column.label for column in view.columns] == ["head", "x"]
    assert view.rows[1][1].text == "2.00 [1.90, 2.10]"
