"""What is claimed of Adam's updates, and the rules that decide; then what of layers and of k-Adam."""

from __future__ import annotations

from mcinterp.studies.adam_dynamics.bounds import PAIRS
from mcinterp.studies.adam_dynamics.explosions import LEVEL, REFERENCE, UNSEEN, Condition
from mcinterp.studies.adam_dynamics.flow import SMALL
from mcinterp.studies.adam_dynamics.layer_claims import DERIVED, PAPER, WITHIN, layer_claims
from mcinterp.studies.adam_dynamics.tokens import EQUAL, INSIDE, OUTSIDE, RARE
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme

ATTAINED = Rule(-1e-10, 1e-10)
EXACTLY_ONE = Rule(1 - 1e-9, 1 + 1e-9)
FEW = Rule(high=0.02)
"""Share of networks that explode where none should: none of them all."""
TENFOLD = 1.0
"""Log₁₀ of the size of an update over the learning rate beyond which it is no usual one."""


def adam_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    decide = (continuous, bounded, grows, vanishing, rare_tokens)
    return (*(claim(evidence) for claim in decide), *layer_claims(evidence))


def continuous(e: Evidence) -> Claim:
    """Adam and its flow."""
    key, text = "study/flow", "At small learning rates Adam goes the way of its flow in continuous time."
    rows = e.rows(key, "distances")
    rates = sorted(rows["rate"].unique()) if len(rows) else []
    near = [n for rate in rates if rate <= SMALL for n in e.numbers(key, "distances", "distance", rate=rate)]
    findings = (
        Finding(
            f"learning rates up to {SMALL:g}: distance from the flow over the way, of the decays that part most",
            extreme(near, largest=True),
            Rule(high=0.01),
            key,
            Control(
                "from the flow with exchanged decays, of those that part least",
                extreme(e.numbers(key, "distances", "exchanged", rate=SMALL), largest=False),
                Rule(low=0.1),
            ),
        ),
        Finding(
            "distance at the learning rate 0.001 over that at 0.01, of the decays where it falls least",
            extreme(e.numbers(key, "falls", "share"), largest=True),
            Rule(high=0.5),
            key,
        ),
    )
    return Claim("a flow in continuous time", text, PAPER, findings)


def bounded(e: Evidence) -> Claim:
    """The bound, and the side on which it is finite."""
    text = "Where β₁² < β₂ Adam's update is bounded whatever the gradients are, and does not explode in training."
    key, trained = "study/bounds", "study/explosions"
    usual = e.number(key, "pairs", "exchanged", beta1=0.9, beta2=0.999)
    findings = (
        Finding(
            f"|m|/√v of the worst gradients over the bound, less 1, furthest from 0 of {len(PAIRS)} pairs of decays",
            _furthest(e.numbers(key, "pairs", "attained")),
            ATTAINED,
            key,
        ),
        Finding(
            "largest share of the bound by any other stream of gradients",
            extreme(e.numbers(key, "pairs", "largest"), largest=True),
            WITHIN,
            key,
            Control("worst gradients of (0.9, 0.999) over the bound of (0.999, 0.9)", usual, Rule(low=1.01)),
        ),
        Finding(
            "largest share of the bound by any trained network",
            extreme(e.numbers(trained, "conditions", "share"), largest=True),
            WITHIN,
            trained,
        ),
        Finding("trained networks with β₁² < β₂ whose updates explode", _inside(e), FEW, trained),
    )
    return Claim("bounded inside", text, f"{PAPER}; the exact bound {DERIVED}", findings)


