"""What the paper says of learning in concept space, decided from the times of several networks a setting."""

from __future__ import annotations

from mcinterp.studies.concept_space.hidden import (
    AMPLIFIED,
    BEHIND,
    COMES_WITH,
    HIDDEN,
    LAGS,
    LATENT_BEHIND,
    LESS_UNGATED,
    TURN_LATENT,
    TURN_OVER,
)
from mcinterp.studies.concept_space.networks import COLOURS, FIXED, GATED, MIDDLE, STRONG, UNGATED, WEAK
from mcinterp.studies.concept_space.paths import PATHS
from mcinterp.studies.concept_space.prompts import RANDOM, TOWARDS_RED
from mcinterp.studies.concept_space.signals import COLOUR, SIZE
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule

PAPER = "arXiv 2406.19370"
PATH, GAP = (f"study/{name}" for name in (PATHS, HIDDEN))
FASTER = Rule(high=-0.5)
"""Half of the power of inverse proportion."""
ABOUT_NONE, LATER, EARLIER = Rule(-0.3, 0.3), Rule(low=0.1), Rule(high=-0.1)
BEHIND_BY, TOGETHER = Rule(low=0.4), Rule(-0.4, 0.4)
"""A factor of 1.5 in steps, which is two checkpoints."""
ON_RED, FIRST_RED, FIRST_BLUE = Rule(high=0.35), Rule(high=-0.2), Rule(low=0.2)
SLOPE = "slope of log steps to learn"


def concept_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """Speed, order, turn, hidden capability, what it is not, and when it emerges."""
    decide = (
        speed,
        speed_of_images,
        order,
        turns,
        over_prompts,
        latents,
        nothing_hidden,
        not_amplified,
        emerges_at_the_turn,
    )
    return tuple(claim(evidence) for claim in decide)


def speed(e: Evidence) -> Claim:
    """Concept signal and speed."""
    text = "The stronger a concept's signal, the faster it is learned."
    return Claim("speed", text, PAPER, tuple(_faster(e, reading) for reading in (UNGATED, GATED)))


def speed_of_images(e: Evidence) -> Claim:
    """Which signal it is."""
    text = "The signal in the images alone decides, where prompts stay as far apart."
    return Claim("speed by the images alone", text, "this package's; the paper changes both", (_faster(e, FIXED),))


def _faster(e: Evidence, reading: str) -> Finding:
    null = Control(f"{reading}: {SLOPE} the size on the same", _slope(e, reading, SIZE), Rule(low=-0.5))
    said = f"{reading}: {SLOPE} the colour on the log of its signal in the images"
    return Finding(said, _slope(e, reading, COLOUR), FASTER, PATH, null)


def order(e: Evidence) -> Claim:
    """What comes first."""
    text = "Concept signals decide which concept is learned first, and which way the path in concept space bends."
    ratio = "ungated, {} colours: ln of steps to learn the colour over those to learn the size"
    bend = "ungated, {} colours: P(blue) − P(small) of the held-out prompt where its path first gets to one of them"
    findings = (
        Finding(ratio.format(WEAK), _order(e, "order", WEAK), LATER, PATH),
        Finding(ratio.format(STRONG), _bounded_above(_order(e, "order", STRONG)), EARLIER, PATH),
        Finding(bend.format(WEAK), _order(e, "first", WEAK), FIRST_RED, PATH),
        Finding(bend.format(STRONG), _order(e, "first", STRONG), FIRST_BLUE, PATH),
    )
    return Claim("order", text, PAPER, findings)


def turns(e: Evidence) -> Claim:
    """The turn."""
    text = "The path of a held-out prompt first runs to a trained combination, and then turns away from it."
    findings = []
    for colours in (MIDDLE, STRONG):
        about = f"gated, {colours} colours"
        straight = Control(
            f"ungated, {colours} colours: the least P(blue)", _turn(e, "depth", colours, UNGATED), Rule(low=0.5)
        )
        parts = (
            ("depth", "least P(blue) of the held-out prompt once the size is learned", ON_RED, straight),
            ("nearer", "distance of the turn from small red less that from small blue", FIRST_RED, straight),
            ("angle", "degrees between the motion before and after the turn", Rule(low=60), None),
        )
        findings += [
            Finding(f"{about}: {said}", _turn(e, column, colours), rule, PATH, control)
            for column, said, rule, control in parts
        ]
    return Claim("turn", text, PAPER, tuple(findings))


