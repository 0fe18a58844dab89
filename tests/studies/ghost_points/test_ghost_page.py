"""The page of a study without a run, from its stored results alone: sentences, evidence links, offline in a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accessible import serious_violations
from drawn import draw_all
from judging import contradictions

from mcinterp.errors import CheckpointError
from mcinterp.report import write_report
from mcinterp.report.views import study_sections
from mcinterp.results import Result, Table
from mcinterp.studies.ghost_points import drops, velocity
from mcinterp.studies.ghost_points import study as module
from mcinterp.studies.ghost_points.figures.exact import ghost_loss_figure, ghost_rates_figure, velocity_figure
from mcinterp.studies.ghost_points.views import exact as view
from mcinterp.study import Setting, find_study, reproduce

PLAIN = (
    r"where fewer do, ",
    r"At larger rates",
    r"Runs that start at .* times the optimum or nearer have a plateau too short beside their fall",
    r"Of the run drawn here it says: .*",  # the detector's own statement
)
NAMES = ("velocity", "critical", "rates", "zone", "oscillation", "drops")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with few starts and rates; its page is to be read only."""
    out = tmp_path_factory.mktemp("ghost")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drops, "WATCHED", (drops.TYPICAL,))
        patch.setattr(drops, "RATES", (0.2, 0.5))
        patch.setattr(velocity, "SAFE", (0.5, 0.99))
        said: list[str] = []
        setting = Setting("exact", out / "run", out, 1, 4, "cpu", said.append, lambda steps, name: nullcontext(None))
        reproduce(find_study("ghost-points"), setting)
    assert said == list(NAMES) == list(module.MEASURES)
    assert write_report(out) == out / "index.html"
    return out


@pytest.fixture
def results(folder: Path) -> dict[str, Result]:
    return {name: Result.load(folder / "data" / "study" / name) for name in NAMES}


def changed(result: Result, name: str, **columns: Any) -> Result:
    table = result.tables[name]
    return replace(result, tables={**result.tables, name: Table(table.frame.assign(**columns), table.columns)})


def test_no_sentence_decides_by_itself(results: dict[str, Result]) -> None:
    """What the study says of its exact system are counts, ranges and intervals, and no verdicts."""
    wrong, _ = contradictions(
        lambda: [sentence for part in study_sections("ghost-points", results) for sentence in part.sentences], {}, PLAIN
    )
    assert wrong == []


def test_the_page_stands_alone(folder: Path) -> None:
    page = (folder / "paper.html").read_text()
    assert (folder / "index.html").read_text() == page
    assert "decided without a run" in page
    assert "Of 13 claims" in page
    assert "<code>mcinterp reproduce ghost-points --preset delayed-switch</code>" in page
    assert "it measures networks, revival and fields, which this preset does not" in page
    assert 'href="index.html"' not in page
    assert "nan" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not list(folder.glob("step-*"))


def test_every_link_leads_somewhere(folder: Path) -> None:
    page = (folder / "paper.html").read_text()
    links = set(re.findall(r'<a href="([^"]+)"', page))
    anchors = set(re.findall(r' id="([^"]+)"', page))
    assert {f"#{name}" for name in NAMES} <= links
    assert {link[1:] for link in links if link.startswith("#")} <= anchors
    assert {link for link in links if not link.startswith("#")} >= {f"data/study/{name}/result.json" for name in NAMES}
    assert all((folder / link).is_file() for link in links if not link.startswith("#"))


def test_the_page_is_a_function_of_what_is_stored(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "data", tmp_path / "data")
    write_report(tmp_path)
    assert (tmp_path / "paper.html").read_bytes() == (folder / "paper.html").read_bytes()
    alone = write_report(tmp_path, single_file=True).read_text()
    assert 'data-part="data/study/zone/zone.csv"' in alone
    assert alone.count('data-part="index.html"') == 1


def test_results_without_claims_are_no_page(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "data" / "study" / "zone", tmp_path / "data" / "study" / "zone")
    with pytest.raises(CheckpointError, match="holds no results"):
        write_report(tmp_path)


def test_what_has_no_view_shows_its_tables(results: dict[str, Result]) -> None:
    assert [section.name for section in study_sections("ghost-points", results)] == list(NAMES)
    other = study_sections("ghost-points", {"extra": replace(results["zone"], name="extra"), "zone": results["zone"]})
    assert [section.name for section in other] == ["zone", "extra"]
    unknown = study_sections("another", results)
    assert [section.name for section in unknown] == sorted(NAMES)
    assert [table.caption for table in unknown[0].tables] == ["critical", "scaling"]


