"""A run that drops three times: the checkpoints chosen, those kept densely, and the marks of its curve."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from planted_runs import plant_run
from small_run import small_config

from mcinterp.analysis.summary import training_summary
from mcinterp.model.build import build_model
from mcinterp.report.figures import curve_figure
from mcinterp.runs import Run
from mcinterp.runs.checkpoint import save_checkpoint

STEPS = 1200
DROPS = (250, 600, 900)
LEVELS = (1.0, 0.3, 0.1, 0.02)
DENSE = 5


@pytest.fixture(scope="module")
def staircase(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three sudden drops with 5 % noise and a checkpoint every 100 steps."""
    curve = np.repeat(LEVELS, np.diff([0, *DROPS, STEPS])) * np.exp(0.05 * np.random.default_rng(0).normal(size=STEPS))
    config = small_config(training={"steps": STEPS, "dense_checkpoints": DENSE})
    run = plant_run(tmp_path_factory.mktemp("several") / "staircase", curve, 0, config)
    for step in range(0, STEPS, 100):
        save_checkpoint(run.folder(step), build_model(config), step, config, {})
    return run


def test_all_three_are_found_and_told(staircase: Run) -> None:
    assert [drop.start for drop in staircase.transitions] == pytest.approx(DROPS, abs=0.03 * STEPS)
    assert [drop.level_after for drop in staircase.transitions] == pytest.approx(LEVELS[1:], rel=0.05)
    assert staircase.told.count("; then ") == 2


def test_auto_takes_before_between_and_after(staircase: Run) -> None:
    chosen = staircase.select_steps("auto")
    assert chosen[-1] == STEPS
    for first, last in pairwise((0, *DROPS, STEPS)):
        assert any(first < step <= last for step in chosen), (first, last, chosen)
    for drop in DROPS:
        assert min(abs(step - drop) for step in chosen) <= 50


def test_every_drop_is_kept_densely(staircase: Run) -> None:
    window = staircase.dense_window()
    assert len(window) == DENSE * len(DROPS)
    for place, drop in enumerate(DROPS):
        around = window[DENSE * place : DENSE * (place + 1)]
        assert around[0] < drop + 0.03 * STEPS
        assert around[-1] > drop - 0.03 * STEPS
        assert around[-1] - around[0] < 0.1 * STEPS


def test_the_curve_marks_every_drop(staircase: Run) -> None:
    figure = curve_figure(training_summary(staircase))
    labels = [note.text for note in figure.layout.annotations]
    for mark in ("plateau", "start", "steepest", "end"):
        assert sum(label.startswith(f"{mark} ") for label in labels) == len(DROPS), labels
    shaded = sorted((shape.x0, shape.x1) for shape in figure.layout.shapes if shape.type == "rect")
    assert shaded == [(drop.start, drop.end) for drop in staircase.transitions]


def test_without_a_drop_there_are_the_ends(tmp_path: Path) -> None:
    run = plant_run(tmp_path / "flat", np.exp(0.05 * np.random.default_rng(1).normal(size=STEPS)), 0)
    assert run.transitions == run.dense_window() == []
    save_checkpoint(run.folder(0), build_model(run.config), 0, run.config, {})
    assert run.select_steps("auto") == [0, STEPS]