def grows(e: Evidence) -> Claim:
    """What happens on the other side."""
    text = "Where β₁² > β₂ the update may grow at ½ ln(β₁²/β₂) an update, and does in training."
    key, exact = "study/explosions", "study/bounds"
    rows = e.rows(exact, "pairs")
    outside = [n for n in e.numbers(exact, "pairs", "burst") if n.value == n.value] if len(rows) else []
    findings = (
        Finding("slope after a burst of gradients, over ½ ln r, least", extreme(outside, False), EXACTLY_ONE, exact),
        Finding("the same, most", extreme(outside, True), EXACTLY_ONE, exact),
        Finding(
            "trained networks with β₁² > β₂ whose updates explode, at the learning rate 0.01",
            _of(e, REFERENCE, "exploded"),
            Rule(low=0.7),
            key,
            Control("those with β₁² < β₂", _inside(e, **vars(REFERENCE)), Rule(high=0.05)),
        ),
        Finding("slope of those over ½ ln r, median", _of(e, REFERENCE, "slope"), Rule(0.9, 1.1), key),
        Finding("the same, fastest", _of(e, REFERENCE, "fastest"), Rule(high=1.1), key),
    )
    reported = "slopes at update 500 beside |C|/2 at 64 pairs of decays, a figure"
    return Claim("grows outside", text, PAPER, findings, reported)


def vanishing(e: Evidence) -> Claim:
    """What an explosion needs."""
    text = "Where β₁² > β₂ updates explode only where gradients vanish faster than their mean square forgets them."
    key = "study/explosions"
    explodes = Control("with fixed points and without normalisation", _of(e, REFERENCE, "exploded"), Rule(low=0.7))
    findings = (
        Finding(
            "networks that explode: fall of v of the largest entry, over what it forgets, median",
            _of(e, REFERENCE, "forgetting"),
            Rule(low=0.8),
            key,
            Control("those that do not, with fresh points", _of(e, UNSEEN, "staying"), Rule(high=0.5)),
        ),
        Finding(
            "networks that explode, fresh points at every update",
            _of(e, UNSEEN, "exploded"),
            Rule(high=0.3),
            key,
            explodes,
        ),
        Finding(
            "networks that explode, normalised hidden layers", _of(e, LEVEL, "exploded"), Rule(high=0.3), key, explodes
        ),
    )
    return Claim("explosions need vanishing gradients", text, DERIVED, findings)


def rare_tokens(e: Evidence) -> Claim:
    """Gradients that are 0 without vanishing."""
    text = "Rare tokens set explosions off without an end of training: their embeddings' gradients are 0 meanwhile."
    key, (beta1, beta2) = "study/tokens", OUTSIDE
    least, most = (
        e.number(key, "settings", f"{end}_growth", tokens=RARE, beta1=beta1, beta2=beta2) for end in ("least", "most")
    )
    findings = (
        Finding(
            f"log₁₀ of the largest |m|/√v of an embedding, rare tokens, decays {beta1:g} and {beta2:g}",
            e.number(key, "settings", "peak", tokens=RARE, beta1=beta1, beta2=beta2),
            Rule(low=TENFOLD),
            key,
            Control(
                "equally frequent tokens",
                e.number(key, "settings", "peak", tokens=EQUAL, beta1=beta1, beta2=beta2),
                Rule(high=TENFOLD),
            ),
        ),
        Finding(
            f"the same at decays {INSIDE[0]:g} and {INSIDE[1]:g}",
            e.number(key, "settings", "peak", tokens=RARE, beta1=INSIDE[0], beta2=INSIDE[1]),
            Rule(high=TENFOLD),
            key,
        ),
        Finding("growth while a token is absent, over ½ ln r, least", least, EXACTLY_ONE, key),
        Finding("the same, most", most, EXACTLY_ONE, key),
    )
    return Claim("rare tokens", text, DERIVED, findings)


def _of(e: Evidence, condition: Condition, column: str) -> Number:
    return e.number("study/explosions", "conditions", column, **vars(condition))


def _inside(e: Evidence, **equal: object) -> Number:
    """Share of the networks with r below 1 that explode, of all conditions or of those that are so."""
    rows = e.rows("study/explosions", "conditions", **equal)
    return Number.share(int(rows["inside_exploded"].sum()), int(rows["inside"].sum())) if len(rows) else MISSING


def _furthest(shares: list[Number]) -> Number:
    """The share that is furthest from 1, less 1."""
    if not shares or any(share.value != share.value for share in shares):
        return MISSING
    furthest = max(shares, key=lambda share: abs(share.value - 1))
    return Number.exact(furthest.value - 1, len(shares))
