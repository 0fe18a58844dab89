"""What is claimed, and the rules that decide it, of stored results alone."""

from __future__ import annotations

from mcinterp.study import Claim, Control, Evidence, Finding, Rule
from mcinterp.study.claims import extreme

PAPER = "arXiv 2207.08799"
LEARNING, BEFORE, AFTER = "study/learning", "before/influence", "after/influence"


def parity_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """Each claim with its findings."""
    return sudden(evidence), few_bits(evidence)


def sudden(e: Evidence) -> Claim:
    """A plateau and a drop, where a single bit is learned at once."""
    plateau, fall, halved, last = (
        e.number(LEARNING, "learning", column, asked="parity") for column in ("plateau", "fall", "halved", "last")
    )
    single = e.number(LEARNING, "learning", "halved", asked="single bit").over(halved)
    control = Control("steps until half of a single bit is learned, over those for the parity", single, Rule(high=0.2))
    findings = (
        Finding("error on the plateau; 1 is that of answering 0", plateau, Rule(0.9, 1.1), LEARNING, control),
        Finding("steps of the drop, over those before it", fall, Rule(high=1.0), LEARNING, control),
        Finding("error in the end", last, Rule(high=0.1), LEARNING),
    )
    return Claim("sudden", "The parity is learned suddenly, after a long plateau.", PAPER, findings)


def few_bits(e: Evidence) -> Claim:
    """Influences before and after the drop, of bits of the parity and of the others."""
    inside, outside = (e.numbers(AFTER, "influence", "influence", in_parity=of_it) for of_it in (True, False))
    before = e.numbers(BEFORE, "influence", "influence")
    null = e.numbers(AFTER, "influence", "control")
    up, down = (extreme(null, largest) for largest in (True, False))
    above = Control("the same with another sample's change, largest of all bits", up, Rule(high=0.2))
    below = Control("the same with another sample's change, least of all bits", down, Rule(low=-0.2))
    findings = (
        Finding("before the drop: largest influence of any bit", extreme(before, True), Rule(high=0.1), BEFORE),
        Finding(
            "after it: least influence of a bit of the parity", extreme(inside, False), Rule(low=0.8), AFTER, above
        ),
        Finding("after it: largest influence of another bit", extreme(outside, True), Rule(high=0.1), AFTER, below),
    )
    text = "Before the drop no bit matters; after it the bits of the parity do, and no others."
    return Claim("few bits", text, PAPER, findings)