def test_the_sentences_are_the_numbers(results: dict[str, Result]) -> None:
    learned = view.velocity(results["velocity"], results).sentences
    assert learned[0].startswith("Of 8 runs below the critical learning rate none had a root")
    assert learned[1].startswith("The state spends 0.500 of its switch time")
    frame = results["critical"].table("critical")
    assert f"{frame['ratio'][1]:.3f}"[:4] in view.critical(results["critical"], results).sentences[0]
    assert (
        view.rates(results["rates"], results)
        .sentences[0]
        .startswith("Below the critical rate none of 24 runs ended in the no-learning zone, above it 0% to 100%")
    )
    assert view.zone(results["zone"], results).sentences == [
        "The largest gradient in the zone is 0; the lowest r that has one is 1 times π²/(16 T²).",
        "Of 12 runs that landed there none left it; the furthest that r moved there is 0.",
    ]
    assert "1.0002 to 1.0" in view.oscillation(results["oscillation"], results).sentences[0]
    found = view.drops(results["drops"], results).sentences
    assert found[0].endswith("the detector found a drop in 100% of the runs, and without a ghost in 0%.")
    steepest = results["drops"].table("drops")["steepest"]
    ends = [f"{end:+.1%}".replace("-", "−") for end in (steepest.min(), steepest.max())]
    assert found[1].endswith(f"its steepest point off that epoch by {ends[0]} to {ends[1]}.")
    assert any(sentence.startswith("Runs that start at 6 times the optimum or nearer") for sentence in found)


def test_the_sentences_read_right_where_the_numbers_are_others(results: dict[str, Result]) -> None:
    rooted = changed(results["velocity"], "lowest", roots=[1, 2])
    assert "3 had a root" in view.velocity(rooted, results).sentences[0]
    left = changed(results["zone"], "zone", left=[0, 1, 0], largest_gradient=2.5)
    assert "gradient in the zone is 2.50" in view.zone(left, results).sentences[0]
    assert "1 left it" in view.zone(left, results).sentences[1]
    dead = changed(results["rates"], "rates", dead=1.0)
    assert view.rates(dead, results).sentences == [
        "Below the critical rate 24 of 24 runs ended in the no-learning zone, above it 100%."
    ]
    nothing = changed(results["drops"], "drops", found=0.0, start=np.nan, end=np.nan, steepest=np.nan)
    nothing = changed(nothing, "starts", found=False)
    nothing = changed(nothing, "marks", found=False, start=np.nan, steepest=np.nan, end=np.nan, statement="no drop yet")
    section = view.drops(nothing, results)
    assert len(section.sentences) == 2
    assert "found a drop in 0% of the runs" in section.sentences[0]
    assert section.sentences[1] == "Of the run drawn here it says: no drop yet."
    late = changed(results["drops"], "drops", steepest=0.1)
    assert not any("names the middle" in sentence for sentence in view.drops(late, results).sentences)


def test_the_figures_draw_what_is_stored(results: dict[str, Result]) -> None:
    stages = results["velocity"].table("stages")
    figure = velocity_figure(results["velocity"], "dies")
    dies = stages[stages["run"] == "dies"]
    assert [min(trace.y) for trace in figure.data] == pytest.approx(dies["lowest"].tolist())
    assert figure.layout.yaxis.range[0] < dies["lowest"].min() < 0
    loss = ghost_loss_figure(results["drops"])
    assert [trace.name for trace in loss.data] == ["without a ghost", "learned", "closed form"]
    assert len(loss.layout.annotations) == 3
    marks = changed(results["drops"], "marks", found=False)
    assert len(ghost_loss_figure(marks).layout.annotations) == 0
    rates = ghost_rates_figure(results["rates"])
    assert list(rates.data[1].y) == results["rates"].table("rates")["dead"].tolist()


@pytest.mark.parametrize("width", [480, 1400])
def test_the_page_draws_offline_and_does_not_scroll_sideways(
    folder: Path, opened: Callable[..., Any], width: int
) -> None:
    with opened(folder / "paper.html", width, scheme="dark" if width < 1000 else "light") as page:
        assert draw_all(page) == 5
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page) == []
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
        assert len(ids) == len(set(ids))
        page.locator("#critical-learning-rate").get_by_role("link", name="rates").click()
        assert page.url.endswith("paper.html#rates")
