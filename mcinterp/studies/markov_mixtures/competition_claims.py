"""What the paper says of the competition of retrieval and inference over training, and the rules that decide it."""

from __future__ import annotations

from mcinterp.studies.markov_mixtures.competition import COMPETITION
from mcinterp.studies.markov_mixtures.mixtures import MIXTURES
from mcinterp.studies.markov_mixtures.networks import FEW, HALF, MANY, MIDDLE
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme

PAPER = "arXiv 2412.01003"
PUBLISHED = "figures in the authors' repository"
RIVALS, MIXED = f"study/{COMPETITION}", f"study/{MIXTURES}"
UP, DOWN = Rule(low=0.0), Rule(high=0.0)


def competition_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    return tuple(claim(evidence) for claim in (is_transient, compete, foretell_level, are_several))


def is_transient(e: Evidence) -> Claim:
    """In-context learning comes and goes."""
    text = "With a middling number of chains inference comes and goes: on unseen chains the network grows worse again."
    controls = (
        Control("largest rise of the networks of most chains", _most(e, "rise", MANY), Rule(high=0.01)),
        Control("the same with sequences of the training chains", _most(e, "control", MIDDLE), Rule(high=0.005)),
    )
    findings = (
        Finding(
            "KL(truth ‖ model) on unseen chains at the last checkpoint minus the least, which is chosen on the other "
            "half of the sequences; least of the networks of middling N",
            _least(e, "rise", MIDDLE),
            Rule(low=0.01),
            RIVALS,
            controls[0],
            reported=2.31 - 2.10,  # a rise of the loss is one of the KL: the chains' own entropy stays
        ),
        Finding(
            "change of it on training chains between the two checkpoints, largest",
            _most(e, "learned", MIDDLE),
            Rule(high=-0.01),
            RIVALS,
            controls[1],
        ),
    )
    reported = (
        "loss on unseen chains 2.10 near step 1,000 and 2.31 at 100,000, on training chains down to 1.97, 64 chains; "
        f"{PUBLISHED}"
    )
    return Claim("inference is transient", text, PAPER, findings, reported)


def compete(e: Evidence) -> Claim:
    """Retrieval takes over from inference."""
    text = "Inference goes because retrieval takes its place in the mixture."
    between = "between the checkpoint with the least KL on unseen chains and the last"
    null = Control("largest of the networks of most chains", _most(e, "predicted", MANY), Rule(high=0.01))
    findings = (
        Finding(
            f"rise of the weight of Bi-Ret {between}, least of the networks of middling N",
            _least(e, "retrieval", MIDDLE),
            Rule(low=0.1),
            RIVALS,
        ),
        Finding(f"change of that of Bi-Inf {between}, largest", _most(e, "inference", MIDDLE), Rule(high=-0.1), RIVALS),
        Finding(
            "rise of KL on unseen chains as the mixture of the training chains' sequences predicts it, least",
            _least(e, "predicted", MIDDLE),
            UP,
            RIVALS,
            null,
        ),
    )
    return Claim("competition explains transience", text, PAPER, findings)


def foretell_level(e: Evidence) -> Claim:
    """How well the mixture predicts unseen chains."""
    text = "The mixture that is fitted on training chains predicts how well the network does on unseen ones."
    ratios = [
        number
        for _, row in e.rows(RIVALS, "rises", role=MIDDLE).iterrows()
        for number in _ratios(e, str(row["network"]), int(row["least"]))
    ]
    findings = (
        Finding(
            "predicted over measured KL on unseen chains, where it is least and at the last checkpoint: lowest of the "
            "networks of middling N",
            extreme(ratios, largest=False),
            Rule(0.9, 1.1),
            MIXED,
        ),
        Finding("the same, highest", extreme(ratios, largest=True), Rule(0.9, 1.1), MIXED),
        Finding(
            "how much further from the measured KL, at the last checkpoint, weights of networks of fewest and of most "
            "chains predict, least of any",
            extreme(e.numbers(RIVALS, "others", "further", role=MIDDLE), largest=False),
            UP,
            RIVALS,
        ),
    )
    return Claim("the mixture predicts the level", text, f"{PAPER}, of larger networks", findings)


def _ratios(e: Evidence, network: str, least: int) -> list[Number]:
    """Predicted over measured KL where it is least, and at the last checkpoint."""
    found = e.numbers(MIXED, "predicted", "ratio", network=network)
    return [e.number(MIXED, "predicted", "ratio", network=network, step=least), *(found[-1:] or [MISSING])]


def are_several(e: Evidence) -> Claim:
    """No single capability."""
    text = "What a network does in context is a mixture of algorithms, not one capability."
    seconds = [number for role in (HALF, MIDDLE) for number in e.numbers(RIVALS, "rises", "second", role=role)]
    single = [number for role in (FEW, MANY) for number in e.numbers(RIVALS, "rises", "largest", role=role)]
    null = Control(
        "least of the largest weights at the last checkpoint, of networks of fewest and of most chains",
        extreme(single, largest=False),
        Rule(low=0.7),
    )
    finding = Finding(
        "second largest weight where KL on unseen chains is least, least of the networks of half as many and of "
        "middling N",
        extreme(seconds, largest=False) if seconds else MISSING,
        Rule(low=0.2),
        RIVALS,
        null,
    )
    return Claim("a mixture, not one capability", text, PAPER, (finding,))


def _least(e: Evidence, column: str, role: str) -> Number:
    return extreme(e.numbers(RIVALS, "rises", column, role=role), largest=False)


def _most(e: Evidence, column: str, role: str) -> Number:
    return extreme(e.numbers(RIVALS, "rises", column, role=role), largest=True)
