"""Where a text ends up: labels that a regular expression reads from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mcinterp.errors import InputError

OTHER = "other"
"""The outcome of a text that says none."""


@dataclass(frozen=True)
class OutcomePattern:
    """A regular expression that reads an outcome from a text.

    Attributes:
        pattern: whose first match is the outcome; of one with groups, the first group that took part.
    """

    pattern: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re.compile(self.pattern)
        except re.error as error:
            raise InputError(f"{self.pattern!r:.80} is no regular expression: {error}") from None
        object.__setattr__(self, "_compiled", compiled)

    def __call__(self, text: str) -> str:
        """The outcome, `OTHER` where nothing matches or what matches is empty."""
        match = self._compiled.search(text)
        if match is None:
            return OTHER
        said = next((group for group in match.groups() if group is not None), match[0])
        return said.strip() or OTHER


def outcome_names(outcomes: Sequence[str], most: int) -> list[str]:
    """The outcomes that are told apart, the most frequent first, and `OTHER` last, which takes in all others.

    Args:
        outcomes: of every sample.
        most: at most so many, `OTHER` not counted.
    """
    counts = {name: outcomes.count(name) for name in dict.fromkeys(outcomes) if name != OTHER}
    # Of equally frequent ones the first in the alphabet, so that the order of samples means nothing.
    return [*sorted(counts, key=lambda name: (-counts[name], name))[:most], OTHER]
