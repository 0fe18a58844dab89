"""What the paper says of emergence on a formal language, and the rules that decide it."""

from __future__ import annotations

from collections.abc import Iterable

from mcinterp.studies.percolation.connected import CONNECTED
from mcinterp.studies.percolation.drops import DROPS, REACH, STRINGS, TOKENS
from mcinterp.studies.percolation.exam import CONDITIONED, TYPES, UNSCRAMBLED
from mcinterp.studies.percolation.graphs import GRAPHS, LARGE
from mcinterp.studies.percolation.order import ORDER
from mcinterp.studies.percolation.runs import CLASS_FREE, ONE, PRESET, TWO
from mcinterp.studies.percolation.shift_claims import shift_claims
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

PAPER = "arXiv 2408.12578"
DRAWN, LEARNED, SUDDEN, JOINED = (f"study/{name}" for name in (GRAPHS, ORDER, DROPS, CONNECTED))
ABOVE, BELOW = 1.25, 0.8
"""Edges over the threshold, from which on, and up to which, graphs are held to the closed form."""
NULL = Rule(-0.05, 0.05)
ALIKE = Rule(-0.2, 0.2)
TASKS = {"unscramble": UNSCRAMBLED, "conditional": CONDITIONED}


def percolation_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """All of them."""
    decide = (is_transition, has_threshold, types_follow, tasks_follow, come_suddenly, strings_make_sudden)
    decided = (*(claim(evidence) for claim in decide), needs_types(evidence), must_percolate(evidence))
    return (*decided, *shift_claims(evidence))


def is_transition(e: Evidence) -> Claim:
    """The analogy's own ground: random graphs."""
    text = "Bipartite graphs have a formal transition: from √(EK) edges on a component of the order of all nodes."
    rows = e.rows(DRAWN, "shares", nodes=LARGE)
    above, below = (rows[rows["scale"] >= ABOVE], rows[rows["scale"] <= BELOW]) if len(rows) else (rows, rows)
    null = Control(
        f"largest share of the entities in one component, up to {BELOW} of the threshold",
        extreme((number_of(row, "entities") for _, row in below.iterrows()), largest=True),
        Rule(high=0.06),
    )
    findings = tuple(
        Finding(
            f"E = {LARGE}: drawn share of the {nodes} in the largest component less the closed form, furthest of "
            f"{ABOVE} to 3 times the threshold",
            furthest(number_of(row, f"{nodes}_less") for _, row in above.iterrows()),
            Rule(-0.02, 0.02),
            DRAWN,
            null,
        )
        for nodes in ("entities", "descriptors")
    )
    return Claim("a formal transition", text, f"{PAPER}; the closed form is that of random graphs", findings)


def has_threshold(e: Evidence) -> Claim:
    """Its power of K."""
    text = "The transition's place grows as the square root of the number of descriptors."
    finding = Finding(
        "slope of the logarithm of the edges at which all other components are largest, on that of K",
        e.number(DRAWN, "slopes", "slope", measure="peak, drawn"),
        Rule(0.4, 0.6),
        DRAWN,
    )
    return Claim("the threshold √(EK)", text, PAPER, (finding,))


def types_follow(e: Evidence) -> Claim:
    """The first step of the order."""
    text = "Networks learn the grammar first, then which descriptors go with which entities."
    finding = Finding(
        "logarithm of the step at which descriptors are half of the way right in type over that of grammar",
        e.number(LEARNED, "later", "later", measure=TYPES),
        Rule(low=0.1),
        LEARNED,
        _halves(e, TYPES),
    )
    return Claim("grammar, then types", text, PAPER, (finding,))


def tasks_follow(e: Evidence) -> Claim:
    """The second."""
    text = "Narrower tasks are learned only after types."
    findings = tuple(
        Finding(
            f"logarithm of the step at which task {task} is half of the way right over that of types",
            e.number(LEARNED, "later", "later", measure=measure),
            Rule(low=0.0),
            LEARNED,
            _halves(e, measure),
        )
        for task, measure in TASKS.items()
    )
    return Claim("types, then tasks", text, PAPER, findings)


def _halves(e: Evidence, measure: str) -> Control:
    """The same steps in two halves of the strings."""
    numbers = [e.number(LEARNED, "later", column, measure=measure) for column in ("halves", "halves_than")]
    return Control("the same of one half of the strings over the other, further of the two", furthest(numbers), ALIKE)


def come_suddenly(e: Evidence) -> Claim:
    """The drops."""
    text = "Tasks are learned suddenly."
    free = e.rows(SUDDEN, "drops", role=CLASS_FREE, task=REACH)
    null = Control(
        "drops found in reach where descriptors know no class",
        Number.exact(free["found"].sum(), len(free)) if len(free) else MISSING,
        Rule(0.0, 0.0),
    )
    findings = tuple(_drops(e, task, STRINGS, Rule(low=0.5), null) for task in TASKS)
    return Claim("tasks come suddenly", text, f"{PAPER}; the detector is this package's", findings)


def strings_make_sudden(e: Evidence) -> Claim:
    """What of it is the measure's."""
    text = "Token by token the same tasks are not learned suddenly: that all tokens of a string are right is sudden."
    findings = tuple(_drops(e, task, TOKENS, Rule(high=0.5), _sudden_strings(e, task)) for task in TASKS)
    return Claim("suddenness of whole strings", text, "this package's; the paper scores whole strings", findings)


def _sudden_strings(e: Evidence, task: str) -> Control:
    """Without suddenness of whole strings there is none to be told from that of tokens."""
    share = e.share(SUDDEN, "shares", "found", role=PRESET, task=task, counted=STRINGS)
    return Control("the same of whole strings", share, Rule(low=0.5))


def _drops(e: Evidence, task: str, counted: str, rule: Rule, control: Control | None) -> Finding:
    number = e.share(SUDDEN, "shares", "found", role=PRESET, task=task, counted=counted)
    words = "of whole strings" if counted == STRINGS else "token by token"
    text = f"share of networks in whose error at task {task}, {words}, a plateau and a drop are found"
    return Finding(text, number, rule, SUDDEN, control)


def needs_types(e: Evidence) -> Claim:
    """The control of everything that is said of reach."""
    text = "Pairs that were never said are reached because descriptors have types."
    control = Control("the same where they have, after as many steps", _reach(e, PRESET), Rule(low=0.5))
    finding = Finding(
        "reach where every entity's descriptors are drawn from all classes",
        _reach(e, CLASS_FREE),
        NULL,
        JOINED,
        control,
    )
    return Claim("types cause reach", text, f"derived from {PAPER}", (finding,))


def must_percolate(e: Evidence) -> Claim:
    """Whether: what the analogy explains."""
    text = "Types are learned from pairs alone only where the pairs join a class into one component."
    control = Control(
        "the same where every entity has one descriptor, so that each descriptor is a component of its own",
        _reach(e, ONE),
        NULL,
    )
    finding = Finding(
        "reach at the end where every entity has two descriptors", _reach(e, TWO), Rule(low=0.5), JOINED, control
    )
    return Claim("the pairs must percolate", text, f"derived from {PAPER}", (finding,))


def _reach(e: Evidence, role: str) -> Number:
    return e.number(JOINED, "means", "reach", role=role)


def furthest(numbers: Iterable[Number]) -> Number:
    """The number that is furthest from 0 at its interval's end; missing if one is missing or there is none."""
    numbers = list(numbers)
    if not numbers or any(number.value != number.value for number in numbers):
        return MISSING
    return max(numbers, key=lambda number: max(abs(number.low), abs(number.high)))
