"""A 95 % interval covers the truth as often as it says on what the trained models' errors and attention are like.

What every matrix adds to an estimate is computed once for a few thousand of them, which are then the population: small
batches are drawn from it, and its own average is the truth. `benchmarks/interval_coverage.py` does the same on more,
for every kind.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mcinterp.analysis.sample_scores import SampleScores
from mcinterp.analysis.statistics import Estimate, crossed_estimate, mean_estimate, pooled_estimate, ratio_estimate
from mcinterp.model.blocks import Blocks
from mcinterp.model.components import Component, transplant
from mcinterp.model.plain import load_weights
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.entry_errors import EntryErrors
from mcinterp.studies.matrix_completion.passes.permutations import within_columns

pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parents[2] / "checkpoints"
POPULATION, TRIALS = 2500, 2000
Population = dict[str, np.ndarray]


def errors(name: str, step: str) -> Population:
    """Errors of a checkpoint, (matrix,), as it is and with the other one's attention, and the other one's own."""
    run = Run(ROOT / name)
    steps = {"plateau": run.select_steps("auto")[0], "last": run.steps[-1]}
    here, there = run.checkpoint(steps.pop(step)), run.checkpoint(*steps.values())
    batch, model = here.sample(POPULATION, 1), copy.deepcopy(here.model)
    attention = Component.parse("attention", here.weights)
    found: Population = {}
    for label, weights in (
        ("own", here.weights),
        ("donor", there.weights),
        ("switched", transplant(there.weights, here.weights, attention)),
    ):
        load_weights(model, weights, source="the switched model")
        scores = SampleScores.told(here.task, Blocks(model).complete(batch.inputs), batch)
        found |= {f"{label} {entries}": scores.sums[entries] for entries in ("masked", "observed")}
        found |= {entries: scores.counts[entries] for entries in ("masked", "observed")}
    return found


@pytest.fixture(scope="module", params=[(run, at) for run in ("tiny", "7x7-rank1") for at in ("plateau", "last")])
def population(request: pytest.FixtureRequest) -> Population:
    return errors(*request.param)


@pytest.fixture(scope="module")
def tiny() -> Checkpoint:
    return Run(ROOT / "tiny").checkpoint("last")


def pooled_coverage(n: int, sums: np.ndarray, counts: np.ndarray) -> float:
    """Share of intervals of pooled estimates of n drawn that hold that of the population."""
    chosen = np.random.default_rng(7).integers(0, len(sums), (n, TRIALS))
    found, truth = pooled_estimate(sums[chosen], counts[chosen]), sums.sum() / counts.sum()
    return float(((found.low <= truth) & (truth <= found.high)).mean())


def coverage(
    estimate: Callable[..., Estimate], n: int, truth: np.ndarray, *parts: np.ndarray, trials: int = 400
) -> np.ndarray:
    """Share of intervals of n drawn from the parts that hold the truth, of its shape."""
    generator, held = np.random.default_rng(7), np.zeros(np.shape(truth))
    for _ in range(trials):
        chosen = generator.integers(0, len(parts[0]), n)
        found = estimate(*(part[chosen] for part in parts))
        held += (found.low <= truth) & (truth <= found.high)
    return held / trials


@pytest.mark.parametrize("n", [64, 256])
def test_of_the_masked_error(population: Population, n: int) -> None:
    sums, counts = population["own masked"], population["masked"]
    assert 0.93 <= pooled_coverage(n, sums, counts) <= 0.97


@pytest.mark.parametrize("n", [64, 256])
def test_of_its_change_with_other_attention(population: Population, n: int) -> None:
    change, counts = population["switched masked"] - population["own masked"], population["masked"]
    assert 0.93 <= pooled_coverage(n, change, counts) <= 0.97


def test_of_the_part_of_the_way_to_the_donor(population: Population) -> None:
    change, gap = (population[f"{label} masked"] - population["own masked"] for label in ("switched", "donor"))
    assert 0.92 <= coverage(ratio_estimate, 256, change.sum() / gap.sum(), change, gap) <= 0.98


@pytest.mark.parametrize("n", [512])
def test_of_the_observed_error_that_few_matrices_carry(population: Population, n: int) -> None:
    """Some models copy all matrices but a few well: these may be missing from a batch, and nothing in it says so."""
    sums, counts = population["own observed"], population["observed"]
    assert 0.91 <= pooled_coverage(n, sums, counts) <= 0.97


@torch.no_grad()
def test_of_cells_of_attention_maps(tiny: Checkpoint) -> None:
    batch, generator = tiny.sample(POPULATION, 2), np.random.default_rng(0)
    chosen = generator.choice(8 * 25**2, 150, replace=False)
    parts = [Blocks(tiny.model).patterns(tokens) for tokens in batch.inputs.split(500)]
    cells = np.concatenate([next(part).flatten(1)[:, chosen].double().numpy() for part in parts])
    carried = cells.mean(0) ** 2 / (cells**2).mean(0)
    cells = cells[:, carried > 0.05]
    assert cells.shape[1] > 75
    held = coverage(mean_estimate, 512, cells.mean(0), cells, trials=200)
    assert 0.935 <= held.mean() <= 0.965
    assert held.min() > 0.85


@torch.no_grad()
def test_of_permuted_positions_over_matrices_and_permutations(tiny: Checkpoint) -> None:
    batch, blocks = tiny.sample(300, 3), Blocks(tiny.encoder)
    before = EntryErrors.of(blocks.complete(batch.inputs), batch.targets, batch)
    counts, changes = before.counts["masked"], []
    for order in within_columns(5, 5, 24, np.random.default_rng(4)):
        output = blocks.with_positions(order.tolist()).complete(batch.inputs)
        changes.append(EntryErrors.of(output, batch.targets, batch).sums["masked"] - before.sums["masked"])
    sums, orders = np.stack(changes, axis=1), np.random.default_rng(5)

    def of_eight(some: np.ndarray, weights: np.ndarray) -> Estimate:
        return crossed_estimate(some[:, orders.integers(0, 24, 8)], weights)

    def of_matrices_alone(some: np.ndarray, weights: np.ndarray) -> Estimate:
        return pooled_estimate(some[:, orders.integers(0, 24, 8)].mean(1), weights)

    truth = sums.mean(1).sum() / counts.sum()
    assert 0.92 <= coverage(of_eight, 256, truth, sums, counts) <= 0.98
    assert coverage(of_matrices_alone, 256, truth, sums, counts) < 0.93
