"""Exact laws of outcomes: every text that a model may write after a beginning, by enumeration of prefixes.

The law at a prefix is that of its continuations, o_p = Σ_u p(u | p) o_pu, worked out from the ends of texts backward.
A prefix that is less probable than a bound is not followed, and what would become of it counts as other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.skewed_t import Floats
from mcinterp.errors import InputError
from mcinterp.language.branches import LEAST, branches_of
from mcinterp.language.model import LanguageModel

PRUNE = 2e-5
"""Less probable prefixes are not followed."""
AT_A_TIME = 2048
"""Prefixes that a model is asked about at a time."""
MOST_PREFIXES = 2_000_000
"""Texts that branch into more are not enumerated."""
MOST_DRAWS = 10_000
"""A text that is followed to its end is drawn so often before none is given."""

Ints = NDArray[np.int64]
Outcome = Callable[[Ints], int | None]
"""From the tokens of a whole text, its beginning included, to the number of its outcome; None for other."""


@dataclass(frozen=True)
class Position:
    """The state of a text after some of its tokens, and what may come next.

    Attributes:
        law: of the outcome, (outcome,).
        entropy: of the next token, nats.
        followed: tokens that are likely enough to be followed, (branch,).
        weights: their probabilities, together 1.
        laws: of the outcome after each, (branch, outcome).
        base: which of them the text goes on with.
    """

    law: Floats
    entropy: float
    followed: Ints
    weights: Floats
    laws: Floats
    base: int


@dataclass(frozen=True)
class _Level:
    """Prefixes of one length, those of one parent side by side.

    Attributes:
        prefixes: token ids, (n, pos).
        conditional: probability of the last token of each after those before it, (n,).
        reach: probability of each after the beginning, (n,).
        entropy: of the next token, nats; 0 of a text that is over, (n,).
        first: where the children of each begin in the next level, (n + 1,).
        ended: number of the outcome of a text that is over, −1 of one that goes on, (n,).
    """

    prefixes: Ints
    conditional: Floats
    reach: Floats
    entropy: Floats
    first: Ints
    ended: Ints


@dataclass(frozen=True)
class OutcomeTree:
    """Everything that a model may write after a beginning, with the law of the outcome at each prefix.

    Attributes:
        levels: prefixes by the number of tokens after the beginning.
        laws: of the outcome at each prefix of each level, (n, outcome + 1); the last outcome is other.
        left_out: probability of all that was not followed, or not over at the limit.
    """

    levels: Sequence[_Level]
    laws: Sequence[Floats]
    left_out: float

    @property
    def law(self) -> Floats:
        """At the beginning, (outcome + 1,)."""
        return self.laws[0][0]

    @property
    def n_prefixes(self) -> int:
        """How many were followed."""
        return sum(len(level.prefixes) for level in self.levels)

    def drawn(self, generator: np.random.Generator) -> list[int]:
        """A text as the model writes it, of those that were followed to their end; without its beginning.

        Raises:
            InputError: if hardly any was.
        """
        for _ in range(MOST_DRAWS):
            at = 0
            tokens: list[int] = []
            while len(children := self._children(len(tokens), at)):
                weights = self.levels[len(tokens) + 1].conditional[children]
                at = int(generator.choice(children, p=weights / weights.sum()))
                tokens.append(int(self.levels[len(tokens) + 1].prefixes[at, -1]))
            if self.levels[len(tokens)].ended[at] >= 0:
                return tokens
        raise InputError(f"of {MOST_DRAWS:,} texts none was followed to its end: {self.left_out:.1%} was left out")

    def positions(self, tokens: Sequence[int], least: float = LEAST) -> list[Position]:
        """What may come next at every position of a text.

        Args:
            tokens: of the text, without its beginning.
            least: see `branches_of`.

        Raises:
            InputError: for a text that was not followed.
        """
        at, found = 0, []
        for depth, token in enumerate(tokens):
            found.append(self._position(depth, at, token, least))
            at = self._child(depth, at, token)
        return found

    def law_after(self, tokens: Sequence[int]) -> Floats:
        """The law at the end of a text, (outcome + 1,).

        Raises:
            InputError: for a text that was not followed.
        """
        at = 0
        for depth, token in enumerate(tokens):
            at = self._child(depth, at, token)
        return np.asarray(self.laws[len(tokens)][at])

    def _children(self, depth: int, at: int) -> Ints:
        """Where a prefix goes on, in the next level."""
        first, last = self.levels[depth].first[at : at + 2]
        return np.arange(first, last)

    def _child(self, depth: int, at: int, token: int) -> int:
        """Where a prefix goes on with a token, in the next level."""
        children = self._children(depth, at)
        own = children[self.levels[depth + 1].prefixes[children, -1] == token] if len(children) else children
        if not len(own):
            raise InputError(f"token {token} at place {depth} of the text is too improbable, and was not followed")
        return int(own[0])

    def _position(self, depth: int, at: int, token: int, least: float) -> Position:
        level, below = self.levels[depth], self.levels[depth + 1]
        own, children = self._child(depth, at, token) - int(level.first[at]), self._children(depth, at)
        branches, weights = branches_of(below.conditional[children], own, least)
        followed = children[branches]
        tokens, laws = below.prefixes[followed, -1], self.laws[depth + 1][followed]
        base = int(np.searchsorted(branches, own))
        return Position(self.laws[depth][at], float(level.entropy[at]), tokens, weights, laws, base)


def outcome_tree(
    model: LanguageModel,
    start: Sequence[int],
    outcome: Outcome,
    n_outcomes: int,
    limit: int,
    prune: float = PRUNE,
) -> OutcomeTree:
    """Enumerate what a model may write after a beginning, at temperature 1.

    Args:
        model: what writes.
        start: token ids of the beginning.
        outcome: of a text that is over.
        n_outcomes: outcomes are 0 … n_outcomes − 1; other is n_outcomes.
        limit: most tokens after the beginning; a text that is not over then is other.
        prune: less probable prefixes are not followed.

    Raises:
        InputError: if there are more than `MOST_PREFIXES` of them.
    """
    levels = list(_levels(model, start, outcome, n_outcomes, limit, prune))
    laws = [np.zeros((len(levels[-1].prefixes), n_outcomes + 1))]
    laws[0][np.arange(len(laws[0])), np.where(levels[-1].ended < 0, n_outcomes, levels[-1].ended)] = 1.0
    left_out = levels[-1].reach @ (levels[-1].ended < 0)
    for level, below in zip(levels[-2::-1], levels[:0:-1], strict=True):
        law, missing = _worked_back(level, below, laws[0])
        laws.insert(0, law)
        left_out += level.reach @ missing
    return OutcomeTree(levels, laws, float(left_out))


def _worked_back(level: _Level, below: _Level, laws: Floats) -> tuple[Floats, Floats]:
    """The laws of a level from those of the next, and what is missing of each because it was not followed."""
    parents = np.repeat(np.arange(len(level.prefixes)), np.diff(level.first))
    law = np.zeros((len(level.prefixes), laws.shape[1]))
    np.add.at(law, parents, below.conditional[:, None] * laws)
    over = level.ended >= 0
    law[over, level.ended[over]] = 1.0
    followed = np.bincount(parents, below.conditional, minlength=len(level.prefixes))
    missing = np.where(over, 0.0, np.maximum(1.0 - followed, 0.0))
    law[:, -1] += missing
    return law, missing


def _levels(
    model: LanguageModel, start: Sequence[int], outcome: Outcome, n_outcomes: int, limit: int, prune: float
) -> Iterator[_Level]:
    prefixes, total = np.array([list(start)], dtype=np.int64), 0
    conditional, reach = np.ones(1), np.ones(1)
    for depth in range(limit + 1):
        total += len(prefixes)
        if total > MOST_PREFIXES:
            raise InputError(f"more than {MOST_PREFIXES:,} prefixes have a probability above {prune:g}: raise it")
        ended = _ended(model, prefixes, outcome, n_outcomes) if depth else np.full(1, -1)
        alive = np.flatnonzero(ended < 0) if depth < limit else np.empty(0, dtype=np.int64)
        entropy, parents, tokens, chances = _followed(model, prefixes, alive, reach, prune)
        first = np.append(0, np.bincount(parents, minlength=len(prefixes)).cumsum())
        yield _Level(prefixes, conditional, reach, entropy, first, ended)
        if not len(tokens):
            return
        prefixes = np.column_stack([prefixes[parents], tokens])
        conditional, reach = chances, reach[parents] * chances


def _ended(model: LanguageModel, prefixes: Ints, outcome: Outcome, n_outcomes: int) -> Ints:
    """The outcome of every text that is over, −1 of the others."""
    found = np.full(len(prefixes), -1)
    for at in np.flatnonzero(np.isin(prefixes[:, -1], list(model.end_tokens))):
        label = outcome(prefixes[at])
        found[at] = n_outcomes if label is None else label
    return found


def _followed(
    model: LanguageModel, prefixes: Ints, alive: Ints, reach: Floats, prune: float
) -> tuple[Floats, Ints, Ints, Floats]:
    """Entropy of the next token of each prefix; parent, token and probability of all that is followed."""
    entropy = np.zeros(len(prefixes))
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for begin in range(0, len(alive), AT_A_TIME):
        part = alive[begin : begin + AT_A_TIME]
        chances = model.next_probabilities(prefixes[part])
        entropy[part] = -np.sum(chances * np.log(np.maximum(chances, 1e-300)), 1)
        own, token = np.nonzero(chances * reach[part, None] > prune)
        parts.append((part[own], token, chances[own, token]))
    parents, tokens, chances = (np.concatenate(each) for each in zip(*parts, strict=True))
    return entropy, parents, tokens, chances
