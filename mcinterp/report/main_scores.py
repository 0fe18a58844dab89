"""A checkpoint's main scores with their intervals, from the results that measured the model as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcinterp.analysis.conditions import FACT
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.scores import Scores, batch, capital, curve_name
from mcinterp.results import Result


@dataclass(frozen=True)
class MainScore:
    """A score as the head of a page has it: what it is called, its value, and what it was measured on."""

    name: str
    value: str
    of: str


def main_scores(results: Mapping[str, Result], training: Result | None, step: int) -> list[MainScore]:
    """The scores of parts of a sample, the main one first; of the training curve where no pass measured them."""
    ablation = results.get("ablation")
    measured = _measured(ablation) if ablation and FACT not in ablation.facts else []
    return measured or _on_the_curve(training, step)


def _measured(ablation: Result) -> list[MainScore]:
    """Of the model as it is, in the ablation's table."""
    scores, row = Scores.of(ablation), ablation.table("ablation").iloc[0]
    of = f"{batch(row['n'], row['seed'], scores.samples)}; 95 % interval"
    # An earlier version's results have no interval here.
    ends = ("_clean", "_clean_low", "_clean_high")
    values = {name: [row.get(scores.column(name, end)) for end in ends] for name in scores.parts}
    return [
        MainScore(capital(scores.words[name]), interval(*value), of)
        for name, value in values.items()
        if not is_absent(value[0])
    ]


def _on_the_curve(training: Result | None, step: int) -> list[MainScore]:
    name = str(training.facts.get("progress_score", "")) if training else ""
    if training is None or name not in training.table("curve") or training.table("curve").empty:
        return []
    curve = training.table("curve")
    value = float(np.interp(step, curve["step"], curve[name]))
    return [MainScore(capital(curve_name(training, name)), number(value), "at this step of the training curve")]
