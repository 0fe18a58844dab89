"""When curves move, on curves drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mcinterp.analysis.passes.onset import LEAD_COLUMNS, Crossing, Curve, crossing, lead_rows, plateau_step
from mcinterp.errors import InputError
from mcinterp.runs import Run

STEPS = [0, 10, 20, 30, 40]


def _curve(*values: float, width: float = 0.0) -> Curve:
    middle = np.array(values)
    return Curve(middle, middle - width, middle + width)


def test_a_curve_crosses_between_two_checkpoints() -> None:
    values = np.array([9.0, 0.0, 0.05, 0.5, 1.0])
    assert crossing(STEPS, values, 10, 0.1) == Crossing(20, 30)
    assert crossing(STEPS, values, 10, 0.9) == Crossing(30, 40)


def test_only_what_stays_counts() -> None:
    assert crossing(STEPS, np.array([0.0, 0.9, 0.0, 0.6, 1.0]), 0, 0.5) == Crossing(20, 30)


def test_falling_curves_cross_too() -> None:
    assert crossing(STEPS, np.array([1.0, 0.97, 0.8, 0.2, 0.0]), 0, 0.1) == Crossing(10, 20)


@pytest.mark.parametrize(("values", "start"), [([1, 1, 1, 1, 1], 0), ([0, 1, 2, 3, 4], 40), ([0, 1, 2, 3, np.nan], 0)])
def test_a_curve_without_a_way_crosses_nothing(values: list[float], start: int) -> None:
    assert crossing(STEPS, np.array(values), start, 0.5) is None


def test_an_unknown_start_is_an_error() -> None:
    with pytest.raises(InputError, match="step 5"):
        crossing(STEPS, np.zeros(5), 5, 0.5)


def test_what_moves_first_leads() -> None:
    loss = _curve(1, 1, 1, 0.5, 0)
    measures = {
        "early": _curve(0, 1, 1, 1, 1),
        "same": _curve(0, 0, 0, 1, 1),
        "late": _curve(0, 0, 0, 0, 1),
        "noise": _curve(0, 0.2, 0.1, 0, 0.1, width=0.2),
    }
    rows = {row["measure"]: row for row in lead_rows(STEPS, 0, loss, measures)}
    assert all(list(row) == list(LEAD_COLUMNS) for row in rows.values())
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {
        "loss": "the loss",
        "early": "before",
        "same": "with",
        "late": "after",
        "noise": "does not move",
    }
    assert (rows["early"]["lead"], rows["early"]["lead_margin"]) == (20, 10)
    assert (rows["late"]["onset_after"], rows["late"]["onset"], rows["late"]["lead"]) == (30, 40, -10)
    assert np.isnan(rows["noise"]["lead"])


def test_without_a_moving_loss_nothing_leads() -> None:
    rows = lead_rows(STEPS, 0, _curve(1, 1, 1, 1, 1), {"other": _curve(0, 0, 1, 1, 1)})
    assert [row["verdict"] for row in rows] == ["the loss", "moves, the loss does not"]
    assert np.isnan(rows[1]["lead"])


def test_without_a_drop_the_plateau_is_the_first_step(trained: Run) -> None:
    assert plateau_step(trained, trained.steps) == trained.steps[0]


def test_the_plateau_of_a_run_with_a_drop() -> None:
    from pathlib import Path

    run = Run(Path(__file__).parents[1] / "data" / "tiny")
    assert plateau_step(run, run.steps) == 2272
