"""What stored samples say of a text: its outcome's law along it, and at which tokens that law changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.forking import changes, hazards, mixture_counts, survival
from mcinterp.analysis.segmentation import EFFECT, Segmentation, called_changes, segmented
from mcinterp.analysis.skewed_t import Floats
from mcinterp.analysis.statistics import interval_columns, share_estimate
from mcinterp.errors import UnansweredError
from mcinterp.language.outcomes import OTHER, OutcomePattern, outcome_names
from mcinterp.language.stored import Branch, ForkPosition, ForkSamples
from mcinterp.results import Result, Table

FORKS = "forks"
NULLS = 99
"""Series without any change that the evidence for one is compared with."""
STRONG = 9.0
"""A Bayes factor above it is told as a change."""
MOST_OUTCOMES = 6
"""Outcomes that are told apart, as in the paper."""

TOKEN_COLUMNS = {
    "position": "tokens of the text before this one",
    "token": "its text, in quotation marks, as JSON has it",
    "n": "samples a branch",
    "branches": "tokens that are followed here, this one among them",
    "entropy": "of the next token, nats; empty where it was not stored",
    "posterior": "probability that the law of the outcome changes with this token; empty of the last one",
    "called": "whether that is above ½ and the laws on either side are more than 0.2 apart in total variation",
    "change": "total variation between the weighted estimates before and after the token; mostly noise where samples "
    "are few",
    "hazard": "share of the branches' weight whose sampled law is at least 0.2 from the text's own; too large where "
    "samples are few",
    "survival": "probability that no token up to here is resampled into such a branch; too low where samples are few",
}
LAW_COLUMNS = {
    "position": "tokens of the text before",
    "outcome": "what the regular expression reads, other where nothing",
    "n": "samples of the mixture of branches",
    "count": "of them with this outcome",
    **interval_columns("share", "count over n (exact binomial interval)"),
    "weighted": "share of all samples, branches by their weights",
}
BRANCH_COLUMNS = {
    "position": "tokens of the text before",
    "number": "of the branch there",
    "branch": "text of the token that is followed, likewise",
    "base": "whether it is the text's own",
    "weight": "its probability, of those that are followed",
    "outcome": "as above",
    "n": "samples",
    "count": "of them with this outcome",
    "share": "count over n",
}
SERIES_COLUMNS = {
    "positions": "of the text that were sampled",
    "samples": "a branch",
    "seed": "of the mixtures and of the series without change",
    "change_probability": "assumed beforehand between two neighbouring positions",
    "log_bayes_factor": "natural logarithm of the evidence for any change over that for none",
    "nulls": "series of as many samples from one law, that of all positions together",
    **interval_columns("null_share", "share of these with a Bayes factor above 9 (exact binomial interval)"),
    "p_value": "of the series among them",
    "called": "tokens at which there is a change",
}


@dataclass(frozen=True)
class _Counted:
    """A position with the outcomes of its samples; what `forking.Branching` asks for.

    Attributes:
        at: the position.
        weights: of the branches, (branch,).
        outcomes: numbers of the outcomes of each branch's samples.
        laws: shares of the outcomes, (branch, outcome).
        base: which branch is the text's own.
    """

    at: ForkPosition
    weights: Floats
    outcomes: Sequence[NDArray[np.int64]]
    laws: Floats
    base: int

    @property
    def law(self) -> Floats:
        """The weighted estimate."""
        return np.asarray(self.weights @ self.laws)


def forks(
    samples: ForkSamples,
    pattern: OutcomePattern,
    seed: int = 0,
    distinct: bool = False,
    most_outcomes: int = MOST_OUTCOMES,
    nulls: int = NULLS,
) -> Result:
    """Laws of the outcome along a text, where they change, and what the branches of each position lead to.

    Args:
        samples: of the text.
        pattern: reads the outcome from what follows the prompt.
        seed: of the mixtures of branches, and of the series without change.
        distinct: count each text once a branch, however often it was sampled, as the paper's code does; the counts are
            then no samples of any law.
        most_outcomes: the most frequent ones are told apart.
        nulls: series without change.

    Raises:
        UnansweredError: if fewer than two positions were sampled.
    """
    if len(samples.positions) < 2:
        raise UnansweredError(f"a change is between two positions; {len(samples.positions)} were sampled")
    said = [[_said(samples, at, branch, pattern, distinct) for branch in at.branches] for at in samples.positions]
    names = outcome_names([name for at in said for branch in at for name in branch], most_outcomes)
    counted = [_counted(at, own, names) for at, own in zip(samples.positions, said, strict=True)]
    generator = np.random.default_rng(seed)
    counts = np.array([mixture_counts(at.weights, at.outcomes, len(names), generator) for at in counted])
    found = segmented(counts)
    called = called_changes(counts, found.posterior)
    tables = {
        "tokens": Table.of(TOKEN_COLUMNS, _token_rows(samples, counted, found, called)),
        "laws": Table.of(LAW_COLUMNS, _law_rows(counted, counts, names)),
        "branches": Table.of(BRANCH_COLUMNS, _branch_rows(counted, names)),
        "series": Table.of(SERIES_COLUMNS, [_series_row(counts, found, called, seed, nulls, generator)]),
    }
    facts = {"prompt": samples.prompt, "pattern": pattern.pattern, "outcomes": names, "distinct": distinct}
    facts |= {"of": dict(samples.settings), "effect": EFFECT}
    settings = {"seed": seed, "distinct": distinct, "most_outcomes": most_outcomes, "nulls": nulls}
    return Result(FORKS, "Forking tokens", settings, facts, tables)


def quoted(token: str) -> str:
    """A token as a table holds it: with its blanks, and a text also where it looks like a number or like nothing."""
    return json.dumps(token, ensure_ascii=False)


def _said(samples: ForkSamples, at: ForkPosition, branch: Branch, pattern: OutcomePattern, distinct: bool) -> list[str]:
    """The outcomes of a branch's samples."""
    before = samples.before(at.position) + branch.token
    texts = dict.fromkeys(branch.continuations) if distinct else branch.continuations
    return [pattern(before + text) for text in texts]


