"""The whole study, shortened: what it trains, keeps, decides and shows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from short_concept import Carry

from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.concept_space import views
from mcinterp.studies.concept_space.figures import samples_figure
from mcinterp.studies.concept_space.hidden import BEHIND, COMES_WITH, LATENT_BEHIND
from mcinterp.studies.concept_space.images import NAMES
from mcinterp.studies.concept_space.networks import families
from mcinterp.studies.concept_space.samples import SHOWN
from mcinterp.studies.concept_space.study import MEASURED

NAN = math.nan


def stored(folder: Path, name: str) -> Result:
    return Result.load(folder / "out" / "data" / "study" / name)


def replaced(result: Result, table: str, where: dict[str, object] | None = None, **values: object) -> Result:
    """With other values in the rows of a table that are as `where` says."""
    frame = result.table(table).copy()
    chosen = np.all([frame[column] == value for column, value in (where or {}).items()] or [[True]], axis=0)
    for column, value in values.items():
        frame[column] = frame[column].astype(object if isinstance(value, str | bool) else float)
        frame.loc[chosen if where else slice(None), column] = value
    return replace(result, tables={**result.tables, table: Table(frame, result.tables[table].columns)})


def ends(name: str, low: float, value: float, high: float) -> dict[str, object]:
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def test_every_network_is_asked_at_all_of_its_checkpoints(folder: Path) -> None:
    courses = stored(folder, "hidden").table("courses")
    run = Run(folder / "run")
    own = courses[(courses["reading"] == "gated") & (courses["colours"] == "middle") & (courses["trained"] == 10)]
    assert own[own["prompt"] == "small blue"]["step"].tolist() == run.steps
    assert set(zip(courses["reading"], courses["colours"], strict=True)) == set(families())
    assert courses.groupby(["reading", "colours"])["trained"].nunique().eq(2).all()
    assert set(courses["n"]) == {8}
    for name in MEASURED:
        for table in stored(folder, name).tables.values():
            assert list(table.frame.columns) == list(table.columns)


def test_curves_are_means_over_networks(folder: Path) -> None:
    hidden = stored(folder, "hidden")
    by = ["reading", "colours", "step", "prompt"]
    means = hidden.table("courses").groupby(by)[["blue", "small", "right"]].mean()
    curves = hidden.table("curves").set_index(by)
    pd.testing.assert_frame_equal(curves[["blue", "small", "right"]], means.loc[curves.index])


def test_what_stands_is_neither_trained_nor_measured_again(folder: Path, carry_out: Carry, told: list[str]) -> None:
    assert sum("asked" in line for line in told) == 8
    before = stored(folder, "claims").table("findings")
    said: list[str] = []
    carry_out(folder, said, 8)
    assert said == ["15 variants: 0 trained, 15 kept"]
    pd.testing.assert_frame_equal(stored(folder, "claims").table("findings"), before)


def test_of_networks_that_learned_next_to_nothing_nothing_holds(folder: Path) -> None:
    claims = stored(folder, "claims").table("claims")
    assert len(claims) == 9
    assert "holds" not in set(claims["verdict"])


def test_the_page_shows_every_result_and_no_hole(folder: Path) -> None:
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for name in MEASURED:
        assert f'id="{name}"' in page
    assert "NaN" not in page
    assert not any(f" {word}" in page for word in ("nan ", "nan,", "nan.", "nan;", "nan]"))


def test_images_are_shown_by_prompt_and_step(folder: Path) -> None:
    result = stored(folder, "samples")
    made, real = result.arrays["made"], result.arrays["real"]
    assert made.shape == (len(SHOWN), len(result.facts["steps"]), 4, 4, 4, 3)
    figure = samples_figure(made, real, result.facts["prompts"], result.facts["steps"])
    canvas = np.array(figure.data[0].z)
    # Blocks of two by two pictures, each with a transparent pixel beside it, and one more between blocks.
    assert canvas.shape == (11 * len(SHOWN), 11 * (made.shape[1] + 1), 4)
    assert np.array_equal(canvas[:4, :4, :3], made[0, 0, 0])
    assert np.array_equal(canvas[11 * 2 + 5 : 11 * 2 + 9, 11 + 5 : 11 + 9, :3], made[2, 1, 3])
    assert np.array_equal(canvas[:4, -11:-7, :3], real[0])
    assert set(canvas[4, :, 3]) == {0}
    assert figure.layout.xaxis.ticktext[-1] == "real"
    assert list(figure.layout.yaxis.ticktext) == list(result.facts["prompts"])


SLOPES = {
    "fall with the colour signal": (-1.4, -1.2, -1.0),
    "rise with the colour signal": (0.2, 0.4, 0.6),
    "do not certainly change": (-0.5, 0.1, 0.5),
    "hardly change with the colour signal": (-0.06, -0.03, -0.01),
}


@pytest.mark.parametrize("said", list(SLOPES))
def test_speeds_are_told_as_their_interval_has_them(folder: Path, said: str) -> None:
    result = replaced(stored(folder, "paths"), "slopes", **ends("slope", *SLOPES[said]))
    speeds = views.paths(result, {}).sentences[:3]
    assert all(said in sentence for sentence in speeds)
    assert not any(other in sentence for other in SLOPES if other != said for sentence in speeds)


ORDERS = {
    "the size is first": (0.5, 1.0, 1.5),
    "the colour is first": (-1.5, -1.0, -0.5),
    "neither is first for certain": (-1.0, 0.1, 1.0),
}


@pytest.mark.parametrize("said", list(ORDERS))
def test_orders_are_told_as_their_interval_has_them(folder: Path, said: str) -> None:
    values = ends("order", *ORDERS[said]) | {"bounded": 0, "n": 5}
    order = views.paths(replaced(stored(folder, "paths"), "order", **values), {}).sentences[3]
    assert order.count(said) == 3
    assert not any(other in order for other in ORDERS if other != said)


GAPS = {
    "is right later than": (1.0, 1.5, 2.0),
    "is right earlier than": (-2.0, -1.5, -1.0),
    "is not certainly later than": (-0.5, 0.2, 0.9),
    "cannot be compared with": (NAN, NAN, NAN),
}


@pytest.mark.parametrize("said", list(GAPS))
def test_gaps_are_told_as_their_interval_has_them(folder: Path, said: str) -> None:
    result = stored(folder, "hidden")
    for gap in (BEHIND, LATENT_BEHIND, COMES_WITH):
        result = replaced(result, "gaps", {"gap": gap}, **ends("value", *GAPS[said]), bounded=0)
    told = views.hidden(result, {}).sentences[:6]
    assert all(sentence.count(said) == 3 for sentence in told)
    assert not any(other in sentence for other in GAPS if other != said for sentence in told)


def test_a_lower_bound_is_told_as_one(folder: Path) -> None:
    values = ends("value", 1.0, math.log(8), math.inf) | {"bounded": 1, "n": 2}
    told = views.hidden(replaced(stored(folder, "hidden"), "gaps", **values), {}).sentences[0]
    assert (
        "is right later than the latent intervention (steps × 8.00 [2.72, ∞], a lower bound in 1 of 2 networks)" in told
    )


def test_the_null_that_makes_most_is_told_and_none_where_there_is_none(folder: Path) -> None:
    result = stored(folder, "hidden")
    where = {"reading": "gated", "colours": "strong", "null": "random directions"}
    most = replaced(replaced(result, "nulls", right=0.1), "nulls", where, **ends("right", 0.3, 0.4, 0.5))
    told = [sentence for sentence in views.hidden(most, {}).sentences if "which should make no" in sentence]
    assert "gated networks of strong colours: 0.40 [0.30, 0.50] of the images" in told[1]
    none = views.hidden(replaced(result, "nulls", right=NAN), {}).sentences
    assert sum("nothing is known" in sentence for sentence in none) == 2


@pytest.mark.parametrize(("returned", "said"), [(0, "none of 5 networks turn"), (5, "all 5 networks turn")])
def test_turns_are_counted(folder: Path, returned: int, said: str) -> None:
    result = replaced(stored(folder, "paths"), "turns", returned=returned, n=5)
    assert views.paths(result, {}).sentences[5].count(said) == 3


def test_the_star_of_a_turn_is_on_its_path(folder: Path) -> None:
    result = replaced(stored(folder, "paths"), "turn", turn=float(Run(folder / "run").steps[3]))
    figure = views.paths(result, {}).figures[0].figure
    stars = [trace for trace in figure.data if str(trace.name).startswith("turn")]
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines+markers"}
    assert len(stars) == len(lines) == 3
    for star, line in zip(stars, lines.values(), strict=True):
        assert (star.x[0], star.y[0]) == (line.x[3], line.y[3])
    assert {trace.text[0] for trace in figure.data if trace.mode == "markers+text"} == set(NAMES.values())


@pytest.mark.parametrize("name", MEASURED)
def test_a_view_needs_no_other_result(folder: Path, name: str) -> None:
    section = getattr(views, name)(stored(folder, name), {})
    assert section.figures or section.tables


def test_a_report_is_made_again_of_stored_results(folder: Path) -> None:
    before = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    write_report(folder / "out")
    assert (folder / "out" / "paper.html").read_text(encoding="utf-8") == before
