"""What the paper says of knowledge editing, and the rules that decide it."""

from __future__ import annotations

from dataclasses import replace

from mcinterp.studies.knowledge_editing.contrasts import FARTHER, KEY_LESS, PRESENT_LESS, PRESENT_THIRD
from mcinterp.studies.knowledge_editing.edits import CORRECTIVE, EDIT, EDITS, KEY, NONE, PRESENT
from mcinterp.studies.knowledge_editing.knowledge import COMPOSED, EVERY, INVERSE, KNOWLEDGE, RECALL
from mcinterp.studies.knowledge_editing.rings import EMBEDDINGS, GEOMETRY
from mcinterp.studies.knowledge_editing.runs import NARROW, OWN, SHUFFLED
from mcinterp.studies.knowledge_editing.sequences import SEQUENCES
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

PAPER = "arXiv 2410.17194"
KNOWN, RINGS, CHANGED, MANY = (f"study/{name}" for name in (KNOWLEDGE, GEOMETRY, EDITS, SEQUENCES))
TRACED = "causal-tracing"
MORE, LESS = Rule(low=0.0), Rule(high=0.0)
NOTHING = Rule(0.0, 0.0)
INFERRED = Rule(low=0.2)
"""Ten times chance with 48 entities."""
BY_CHANCE = Rule(high=0.15)
"""So many held-out facts there are that their interval at chance stays below it."""
BENT = Rule(low=0.02)
"""Of the distances between representations of other entities."""
UNLIKELY = Rule(high=0.05)
"""Of random exchanges that give as large a difference."""


def editing_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    claims = (known, cycles, site, success, shattering, spreading, distance, explanation, specific, corrective)
    return (*(claim(evidence) for claim in claims), narrow(evidence), many(evidence))


def known(e: Evidence) -> Claim:
    """K0."""
    text = "The network recalls the facts that it was shown, and infers ones that it was not."
    untrained = Control("recall of an untrained network", _known(e, RECALL, "untrained"), Rule(high=0.1))
    shuffled = Control(
        "held-out facts of a network whose relations are random permutations",
        _known(e, INVERSE, SHUFFLED),
        BY_CHANCE,
    )
    findings = (
        Finding("shown facts: share right", _known(e, RECALL), Rule(low=0.95), KNOWN, untrained),
        Finding("held-out facts, whose inverses are shown: share right", _known(e, INVERSE), INFERRED, KNOWN, shuffled),
        Finding("held-out compositions: share right", _known(e, COMPOSED), INFERRED, KNOWN),
    )
    return Claim("knowledge is internalised", text, f"{PAPER}, Sec. 4", findings)


def cycles(e: Evidence) -> Claim:
    """K0b."""
    text = "Representations of entities lie on the cyclic orders."
    rows = [row for _, row in e.rows(RINGS, "rings", network=OWN, of=EMBEDDINGS).iterrows()]
    least = extreme([Number.exact(row["mode1"] / row["flat"], int(row["n"])) for row in rows], largest=False)
    random = [_scaled(number_of(row, "random"), row["flat"]) for row in rows]
    control = Control("the same along random orders", random[0] if random else MISSING, Rule(0.5, 1.5))
    finding = Finding(
        "embeddings: scatter with one period around an order over that of no structure, the order with less",
        least,
        Rule(low=3.0),
        RINGS,
        control,
    )
    return Claim("representations carry the cycles", text, f"{PAPER}, Sec. 4", (finding,))


def site(e: Evidence) -> Claim:
    """Where facts are kept."""
    text = "What the last MLP adds at the relation carries the fact."
    key = next((f"{place}/{TRACED}" for place in ("after", "before") if f"{place}/{TRACED}" in e.results), TRACED)
    at = {"site": "MLP", "layer": e.fact(CHANGED, "layer"), "offset": 0}
    others = Control(
        "brought back by another sequence's, as probability", e.number(key, "sites", "other", **at), Rule(high=0.1)
    )
    finding = Finding(
        "entity corrupted, only this restored: share of the lost probability that comes back",
        e.number(key, "sites", "share", **at),
        Rule(low=0.1),
        key,
        others,
    )
    return Claim("the last MLP carries facts", text, f"{PAPER}, Sec. 5, editing site", (finding,))


def success(e: Evidence) -> Claim:
    """K1."""
    text = "An edit makes its fact the new one, alone and in contexts that it was not made for."
    rows = e.rows(CHANGED, "edits", network=OWN, method=EDIT)
    right = [int(rows[name].eq(1.0).sum()) if len(rows) else 0 for name in ("success", "contexts")]
    before = Number.exact(rows["unedited"].max(), len(rows)) if len(rows) else MISSING
    control = Control("largest share of new answers in these contexts before the edit", before, NOTHING)
    findings = (
        Finding("edits after which the question alone has the target", _count(right[0], rows), Rule(low=0.95), CHANGED),
        Finding(
            "edits after which it has, after every unseen walk",
            _count(right[1], rows),
            Rule(low=0.95),
            CHANGED,
            control,
        ),
    )
    return Claim("edits succeed", text, f"{PAPER}, Sec. 5", findings)


def shattering(e: Evidence) -> Claim:
    """K2."""
    text = "Edits distort the representations of entities that they are not about."
    nearest = e.fact(CHANGED, "nearest")
    present = _contrast(e, PRESENT_LESS, "r_others")
    findings = (
        Finding(
            "R of other entities, edits to the neighbour of the answer",
            _mean(e, "r_others", EDIT, nearest),
            BENT,
            CHANGED,
            Control("R of edits to the present answer less this", present, LESS),
        ),
        Finding(
            "R of edits to the present answer less that of edits to its neighbour",
            _contrast(e, PRESENT_LESS, "r_edited"),
            LESS,
            CHANGED,
            Control("R without an edit", _mean(e, "r_edited", NONE, 0), NOTHING),
        ),
    )
    return Claim("representations shatter", text, f"{PAPER}, Sec. 5, representation shattering", findings)