def _counted(at: ForkPosition, said: Sequence[Sequence[str]], names: Sequence[str]) -> _Counted:
    numbers = {name: number for number, name in enumerate(names)}
    other = numbers[OTHER]
    outcomes = [np.array([numbers.get(name, other) for name in own]) for own in said]
    laws = np.array([np.bincount(own, minlength=len(names)) / len(own) for own in outcomes])
    weights = np.array([branch.probability for branch in at.branches])
    base = next(place for place, branch in enumerate(at.branches) if branch.base)
    return _Counted(at, weights / weights.sum(), outcomes, laws, base)


def _token_rows(
    samples: ForkSamples, counted: Sequence[_Counted], found: Segmentation, called: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    hazard = hazards(counted, EFFECT)
    nan = float("nan")
    change = np.append(changes(np.array([at.law for at in counted])), nan)
    posterior, steps = np.append(found.posterior, nan), np.append(called, False)
    return [
        {
            "position": at.at.position,
            "token": quoted(samples.tokens[at.at.position]),
            "n": len(at.outcomes[0]),
            "branches": len(at.weights),
            "entropy": nan if at.at.entropy is None else at.at.entropy,
            "posterior": float(posterior[i]),
            "called": bool(steps[i]),
            "change": float(change[i]),
            "hazard": float(hazard[i]),
            "survival": float(alive),
        }
        for i, (at, alive) in enumerate(zip(counted, survival(hazard), strict=True))
    ]


def _law_rows(counted: Sequence[_Counted], counts: NDArray[np.int64], names: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for at, own in zip(counted, counts, strict=True):
        n = int(own.sum())
        for name, count, weighted in zip(names, own.tolist(), at.law.tolist(), strict=True):
            row = {"position": at.at.position, "outcome": name, "n": n, "count": count, "weighted": weighted}
            rows.append(row | share_estimate(count, n).columns("share"))
    return rows


def _branch_rows(counted: Sequence[_Counted], names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "position": at.at.position,
            "number": place,
            "branch": quoted(branch.token),
            "base": place == at.base,
            "weight": float(at.weights[place]),
            "outcome": name,
            "n": len(at.outcomes[place]),
            "count": int((at.outcomes[place] == number).sum()),
            "share": float(at.laws[place, number]),
        }
        for at in counted
        for place, branch in enumerate(at.at.branches)
        for number, name in enumerate(names)
    ]


def _series_row(
    counts: NDArray[np.int64],
    found: Segmentation,
    called: NDArray[np.bool_],
    seed: int,
    nulls: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    law, sizes = counts.sum(0) / counts.sum(), counts.sum(1)
    factors = np.array([segmented(generator.multinomial(sizes, law)).log_bayes_factor for _ in range(nulls)])
    row = {
        "positions": len(counts),
        "samples": int(sizes[0]),
        "seed": seed,
        "change_probability": found.change_probability,
        "log_bayes_factor": found.log_bayes_factor,
        "nulls": nulls,
        "p_value": float((1 + (factors >= found.log_bayes_factor).sum()) / (1 + nulls)),
        "called": int(called.sum()),
    }
    return row | share_estimate(int((factors > np.log(STRONG)).sum()), nulls).columns("null_share")
