"""The page of a sweep: sentences and tables made from the stored summary."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from accessible import serious_violations
from drawn import draw_all
from planted_sweep import plant_sweep
from small_sweep import write_grid

from mcinterp.analysis import sweep_summary
from mcinterp.errors import UsageError
from mcinterp.report import write_sweep_report
from mcinterp.report.figures import sweep_curves_figure, sweep_drops_figure, sweep_scores_figure
from mcinterp.report.figures.sweep import colouring
from mcinterp.report.views import sweep as view
from mcinterp.results import Result, Table
from mcinterp.runs import load_sweep


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return sweep_summary(plant_sweep(tmp_path_factory.mktemp("planted")))


@pytest.fixture(scope="module")
def without_drops(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return sweep_summary(plant_sweep(tmp_path_factory.mktemp("flat"), drops=False))


def changed(summary: Result, name: str, **columns: Any) -> Result:
    table = summary.tables[name]
    return replace(summary, tables={**summary.tables, name: Table(table.frame.assign(**columns), table.columns)})


def test_the_sentences_are_the_numbers(summary: Result) -> None:
    first, failed, lowest = view.view(summary).sentences
    steps = summary.table("runs")["steepest"].dropna().round().astype(int)
    assert first == f"4 of 6 runs are finished; 3 of 6 drop, fastest at steps {steps.min():,} to {steps.max():,}."
    assert failed == (
        "1 run failed, which the averages leave out: n_layers=1, seed=1 (the loss became 1e+05 at step 501)."
    )
    assert lowest.startswith("Averaged over seeds, the last L_mask is not told apart between n_layers 2, 0.015 [")
    assert "and n_layers 1, 0.100 (n = 1): one of them has a single seed" in lowest


@pytest.mark.parametrize(
    ("bounds", "words"),
    [((0.05, 0.2), "the last L_mask is lower for n_layers 2, "), ((0.001, 0.2), "seeds alone may make the difference")],
)
def test_whether_groups_differ_is_said(summary: Result, bounds: tuple[float, float], words: str) -> None:
    groups = summary.table("groups")
    low, high = groups["last_score_low"].copy(), groups["last_score_high"].copy()
    low[0], high[0] = bounds
    assert words in view.view(changed(summary, "groups", last_score_low=low, last_score_high=high)).sentences[-1]


def test_steps_of_the_drop_are_compared_where_two_groups_have_one(summary: Result) -> None:
    steepest = [3000.0, summary.table("groups")["steepest"][1]]
    sentence = view.view(changed(summary, "groups", steepest=steepest, dropped=[1, 3])).sentences[-1]
    start = "Averaged over seeds, the step of the fastest fall is not told apart between n_layers 2, 1,977 ["
    assert sentence.startswith(start)
    assert "and n_layers 1, 3,000 (n = 1): one of them has a single seed" in sentence


def test_without_a_drop_nothing_is_compared_by_its_step(without_drops: Result) -> None:
    section = view.view(without_drops)
    assert section.sentences[0] == (
        "4 of 6 runs are finished; none shows a sudden drop so far, so there is no step of a drop to compare."
    )
    assert len(section.figures) == 2  # curves and scores, and no steps of drops
    assert not any("fastest" in sentence for sentence in section.sentences)


def test_figures_show_every_run(summary: Result) -> None:
    curves = sweep_curves_figure(summary)
    assert len(curves.data) == 5
    assert [trace.name for trace in curves.data if trace.showlegend] == ["n_layers 1", "n_layers 2"]
    assert len({trace.line.color for trace in curves.data}) == 2
    drops = sweep_drops_figure(summary, "n_layers")
    dots, others = drops.data[-2], drops.data[-1]
    runs = summary.table("runs")
    assert list(dots.y) == runs[runs["found"]]["steepest"].tolist()
    assert list(others.y) == [4000, 500]
    assert [round(place) for place in dots.x] == [1, 1, 1]
    assert len(set(dots.x)) == 3
    assert [(bar.y[0], bar.y[1]) for bar in drops.data[:-2]] == [
        tuple(pair) for pair in runs[runs["found"]][["start", "end"]].to_numpy().tolist()
    ]


def test_scores_stand_by_the_parameter_with_their_mean(summary: Result) -> None:
    dots, means = sweep_scores_figure(summary, "n_layers").data
    runs = summary.table("runs")
    finished = runs[runs["finished"]]
    assert list(dots.y) == finished["last_score"].tolist()
    assert [round(place) for place in dots.x] == [[1, 2].index(layers) for layers in finished["n_layers"]]
    wanted = [finished[finished["n_layers"] == layers]["last_score"].mean() for layers in (1, 2)]
    assert list(means.y) == pytest.approx(wanted)


def test_values_of_a_field_are_written_in_decimals_everywhere(summary: Result) -> None:
    rates = summary.table("runs")["n_layers"].map({1: 1e-5, 2: 0.01})
    fine = changed(summary, "runs", n_layers=rates)
    fine = changed(fine, "groups", n_layers=summary.table("groups")["n_layers"].map({1: 1e-5, 2: 0.01}))
    section = view.view(fine)
    assert ("n_layers", "0.00001, 0.01") in view.sweep_facts(fine)
    assert list(section.figures[1].figure.layout.xaxis.ticktext) == ["0.00001", "0.01"]
    assert next(trace.name for trace in section.figures[0].figure.data if trace.showlegend) == "n_layers 0.00001"
    assert "n_layers 0.01, " in section.sentences[-1]
    assert {row[0].text for table in section.tables for row in table.rows} == {"0.00001", "0.01"}


def test_logarithmic_axes_have_decimal_ticks(summary: Result) -> None:
    axis = json.loads(view.view(summary).figures[0].json)["layout"]["yaxis"]
    assert (axis["type"], axis["tickformat"]) == ("log", ",~r")
    assert "exponentformat" not in axis


def test_a_run_with_a_report_of_its_own_leads_to_it(summary: Result, tmp_path: Path) -> None:
    configs = summary.provenance["configs"]
    beside, within, other = list(configs)[:3]
    page = tmp_path / "sizes"
    for place, run, digest in (
        (tmp_path, beside, configs[beside]),
        (page, within, configs[within]),
        (tmp_path, other, "of a run of another sweep"),
    ):
        training = Result("training", "Training", {}, {"config_hash": digest})
        training.save(place / run / "data" / "training")
        (place / run / "index.html").write_text("")
    text = write_sweep_report(summary, page).read_text()
    assert re.findall(r'href="([^"]+/index.html)"', text) == [f"../{beside}/index.html", f"{within}/index.html"]
    assert (
        re.findall(r'href="([^"]+/index.html)"', write_sweep_report(summary, tmp_path / "far" / "away").read_text())
        == []
    )


def test_many_values_get_colours_of_their_own(summary: Result) -> None:
    runs = summary.table("runs")
    table = Table(pd.concat([runs.assign(n_layers=depth) for depth in range(9)]), summary.tables["runs"].columns)
    field, colours = colouring(replace(summary, tables={**summary.tables, "runs": table}))
    assert field == "n_layers"
    assert len(set(colours.values())) == 9


def test_a_sweep_that_has_not_begun_has_a_page(tmp_path: Path) -> None:
    sweep = load_sweep(write_grid(tmp_path / "g.yaml", {"training.seed": [0, 1]}))
    (tmp_path / "out").mkdir()
    sweep.save(tmp_path / "out")
    page = write_sweep_report(sweep_summary(tmp_path / "out"), tmp_path / "page").read_text()
    assert "0 of 2 runs are finished; none shows a sudden drop so far" in page
    assert "2 not started" in page


def test_the_page_is_a_function_of_the_stored_summary(summary: Result, tmp_path: Path) -> None:
    index = write_sweep_report(summary, tmp_path / "one")
    again = write_sweep_report(Result.load(tmp_path / "one" / "data" / "sweep"), tmp_path / "two")
    assert index.read_bytes() == again.read_bytes()
    links = re.findall(r'href="(data/[^"]+)"', index.read_text())
    assert sorted(links) == [f"data/sweep/{name}" for name in ("curves.csv", "groups.csv", "result.json", "runs.csv")]
    assert all((tmp_path / "one" / link).is_file() for link in links)


def test_names_cannot_break_the_page(summary: Result, tmp_path: Path) -> None:
    hostile = replace(summary, facts={**summary.facts, "sweep": "<script>alert(1)</script>"})
    page = write_sweep_report(hostile, tmp_path).read_text()
    assert "<script>alert" not in page


def test_the_report_of_a_run_is_not_overwritten(summary: Result, tmp_path: Path) -> None:
    (tmp_path / "data" / "training").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds the report of a run"):
        write_sweep_report(summary, tmp_path)


@pytest.mark.parametrize("width", [480, 1400])
def test_the_page_draws_offline_and_does_not_scroll_sideways(
    summary: Result, tmp_path: Path, opened: Callable[..., Any], width: int
) -> None:
    with opened(write_sweep_report(summary, tmp_path), width, scheme="dark" if width < 1000 else "light") as page:
        assert draw_all(page) == 3
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page) == []
