"""What is claimed of the one-dimensional system, and the rules that decide it; then what of networks."""

from __future__ import annotations

from mcinterp.studies.ghost_points.drops import RATES, TYPICAL
from mcinterp.studies.ghost_points.limits import BELOW, SMALL_RATE, TARGETS
from mcinterp.studies.ghost_points.network_claims import network_claims
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

PAPER = "arXiv 2501.02378"
DERIVED = f"derived here from the update rule of {PAPER}"
NONE = Rule(0.0, 0.0)
WITHIN_1 = Rule(0.99, 1.01)
WITHIN_5 = Rule(-0.05, 0.05)
ROUNDING = Rule(-1e-9, 1e-9)


def ghost_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    decide = (has_ghost, has_critical_rate, scales, stops_learning, oscillates, drops, falls_fastest)
    return (*(claim(evidence) for claim in decide), *network_claims(evidence))


def has_ghost(e: Evidence) -> Claim:
    """The velocity field."""
    text = (
        "While a run learns, the velocity has a lowest point but no root, and the state spends half of the time there."
    )
    key = "study/velocity"
    lowest = e.rows(key, "lowest")
    rooted = Number.exact(lowest["roots"].sum(), int(lowest["n"].sum())) if len(lowest) else MISSING
    findings = (
        Finding("runs below the critical rate with a root at any epoch", rooted, NONE, key),
        Finding(
            "switch time, integrated numerically, over π/(2√r), less 1", _passage(e, "switch_ratio", 1), ROUNDING, key
        ),
        Finding(
            "share of it where the velocity is at most twice its lowest, less ½",
            _passage(e, "ghost_share", 0.5),
            ROUNDING,
            key,
        ),
    )
    return Claim("a ghost, not a fixed point", text, PAPER, findings)


def _passage(e: Evidence, column: str, expected: float) -> Number:
    return e.number("study/velocity", "passage", column).plus(-expected)


def has_critical_rate(e: Evidence) -> Claim:
    """The critical learning rate, for every target time."""
    text = "Above the learning rate 3π⁴/(32 T⁵) runs end in the no-learning zone, below it none does."
    key = "study/critical"
    findings = [
        Finding(
            f"T = {target:g}: lowest rate at which a run ends in the zone, over the closed form",
            e.number(key, "critical", "ratio", target=target),
            WITHIN_1,
            key,
            Control(
                f"runs that end there at {BELOW} of the closed form",
                _count(e, key, "critical", "dead_below", "runs_below", target=target),
                NONE,
            ),
        )
        for target in TARGETS
    ]
    beyond = e.rows("study/rates", "rates")
    beyond = beyond[beyond["relative"] >= 1.1] if len(beyond) else beyond
    ends = extreme([number_of(row, "dead") for _, row in beyond.iterrows()], largest=False)
    text_above = "least share of runs that end in the zone at 1.1 times the closed form and above"
    findings.append(Finding(text_above, ends, Rule(low=0.95), "study/rates"))
    return Claim("critical learning rate", text, DERIVED, tuple(findings))


def scales(e: Evidence) -> Claim:
    """Its power of the target time."""
    text = "The critical learning rate falls with the fifth power of the target time."
    slope = e.number("study/critical", "scaling", "slope")
    finding = Finding(
        f"slope of log rate on log T, T from {TARGETS[0]:g} to {TARGETS[-1]:g}",
        slope,
        Rule(-5.01, -4.99),
        "study/critical",
    )
    return Claim("fifth power of the target time", text, DERIVED, (finding,))


