"""What the paper says of concept learning, decided by the equations and by trained networks."""

from __future__ import annotations

from mcinterp.studies.identity_mapping.equations import EQUATIONS
from mcinterp.studies.identity_mapping.runs import NETWORKS
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

PAPER = "arXiv 2410.08309"
EXACT = f"study/{EQUATIONS}"
TRAINED = f"study/{NETWORKS}"
ONE, WIDE, EQUAL = "one layer", "one layer, more noise along the weaker concept", "one layer, equal signals"
TWO, UNCORRELATED = "two layers, correlated", "two layers, uncorrelated"
INTEGRATED = Rule(high=1e-6)
"""As close to a closed form as the integration is, to spare."""
WITHIN_TENTH = Rule(0.9, 1.1)
NOTHING = Rule(0.0, 0.0)
SEEN = Rule(low=0.02)
"""A rise that a reader of the curve would see."""


def identity_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """Rates, their order, the swing of the test point's loss, and where there is none."""
    return tuple(claim(evidence) for claim in (rates, order, swings, never_swings))


def rates(e: Evidence) -> Claim:
    """One layer."""
    text = "In one layer concept p is learned as 1 − exp(−a_p t), with a_p = μ_p²/s + σ_p²."
    deviation = e.fact(EXACT, "one_layer_deviation")
    exact = MISSING if deviation is None else Number.exact(float(deviation))
    findings = [Finding("largest deviation of the integrated flow from the closed form", exact, INTEGRATED, EXACT)]
    for setting, concept in ((ONE, 1), (ONE, 2), (WIDE, 1)):
        share = e.number(TRAINED, "rates", "share", setting=setting, concept=concept)
        text_of = f"trained, {setting}: rate of concept {concept} over a_{concept}"
        findings.append(Finding(text_of, share, WITHIN_TENTH, TRAINED))
    return Claim("rates", text, f"{PAPER}, one-layer theory", tuple(findings))


def order(e: Evidence) -> Claim:
    """Which concept comes first."""
    text = "Concepts are learned in the order of their signals, and enough noise along a weaker one reverses it."
    equal = e.number(TRAINED, "order", "measured", setting=EQUAL)
    control = Control("log ratio of the times where both signals are equal", equal, Rule(-0.1, 0.1))
    words = {ONE: "the weaker concept is learned later", WIDE: "the weaker concept with more noise is learned earlier"}
    findings = []
    for setting, rule in ((ONE, Rule(low=0.1)), (WIDE, Rule(high=-0.1))):
        measured = e.number(TRAINED, "order", "measured", setting=setting)
        share = e.number(TRAINED, "order", "share", setting=setting)
        said = f"trained, {words[setting]}: log ratio of the times to learn half"
        findings.append(Finding(said, measured, rule, TRAINED, control))
        findings.append(Finding("the same, over its closed form", share, Rule(0.75, 1.25), TRAINED, control))
    return Claim("order", text, f"{PAPER}, order of learning", tuple(findings))


def swings(e: Evidence) -> Claim:
    """Two layers."""
    text = (
        "In two layers that begin correlated the loss at the unseen combination of concepts falls, rises and falls "
        "again, while the training loss only falls."
    )
    control = Control("rise of a beginning without correlation", _rise(e, 0.02, 0.0), NOTHING)
    findings = [
        Finding(
            f"exact flow, diagonal {diagonal:g}, correlation {correlation:g}: rise as a share of the beginning",
            _rise(e, diagonal, correlation),
            SEEN,
            EXACT,
            control,
        )
        for diagonal, correlation in ((0.02, 0.9), (0.02, 0.99), (0.1, 0.99))
    ]
    rising = e.numbers(EXACT, "two_layers", "training_rises")
    findings.append(Finding("steps in which the training loss rises", extreme(rising, True), NOTHING, EXACT))
    null = e.number(TRAINED, "swing", "rise", setting=UNCORRELATED)
    seen = Control("rise of trained networks without correlation", null, Rule(high=0.005))
    findings += [
        Finding(text_of, e.number(TRAINED, "swing", column, setting=TWO), rule, TRAINED, seen)
        for text_of, column, rule in (
            ("trained: rise as a share of the beginning", "rise", SEEN),
            ("trained: rise over that of exact gradient descent", "share", WITHIN_TENTH),
            ("trained: change of the training loss meanwhile, as a share", "loss_change", Rule(high=0.0)),
        )
    ]
    return Claim("swing-by", text, f"{PAPER}, swing-by dynamics", tuple(findings))


def never_swings(e: Evidence) -> Claim:
    """The exact control."""
    text = "Without a positive correlation at the beginning the loss at the unseen combination never rises."
    rows = e.rows(EXACT, "two_layers")
    rows = rows[rows["correlation"] <= 0] if len(rows) else rows
    rises = [number_of(row, "rise") for _, row in rows.iterrows()]
    closed = e.numbers(EXACT, "two_layers", "deviation", correlation=0)
    findings = (
        Finding(
            "exact flow: largest rise of all beginnings with correlation ≤ 0", extreme(rises, True), NOTHING, EXACT
        ),
        Finding(
            "largest deviation of the uncorrelated flow from its closed form, the logistic curve",
            extreme(closed, True),
            INTEGRATED,
            EXACT,
        ),
    )
    return Claim("no swing without correlation", text, "derived; the control of swing-by", findings)


def _rise(e: Evidence, diagonal: float, correlation: float) -> Number:
    return e.number(EXACT, "two_layers", "rise", diagonal=diagonal, correlation=correlation)
