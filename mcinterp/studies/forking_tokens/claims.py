"""What the paper says of forking tokens, decided on a model whose laws of outcomes are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mcinterp.analysis.segmentation import EFFECT
from mcinterp.studies.forking_tokens.callers import ENTROPY, NAIVE, STEP
from mcinterp.studies.forking_tokens.forks import FORKS
from mcinterp.studies.forking_tokens.generated import GENERATED
from mcinterp.studies.forking_tokens.laws import LAWS
from mcinterp.studies.forking_tokens.sampled import AUTHORS, SAMPLED, SAMPLES, STRONG
from mcinterp.studies.forking_tokens.task import RANDOM
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule

PAPER = "arXiv 2412.07961"
FOLLOW_UP = "its follow-up, arXiv 2608.19611"
EXACT, FOUND, DRAWN, MADE = (f"study/{name}" for name in (LAWS, FORKS, SAMPLED, GENERATED))
KNOWN = 0.06
"""Where more of what the model may write was not followed, on average, nothing is decided by the laws."""
OF_WORDS = ("forking tokens exist", "other tokens do not matter", "uncertainty is not forking")
"""Claims about texts with words that decide nothing, which are their control."""
LOW_WORDS, FEW = Rule(high=0.05), Rule(high=0.25)
MOST = max(SAMPLES)
MULTINOMIAL = Rule(-0.55, -0.45)


def forking_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them; of texts without words those that need none."""
    decide: tuple[Callable[[Evidence], Claim], ...]
    decide = (are_exact, exist, are_the_graphs, do_not_matter_elsewhere, are_found)
    decide += (are_found_again, are_faked_by_noise, are_multinomial, are_not_uncertainty, are_left_late)
    claims = [claim(evidence) for claim in decide]
    worded = RANDOM in (evidence.fact(EXACT, "kinds") or [RANDOM])
    return tuple(claim for claim in claims if worded or claim.name not in OF_WORDS)


def are_exact(e: Evidence) -> Claim:
    """What all others stand on."""
    text = "The laws of the outcome that forks are judged by are those of the model, and nearly all of it."
    findings = (
        Finding(
            "probability of what was too improbable to be followed; mean over beginnings",
            e.number(EXACT, "exact", "left_out"),
            Rule(high=KNOWN),
            EXACT,
        ),
        Finding(
            "share of places at which generated samples differ from the exact law (χ², 0.05 by chance)",
            e.share(MADE, "fit", "share"),
            Rule(high=0.15),
            MADE,
        ),
    )
    return Claim("laws are exact", text, "the check of this study's own oracle", findings)


def exist(e: Evidence) -> Claim:
    """Few tokens, nearly all change."""
    text = "There are forking tokens: nearly all change of the outcome's law comes from few tokens."
    null = Control("part of all change at words that decide nothing", _known(e, "change", "words"), LOW_WORDS)
    findings = (
        Finding(
            "part of all change that the fifth of each text's tokens with most makes",
            _known(e, "change", "top_fifth"),
            Rule(low=0.8),
            FOUND,
            null,
        ),
        Finding(
            f"share of tokens that change the law by more than {EFFECT:g}",
            _known(e, "forks", "share", effect=EFFECT),
            FEW,
            FOUND,
            null,
        ),
    )
    return Claim("forking tokens exist", text, PAPER, findings)


def are_the_graphs(e: Evidence) -> Claim:
    """Where they are."""
    text = "They stand where the graph that the texts are walks through forks."
    null = Control(
        "share of tokens called along the same texts in samples of an untrained model",
        e.share(MADE, "control", "share"),
        Rule(high=0.05),
    )
    findings = tuple(
        Finding(words, _known(e, "forks", column, effect=EFFECT), Rule(low=0.85), FOUND, null)
        for column, words in (
            ("precision", "share of the model's forks at which the graph's own law changes by half as much or more"),
            ("recall", "share of the graph's forks at which the model's law does, likewise"),
        )
    )
    return Claim("forks are the graph's", text, "derived here: the truth without a model", findings)


def do_not_matter_elsewhere(e: Evidence) -> Claim:
    """Uncertain tokens that decide nothing."""
    text = "Resampling other tokens does not change where a text ends, however uncertain they are."
    null = Control("entropy of the random words, nats", _kind(e, "entropy"), Rule(low=0.65))
    finding = Finding(
        "share of the random words that change the law by more than 0.2",
        replace(_kind(e, "fork_share"), counted=True),
        Rule(high=0.01),
        FOUND,
        null,
    )
    return Claim("other tokens do not matter", text, PAPER, (finding,))


