"""Claims of several seeds, forged, whose numbers over seeds are known by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcinterp.results import Result
from mcinterp.study import Claim, Control, Finding, Number, Rule
from mcinterp.study.claims import claims_result

ABOVE = Rule(low=0.5)
FACTS = {"study": "forged", "title": "A <paper>", "source": "somewhere", "preset": "tiny", "steps": {}}


def single(value: float) -> Number:
    """What one training gives: a value of which it has no interval."""
    return Number(value, math.nan, math.nan, 1)


def finding(number: Number, text: str = "a number", control: float | None = None, rule: Rule = ABOVE) -> Finding:
    """A finding that holds above ½, with a control that is null within a tenth of 0."""
    null = None if control is None else Control("nothing: of it", Number.exact(control), Rule(-0.1, 0.1))
    return Finding(text, number, rule, "study/x", null)


def decided(*findings: Finding, name: str = "it rises", reported: str = "") -> Claim:
    """A claim of these."""
    return Claim(name, "It rises & stays.", "a paper", findings, reported)


def of_seeds(*claims: Claim | Sequence[Claim]) -> dict[int, Result]:
    """Claims of seeds 0, 1, … as they are stored."""
    return {
        seed: claims_result("claims", "Claims", [each] if isinstance(each, Claim) else each, FACTS)
        for seed, each in enumerate(claims)
    }
