"""The language once more, from its definition: slowly, string by string."""

from __future__ import annotations

import re
from itertools import product

from mcinterp.studies.percolation.grammar import RULES, SYMBOLS
from mcinterp.studies.percolation.task import TypedLanguage

VERB = "(pd|rqo(co)*)"
WHOLE = re.compile(f"s(cs)*{VERB}(c{VERB})*")
"""The strings of symbols, as a regular expression."""


def inside(symbol: str, string: str) -> float:
    """The probability that a symbol becomes a string, summed over all ways to part it among a rule's symbols."""
    if symbol not in RULES:
        return float(symbol == string)
    return sum(share * parted(right, string) for share, right in RULES[symbol])


def parted(right: str, string: str) -> float:
    if len(right) > len(string):
        return 0.0
    if len(right) == 1:
        return inside(right, string)
    cuts = range(1, len(string) - len(right) + 2)
    return sum(inside(right[0], string[:cut]) * parted(right[1:], string[cut:]) for cut in cuts)


def whole_strings(longest: int) -> set[str]:
    """All strings of at most so many symbols that the expression accepts."""
    found = set()
    for length in range(1, longest + 1):
        found |= {"".join(one) for one in product(SYMBOLS, repeat=length) if WHOLE.fullmatch("".join(one))}
    return found


def kinds_of(label: str) -> str:
    """What a token may be to the grammar, by its name."""
    words = {"is": "p", "has": "p", "on": "q", "in": "q", "to": "q", "and": "c", "or": "c"}
    return words.get(label, {"e": "so", "d": "d", "r": "r"}.get(label[0], "") if "." in label else "")


def may_follow(labels: list[str], label: str) -> bool:
    """Whether a token may come after others, as some whole string of two phrases more begins so."""
    before = "".join("e" if "." in each and each[0] == "e" else kinds_of(each) for each in labels)
    longer = [s.replace("o", "e").replace("s", "e") for s in LONGER]
    if label == "END":
        return before in longer
    after = before + ("e" if kinds_of(label) == "so" else kinds_of(label) or "?")
    return any(one.startswith(after) for one in longer)


LONGER = [
    subjects + first + ends
    for subjects in ("s", "scs", "scscs", "scscscs")
    for first in ("pd", "rqo", "rqoco", "rqococo", "pdcpd", "pdcrqo", "rqocpd", "rqocrqo", "rqococpd", "rqococrqo")
    for ends in ("", "cpd", "crqo", "crqoco")
]
"""Whole strings of all beginnings that a string of seven symbols can have."""


def slow_descriptors(task: TypedLanguage, probabilities: list[float], entity: int) -> tuple[float, float]:
    """Types and reach of one entity's probabilities of all tokens, told by the names of tokens."""
    labels = task.token_labels()
    of_class = entity // task.config.entities
    said = {int(each) for each in task.pairs[entity]}
    descriptors = [at for at, label in enumerate(labels) if label[0] == "d" and "." in label]
    own = [at for at in descriptors if labels[at].startswith(f"d{of_class}.")]
    never = [at for number, at in enumerate(descriptors) if number not in said]
    mass = sum(probabilities[at] for at in never if at in own) / sum(probabilities[at] for at in never)
    chance = sum(at in own for at in never) / len(never)
    types = sum(probabilities[at] for at in own) / sum(probabilities[at] for at in descriptors)
    return types, (mass - chance) / (1 - chance)
