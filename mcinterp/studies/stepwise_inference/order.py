"""Which is learned first: that steps go along edges, or that they lead to the goal?"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcinterp.analysis.skewed_t import CONFIDENCE, Floats
from mcinterp.analysis.statistics import interval_columns, mean_estimate, pooled_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.stepwise_inference.answers import Answers, answered
from mcinterp.studies.stepwise_inference.pairs import Pairs

ORDER = "order"
PAIRS = 100
RESAMPLED, SEED = 1000, 0

STEP_COLUMNS = {
    "step": "of the checkpoint",
    "n": "held-out pairs with a path that training could have drawn",
    **interval_columns("edges", "share of the steps that are written which go along edges; 0 where none is written"),
    **interval_columns("goals", "share of pairs whose steps are a path to the goal"),
}
HALF_COLUMNS = {
    "n": "pairs",
    "edges": "step at which half of the last share of steps along edges is reached, between two checkpoints",
    "goals": "step at which half of the last share of goals is reached",
    **interval_columns(
        "later", "natural logarithm of goals over edges (bootstrap over pairs); empty without one of them"
    ),
}


def order(run: Run) -> Result:
    """Edges and goals at every checkpoint of a run."""
    task = run.checkpoint().task
    near = task.paths.shortest <= task.config.longest
    pairs = task.test_pairs(near)
    pairs = pairs.only(pairs.has_path.nonzero()[:PAIRS, 0])
    answers = [_asked(run, step, pairs) for step in run.steps]
    steps = np.array(run.steps, dtype=np.float64)
    made = np.stack([each.steps.numpy() for each in answers], 1).astype(np.float64)
    along = made - np.stack([each.missteps.numpy() for each in answers], 1)
    valid = np.stack([each.valid.numpy() for each in answers], 1).astype(np.float64)
    rows = [_row(step, made[:, at], along[:, at], valid[:, at]) for at, step in enumerate(run.steps)]
    tables = {
        "steps": Table.of(STEP_COLUMNS, rows),
        "halves": Table.of(HALF_COLUMNS, [_halves(steps, made, along, valid)]),
    }
    return Result(ORDER, "Edges before goals", {"seed": SEED}, {"run": run.name}, tables)


def reaches_half(steps: Floats, curve: Floats) -> float:
    """Where a curve is first at half of its last value, between two points; NaN if it is so from the first."""
    half = curve[-1] / 2
    after = int(np.argmax(curve >= half))
    if after == 0 or not half > 0:
        return float("nan")
    share = (half - curve[after - 1]) / (curve[after] - curve[after - 1])
    return float(steps[after - 1] + share * (steps[after] - steps[after - 1]))


def _asked(run: Run, step: int, pairs: Pairs) -> Answers:
    checkpoint = run.checkpoint(step)
    return answered(checkpoint.model, checkpoint.task, pairs)


def _row(step: int, made: Floats, along: Floats, valid: Floats) -> dict[str, Any]:
    # Where nothing is written there is no share: of pairs that are all so it is 0.
    edges = pooled_estimate(along, made) if made.any() else mean_estimate(np.zeros(len(made)))
    return {
        "step": step,
        "n": len(made),
        **edges.columns("edges"),
        **mean_estimate(valid).columns("goals"),
    }


def _halves(steps: Floats, made: Floats, along: Floats, valid: Floats) -> dict[str, Any]:
    """When half of each is reached, and how much later the one than the other."""

    def of(chosen: Any) -> tuple[float, float]:
        shares = along[chosen].sum(0) / np.maximum(made[chosen].sum(0), 1)
        return reaches_half(steps, shares), reaches_half(steps, valid[chosen].mean(0))

    generator = np.random.default_rng(SEED)
    edges, goals = of(slice(None))
    halves = np.array([of(generator.integers(len(made), size=len(made))) for _ in range(RESAMPLED)])
    later = np.log(halves[:, 1] / halves[:, 0])
    low, high = np.quantile(later, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    ends = {"later": float(np.log(goals / edges)), "later_low": float(low), "later_high": float(high)}
    return {"n": len(made), "edges": edges, "goals": goals, **ends}