def over_prompts(e: Evidence) -> Claim:
    """Hidden capability, by prompts."""
    text = "Prompts of too much colour make the held-out combination long before its plain prompt does."
    findings = tuple(
        Finding(_said(colours, BEHIND), _gap(e, BEHIND, colours), BEHIND_BY, GAP, _null(e, TOWARDS_RED, colours))
        for colours in COLOURS
    )
    reported = (
        "half of the images right from step 3,800 on by the best of five over-prompts, and 7,000 by the plain prompt, "
        "colours 0.25 apart; read off the figure that is published with the authors' code"
    )
    return Claim("over-prompts", text, PAPER, findings, reported)


def latents(e: Evidence) -> Claim:
    """Hidden capability, by latent interventions, and less what ungated networks hide."""
    text = (
        "A latent intervention made of trained prompts alone makes the held-out combination long before its plain "
        "prompt does."
    )
    findings = tuple(
        Finding(_said(colours, gap), _gap(e, gap, colours), BEHIND_BY, GAP, _null(e, RANDOM, colours))
        for colours in COLOURS
        for gap in (LATENT_BEHIND, LESS_UNGATED)
    )
    return Claim("latent interventions", text, PAPER, findings)


def _said(colours: str, gap: str, reading: str = GATED) -> str:
    return f"{reading}, {colours} colours: ln of steps, {gap}"


def _null(e: Evidence, null: str, colours: str) -> Control:
    """What should make nothing when the intervention is right."""
    right = e.number(GAP, "nulls", "right", reading=GATED, colours=colours, null=null)
    return Control(f"{null}: share right when the intervention is", right, Rule(high=0.5))


def nothing_hidden(e: Evidence) -> Claim:
    """The control of both."""
    text = "Networks that read the prompt ungated hide nothing: their plain prompt is right as soon as a latent one."
    findings = tuple(
        Finding(
            _said(colours, LATENT_BEHIND, UNGATED),
            _bounded_above(_gap(e, LATENT_BEHIND, colours, UNGATED)),
            ABOUT_NONE,
            GAP,
        )
        for colours in COLOURS
    )
    return Claim("nothing hidden without gating", text, "this package's; the control of hidden capability", findings)


def not_amplified(e: Evidence) -> Claim:
    """What else it could be."""
    text = "What is hidden comes with the trained combinations, and is no mere amplification of a weak prompt."
    findings = []
    for colours in COLOURS:
        findings += [
            Finding(_said(colours, LAGS), _gap(e, LAGS, colours), BEHIND_BY, GAP),
            Finding(_said(colours, COMES_WITH), _bounded_above(_gap(e, COMES_WITH, colours)), TOGETHER, GAP),
            Finding(_said(colours, AMPLIFIED), _gap(e, AMPLIFIED, colours), BEHIND_BY, GAP),
        ]
    return Claim("not amplification", text, f"{PAPER}; the comparisons are this package's", tuple(findings))


def emerges_at_the_turn(e: Evidence) -> Claim:
    """When."""
    text = "The turn is where the hidden capability emerges."
    findings = tuple(
        Finding(_said(colours, gap), _gap(e, gap, colours), Rule(low=0.0), GAP)
        for colours in (MIDDLE, STRONG)
        for gap in (TURN_OVER, TURN_LATENT)
    )
    return Claim("emergence at the turn", text, PAPER, findings)


def _slope(e: Evidence, reading: str, concept: str) -> Number:
    return e.number(PATH, "slopes", "slope", reading=reading, concept=concept)


def _order(e: Evidence, column: str, colours: str) -> Number:
    return e.number(PATH, "order", column, reading=UNGATED, colours=colours)


def _turn(e: Evidence, column: str, colours: str, reading: str = GATED) -> Number:
    return e.number(PATH, "turns", column, reading=reading, colours=colours)


def _gap(e: Evidence, gap: str, colours: str, reading: str = GATED) -> Number:
    return e.number(GAP, "gaps", "value", reading=reading, colours=colours, gap=gap)


def _bounded_above(number: Number) -> Number:
    """A number that is to be small; missing where some networks give a lower bound alone."""
    return MISSING if number.high == float("inf") else number
