"""Pages of a GPT's run: its own sections, labels of the sequence, and nothing of what is defined for encoders."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import draw_all
from forged import Forge
from small_gpt import small_gpt_config
from unpacking import unpack

from mcinterp.analysis import analyse
from mcinterp.notebook import show_attention
from mcinterp.report import write_report
from mcinterp.report.figures import curve_figure
from mcinterp.report.views.changes import changes_table
from mcinterp.results import Result, Table
from mcinterp.runs import Run, train
from mcinterp.studies.matrix_completion.views import generation

LABELS = ["?0,0", "?0,1", "?1,0", "?1,1", "?2,0", "?2,1", "sep", "=0,0", "=0,1", "=1,0", "=1,1", "=2,0", "=2,1"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a GPT trained for a moment; to be read only."""
    folder = tmp_path_factory.mktemp("gpt")
    run = train(folder / "run", small_gpt_config(), "cpu")
    analyse(run, folder / "out", [0, 30], samples=12)
    write_report(folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def stored(pages: Path) -> dict[str, Result]:
    return {path.name: Result.load(path) for path in (pages / "data/step-00000030").iterdir()}


def text_of(path: Path) -> str:
    return " ".join(html.unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", path.read_text(), flags=re.S)).split())


def test_a_page_has_the_passes_of_the_task_and_no_other(pages: Path) -> None:
    page = (pages / "step-00000030.html").read_text()
    for name in ("attention", "ablation", "patching", "generation"):
        assert f'<section id="{name}"' in page
    for absent in ("taxonomy", "probes", "This pass was not run."):
        assert absent not in re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_the_index_speaks_of_the_gpt_and_not_of_classes(pages: Path, tmp_path: Path) -> None:
    index = text_of(pages / "index.html")
    assert "gpt, 2 layers × 2 heads, width 16" in index
    assert "matrix-sequence, 3 × 2" in index
    assert "Classes of the heads" not in index
    # Of an encoder's run without a taxonomy it says that there is none.
    write_report(Forge(steps=(1000,), n_heads=1).write(tmp_path, ["attention"]))
    assert "The taxonomy was not run." in text_of(tmp_path / "index.html")
    assert "after ? where it may be masked" not in text_of(tmp_path / "step-00001000.html")


def test_a_pass_of_the_task_that_was_not_run_says_so(pages: Path, tmp_path: Path) -> None:
    run = Run(pages.parent / "run")
    analyse(run, tmp_path, [30], ["patching"], samples=8)
    write_report(tmp_path)
    assert (tmp_path / "step-00000030.html").read_text().count("This pass was not run.") == 3


def test_pages_of_encoders_do_not_speak_of_generation(tmp_path: Path) -> None:
    write_report(Forge(steps=(1000,), n_heads=1).write(tmp_path))
    assert "Generation" not in (tmp_path / "step-00001000.html").read_text()


def test_the_viewer_labels_the_parts_of_the_sequence(pages: Path, stored: dict[str, Result]) -> None:
    page = (pages / "step-00000030.html").read_text()
    data = json.loads(re.search(r'<script[^>]*class="stored"[^>]*>(.*?)</script>', page, re.S)[1])
    (level,) = data["levels"]
    assert level["tokens"] == data["names"] == LABELS
    # Both matrices, 3 × 2, beside each other, the separator between them.
    assert [data["places"][at] for at in (0, 5, 6, 7, 12)] == [[0, 0], [2, 1], [1, 2], [0, 3], [2, 4]]
    assert "row,column of the matrix, after ? where it may be masked and after = where it is written out" in page
    assert level["size"] == 13
    kept = [unpack(packed, 13) for mask in level["maps"] for packed in mask]
    assert len(kept) == stored["attention"].arrays["maps"].reshape(-1, 13, 13).shape[0]
    np.testing.assert_allclose(kept, stored["attention"].arrays["maps"].reshape(-1, 13, 13), rtol=0.023, atol=1e-5)
    shown = show_attention(stored["attention"], heads=["L1H0"]).props
    assert shown["tokens"] == LABELS
    assert np.array(shown["attention"]).shape == (1, 13, 13)
    assert np.triu(np.array(shown["attention"][0]), 1).max() == 0


def test_the_curve_has_the_axis_of_the_task(pages: Path) -> None:
    figure = curve_figure(Result.load(pages / "data/training"))
    assert figure.layout.yaxis.title.text == "cross-entropy (nats)"
    visible = {trace.name: trace.visible for trace in figure.data}
    assert visible["cross-entropy, masked entries"] is True
    assert visible["cross-entropy, observed entries"] is True
    assert visible["accuracy, masked entries"] == visible["L_mask"] == "legendonly"
    forged = curve_figure(Forge().training())
    assert forged.layout.yaxis.title.text == "mean squared error"
    assert {t.name: t.visible for t in forged.data}["mean |prediction|, masked"] == "legendonly"


def test_the_sentences_carry_the_numbers(pages: Path, stored: dict[str, Result]) -> None:
    text = text_of(pages / "step-00000030.html")
    for sentence in generation.sentences(stored["generation"].table("generation")):
        assert sentence in text
    assert "uniform attention has 1.73" in text  # the mean of ln 1 … ln 13


def test_the_table_of_changes_has_a_block_for_generation(stored: dict[str, Result]) -> None:
    table = changes_table({30: stored}, {30: "x.html"})
    labels = [row[0].text for row in table.rows]
    assert {"greedy, observed", "greedy, masked", "teacher forced, observed", "teacher forced, masked"} <= set(labels)


def forged(exact: dict[str, float], half: float = 0.01, n: int = 100, sign: float = 0.49) -> Result:
    """A stored generation in which every way of answering has one accuracy."""
    control = exact["control: greedy on another matrix's prompt"]
    rows: list[dict[str, Any]] = [
        {"answers": answers, "entries": entries, "n": n, "seed": 0, "exact": value, "exact_low": value - half}
        | {"exact_high": value + half, "within_one": value, "within_one_low": value, "within_one_high": value}
        | {"size": 0.96, "size_low": 0.95, "size_high": 0.97}
        | {"sign": sign, "sign_low": sign - 0.02, "sign_high": sign + 0.02}
        | {"mse": 0.1, "mse_low": 0.1, "mse_high": 0.1, "exact_excess": value - control}
        | {"exact_excess_low": value - control - half, "exact_excess_high": value - control + half}
        for answers, value in exact.items()
        for entries in ("masked", "observed", "all")
    ]
    return Result("generation", "Generation", {}, {}, {"generation": Table.of(dict.fromkeys(rows[0], ""), rows)})


@pytest.mark.parametrize(
    ("greedy", "words"),
    [
        (0.9, "that is more than after another matrix's prompt (0.200)"),
        (0.205, "that cannot be told from what it is after another matrix's prompt (0.200)"),
        (0.1, "that is less than after another matrix's prompt (0.200)"),
    ],
)
def test_the_sentence_is_honest_in_every_direction(greedy: float, words: str) -> None:
    ways = {"teacher forced": 0.5, "greedy": greedy, "baseline: the token of 0": 0.15}
    ways |= {"control: greedy on another matrix's prompt": 0.2, "chance: that other matrix itself": 0.19}
    section = generation.view(forged(ways), {})
    assert words in section.sentences[0]
    assert "0.150 would be right if every token were that of 0" in section.sentences[0]
    assert section.sentences[-1].startswith("Control: after another matrix's prompt 0.200 [0.190, 0.210]")
    assert len(section.sentences) == 5


@pytest.mark.parametrize(
    ("sign", "words"), [(0.49, "not measurably better than"), (0.9, "better than"), (0.1, "worse than")]
)
def test_signs_are_compared_with_chance(sign: float, words: str) -> None:
    ways = {"greedy": 0.4, "control: greedy on another matrix's prompt": 0.2}
    sentence = generation.view(forged(ways, sign=sign), {}).sentences[2]
    assert sentence.startswith("0.960 [0.950, 0.970] of the masked entries have the right absolute value to one step")
    assert sentence.endswith(f"have the right sign, {words} chance (0.5).")


def test_absent_numbers_are_left_out_of_the_sentences() -> None:
    ways = {"teacher forced": 0.5, "greedy": 0.4, "control: greedy on another matrix's prompt": 0.2}
    result = forged(ways)
    frame = result.table("generation").copy()
    frame.loc[
        frame["entries"] == "masked", [c for c in frame if c.startswith(("exact", "within", "size", "sign", "mse"))]
    ] = np.nan
    section = generation.view(replace(result, tables={"generation": Table(frame, dict.fromkeys(frame, ""))}), {})
    assert len(section.sentences) == 1
    assert "observed entries" in section.sentences[0]
    assert "nan" not in " ".join(section.sentences)


def test_it_draws_in_a_browser_without_errors(pages: Path, opened: Callable[..., Any]) -> None:
    with opened(pages / "step-00000030.html") as page:
        assert page.locator(".head .pattern canvas").count() == 4
        draw_all(page)
        assert page.locator("#generation .plotly").count() >= 1
    with opened(pages / "index.html") as page:
        draw_all(page)
        assert page.locator(".plotly").count() >= 1
