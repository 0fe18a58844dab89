"""What the paper says of stepwise inference, and the rules that decide it."""

from __future__ import annotations

from mcinterp.studies.stepwise_inference.accuracy import ACCURACY, BY_CHANCE, EVERY, FAR, SHORTER, STRUCTURE
from mcinterp.studies.stepwise_inference.exemplars import EXEMPLARS, NETWORKS, OTHERS, UNTRAINED
from mcinterp.studies.stepwise_inference.order import ORDER
from mcinterp.studies.stepwise_inference.runs import BERNOULLI, HIERARCHICAL, MOTIFS, SHUFFLED
from mcinterp.studies.stepwise_inference.temperature import DRAWS, FALLING, TEMPERATURE
from mcinterp.study.claims import Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

PAPER = "arXiv 2402.07757"
ANSWERS, WAYS, LEARNED, STEERED = (f"study/{name}" for name in (ACCURACY, TEMPERATURE, ORDER, EXEMPLARS))
SEEN = Rule(low=0.05)
"""A difference between two accuracies that a reader would see."""
GUESSING = Rule(0.4, 0.6)
"""As near to a half as a thousand pairs tell: their interval alone is 0.04 wide to either side."""
INTERIOR = Rule(low=0.5, high=1.5)
"""Temperatures that are looked at between 0.25 and 2."""
COMPOSED = (2, 3, 4)
"""Motifs of the chains that have to be composed of links training has not seen."""
ELSEWHERE = 0.15
"""Share that may go through a chain by chance, where the exemplars are another's: one ghost edge may be guessed."""
IN_ORDER, IN_NONE = NETWORKS[MOTIFS], NETWORKS[SHUFFLED]


def stepwise_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    of_paths = (gap, structure, stitching, shorter, trade, simplicity, edges_first)
    return tuple(claim(evidence) for claim in (*of_paths, composition, limit, primacy, to_the_goal))


def gap(e: Evidence) -> Claim:
    """Steps help."""
    text = "Whether a goal can be reached is answered better where the steps to it are written first."
    chance = e.number(ANSWERS, "contrasts", "value", contrast=BY_CHANCE)
    control = Control("accuracy of a direct network whose labels were shuffled", chance, GUESSING)
    findings = (
        Finding("pairs farther apart than trained: stepwise less direct", _own(e, "gap", FAR), SEEN, ANSWERS, control),
        Finding("the same: stepwise less a walk along random edges", _own(e, "lead", FAR), SEEN, ANSWERS),
    )
    return Claim("steps help", text, f"{PAPER}, stepwise inference gap", findings)


def structure(e: Evidence) -> Claim:
    """Where graphs have layers, more."""
    text = "The gap is larger in the hierarchical graph than in the Bernoulli graph."
    control = Control("share of edges that training shows, the lower of both graphs", _coverage(e), Rule(low=0.9))
    value = e.number(ANSWERS, "contrasts", "value", contrast=STRUCTURE)
    finding = Finding("all held-out pairs: gap in one less gap in the other", value, SEEN, ANSWERS, control)
    return Claim("structure matters", text, f"{PAPER}, stepwise inference gap", (finding,))


def stitching(e: Evidence) -> Claim:
    """Paths longer than any in training."""
    text = "Steps reach goals that are farther away than any path in training, by stitching paths together."
    finding = Finding(
        "pairs farther apart than trained: share of steps that are a path to the goal, less the random walk's",
        _own(e, "stitched", FAR),
        Rule(low=0.1),
        ANSWERS,
    )
    return Claim("paths are stitched", text, f"{PAPER}, stepwise inference gap", (finding,))


def shorter(e: Evidence) -> Claim:
    """The length of training paths."""
    text = "The shorter the paths in training, the larger the gap."
    longest = e.fact(ANSWERS, "long")
    leads = [_own(e, "lead", EVERY), _accuracy(e, "lead", longest, EVERY)]
    control = Control("stepwise less a random walk, the smaller of both", extreme(leads, largest=False), SEEN)
    value = e.number(ANSWERS, "contrasts", "value", contrast=SHORTER)
    finding = Finding(
        "as many pairs trained, held out from both: gap of the shorter paths less gap of the longest",
        value,
        Rule(low=0.02),
        ANSWERS,
        control,
    )
    return Claim("shorter paths, larger gap", text, f"{PAPER}, stepwise inference gap", (finding,))


def trade(e: Evidence) -> Claim:
    """Accuracy against diversity."""
    text = "The higher the temperature, the fewer answers are right; most different right ones come at one in between."
    rows = e.rows(WAYS, "trade")
    falls = [number_of(row, "fall") for _, row in rows.iterrows() if row["temperature"] > FALLING]
    oracle = extreme(e.numbers(WAYS, "trade", "oracle_accuracy"), largest=False)
    control = Control("least accuracy of the path law at any temperature", oracle, Rule(low=1 - 1e-9))
    findings = (
        Finding(
            f"from temperature {FALLING:g} on: largest change of accuracy from one to the next",
            extreme(falls, largest=True),
            Rule(high=0.0),
            WAYS,
            control,
        ),
        Finding(
            f"temperature at which {DRAWS[0]} samples have most of a pair's paths",
            e.number(WAYS, "peaks", "peak", samples=DRAWS[0]),
            INTERIOR,
            WAYS,
        ),
    )
    return Claim("temperature trades accuracy for diversity", text, f"{PAPER}, diversity-accuracy trade-off", findings)


