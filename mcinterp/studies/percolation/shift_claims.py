"""What the paper says of when it emerges, which is how it shifts, and the rules that decide it."""

from __future__ import annotations

from mcinterp.studies.percolation.shift import FULL, GRAMMAR, HALF, ONSET, SHIFT
from mcinterp.study.claims import Claim, Control, Evidence, Finding, Number, Rule, extreme

PAPER = "arXiv 2408.12578"
WHEN = f"study/{SHIFT}"
ROOT = Rule(0.2, 0.8)
"""A square root, and neither no power nor the first."""
STILL = Rule(-0.15, 0.15)
ONSET_WORDS = f"the step at which reach is {ONSET:g}"
HALF_WORDS = f"the step at which reach is {HALF:g}"
SLOPE = "slope of the logarithm of"


def shift_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    decide = (shifts_with_descriptors, shifts_in_full, is_power_law, shifts_with_entities, counts_edges, is_threshold)
    return tuple(claim(evidence) for claim in decide)


def shifts_with_descriptors(e: Evidence) -> Claim:
    """The paper's scaling, where pairs are all there is."""
    text = "With more descriptors reach emerges later, near their square root: neither as soon nor in proportion."
    finding = Finding(
        f"pairs only: {SLOPE} {ONSET_WORDS} on that of K", _slope(e, "sizes", "onset"), ROOT, WHEN, _grammar(e)
    )
    return Claim("shift with |K|", text, PAPER, (finding,))


def shifts_in_full(e: Evidence) -> Claim:
    """The same where the paper has it."""
    text = "So it does in the full language, where relations and joined subjects tell classes, too."
    finding = Finding(
        f"full language: {SLOPE} {ONSET_WORDS} on that of K", _slope(e, FULL, "onset"), ROOT, WHEN, _grammar(e)
    )
    return Claim("shift with |K|, full language", text, PAPER, (finding,))


def _grammar(e: Evidence) -> Control:
    return Control(f"{SLOPE} the step of grammar on that of K, full language", _slope(e, FULL, GRAMMAR), STILL)


def is_power_law(e: Evidence) -> Claim:
    """Whether one slope is all."""
    text = "The shift is a power law: its slope is the same for few descriptors and for many."
    finding = Finding(
        "pairs only: slope over the upper half of the sizes less that over the lower",
        _slope(e, "sizes", "onset", "bend"),
        STILL,
        WHEN,
    )
    return Claim("the shift is a power law", text, PAPER, (finding,))


def shifts_with_entities(e: Evidence) -> Claim:
    """The other side of the graph."""
    text = "The threshold √(EK) is as much the entities' as the descriptors'."
    finding = Finding(f"pairs only: {SLOPE} {ONSET_WORDS} on that of E", _slope(e, "entities", "onset"), ROOT, WHEN)
    return Claim("shift with |E|", text, f"derived from {PAPER}", (finding,))


def counts_edges(e: Evidence) -> Claim:
    """Edges against steps."""
    text = (
        "What decides is how many edges were drawn, not how many steps were made: twice the batch, half of the steps."
    )
    finding = Finding(
        f"pairs only: {SLOPE} {HALF_WORDS} on that of the batch, −1 for edges and 0 for steps",
        _slope(e, "batches", "half"),
        Rule(high=-0.75),
        WHEN,
    )
    return Claim("edges decide, not steps", text, f"derived from {PAPER}", (finding,))


def is_threshold(e: Evidence) -> Claim:
    """When: what the analogy would have to explain."""
    text = "Reach emerges when the edges that were drawn percolate."
    ratios = [number for number, role in _ratios(e) if role.startswith("pairs, K")]
    finding = Finding(
        f"pairs only: edges drawn up to reach {HALF:g} over the threshold √(EK), largest of all sizes",
        extreme(ratios, largest=True),
        Rule(high=10.0),
        WHEN,
    )
    return Claim("it emerges at the threshold", text, f"derived from {PAPER}", (finding,))


def _ratios(e: Evidence) -> list[tuple[Number, str]]:
    roles = [str(role) for role in e.rows(WHEN, "ratios").get("role", [])]
    return list(zip(e.numbers(WHEN, "ratios", "over"), roles, strict=True))


def _slope(e: Evidence, family: str, event: str, part: str = "all") -> Number:
    return e.number(WHEN, "slopes", "slope", family=family, event=event, part=part)
