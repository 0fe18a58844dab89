"""The grammar: its strings up to a length with their exact probabilities, and the automaton that accepts them.

Symbols are s subject, o object, r relation, q its preposition, d descriptor, p its verb, c conjunction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

SYMBOLS = "srqopdc"
CONTENT = "srod"
"""Symbols that stand for one of many tokens."""
RULES: Mapping[str, tuple[tuple[float, str], ...]] = {
    "S": ((1.0, "NV"),),
    "N": ((0.8, "s"), (0.2, "NcN")),
    "V": ((0.4, "pd"), (0.4, "rqO"), (0.2, "VcV")),
    "O": ((0.7, "o"), (0.3, "ocO")),
}
"""What a capital letter becomes, with probabilities."""
CATEGORIES = "ecpdrq."
"""What a token is, as far as the grammar goes: an entity, the symbols as above, and the end; others are none."""
AUTOMATON: Mapping[str, Mapping[str, str]] = {
    "start": {"e": "subject"},
    "subject": {"c": "subject and", "p": "verb", "r": "relation"},
    "subject and": {"e": "subject"},
    "verb": {"d": "descriptor"},
    "descriptor": {"c": "phrase and", ".": "end"},
    "phrase and": {"p": "verb", "r": "relation"},
    "relation": {"q": "preposition"},
    "preposition": {"e": "object"},
    "object": {"c": "object and", ".": "end"},
    "object and": {"e": "object", "p": "verb", "r": "relation"},
    "end": {},
    "wrong": {},
}
"""From each state, by what comes next, to the state after it: s (c s)* V (c V)*, V = p d | r q o (c o)*."""
STATES = tuple(AUTOMATON)
START, SUBJECT, OBJECT, END, WRONG = map(STATES.index, ("start", "subject", "object", "end", "wrong"))


@cache
def strings(longest: int, symbol: str = "S") -> Mapping[str, float]:
    """The probability of every string of at most so many symbols, summed over its derivations.

    Args:
        longest: symbols of the longest.
        symbol: what is derived.
    """
    found: dict[str, float] = defaultdict(float)
    for probability, right in RULES[symbol]:
        for string, of_right in _derived(right, longest).items():
            found[string] += probability * of_right
    return dict(found)


def _derived(right: str, longest: int) -> Mapping[str, float]:
    """The same of several symbols in a row, each of which leaves one at least."""
    if len(right) > longest:
        return {}
    if not right:
        return {"": 1.0}
    first, rest = right[0], right[1:]
    heads = strings(longest - len(rest), first) if first in RULES else {first: 1.0}
    found: dict[str, float] = defaultdict(float)
    for head, of_head in heads.items():
        for tail, of_tail in _derived(rest, longest - len(head)).items():
            found[head + tail] += of_head * of_tail
    return found


def transitions() -> Tensor:
    """The automaton as a table, int64, (state, category); of no category, the last, everything is wrong."""
    table = torch.full((len(STATES), len(CATEGORIES) + 1), WRONG)
    for state, row in AUTOMATON.items():
        for category, after in row.items():
            table[STATES.index(state), CATEGORIES.index(category)] = STATES.index(after)
    return table


def category_of(symbol: str) -> str:
    """Subjects and objects are both entities."""
    return "e" if symbol in "so" else symbol


def states_of(string: str) -> list[int]:
    """The automaton's state before each symbol of a string and before its end."""
    table, states = transitions(), [START]
    for symbol in string:
        states.append(int(table[states[-1], CATEGORIES.index(category_of(symbol))]))
    return states