def simplicity(e: Evidence) -> Claim:
    """Shorter paths than there are."""
    text = "The model prefers paths that are shorter than those it was trained on."
    rows = e.rows(WAYS, "lengths", graph=HIERARCHICAL)
    alike = extreme([Number.exact(float(size)) for size in rows["largest"]] if len(rows) else [], largest=True)
    control = Control("largest size of it in the hierarchical graph, where lengths are alike", alike, Rule(high=1e-9))
    last = e.fact(WAYS, "step")
    finding = Finding(
        "edges of true paths at temperature 1, less those of a path law that fails as often",
        e.number(WAYS, "lengths", "bias", graph=BERNOULLI, temperature=1.0, step=last),
        Rule(high=-0.05),
        WAYS,
        control,
    )
    return Claim("simplicity bias", text, f"{PAPER}, simplicity bias", (finding,))


def edges_first(e: Evidence) -> Claim:
    """The order of learning."""
    text = "The model learns which edges there are before it learns to reach goals along them."
    untrained = [e.number(LEARNED, "steps", column, step=0) for column in ("edges", "goals")]
    control = Control("both before training, the larger", extreme(untrained, largest=True), Rule(high=0.05))
    finding = Finding(
        "log ratio of the steps at which half of the goals, and of the edges, are there",
        e.number(LEARNED, "halves", "later"),
        Rule(low=0.2),
        LEARNED,
        control,
    )
    return Claim("edges before goals", text, f"{PAPER}, learning dynamics", (finding,))


def composition(e: Evidence) -> Claim:
    """Links that training never had."""
    text = "Exemplars steer the model through chains of motifs none of whose links training has seen."
    findings = tuple(
        Finding(
            f"chains of {motifs} motifs, all links unseen: share that goes through just these",
            _steered(e, IN_ORDER, "unseen", motifs),
            Rule(low=0.8),
            STEERED,
            Control(
                "the same after the exemplars of another chain",
                _steered(e, IN_ORDER, "unseen", motifs, OTHERS),
                Rule(high=ELSEWHERE),
            ),
        )
        for motifs in COMPOSED
    )
    return Claim("exemplars are composed", text, f"{PAPER}, compositional generalisation", findings)


def limit(e: Evidence) -> Claim:
    """Chains longer than any in training."""
    text = "The model does not follow chains of more motifs than it was trained on."
    moved = e.share(STEERED, "limits", "moved", network=IN_ORDER)
    finding = Finding(
        "share that follows chains of the longest length in training, less that of one motif more",
        e.number(STEERED, "limits", "value", network=IN_ORDER),
        Rule(low=0.5),
        STEERED,
        Control("of that length, at positions beyond those in training: share followed", moved, Rule(low=0.5)),
    )
    return Claim("length limit", text, f"{PAPER}, number of motifs", (finding,))


def primacy(e: Evidence) -> Claim:
    """Which of two links."""
    text = "Where two chains of exemplars part, the model takes the link whose exemplar comes first."
    neither = e.number(STEERED, "conflicts", "neither", network=UNTRAINED, arrangement="blocks")
    untrained = Finding("untrained: share that takes neither", neither, Rule(low=0.5), STEERED)
    said = "share that takes the first link less the second, in both orders"
    return Claim("primacy", text, f"{PAPER}, conflicting exemplars", (*_conflict(e, "primacy", said), untrained))


def to_the_goal(e: Evidence) -> Claim:
    """Which of two chains, to its end."""
    text = "Of two conflicting chains of exemplars the model follows the first one to the goal."
    said = "share that goes through the first chain less the second, in both orders"
    return Claim("primacy to the goal", text, f"{PAPER}, conflicting exemplars", _conflict(e, "through", said))


def _conflict(e: Evidence, column: str, said: str) -> tuple[Finding, ...]:
    """Of both arrangements, beside a network that could not learn to read by place."""
    return tuple(
        Finding(
            f"{arrangement}: {said}",
            e.number(STEERED, "conflicts", column, network=IN_ORDER, arrangement=arrangement),
            Rule(low=0.2),
            STEERED,
            Control(
                "the same of a network trained on exemplars in random order",
                e.number(STEERED, "conflicts", column, network=IN_NONE, arrangement=arrangement),
                Rule(-0.2, 0.2),
            ),
        )
        for arrangement in ("blocks", "interleaved")
    )


def _accuracy(e: Evidence, column: str, longest: object, pairs: str, graph: str = HIERARCHICAL) -> Number:
    return e.number(ANSWERS, "accuracy", column, graph=graph, longest=longest, pairs=pairs)


def _own(e: Evidence, column: str, pairs: str) -> Number:
    return _accuracy(e, column, e.fact(ANSWERS, "own"), pairs)


def _coverage(e: Evidence) -> Number:
    graphs = {HIERARCHICAL: e.fact(ANSWERS, "own"), BERNOULLI: e.fact(ANSWERS, "short")}
    found = [_accuracy(e, "coverage", longest, EVERY, graph) for graph, longest in graphs.items()]
    return extreme(found, largest=False)


def _steered(e: Evidence, network: str, links: str, motifs: int, shown: str = "chain") -> Number:
    return e.share(STEERED, "steering", "steered", network=network, links=links, motifs=motifs, exemplars=shown)
