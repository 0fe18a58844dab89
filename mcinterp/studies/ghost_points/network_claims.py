"""What is claimed of trained recurrent networks, and the rules that decide it."""

from __future__ import annotations

from dataclasses import replace

from mcinterp.studies.ghost_points.fields import FIELDS, NEAR_ZERO
from mcinterp.studies.ghost_points.networks import GAINS, NETWORKS, RANKS, RATES, STRICT
from mcinterp.studies.ghost_points.revival import DEADLY, LOWER, REVIVAL, UPDATES
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

PAPER = "arXiv 2501.02378"
TRAINED, SEEN, REVIVED = f"study/{NETWORKS}", f"study/{FIELDS}", f"study/{REVIVAL}"
MOST, FEWER = Rule(low=0.5), Rule(high=0.5)
"""More or fewer than half of the networks."""


def network_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    return tuple(claim(evidence) for claim in (drop, die, are_confident, are_revived, have_ranks, have_ghosts))


def drop(e: Evidence) -> Claim:
    """The plateau and the drop, found by the detector."""
    text = "Networks stay on a plateau and then learn in a sudden drop, at a learning rate that is large enough for it."
    lowest = min(RATES)
    null = Control(
        f"share found at the learning rate {lowest:g}, at which none leaves the plateau in time",
        e.share(TRAINED, "drops", "found", rate=lowest),
        FEWER,
    )
    rate = _reference(e)
    finding = Finding(
        f"share of networks in whose loss a drop is found, at {_said(rate)}",
        e.share(TRAINED, "drops", "found", rate=rate),
        MOST,
        TRAINED,
        null,
    )
    return Claim("networks learn in a drop", text, f"{PAPER}; the detector is this package's", (finding,))


def die(e: Evidence) -> Claim:
    """The critical learning rate of networks."""
    text = "Above a critical learning rate networks drop and then die in a zone without learning; below it they stay."
    rate = _reference(e)
    above = [_outcome(e, "rate", other, "learned") for other in RATES if other >= DEADLY]
    null = Control(f"share that dies at {_said(rate)}", _outcome(e, "rate", rate, "died"), FEWER)
    findings = (
        Finding(
            f"share that has learned in the end, at {_said(rate)}", _outcome(e, "rate", rate, "learned"), MOST, TRAINED
        ),
        Finding(f"share that drops and dies, at {DEADLY:g}", _outcome(e, "rate", DEADLY, "died"), MOST, TRAINED, null),
        Finding(
            f"largest share that has learned in the end, at {DEADLY:g} and above",
            extreme(above, largest=True),
            FEWER,
            TRAINED,
        ),
    )
    return Claim("networks die above a critical rate", text, PAPER, findings)


def are_confident(e: Evidence) -> Claim:
    """The gain of the output."""
    text = "The more confident the output, the fewer networks learn."
    low, high = min(GAINS), max(GAINS)
    null = Control(f"share that learns at gain {low:g}", _outcome(e, "gain", low, "learned"), MOST)
    finding = Finding(
        f"share of networks that learns at gain {high:g}", _outcome(e, "gain", high, "learned"), FEWER, TRAINED, null
    )
    return Claim("confidence lowers success", text, PAPER, (finding,))


def are_revived(e: Evidence) -> Claim:
    """The authors' intervention on dead networks."""
    text = "Dead networks whose output is made less confident have gradients again, and learn."
    first, lowest = LOWER[0], LOWER[-1]
    null = Control(
        f"the same at gain {first:g}, at which they died",
        e.number(REVIVED, "revival", "after", gain=first),
        Rule(high=0.55),
    )
    findings = (
        Finding(
            f"log10 of their gradient at gain {lowest:g}, less that at gain {first:g}",
            e.number(REVIVED, "revival", "regained", gain=lowest),
            Rule(low=1.0),
            REVIVED,
        ),
        Finding(
            f"share of the steps on the right side of ½ after {UPDATES} more updates at gain {lowest:g}",
            e.number(REVIVED, "revival", "after", gain=lowest),
            Rule(low=0.75),
            REVIVED,
            null,
        ),
    )
    return Claim("lower confidence revives", text, PAPER, findings)


def have_ranks(e: Evidence) -> Claim:
    """The rank of the recurrent weights."""
    text = "The higher the rank of the recurrent weights, the more networks learn."
    low, high = min(RANKS), max(RANKS)
    said = f"share of networks whose loss ends below {STRICT:g} of its first, the paper's measure, at rank"
    null = Control(f"the same at rank {low}", _outcome(e, "rank", low, "strictly"), FEWER)
    finding = Finding(f"{said} {high}", _outcome(e, "rank", high, "strictly"), MOST, TRAINED, null)
    return Claim("rank raises success", text, PAPER, (finding,))


def have_ghosts(e: Evidence) -> Claim:
    """What holds the state before the drop."""
    text = (
        "Before the drop the velocity of a network of rank one has no root on the way to the threshold, but comes near "
        "zero there: a ghost."
    )
    null = Control("share that has one before training", e.share(SEEN, "windows", "ghost", window="untrained"), FEWER)
    findings = (
        Finding(
            "share of networks whose velocity leads to the threshold, without a root, at a checkpoint before the drop",
            e.share(SEEN, "windows", "rootless", window="plateau"),
            MOST,
            SEEN,
        ),
        Finding(
            f"share with a ghost there: no root, and inside the way a speed below {NEAR_ZERO:g} of its fastest",
            e.share(SEEN, "windows", "ghost", window="plateau"),
            MOST,
            SEEN,
            null,
        ),
    )
    return Claim("a ghost precedes the drop of networks", text, PAPER, findings)


def _reference(e: Evidence) -> float:
    rate = e.fact(TRAINED, "reference_rate")
    return float("nan") if rate is None else float(rate)


def _said(rate: float) -> str:
    return "the preset's learning rate" if rate != rate else f"the preset's learning rate {rate:g}"


def _outcome(e: Evidence, sweep: str, value: float, column: str) -> Number:
    rows = e.rows(TRAINED, "outcomes", sweep=sweep)
    rows = rows[rows[sweep] == value] if len(rows) else rows
    return replace(number_of(rows.iloc[0], column), counted=True) if len(rows) else MISSING
