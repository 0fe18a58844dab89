"""What errors and changes are measured in, and the bounds that several claims share.

The paper gives numbers, not bounds; these are this package's, as shares, so that they mean the same at any size.
"""

from __future__ import annotations

import pandas as pd

from mcinterp.study.claims import MISSING, NAN, Control, Evidence, Finding, Number, Rule

PAPER = "arXiv 2410.22244"
NEGLIGIBLE = Rule(-0.05, 0.05)
SMALL = Rule(high=0.05)
LARGE = Rule(low=0.5)
LESS_THAN_HALF = Rule(high=0.5)
NULL = Rule(-1e-6, 1e-6)
"""Zero but for the rounding of float32."""
ALL = {"group": "all", "method": "uniform"}
OWN = {"input": "own law", "token": "MASK"}


def found(e: Evidence) -> bool:
    """Whether the training curve has a drop."""
    return bool(e.fact("training", "transition", "found"))


def limit(e: Evidence, name: str) -> float:
    """The step at which the drop's `start` or `end` is; NaN where there was none."""
    step = e.fact("training", "transition", name)
    return float(step) if found(e) and step is not None else NAN


def plateau(e: Evidence) -> Number:
    """L_mask on the plateau of the training curve; missing where there was no drop."""
    ends = e.fact("training", "plateau_interval")
    return Number(float(e.fact("training", "transition", "plateau")), *ends) if found(e) and ends else MISSING


def zero_error(e: Evidence, when: str) -> Number:
    """The error of answering 0 at masked entries, under the law of training."""
    return e.number(f"{when}/tokens", "tokens", "zero_mse", **OWN)


def nothing_ablated(e: Evidence, when: str, name: str = "masked") -> Control:
    """The empty ablation."""
    none = e.number(f"{when}/ablation", "ablation", f"{name}_delta", group="none", method="uniform")
    return Control("change with no head ablated", none, NULL)


def nothing_switched(e: Evidence, direction: str, entries: str) -> Control:
    """The empty switch."""
    same = {"direction": direction, "component": "none", "entries": entries}
    return Control("change with nothing switched", e.number("run/switching", "pre_post", "change", **same), NULL)


def by_step(rows: pd.DataFrame, e: Evidence, before: bool) -> pd.DataFrame:
    """The rows of checkpoints up to the drop's start, or from its end on, in order; none where there was no drop."""
    if not len(rows):
        return rows
    start, end = limit(e, "start"), limit(e, "end")
    return rows[rows["step"] <= start if before else rows["step"] >= end].sort_values("step")


def share(
    text: str, number: Number, whole: Number, rule: Rule, evidence: str, control: Control | None = None
) -> Finding:
    """A finding about a number as a share of another."""
    return Finding(text, number.over(whole), rule, evidence, control)
