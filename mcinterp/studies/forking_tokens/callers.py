"""Which tokens are called forks: from samples, naively or by segmentation, and from the entropy of the next token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.forking import changes, total_variation
from mcinterp.analysis.segmentation import EFFECT, SURE, called_changes, segmented
from mcinterp.analysis.skewed_t import Floats
from mcinterp.studies.forking_tokens.series import Branches, Text

NAIVE, PROBABLE, STEP = "naive", "posterior", "posterior and effect"
CALLERS = (NAIVE, PROBABLE, STEP)
"""A change of the weighted estimates above `EFFECT`; a probable change of the law; one that is also large."""
ENTROPY = 0.3
"""A next token with more, in nats, is called by the rival that knows of no outcomes."""

Calls = NDArray[np.bool_]


def weighted_estimates(text: Text, samples: int, generator: np.random.Generator) -> Floats:
    """The authors' estimates of the laws before each token, Σ weight × share of the branch's samples, (T, outcome).

    Samples of a branch are exchangeable, so that their counts are multinomial draws of its exact law.
    """
    return np.array([at.weights @ _drawn(at.laws, samples, generator) for at in text.branches])


def mixture_draws(text: Text, samples: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Counts of texts that go on from before each token, (T, outcome): multinomial with the very laws."""
    return np.array([generator.multinomial(samples, _whole(law)) for law in text.laws])


def null_text(text: Text) -> Text:
    """The same text as if nothing in it mattered: one law, the mean of its own, everywhere."""
    law = text.laws.mean(0)
    branches = [Branches(at.weights, np.tile(law, (len(at.weights), 1)), at.base) for at in text.branches]
    nothing = np.zeros_like(text.change)
    return Text(
        text.start, np.tile(law, (len(text), 1)), law, branches, text.kinds, text.entropy, nothing, text.truth_change
    )


def naive_calls(estimates: Floats) -> Calls:
    """Of every token but the last: whether the estimates before and after it are more than `EFFECT` apart."""
    return changes(estimates) > EFFECT


def segmentation_calls(counts: NDArray[np.int64]) -> tuple[Mapping[str, Calls], float]:
    """The calls of the two others, of every token but the last, and the log Bayes factor of any change."""
    found = segmented(counts)
    calls = {PROBABLE: found.posterior > SURE, STEP: called_changes(counts, found.posterior)}
    return calls, found.log_bayes_factor


def all_calls(text: Text, samples: int, generator: np.random.Generator) -> dict[str, Calls]:
    """Every caller's, of fresh samples."""
    naive = naive_calls(weighted_estimates(text, samples, generator))
    return {NAIVE: naive, **segmentation_calls(mixture_draws(text, samples, generator))[0]}


def entropy_calls(text: Text) -> Calls:
    """Of every token but the last: whether it was uncertain."""
    return text.entropy[:-1] > ENTROPY


def sampled_branches(text: Text, samples: int, generator: np.random.Generator) -> list[Branches]:
    """The branches with shares of samples for laws."""
    return [Branches(at.weights, _drawn(at.laws, samples, generator), at.base) for at in text.branches]


def same_law_distances(text: Text, samples: int, generator: np.random.Generator, least: float) -> Iterator[float]:
    """How far apart samples of the text's branch and of another are, where their exact laws are closer than `least`."""
    for exact, drawn in zip(text.branches, sampled_branches(text, samples, generator), strict=True):
        close = total_variation(exact.laws, exact.laws[exact.base]) < least
        close[exact.base] = False
        yield from total_variation(drawn.laws[close], drawn.laws[exact.base]).tolist()


def _drawn(laws: Floats, samples: int, generator: np.random.Generator) -> Floats:
    return generator.multinomial(samples, _whole(laws)) / samples


def _whole(laws: Floats) -> Floats:
    """Laws whose rounding is taken away, which a multinomial draw refuses."""
    return laws / laws.sum(-1, keepdims=True)


def areas_under_curve(score: Sequence[float] | Floats, positive: Sequence[bool] | Calls) -> float:
    """Probability that a token that is a fork has the larger score than one that is none, ties halved."""
    from scipy.stats import rankdata

    positive = np.asarray(positive)
    n = int(positive.sum())
    if not 0 < n < len(positive):
        return float("nan")
    ranks = rankdata(np.asarray(score))
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))
