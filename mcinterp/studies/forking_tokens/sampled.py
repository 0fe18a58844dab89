"""What samples show of forks: callers against the exact laws, halves of the samples, series without forks, hazards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcinterp.analysis.forking import hazards, survival
from mcinterp.analysis.segmentation import EFFECT, segmented
from mcinterp.analysis.statistics import interval_columns, share_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.forking_tokens.callers import (
    CALLERS,
    STEP,
    Calls,
    all_calls,
    mixture_draws,
    naive_calls,
    null_text,
    same_law_distances,
    sampled_branches,
    segmentation_calls,
    weighted_estimates,
)
from mcinterp.studies.forking_tokens.forks import is_fork
from mcinterp.studies.forking_tokens.series import Text, all_texts, over_starts, share_of

SAMPLED = "sampled"
SAMPLES = (10, 30, 100, 300)
AUTHORS = 30
"""Samples a branch that the authors took."""
SHOWN = (30, 300)
"""Samples of the text that is drawn."""
EXAMPLE_AXES = {
    "example_law": ["samples", "token", "outcome"],
    "example_posterior": ["samples", "token but the last"],
}
FLAT = 0.02
"""A token that changes the exact law by less changes nothing."""
NULLS = 2
"""Series without forks for each text."""
STRONG = 9.0
"""A Bayes factor above it is evidence for a change, as the authors take it."""

CALLER_COLUMNS = {
    "samples": "a branch, or of a position's mixture of branches",
    "caller": "naive: the authors' weighted estimates before and after differ by more than 0.2; posterior: a change of "
    "the law is more probable than none; posterior and effect: and the laws on either side differ by more than 0.2",
    "n": "tokens, ends left out",
    "seed": "of the samples",
    "calls": "tokens that are called",
    **interval_columns("precision", "share of the calls at which the exact law changes by more than 0.2"),
    **interval_columns("recall", "share of such tokens that are called"),
    **interval_columns("false", f"share called of the tokens at which the exact law changes by less than {FLAT:g}"),
    **interval_columns("found_again", "share of the calls that as many fresh samples call, too"),
    **interval_columns("by_chance", "the same if the fresh calls stood anywhere in their texts"),
}
HAZARD_COLUMNS = {
    "samples": "a branch",
    "n": "texts of the model",
    "seed": "of the samples",
    **interval_columns("exact", "hazards of a text's tokens by the exact laws, together"),
    **interval_columns("sampled", "the same by the samples"),
    **interval_columns("inflation", "sampled over exact"),
    "survival": "mean survival at the ends of texts, exact",
    "survival_sampled": "the same by the samples",
}
SAME_COLUMNS = {
    "samples": "a branch",
    "n": f"pairs of branches with laws less than {FLAT:g} apart, the text's own in each",
    "apart": "of them that differ by more than 0.2 in their samples",
    "share": "apart over n",
}
NULL_COLUMNS = {
    "samples": "a branch, or of a position's mixture of branches",
    "n": "series of one law, the mean of a text's own",
    "seed": "of the samples",
    "naive": "share of tokens that the naive caller calls",
    "step": "share that posterior and effect call",
    **interval_columns("strong", f"share of series with a Bayes factor above {STRONG:g} (exact binomial interval)"),
}
CURVE_COLUMNS = {
    "samples": "a branch; 0 is exact",
    "place": "share of a text's length",
    "survival": "mean over texts",
}


def sampled(result: Result, seed: int) -> Result:
    """Draw counts of samples from the exact laws, and hold what is called to these.

    Args:
        result: of `laws`, stored.
        seed: of the draws; each number of samples has draws of its own.
    """
    texts = all_texts(result)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("callers", "hazard", "same_law", "null")}
    for samples in SAMPLES:
        rows["callers"] += _caller_rows(texts, samples, seed)
        rows["hazard"].append(_hazard_row(texts, samples, seed))
        rows["same_law"].append(_same_row(texts, samples, seed))
        rows["null"].append(_null_row(texts, samples, seed))
    columns = {"callers": CALLER_COLUMNS, "hazard": HAZARD_COLUMNS, "same_law": SAME_COLUMNS, "null": NULL_COLUMNS}
    tables = {name: Table.of(columns[name], rows[name]) for name in columns}
    tables["survival"] = Table.of(CURVE_COLUMNS, _curve_rows(texts, seed))
    example, arrays = _example(texts, seed)
    facts = {"authors": AUTHORS, "example": example, "axes": EXAMPLE_AXES}
    return Result(SAMPLED, "What samples show", {"seed": seed}, facts, tables, arrays)


def example_text(texts: Sequence[Text]) -> int:
    """The text that is drawn: the first of those with most forks."""
    return int(np.argmax([is_fork(text).sum() for text in texts]))


def _example(texts: Sequence[Text], seed: int) -> tuple[int, dict[str, np.ndarray]]:
    """A text's weighted estimates and change posteriors, by the number of samples."""
    number, laws, posteriors = example_text(texts), [], []
    for samples in SHOWN:
        generator = _generator(seed, samples, 6)
        laws.append(weighted_estimates(texts[number], samples, generator))
        posteriors.append(segmented(mixture_draws(texts[number], samples, generator)).posterior)
    return number, {"example_law": np.array(laws), "example_posterior": np.array(posteriors)}