def spreading(e: Evidence) -> Claim:
    """K3."""
    text = "Edits cost other facts, those of other orders and what is inferred among them."
    measured = {
        "recall_retained": "shown facts of the other order",
        "inverse_edited": "held-out facts of the edited order",
        "composed_edited": "held-out compositions of the edited order",
    }
    findings = tuple(
        Finding(
            f"lost by edits to the farthest answer: {what}",
            _farthest(e, measure),
            MORE,
            CHANGED,
            Control("lost by edits to the present answer less a third", _contrast(e, PRESENT_THIRD, measure), LESS),
        )
        for measure, what in measured.items()
    )
    return Claim("damage spreads", text, f"{PAPER}, Sec. 5, Table 1", findings)


def distance(e: Evidence) -> Claim:
    """K4."""
    text = "The farther the new answer from the old one, the more representations are distorted and facts lost."
    return Claim("distance decides", text, f"{PAPER}, Sec. 5", _by_distance(e, OWN))


def explanation(e: Evidence) -> Claim:
    """K5."""
    text = "How much of recall is lost goes with how far representations are distorted."
    shuffled = Control("R of another edit", e.number(CHANGED, "explained", "shuffled", network=OWN), Rule(-0.3, 0.3))
    finding = Finding(
        "Spearman's ρ of R and recall lost, over edits",
        e.number(CHANGED, "explained", "correlation", network=OWN),
        Rule(low=0.5),
        CHANGED,
        shuffled,
    )
    return Claim("distortion goes with loss", text, f"{PAPER}, Sec. 5", (finding,))


def specific(e: Evidence) -> Claim:
    """K6."""
    text = "It is the edit that costs facts, not any change of that size."
    return Claim("it is the edit", text, f"{PAPER}, control of this package", (_beyond_chance(e, OWN),))


def corrective(e: Evidence) -> Claim:
    """K7."""
    text = "Edits that correct what the network has wrong cost facts, too."
    rows = e.rows(CHANGED, "edits", network=OWN, method=PRESENT)
    sure = rows[rows["sure"] >= e.fact(CHANGED, "sure")] if len(rows) else rows
    untouched = Number.exact(sure["size"].max(), len(sure)) if len(sure) else MISSING
    control = Control("largest change of weights by edits to a present answer that is sure", untouched, NOTHING)
    findings = (
        Finding(
            "shown facts of the edited order lost", _mean(e, "recall_edited", CORRECTIVE, 0), MORE, CHANGED, control
        ),
        Finding(
            "held-out compositions of the edited order lost", _mean(e, "composed_edited", CORRECTIVE, 0), MORE, CHANGED
        ),
    )
    return Claim("corrections harm", text, f"{PAPER}, Table 1", findings)


def narrow(e: Evidence) -> Claim:
    """K4 and K6 at another width."""
    text = "The same of a narrower network: distance decides, and it is the edit."
    findings = (*_by_distance(e, NARROW), _beyond_chance(e, NARROW))
    return Claim("the same, narrower", text, f"{PAPER}, width varied by this package", findings)


def many(e: Evidence) -> Claim:
    """Edits add up."""
    text = "Damage grows as edits follow one another."
    measured = {"r_edited": "R of the edited order", "recall_edited": "shown facts of the edited order lost"}
    findings = tuple(
        Finding(
            f"{what}, after the last edit less after the first",
            e.number(MANY, "growth", "growth", network=OWN, measure=measure),
            MORE,
            MANY,
        )
        for measure, what in measured.items()
    )
    return Claim("edits add up", text, f"{PAPER}, many edits", findings)


def _by_distance(e: Evidence, network: str) -> tuple[Finding, ...]:
    measured = {"r_edited": "R of the edited order", "recall_edited": "shown facts of the edited order lost"}
    return tuple(
        Finding(
            f"{what}: edits to the farthest answer less edits to the nearest",
            _contrast(e, FARTHER, measure, network),
            MORE,
            CHANGED,
            Control(
                "random exchanges of the two that do as much",
                e.number(CHANGED, "contrasts", "permuted", network=network, contrast=FARTHER, measure=measure),
                UNLIKELY,
            ),
        )
        for measure, what in measured.items()
    )


def _beyond_chance(e: Evidence, network: str) -> Finding:
    """Beside a random key of the same effect."""
    return Finding(
        f"shown facts of the edited order lost, less those of a {KEY} with the same mean square effect",
        _contrast(e, KEY_LESS, "recall_edited", network),
        MORE,
        CHANGED,
    )


def _known(e: Evidence, kind: str, network: str = OWN) -> Number:
    return e.share(KNOWN, "knowledge", "right", network=network, kind=kind, orders=EVERY)


def _mean(e: Evidence, column: str, method: str, distance: int) -> Number:
    return e.number(CHANGED, "summary", column, network=OWN, method=method, distance=distance)


def _farthest(e: Evidence, column: str) -> Number:
    return _mean(e, column, EDIT, e.fact(CHANGED, "farthest"))


def _contrast(e: Evidence, contrast: str, measure: str, network: str = OWN) -> Number:
    return e.number(CHANGED, "contrasts", "difference", network=network, contrast=contrast, measure=measure)


def _count(right: int, rows: object) -> Number:
    return Number.share(right, len(rows))  # type: ignore[arg-type]


def _scaled(number: Number, scale: float) -> Number:
    return replace(number, value=number.value / scale, low=number.low / scale, high=number.high / scale)
