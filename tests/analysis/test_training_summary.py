"""The curve of a training against averages taken by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcinterp.analysis import training_summary
from mcinterp.analysis.summary import MAX_POINTS
from mcinterp.runs import Run

TINY = Path(__file__).parents[1] / "data" / "tiny"


def test_the_curve_is_made_of_means_over_stretches_that_differ_by_a_step_at_most() -> None:
    run = Run(TINY)
    curve, metrics = training_summary(run).table("curve"), run.metrics
    assert len(curve) == MAX_POINTS < len(metrics)
    steps, spacing, begin = metrics["step"].to_numpy(), 10, 0
    lengths = []
    for row in curve.to_dict("records"):
        # As many steps as have the row's step as their middle.
        length = 1 + round(2 * (row["step"] - steps[begin]) / spacing)
        part = metrics.iloc[begin : begin + length]
        for column in curve.columns:
            assert row[column] == pytest.approx(part[column].mean(), rel=1e-12), (column, begin)
        begin += length
        lengths.append(length)
    assert begin == len(metrics)
    assert np.ptp(lengths) <= 1


def test_a_short_training_is_shown_step_by_step(trained: Run) -> None:
    summary = training_summary(trained, analysed=[40])
    columns = list(summary.table("curve"))
    assert summary.table("curve").equals(trained.metrics[columns].astype(float))
    assert (summary.facts["last_step"], summary.facts["analysed"], summary.facts["finished"]) == (40, [40], True)
    assert not summary.facts["transition"]["found"]
    assert summary.facts["transition"]["start"] is None


def test_the_plateau_has_the_interval_of_a_mean_over_its_batches(trained: Run) -> None:
    run = Run(TINY)
    flat = run.metrics.query(f"{run.transition.plateau_start} <= step <= {run.transition.start}")["masked_mse"]
    low, high = training_summary(run).facts["plateau_interval"]
    assert low < run.transition.plateau < high
    assert high - low == pytest.approx(2 * 1.96 * flat.std() / np.sqrt(len(flat)), rel=0.05)
    assert training_summary(trained).facts["plateau_interval"] is None