def _generator(seed: int, samples: int, what: int) -> np.random.Generator:
    return np.random.default_rng([seed, samples, what])


def _caller_rows(texts: Sequence[Text], samples: int, seed: int) -> list[dict[str, Any]]:
    generator = _generator(seed, samples, 1)
    halves = [[all_calls(text, samples, generator) for text in texts] for _ in range(2)]
    return [
        _caller_row(texts, [own[caller] for own in halves[0]], [own[caller] for own in halves[1]])
        | {"samples": samples, "caller": caller, "seed": seed}
        for caller in CALLERS
    ]


def _caller_row(texts: Sequence[Text], calls: Sequence[Calls], fresh: Sequence[Calls]) -> dict[str, Any]:
    forks = [is_fork(text) for text in texts]
    flat = [text.change[:-1] < FLAT for text in texts]
    anywhere = [float(one.sum() * other.mean()) for one, other in zip(calls, fresh, strict=True)]
    by_chance = over_starts(anywhere, [float(one.sum()) for one in calls], [text.start for text in texts])
    return {
        "n": sum(map(len, calls)),
        "calls": int(sum(one.sum() for one in calls)),
        **share_of(forks, calls, texts).columns("precision"),
        **share_of(calls, forks, texts).columns("recall"),
        **share_of(calls, flat, texts).columns("false"),
        **share_of(fresh, calls, texts).columns("found_again"),
        **by_chance.columns("by_chance"),
    }


def _hazard_row(texts: Sequence[Text], samples: int, seed: int) -> dict[str, Any]:
    generator = _generator(seed, samples, 2)
    exact = [hazards(text.branches, EFFECT) for text in texts]
    drawn = [hazards(sampled_branches(text, samples, generator), EFFECT) for text in texts]
    starts, ones = [text.start for text in texts], np.ones(len(texts))
    sums = [[float(one.sum()) for one in each] for each in (exact, drawn)]
    return {
        "samples": samples,
        "n": len(texts),
        "seed": seed,
        **over_starts(sums[0], ones, starts).columns("exact"),
        **over_starts(sums[1], ones, starts).columns("sampled"),
        **over_starts(sums[1], sums[0], starts).columns("inflation"),
        "survival": float(np.mean([survival(one)[-1] for one in exact])),
        "survival_sampled": float(np.mean([survival(one)[-1] for one in drawn])),
    }


def _same_row(texts: Sequence[Text], samples: int, seed: int) -> dict[str, Any]:
    generator = _generator(seed, samples, 3)
    distances = [each for text in texts for each in same_law_distances(text, samples, generator, FLAT)]
    apart = int((np.array(distances) > EFFECT).sum())
    share = apart / len(distances) if distances else float("nan")
    return {"samples": samples, "n": len(distances), "apart": apart, "share": share}


def _null_row(texts: Sequence[Text], samples: int, seed: int) -> dict[str, Any]:
    generator = _generator(seed, samples, 4)
    nulls = [null_text(text) for text in texts for _ in range(NULLS)]
    naive = [naive_calls(weighted_estimates(text, samples, generator)) for text in nulls]
    found = [segmentation_calls(mixture_draws(text, samples, generator)) for text in nulls]
    strong = int(sum(factor > np.log(STRONG) for _, factor in found))
    return {
        "samples": samples,
        "n": len(nulls),
        "seed": seed,
        "naive": float(np.concatenate(naive).mean()),
        "step": float(np.concatenate([calls[STEP] for calls, _ in found]).mean()),
        **share_estimate(strong, len(nulls)).columns("strong"),
    }


def _curve_rows(texts: Sequence[Text], seed: int) -> list[dict[str, Any]]:
    """Mean survival at shares of the texts' lengths, exact and by samples."""
    places = np.linspace(0, 1, 21)
    rows = []
    for samples in (0, *SAMPLES):
        generator = _generator(seed, samples, 5)
        curves = []
        for text in texts:
            branches = sampled_branches(text, samples, generator) if samples else text.branches
            alive = np.append(1.0, survival(hazards(branches, EFFECT)))
            curves.append(alive[np.round(places * (len(alive) - 1)).astype(int)])
        means = np.mean(curves, 0)
        rows += [
            {"samples": samples, "place": float(place), "survival": float(mean)}
            for place, mean in zip(places, means, strict=True)
        ]
    return rows