def stops_learning(e: Evidence) -> Claim:
    """The no-learning zone."""
    text = "For r below π²/(16 T²) the gradient is exactly zero, and a run that gets there stays for ever."
    key = "study/zone"
    rows = e.rows(key, "zone")
    gradients = [Number.exact(row["largest_gradient"], int(row["n"])) for _, row in rows.iterrows()]
    edges = [number_of(row, "edge_ratio").plus(-1) for _, row in rows.iterrows()]
    edge = max(edges, key=lambda number: abs(number.value)) if edges else MISSING
    landed = int(rows["landed"].sum()) if len(rows) else 0
    left = Number.exact(rows["left"].sum(), landed) if landed else MISSING
    moved = Number.exact(rows["moved"].max(), landed) if landed else MISSING
    null = Control("change of r with rate 0", _unmoved(e), NONE)
    findings = (
        Finding("largest |gradient| in the zone", extreme(gradients, largest=True), NONE, key),
        Finding("lowest r with a gradient, over π²/(16 T²), less 1: furthest of any T", edge, ROUNDING, key),
        Finding("runs that landed in the zone and left it", left, NONE, key),
        Finding("largest change of r after landing", moved, NONE, key, null),
    )
    return Claim("no-learning zone", text, PAPER, findings)


def _unmoved(e: Evidence) -> Number:
    """The control of everything that is said of training: nothing moves without it."""
    rows = e.rows("study/oscillation", "oscillation")
    return Number.exact(rows["unmoved"].max(), int(rows["n"].max())) if len(rows) else MISSING


def oscillates(e: Evidence) -> Claim:
    """Settled runs."""
    text = "Below the critical rate settled runs go to and fro about the optimum, in proportion to the learning rate."
    key, null = "study/oscillation", Control("change of r with rate 0", _unmoved(e), NONE)
    rows = e.rows(key, "oscillation")
    rows = rows[rows["relative"] <= SMALL_RATE] if len(rows) else rows
    ratios = [number_of(row, "ratio") for _, row in rows.iterrows()]
    text_size = f"mean distance from the optimum over ηT³/π², rates up to {SMALL_RATE} of the critical one"
    findings = (
        Finding(f"{text_size}: lowest", extreme(ratios, largest=False), WITHIN_1, key, null),
        Finding(f"{text_size}: highest", extreme(ratios, largest=True), WITHIN_1, key, null),
        Finding(
            "slope of log distance on log rate, over the same rates",
            e.number(key, "slope", "slope"),
            WITHIN_1,
            key,
            null,
        ),
    )
    return Claim("residual oscillation", text, DERIVED, findings)


def drops(e: Evidence) -> Claim:
    """The detector, where the closed form has the drop."""
    text = (
        "The loss has a plateau and a drop, and the detector finds where the plateau is left and where the drop ends."
    )
    key = "study/drops"
    found = extreme(_by_rate(e, "found"), largest=False)
    null = Control(
        "share found in the same losses without a ghost",
        extreme(_by_rate(e, "control_found"), largest=True),
        Rule(high=0.1),
    )
    findings = (
        Finding("least share of runs with a drop found, of any rate", found, Rule(low=0.9), key, null),
        Finding(
            "its start, less the closed form's, over it: furthest of any rate", _furthest(e, "start"), WITHIN_5, key
        ),
        Finding("its end, less the epoch at the optimum, likewise", _furthest(e, "end"), WITHIN_5, key),
    )
    return Claim("the drop is found", text, f"{PAPER}; the detector is this package's", findings)


def falls_fastest(e: Evidence) -> Claim:
    """The detector's steepest point."""
    text = "The fall that the detector calls the steepest is at the optimum, where the logarithm of the loss dives."
    key = "study/drops"
    finding = Finding(
        "steepest fall, less the epoch at the optimum, as a share: furthest of any rate",
        _furthest(e, "steepest"),
        WITHIN_5,
        key,
    )
    return Claim("the steepest fall is found", text, "the detector is this package's", (finding,))


def _by_rate(e: Evidence, column: str) -> list[Number]:
    return [e.number("study/drops", "drops", column, relative=rate, watched=TYPICAL) for rate in RATES]


def _furthest(e: Evidence, column: str) -> Number:
    """The error furthest from zero at its interval's end."""
    numbers = _by_rate(e, column)
    if any(number.value != number.value for number in numbers):
        return MISSING
    return max(numbers, key=lambda number: max(abs(number.low), abs(number.high)))


def _count(e: Evidence, key: str, table: str, column: str, total: str, **equal: object) -> Number:
    rows = e.rows(key, table, **equal)
    return Number.exact(rows.iloc[0][column], int(rows.iloc[0][total])) if len(rows) else MISSING
