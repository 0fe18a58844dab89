"""What temperature trades, and whether paths are too short, exact: no path is sampled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mcinterp.analysis.skewed_t import CONFIDENCE, Floats
from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.stepwise_inference.likelihoods import Likelihoods, Ways, ways
from mcinterp.studies.stepwise_inference.runs import BERNOULLI, HIERARCHICAL, NAVIGATOR

TEMPERATURE = "temperature"
TEMPERATURES = (0.01, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
FALLING = 0.5
"""From this temperature on accuracy has to fall."""
DRAWS = (30, 300)
"""Samples of a pair, among which true paths are counted."""
RESAMPLED, SEED = 1000, 0

TRADE_COLUMNS = {
    "temperature": "logits are divided by it",
    "n": "held-out pairs, each with a few paths",
    **interval_columns("accuracy", "probability of any true path and PATH, of the model; exact for each pair"),
    **interval_columns("fall", "accuracy here less that at the temperature before, paired; empty at the first"),
    "oracle_accuracy": "the same of the path law at this temperature, the least of any pair",
    **interval_columns("found", f"share of a pair's paths among {DRAWS[0]} samples of the model, expected"),
    **interval_columns("oracle_found", "the same of the path law at this temperature"),
    **interval_columns("found_of_many", f"share of a pair's paths among {DRAWS[1]} samples of the model, expected"),
}
LENGTH_COLUMNS = {
    "graph": "its kind",
    "step": "of the checkpoint",
    "temperature": "logits are divided by it",
    "n": "held-out pairs, each with a few paths",
    **interval_columns("accuracy", "probability of any true path and PATH, of the model"),
    **interval_columns("raw", "edges of the model's true paths less those of the uniform law, on average"),
    **interval_columns("sharpened", "the same of the path law at this temperature"),
    **interval_columns(
        "bias",
        "edges of the model's true paths less those of the leaky oracle: the path law at this temperature, "
        "which at every node fails as often as the model",
    ),
    "largest": "largest size of that of any pair",
}
PEAK_COLUMNS = {
    "samples": "of each pair",
    "n": "pairs",
    **interval_columns("peak", "temperature at which most of a pair's paths are found (bootstrap over pairs)"),
}


def temperature(runs: Mapping[str, Run]) -> Result:
    """The trade-off and the lengths of paths in a Bernoulli graph, and lengths where all of them are alike.

    Args:
        runs: by name, the own run under ''.
    """
    own, every = runs[""], runs[NAVIGATOR]
    task = every.checkpoint().task
    found = ways(task, SEED)
    trade, peaks = _trade(Likelihoods.of(every.checkpoint().model, task, found), found) if found.n_pairs else ([], [])
    lengths = [*_lengths(BERNOULLI, every), *_lengths(BERNOULLI, every, early=True), *_lengths(HIERARCHICAL, own)]
    tables = {
        "trade": Table.of(TRADE_COLUMNS, trade),
        "peaks": Table.of(PEAK_COLUMNS, peaks),
        "lengths": Table.of(LENGTH_COLUMNS, lengths),
    }
    facts = {"longest": task.config.longest, "paths": len(found.pair), "step": every.steps[-1]}
    return Result(TEMPERATURE, "Temperature, and the length of paths", {"seed": SEED}, facts, tables)


def _lengths(graph: str, run: Run, early: bool = False) -> Iterator[dict[str, Any]]:
    """Rows of the last checkpoint at every temperature, or of those before it at temperature 1."""
    found = ways(run.checkpoint().task, SEED)
    for step in (run.steps[:-1] if early else run.steps[-1:]) if found.n_pairs else ():
        checkpoint = run.checkpoint(step)
        likelihoods = Likelihoods.of(checkpoint.model, checkpoint.task, found)
        for each in (1.0,) if early else TEMPERATURES:
            yield _length(graph, step, likelihoods, found, each)


def by_pair(found: Ways, values: Floats) -> Floats:
    """Sums over the paths of each pair, (pair, …)."""
    sums = np.zeros((found.n_pairs, *values.shape[1:]))
    np.add.at(sums, found.pair.numpy(), values)
    return sums


def found_among(found: Ways, log: Floats, draws: int) -> Floats:
    """Expected share of each pair's paths among so many samples, from the logarithms of their probabilities."""
    # 1 − (1 − p)^m, so that small p lose nothing.
    there = -np.expm1(draws * np.log1p(-np.exp(np.minimum(log, -1e-15))))
    return by_pair(found, there) / by_pair(found, np.ones_like(there))


def mean_length(found: Ways, log: Floats) -> Floats:
    """Edges of each pair's paths, on average over those that are taken, from logarithms of their probabilities."""
    largest = np.full(found.n_pairs, -np.inf)
    np.maximum.at(largest, found.pair.numpy(), log)
    weight = np.exp(log - largest[found.pair.numpy()])
    return by_pair(found, weight * found.length.numpy()) / by_pair(found, weight)


def _trade(likelihoods: Likelihoods, found: Ways) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row a temperature, and where most paths are found."""
    model, oracle = ([each(t) for t in TEMPERATURES] for each in (likelihoods.path, likelihoods.sharpened))
    accuracy = [by_pair(found, np.exp(log)) for log in model]
    few, many = ([found_among(found, log, draws) for log in model] for draws in DRAWS)
    rows = []
    for at, each in enumerate(TEMPERATURES):
        before = accuracy[at - 1] if at else np.full_like(accuracy[0], np.nan)
        rows.append(
            {
                "temperature": each,
                "n": found.n_pairs,
                **mean_estimate(accuracy[at]).columns("accuracy"),
                **mean_estimate(accuracy[at] - before).columns("fall"),
                "oracle_accuracy": float(by_pair(found, np.exp(oracle[at])).min()),
                **mean_estimate(few[at]).columns("found"),
                **mean_estimate(found_among(found, oracle[at], DRAWS[0])).columns("oracle_found"),
                **mean_estimate(many[at]).columns("found_of_many"),
            }
        )
    return rows, [_peak(draws, np.stack(shares, 1)) for draws, shares in zip(DRAWS, (few, many), strict=True)]


def _peak(draws: int, shares: Floats) -> dict[str, Any]:
    """Where the mean over pairs is largest, (pair, temperature), with a percentile interval."""
    temperatures = np.array(TEMPERATURES)
    generator = np.random.default_rng(SEED)
    drawn = generator.integers(len(shares), size=(RESAMPLED, len(shares)))
    peaks = temperatures[shares[drawn].mean(1).argmax(1)]
    low, high = np.quantile(peaks, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="inverted_cdf")
    peak = float(temperatures[shares.mean(0).argmax()])
    return {"samples": draws, "n": len(shares), "peak": peak, "peak_low": float(low), "peak_high": float(high)}


def _length(graph: str, step: int, likelihoods: Likelihoods, found: Ways, temperature: float) -> dict[str, Any]:
    """How far the lengths of true paths are from those of the references."""
    model, sharpened, leaky = (
        mean_length(found, each(temperature)) for each in (likelihoods.path, likelihoods.sharpened, likelihoods.leaky)
    )
    law = mean_length(found, np.zeros(len(found.pair)))
    return {
        "graph": graph,
        "step": step,
        "temperature": temperature,
        "n": found.n_pairs,
        **mean_estimate(by_pair(found, np.exp(likelihoods.path(temperature)))).columns("accuracy"),
        **mean_estimate(model - law).columns("raw"),
        **mean_estimate(sharpened - law).columns("sharpened"),
        **mean_estimate(model - leaky).columns("bias"),
        "largest": float(np.abs(model - leaky).max()),
    }
