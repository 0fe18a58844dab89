"""The sections that follow a run by step: what they say of real results, with and without a drop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mcinterp.analysis import embeddings, plateau_measures, training_summary
from mcinterp.analysis.passes.onset import LEAD_COLUMNS
from mcinterp.report import write_report
from mcinterp.report.figures import course_figure, over_steps_figure
from mcinterp.report.parts import FigureView
from mcinterp.report.views import comparison_sections
from mcinterp.report.views.leads import leads_sentence
from mcinterp.results import Result, Table
from mcinterp.runs import Run

pytestmark = pytest.mark.no_cover

TINY = Path(__file__).parents[1] / "data" / "tiny"


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    run = Run(TINY)
    return {"embeddings": embeddings(run, samples=64), "plateau": plateau_measures(run, samples=8)}


def test_the_sections_say_what_changed(results: dict[str, Result]) -> None:
    shown = {part.name: part for part in comparison_sections(results, training_summary(Run(TINY)))}
    assert "are not measurably grouped by column" in shown["embeddings"].sentences[1]
    assert "and are grouped by column" in shown["embeddings"].sentences[1]
    assert "at step 2,272 on the plateau" in shown["embeddings"].sentences[2]
    assert "after block 1 have a mean cosine of" in shown["plateau"].sentences[0]
    assert len(shown["plateau"].figures) == 4
    assert any(shape.type == "rect" for shape in shown["plateau"].figures[0].figure.layout.shapes)


def test_without_a_drop_nothing_is_shaded(trained: Run) -> None:
    results = {"plateau": plateau_measures(trained, samples=4), "embeddings": embeddings(trained, samples=8)}
    for part in comparison_sections(results, training_summary(trained)):
        if not part.absent:
            assert not any(shape.type == "rect" for view in part.figures for shape in view.figure.layout.shapes)


def test_a_single_checkpoint_and_no_training_are_drawn(trained: Run) -> None:
    steps = trained.steps[:1]
    results = {"plateau": plateau_measures(trained, steps, samples=4), "embeddings": embeddings(trained, steps, 8)}
    shown = [part for part in comparison_sections(results, None) if not part.absent]
    assert len(shown) == 2
    assert ") does not measurably move" in shown[0].sentences[-1]


def test_the_page_is_written(results: dict[str, Result], tmp_path: Path) -> None:
    training_summary(Run(TINY)).save(tmp_path / "data" / "training")
    for name, result in results.items():
        result.save(tmp_path / "data" / "run" / name)
    page = write_report(tmp_path).read_text()
    assert '<section id="embeddings"' in page
    assert '<section id="plateau"' in page
    assert 'href="data/run/plateau/lead.csv"' in page


def test_leads_are_said_in_words() -> None:
    rows = [
        ("loss", True, "the loss", 40),
        ("early", True, "before", 10),
        ("late", True, "after", 60),
        ("still", False, "does not move", np.nan),
    ]
    blank = dict.fromkeys(LEAD_COLUMNS, 10.0)
    frame = pd.DataFrame(
        [
            {**blank, "measure": name, "moved": moved, "verdict": verdict, "onset": onset, "onset_after": onset - 10}
            for name, moved, verdict, onset in rows
        ]
    )
    sentence = leads_sentence(frame, 5, "L, mean over batches")
    assert "the loss (L, mean over batches) does 10 % of its way between steps 30 and 40" in sentence
    assert "before it: early (by 20 to 40 steps)" in sentence
    assert "after it: late (by 10 to 30 steps)" in sentence
    assert "not measurably: still" in sentence


def test_step_zero_has_a_place_on_the_axis() -> None:
    frame = pd.DataFrame({"step": [0, 100, 1000], "value": [1.0, np.nan, 3.0], "kind": "a"})
    figure = over_steps_figure(frame, "value", "kind", "value", {})
    curve = figure.data[0]
    assert list(curve.x) == [50, 100, 1000]
    assert curve.y[1] is None
    assert figure.layout.xaxis.ticktext[0] == "0"


def test_panels_have_decimal_ticks_and_axes_even_where_no_head_has_a_class() -> None:
    rows = [{"kind": "family", "class": "row", "step": step, "count": 0, "share": 0.0, "heads": ""} for step in (0, 9)]
    classes = Table.of(dict.fromkeys(rows[0], ""), rows)
    formation = Result("formation", "", {}, {"kinds": {"family": ["row"]}}, {"classes": classes})
    shown = json.loads(FigureView("", course_figure(training_summary(Run(TINY)), {"formation": formation})).json)
    layout = shown["layout"]
    titles = [note["text"] for note in layout["annotations"]]
    assert titles[-1] == "Share of heads by family: none has one"
    assert {trace["yaxis"] for trace in shown["data"]} == {
        f"y{number or ''}" for number in (0, *range(2, len(titles) + 1))
    }
    axes = [axis for name, axis in layout.items() if name.startswith("yaxis") and axis.get("type") == "log"]
    assert axes
    assert {(axis["tickformat"], axis.get("exponentformat")) for axis in axes} == {(",~r", None)}
