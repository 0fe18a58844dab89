"""The sections of tokens, positions and shift: real results of a small model, with other numbers put into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_run import small_config

from mcinterp.config import RunConfig
from mcinterp.report import write_report
from mcinterp.report.parts import Section
from mcinterp.report.views import VIEWS
from mcinterp.report.views.changes import changes_table
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.passes.distribution_shift import distribution_shift
from mcinterp.studies.matrix_completion.passes.position_sensitivity import position_sensitivity
from mcinterp.studies.matrix_completion.passes.token_intervention import token_intervention
from mcinterp.studies.matrix_completion.views import positions, shift, tokens

NAMES = ("tokens", "positions", "shift")


def measured(checkpoint: Checkpoint) -> dict[str, Result]:
    return {
        "tokens": token_intervention(checkpoint, samples=12),
        "positions": position_sensitivity(checkpoint, 2, samples=12),
        "shift": distribution_shift(checkpoint, samples=12),
    }


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return measured(Checkpoint.untrained(small_config(), seed=0))


def section(result: Result) -> Section:
    return VIEWS[result.name][1](result, {})


def words(result: Result) -> str:
    return " ".join(section(result).sentences)


def changed(result: Result, where: Callable[[Any], Any], **values: Any) -> Result:
    """The result with values of its first table replaced in the rows that `where` picks."""
    name, table = next(iter(result.tables.items()))
    frame = table.frame.copy()
    for column, value in values.items():
        frame.loc[where(frame), column] = value
    return replace(result, tables={**result.tables, name: Table(frame, table.columns)})


def ci(name: str, value: float, half: float) -> dict[str, float]:
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


@pytest.mark.parametrize("name", NAMES)
def test_a_section_has_sentences_figures_and_tables_and_is_the_same_when_stored(
    results: dict[str, Result], name: str, tmp_path: Path
) -> None:
    own = section(results[name])
    assert own.sentences
    assert own.figures
    assert own.tables
    results[name].save(tmp_path / name)
    stored = section(Result.load(tmp_path / name))
    assert stored.sentences == own.sentences
    assert [figure.json for figure in stored.figures] == [figure.json for figure in own.figures]
    assert stored.tables == own.tables


def test_the_pages_show_all_three(results: dict[str, Result], tmp_path: Path) -> None:
    for name, result in results.items():
        replace(result, provenance={"run": "r", "step": 5}).save(tmp_path / "data" / "step-00000005" / name)
    write_report(tmp_path)
    page, index = ((tmp_path / name).read_text("utf-8") for name in ("step-00000005.html", "index.html"))
    for name in NAMES:
        assert f'<section id="{name}"' in page
        assert f"data/step-00000005/{name}/result.json" in page
    assert tokens.HEADING in index
    assert positions.HEADING in index
    assert shift.HEADING in index


def test_what_changed_has_a_block_for_each_and_dashes_where_nothing_was_run(results: dict[str, Result]) -> None:
    steps = {1: results, 2: {"tokens": results["tokens"]}, 3: {}}
    view = changes_table(steps, {})
    labels = [row[0].text for row in view.rows]
    assert labels[:6] == [
        f"{token}, {law}" for law in ("own law", "full rank") for token in ("MASK", "value 0.44", "value −0.24")
    ]
    assert labels[6:12] == ["all positions", "row membership", "column membership", "rows", "columns", "transposition"]
    assert labels[12:16] == ["training", "Gaussian factors", "Laplace factors", "full rank"]
    assert labels[16:] == ["rank 5, variance kept", "p_mask 0.1", "p_mask 0.6"]
    assert [column.label[:6] for column in view.columns[1:]] == ["step 1", "step 2", "step 3"]
    assert view.rows[0][3].text == "–" != view.rows[0][1].text
    assert view.rows[0][2].text == view.rows[0][1].text
    assert [cell.text for cell in view.rows[8][2:]] == ["–", "–"]


def test_the_token_sentences_follow_the_numbers(results: dict[str, Result]) -> None:
    result = results["tokens"]
    own = result.table("tokens").iloc[0]
    at_mask = lambda frame: frame["token"] == "MASK"  # noqa: E731
    value = lambda frame: frame["token"] != "MASK"  # noqa: E731
    assert f"L_mask {own['masked_mse']:.3g}"[:10] in words(result)
    for half, expected in ((0.02, "and it is nearer to the truth"), (0.2, "is not measurably nearer to the truth")):
        assert expected in words(changed(result, at_mask, **ci("gained", 0.1, half)))
    assert "and it is farther from the truth" in words(changed(result, at_mask, **ci("gained", -0.1, 0.02)))
    for centre, half, expected in (
        (0.1, 0.02, "moves towards the token's value for all 2 values, and away from it for none of 2 values:"),
        (-0.1, 0.02, "moves towards the token's value for none of 2 values, and away from it for all 2 values:"),
        (0.01, 0.02, "does not measurably move towards the token's value:"),
    ):
        assert expected in words(changed(result, value, **ci("copied", centre, half)))
    mixed = changed(
        changed(result, value, **ci("copied", 0.1, 0.02)), lambda f: f["value"] < 0, **ci("copied", -1, 0.1)
    )
    assert "moves towards the token's value for 1 of 2 values, and away from it for 1 of 2 values" in words(mixed)
    exact = changed(result, value, **ci("value_mse", 0.01, 0.001), **ci("control_mse", 0.2, 0.01))
    assert "mean square to it 0.0100 [0.0090, 0.0110] at the token of 0.44 (0.200 with MASK there)" in words(exact)


def test_the_position_sentences_follow_the_numbers(results: dict[str, Result]) -> None:
    result = results["positions"]
    kind = lambda name: lambda frame: frame["kind"] == name  # noqa: E731
    for centre, expected in ((0.1, "raises"), (-0.1, "lowers"), (0.001, "does not measurably change")):
        assert f"Permuting all positions {expected} L_mask" in words(
            changed(result, kind("all positions"), **ci("masked_delta", centre, 0.01))
        )
    none = changed(result, lambda f: f["null"] == "no", **ci("masked_delta", 0.001, 0.01))
    unclear = "breaking {} membership does not measurably change L_mask (0.001 [−0.009, 0.011])"
    assert all(unclear.format(name) in words(none) for name in ("row", "column"))
    rows_only = changed(none, kind("row membership"), **ci("masked_delta", 0.1, 0.01))
    assert "breaking row membership raises L_mask (0.100 [0.090, 0.110])" in words(rows_only)
    assert unclear.format("column") in words(rows_only)
    missed = changed(result, kind("columns"), **ci("masked_delta", 0.004, 0.003))
    assert "0.0040 [0.0010, 0.0070] (columns, whose interval misses 0, as 1 in 20 do by chance)" in words(missed)
    assert "0.000 [−0.010, 0.010] (columns, as has to be)" in words(
        changed(result, kind("columns"), **ci("masked_delta", 0, 0.01))
    )
    moved = changed(result, kind("rows"), **ci("masked_moved", 0.02, 0.004))
    assert "move by a mean square of 0.020 [0.016, 0.024] (rows)" in words(moved)
    assert "Controls, 0 but for rounding" in words(result)
    assert "0 with no permutation" in words(result)


def test_the_shift_sentences_follow_the_numbers(results: dict[str, Result]) -> None:
    result = results["shift"]
    at = lambda name: lambda frame: frame["condition"] == name  # noqa: E731
    fresh = changed(result, at(shift.FRESH), **ci("ratio_change", 0.01, 0.05))
    assert "differs by 0.01 [−0.04, 0.06]: nothing measurable" in words(fresh)
    odd = changed(result, at(shift.FRESH), **ci("ratio_change", 0.1, 0.05))
    assert "more than its interval allows" in words(odd)
    same = "as in training, to within 1 %"
    for centre, half, expected in (
        (4, 1, "worse than in"),
        (-4, 1, "better than in"),
        (0, 2, "not meas"),
        (0, 0.01, same),
    ):
        told = words(changed(result, at("Laplace factors"), **ci("ratio_change", centre, half)))
        assert f"({expected}" in told.partition("Laplace factors ")[2].partition(";")[0]
    sweep = lambda frame: frame["sweep"] == "p_mask"  # noqa: E731
    good = changed(result, sweep, **ci("masked_ratio", 0.5, 0.1))
    assert "Over p_mask the ratio goes from 0.50 [0.40, 0.60] at p_mask 0.1" in words(good)
    assert "nearer to the truth than 0 is, at every one of them" in words(good)
    some = changed(good, lambda f: f["p_mask"] > 0.12, **ci("masked_ratio", 1.2, 0.1))
    assert "than 0 is, measurably at p_mask 0.1 and at no other" in words(some)
    assert "than 0 is, measurably at none of them" in words(changed(result, sweep, **ci("masked_ratio", 0.99, 0.1)))
    assert "tokens were never trained: at most" in words(result)
    assert "never trained" not in words(changed(result, lambda f: f["n"] > 0, unseen=0.0))


def test_absent_numbers_are_told_as_absent(tmp_path: Path) -> None:
    config = small_config()
    task = TaskConfig(**{**config.task.model_dump(), "p_mask": 0.0})
    empty = measured(Checkpoint.untrained(RunConfig(task=task, model=config.model, training=config.training), seed=0))
    assert words(empty["tokens"]) == "No entry was masked, so that no token could be replaced."
    assert words(empty["positions"]) == "No entry was masked, so that L_mask could not be measured."
    assert words(empty["shift"]).startswith("No entry is masked in training")
    assert "(no training ratio to compare with)" not in words(empty["shift"]).partition("Over p_mask")[2]
    assert "Over rank L_mask could not be measured." in words(empty["shift"])
    assert "nan" not in " ".join(words(result) for result in empty.values()).lower()
    view = changes_table({1: empty}, {})
    assert {row[1].text for row in view.rows[:12]} == {"–"}
    for name, result in empty.items():
        result.save(tmp_path / "data" / "step-00000001" / name)
    write_report(tmp_path)


def test_figures_hold_every_number(results: dict[str, Result]) -> None:
    token_figure = section(results["tokens"]).figures[0].figure
    values = next(trace for trace in token_figure.data if trace.name == "replaced entries, to the value")
    assert list(values.x) == pytest.approx(results["tokens"].table("tokens")["value_mse"].tolist())
    controls = next(trace for trace in token_figure.data if "control" in trace.name)
    assert len(controls.x) == 4
    change, moved = (view.figure for view in section(results["positions"]).figures)
    assert sum(len(trace.x) for trace in change.data) == 8 + len(results["positions"].table("each"))
    assert len(moved.data[0].x) == 8
    by_mask, by_rank, laws = (view.figure for view in section(results["shift"]).figures)
    frame = results["shift"].table("shift")
    assert list(by_mask.data[0].y) == pytest.approx(frame[frame["sweep"] == "p_mask"]["masked_ratio"].tolist())
    assert [list(trace.x) for trace in by_rank.data] == [[1, 2, 3, 4, 5]] * 2
    assert by_rank.data[1].name == "variance as in training"
    assert sum(len(trace.x) for trace in laws.data) == 5


def test_a_result_of_one_law_alone_is_shown(results: dict[str, Result]) -> None:
    table = results["shift"].tables["shift"]
    frame = table.frame[table.frame["condition"] == "full rank"].reset_index(drop=True)
    own = section(replace(results["shift"], tables={"shift": Table(frame, table.columns)}))
    assert len(own.sentences) == 1
    assert "Under other laws the ratio is: full rank" in own.sentences[0]
    assert np.isfinite(frame["masked_ratio"]).all()
