"""What the study trains and measures: a run with its influences, and the same network asked for a single bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.config import load_preset
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.study import Setting
from mcinterp.study.trained import FEW, analysed, changed, keep, train_preset, train_variants

AVERAGED = 50
"""Steps over which the error is averaged, batches being small."""
COLUMNS = {
    "asked": "what the network has to answer",
    "plateau": "error on the plateau before the drop; empty without a drop, as the next",
    "fall": "steps of the drop, over the steps before it",
    "halved": "step at which the error is first half of that of answering 0; empty if it never is",
    "last": "error at the end of training",
}


def measure(setting: Setting) -> Mapping[str, Result]:
    """Train, analyse and measure what is missing.

    Returns:
        `training`; `before/influence`, on the plateau, and `after/influence`, in the end; `study/learning`.

    Raises:
        TrainingError: if a training was stopped or failed.
    """
    run = train_preset(setting, load_preset(setting.preset))
    found = analysed(setting, run, ["influence"])
    easy = train_variants(setting, run, {"single-bit": changed(run.config, {**FEW, "task.of": 1})})
    return found | keep(setting, learning(run, easy["single-bit"]), run=run.name)


def learning(parity: Run, single_bit: Run) -> Result:
    """When each of two runs learns its task, and how suddenly."""
    rows = [_course("parity", parity), _course("single bit", single_bit)]
    return Result("learning", "How it is learned", {}, tables={"learning": Table.of(COLUMNS, rows)})


def _course(asked: str, run: Run) -> dict[str, Any]:
    drop, error = run.transition, run.metrics["parity_mse"].rolling(AVERAGED, min_periods=1).mean()
    return {
        "asked": asked,
        "plateau": drop.plateau if drop.found else float("nan"),
        "fall": (drop.end - drop.start) / drop.start,
        "halved": run.metrics["step"][error <= 0.5].min(),
        "last": error.iloc[-1],
    }
