"""What errors and changes are measured in, and the bounds that several claims share.

The paper gives numbers, not bounds; these are this package's, as shares, so that they mean the same at any size.
"""

from __future__ import annotations

from mcinterp.study.claims import NAN, Control, Evidence, Finding, Rule

PAPER = "arXiv 2410.22244"
NEGLIGIBLE = Rule(-0.05, 0.05)
SMALL = Rule(high=0.05)
LARGE = Rule(low=0.5)
LESS_THAN_HALF = Rule(high=0.5)
NULL = Rule(-1e-6, 1e-6)
"""Zero but for the rounding of float32."""


def plateau(e: Evidence) -> float:
    """L_mask on the plateau of the training curve; NaN where there was no drop."""
    found = e.fact("training", "transition", "found")
    return float(e.fact("training", "transition", "plateau")) if found else NAN


def zero_error(e: Evidence, when: str) -> float:
    """The error of answering 0 at masked entries, under the law of training."""
    return e.number(f"{when}/tokens", "tokens", "zero_mse", input="own law", token="MASK").value


def share_of_zero(e: Evidence, when: str, text: str, column: str) -> Finding:
    """A column of the token intervention that leaves MASK in place, as a share of the error of answering 0."""
    number = e.number(f"{when}/tokens", "tokens", column, input="own law", token="MASK")
    return Finding(text, number.over(zero_error(e, when)), SMALL, f"{when}/tokens")


def nothing_ablated(e: Evidence, when: str) -> Control:
    """The empty ablation."""
    none = e.number(f"{when}/ablation", "ablation", "masked_delta", group="none", method="uniform")
    return Control("change with no head ablated", none, NULL)