def are_found(e: Evidence) -> Claim:
    """By the segmentation, at the authors' number of samples."""
    text = f"Forks can be found by sampling: {AUTHORS} samples a position are enough for a detector of changes."
    null = Control(
        f"share of series without any change with a Bayes factor above {STRONG:g}",
        e.number(DRAWN, "null", "strong", samples=AUTHORS),
        Rule(high=0.05),
    )
    findings = tuple(
        Finding(words, _called(e, STEP, column, AUTHORS), Rule(low=0.7), DRAWN, null)
        for column, words in (
            ("precision", "share of the tokens that the segmentation calls that are forks"),
            ("recall", "share of the forks that it calls"),
        )
    )
    return Claim("forks can be found", text, f"{PAPER}; the detector is this package's", findings)


def are_found_again(e: Evidence) -> Claim:
    """In the other half of the samples."""
    text = "What one half of the samples calls a fork, the other half calls one, too."
    null = Control(
        "the same if the other half's calls stood anywhere", _called(e, STEP, "by_chance", AUTHORS), Rule(high=0.25)
    )
    finding = Finding(
        f"share of the calls of {AUTHORS} samples that {AUTHORS} fresh ones make, too",
        _called(e, STEP, "found_again", AUTHORS),
        Rule(low=0.7),
        DRAWN,
        null,
    )
    return Claim("forks are found again", text, "derived here: split halves", (finding,))


def are_faked_by_noise(e: Evidence) -> Claim:
    """The estimates themselves."""
    text = f"With {AUTHORS} samples a branch the noise of the estimates themselves looks like forks."
    right = Control(f"the same precision at {MOST} samples", _called(e, NAIVE, "precision", MOST), Rule(low=0.8))
    same = Control(
        f"the same ratio at {MOST} samples", _gated(e, DRAWN, "hazard", "inflation", samples=MOST), Rule(0.9, 1.1)
    )
    findings = (
        Finding(
            f"share of steps of the weighted estimates above {EFFECT:g} that are forks",
            _called(e, NAIVE, "precision", AUTHORS),
            Rule(high=0.5),
            DRAWN,
            right,
        ),
        Finding(
            f"hazard at {EFFECT:g} by the samples over that by the exact laws",
            _gated(e, DRAWN, "hazard", "inflation", samples=AUTHORS),
            Rule(low=1.5),
            DRAWN,
            same,
        ),
    )
    return Claim("noise fakes forks", text, FOLLOW_UP, findings)


def are_multinomial(e: Evidence) -> Claim:
    """Really generated samples."""
    text = "The noise is that of counting: it falls as 1 over the root of the number of samples."
    null = Control(
        "the same slope of draws of the exact laws", e.number(MADE, "slopes", "slope", what="drawn"), MULTINOMIAL
    )
    finding = Finding(
        "slope of the log distance of two generated sets on the log of their samples",
        e.number(MADE, "slopes", "slope", what="generated"),
        MULTINOMIAL,
        MADE,
        null,
        reported=-0.49,
    )
    reported = "slope −0.49; two sets of samples 0.98 to 1.01 times as far apart as multinomial ones, the follow-up"
    return Claim("noise is multinomial", text, FOLLOW_UP, (finding,), reported)


def are_not_uncertainty(e: Evidence) -> Claim:
    """The rival."""
    text = "Forking is not uncertainty about the next token."
    null = Control("mean change at the random words, which are as uncertain as can be", _kind(e, "change"), LOW_WORDS)
    finding = Finding(
        f"share of the tokens with more than {ENTROPY:g} nats of entropy that are forks",
        _known(e, "entropy", "precision"),
        Rule(high=0.5),
        FOUND,
        null,
    )
    return Claim("uncertainty is not forking", text, PAPER, (finding,))


def are_left_late(e: Evidence) -> Claim:
    """The course of a text."""
    text = "Half way through a text its likeliest outcome is often not the one that it ends in."
    null = Control("the same share right before the end", _known(e, "halfway", "differs", place=1.0), Rule(high=0.05))
    finding = Finding(
        "share of texts whose likeliest outcome half way is not that of their end",
        _known(e, "halfway", "differs", place=0.5),
        Rule(low=0.2),
        FOUND,
        null,
    )
    return Claim("outcomes are decided late", text, PAPER, (finding,))


def _known(e: Evidence, table: str, column: str, **equal: object) -> Number:
    """A number of the exact laws; missing where too much was not followed."""
    return _gated(e, FOUND, table, column, **equal)


def _gated(e: Evidence, key: str, table: str, column: str, **equal: object) -> Number:
    left_out = e.number(EXACT, "exact", "left_out").value
    return e.number(key, table, column, **equal) if left_out <= KNOWN else MISSING


def _kind(e: Evidence, column: str) -> Number:
    return _known(e, "kinds", column, kind=RANDOM)


def _called(e: Evidence, caller: str, column: str, samples: int) -> Number:
    return _gated(e, DRAWN, "callers", column, caller=caller, samples=samples)
