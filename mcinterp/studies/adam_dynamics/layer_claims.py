"""What is claimed of layers whose scale means nothing, and of k-Adam."""

from __future__ import annotations

from mcinterp.studies.adam_dynamics.invariant import MOMENTA
from mcinterp.studies.adam_dynamics.trained import NORMALISED, PLAIN, TWO
from mcinterp.study.claims import Claim, Control, Evidence, Finding, Number, Rule, extreme

PAPER = "arXiv 2411.05746"
DERIVED = f"derived here, beside {PAPER}"
ROUNDING = Rule(high=1e-12)
WITHIN = Rule(high=1 + 1e-9)
NEAR_ONE = Rule(0.8, 1.2)


def layer_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    return tuple(claim(evidence) for claim in (meta_adaptive, plain_average, stages, beats_adam, larger_updates))


def meta_adaptive(e: Evidence) -> Claim:
    """What normalisation makes of the updates."""
    text = (
        "Where a layer's scale means nothing its squared norm averages the squared updates, times (1 + β₁)/(1 − β₁), "
        "so that its direction turns at a rate that neither weights nor gradients set."
    )
    key = "study/invariant"
    cosines = (
        extreme(e.numbers(key, "settings", "cosine", normalised=normalised), largest=normalised)
        for normalised in (True, False)
    )
    findings = [
        Finding(
            "largest |cos| of weights and gradient",
            next(cosines),
            ROUNDING,
            key,
            Control("without normalisation, least", next(cosines), Rule(low=0.1)),
        )
    ]
    findings += [finding for beta1 in MOMENTA for finding in _settled(e, beta1)]
    return Claim("normalisation adapts", text, f"{PAPER}; the factor {DERIVED}", tuple(findings))


def _settled(e: Evidence, beta1: float) -> tuple[Finding, ...]:
    """Where norm and angle settle at a momentum."""
    key = "study/invariant"

    def found(column: str, normalised: bool) -> Number:
        return e.number(key, "settings", column, normalised=normalised, beta1=beta1)

    def beside(column: str, rule: Rule) -> Control:
        return Control("without normalisation", found(column, False), rule)

    norm, angle = beside("over_factor", Rule(low=2.0)), beside("over_law", Rule(high=0.5))
    law = f"β₁ = {beta1:g}: angle an update over √(2ηλ(1 − β₁)/(1 + β₁))"
    scales = f"β₁ = {beta1:g}: angle from weights of a tenth of the size over that of ten times the size"
    return (
        Finding(f"β₁ = {beta1:g}: ‖W‖² over that average", found("over_factor", True), NEAR_ONE, key, norm),
        Finding(law, found("over_law", True), NEAR_ONE, key, angle),
        Finding(scales, found("scales", True), Rule(0.85, 1.15), key),
    )


def plain_average(e: Evidence) -> Claim:
    """The paper's assumption that weights and updates are orthogonal."""
    text = "The squared norm of such a layer is a moving average of the squared updates, without a factor."
    key = "study/invariant"
    findings = tuple(
        Finding(
            f"β₁ = {beta1:g}: ‖W‖² over the average",
            e.number(key, "settings", "over_average", normalised=True, beta1=beta1),
            NEAR_ONE,
            key,
        )
        for beta1 in MOMENTA
    )
    return Claim("a plain average", text, PAPER, findings)


def stages(e: Evidence) -> Claim:
    """The optimiser where it is known."""
    text = "k-Adam is Adam's normalisation k times over: one stage is Adam, and every stage keeps its own bound."
    key = "study/stages"
    findings = (
        Finding(
            "largest difference of a weight from torch's Adam after 100 updates with one stage",
            e.number(key, "one", "difference"),
            ROUNDING,
            key,
            Control("largest change of a weight meanwhile", e.number(key, "one", "moved"), Rule(low=0.1)),
        ),
        Finding(
            "largest |m|/√v of any of three stages over its bound",
            extreme(e.numbers(key, "deep", "share"), largest=True),
            WITHIN,
            key,
        ),
        Finding("a second stage without memory: difference of |u| from 1", e.number(key, "one", "sign"), ROUNDING, key),
    )
    return Claim("k-Adam in stages", text, f"{PAPER}; the bound {DERIVED}", findings)


def beats_adam(e: Evidence) -> Claim:
    """The paper's comparison, at every optimiser's best learning rate."""
    text = "2-Adam, its second stage without momentum, ends at a lower loss than Adam, each at its best learning rate."
    key = "study/trained"
    words = {PLAIN: "networks without normalisation", NORMALISED: "normalised hidden layers"}
    findings = tuple(
        Finding(
            f"{words[kind]}: test loss of 2-Adam less Adam's",
            e.number(key, "best", "to_adam", networks=kind, optimiser=TWO),
            Rule(high=0.0),
            key,
            _one_stage(e),
        )
        for kind in (PLAIN, NORMALISED)
    )
    reported = "of k = 1 to 10 on CIFAR-10, k = 2 is best under three of four ways to choose the decays"
    return Claim("2-Adam over Adam", text, PAPER, findings, reported)


def larger_updates(e: Evidence) -> Claim:
    """Why 2-Adam looks better at a fixed learning rate."""
    text = "At one small learning rate for both 2-Adam is ahead of Adam, with updates more than half as large again."
    key = "study/trained"
    findings = (
        Finding(
            "test loss of 2-Adam less Adam's at the learning rate 0.0003",
            e.number(key, "best", "small", networks=PLAIN, optimiser=TWO),
            Rule(high=0.0),
            key,
            _one_stage(e),
        ),
        Finding(
            "size of its next update over that of Adam's",
            e.number(key, "best", "sizes", networks=PLAIN, optimiser=TWO),
            Rule(low=1.5),
            key,
        ),
    )
    return Claim("larger updates", text, DERIVED, findings)


def _one_stage(e: Evidence) -> Control:
    number = e.number("study/trained", "check", "difference")
    return Control("test loss of k-Adam with one stage less Adam's", number, Rule(-0.01, 0.01))
