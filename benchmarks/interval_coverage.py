"""How often 95 % intervals hold the truth on the shipped runs: python benchmarks/interval_coverage.py [RUN …].

For each run, on the plateau and at the last step: what every matrix of a large batch adds to each kind of estimate is
computed once, and its average over all of them is taken for the truth. Then small batches are drawn from them, and each
gives an estimate with its interval. Prints the share of intervals that hold the truth, that lie below it, and above it.
Rates of 1,000 draws are uncertain by 1.4 percentage points, those of slow kinds, drawn 400 times, by 2. Static scores,
whose average maps are made anew in every draw, are drawn 100 times, all heads of a row side by side. At the end, the
grouping of simulated positions, which has no batch to be drawn from.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from mcinterp.analysis.passes.geometry import grouping, variance_explained
from mcinterp.analysis.passes.head_patterns import average_maps
from mcinterp.analysis.passes.probe_fits import fitted
from mcinterp.analysis.sample_scores import SampleScores
from mcinterp.analysis.statistics import (
    Estimate,
    Floats,
    crossed_estimate,
    mean_estimate,
    pooled_estimate,
    ratio_estimate,
)
from mcinterp.model.blocks import Blocks
from mcinterp.model.components import Component, transplant
from mcinterp.model.plain import load_weights
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.entry_errors import EntryErrors
from mcinterp.studies.matrix_completion.passes import permutations
from mcinterp.studies.matrix_completion.static_scores import StaticScores

ROOT = Path(__file__).parents[1] / "checkpoints"
MATRICES, CROSSED, ORDERS, CELLS, MAPS = 6000, 300, 24, 200, 768
COLUMNS, SHUFFLES = np.tile(np.arange(5), 5), 2000
RARITY = (0.0, 0.02, 0.05, 0.2, 1.0)
Draw = Callable[[np.random.Generator], Estimate]


@dataclass(frozen=True)
class Kind:
    """A kind of estimate from n samples: what draws one (or several side by side), the truth, and how often."""

    name: str
    n: int
    draw: Draw
    truth: np.ndarray
    times: int = 1000

    def row(self, generator: np.random.Generator) -> str:
        """Coverage, misses on either side, and the share that has no interval, as a line of a table."""
        found = [self.draw(generator) for _ in range(self.times)]
        low, high = (np.concatenate([np.atleast_1d(getattr(one, end)) for one in found]) for end in ("low", "high"))
        truth, known = np.resize(self.truth, len(low)), ~np.isnan(low)
        rates = [(low <= truth) & (truth <= high), high < truth, low > truth]
        shown = " | ".join(f"{rate[known].mean():.3f}" for rate in rates) if known.any() else "– | – | –"
        return f"{self.name} | {self.n} | {shown} | {1 - known.mean():.2f}"


def main(*names: str) -> None:
    """Print one table for all runs."""
    torch.set_num_threads(1)
    print("| run | step | estimate | n | holds the truth | below it | above it | none given |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names or ("tiny", "7x7-rank1"):
        run = Run(ROOT / name)
        for step in (run.select_steps("auto")[0], run.steps[-1]):
            for kind in kinds(run, step):
                print(f"| {name} | {step} | {kind.row(np.random.default_rng(1))} |", flush=True)
    for kind in of_groupings():
        print(f"| simulated | – | {kind.row(np.random.default_rng(1))} |", flush=True)


@torch.no_grad()
def kinds(run: Run, step: int) -> Iterator[Kind]:
    """Every kind of estimate on one checkpoint; what is switched comes from, or goes into, the other one."""
    checkpoint = run.checkpoint(step)
    other = run.checkpoint(run.steps[-1] if step != run.steps[-1] else run.select_steps("auto")[0])
    yield from of_errors(checkpoint, other)
    yield from of_cells(checkpoint)
    yield from of_positions(checkpoint)
    yield from of_static_heads(checkpoint)
    yield from of_probes(checkpoint)


def of_errors(checkpoint: Checkpoint, other: Checkpoint) -> Iterator[Kind]:
    """Errors of one model, their change under switches, their ratio to those of 0, and `moved`."""
    task, batch = checkpoint.task, checkpoint.sample(MATRICES, 1)
    model = copy.deepcopy(checkpoint.model)

    def scores(weights: dict[str, torch.Tensor]) -> SampleScores:
        load_weights(model, weights, source="the switched model")
        return SampleScores.told(task, Blocks(model).complete(batch.inputs), batch)

    clean, donor = scores(checkpoint.weights), scores(other.weights)
    zero = SampleScores.told(task, task.zero_answers(batch), batch)
    below, counts = donor.sums["masked"] - clean.sums["masked"], clean.counts
    for name, label in (("masked", "L_mask"), ("observed", "L_obs")):
        yield from _pooled(label, clean.sums[name], counts[name], (64, 128, 256, 512, 1024))
    yield from _pooled("ratio to answering 0", clean.sums["masked"], zero.sums["masked"], (256, 512))
    for component in ("attention", "mlp"):
        part = Component.parse(component, checkpoint.weights)
        change = scores(transplant(other.weights, checkpoint.weights, part)).sums["masked"] - clean.sums["masked"]
        yield from _pooled(f"change, {component} switched", change, counts["masked"], (64, 128, 256, 512))
        truth = np.array(change.sum() / below.sum())
        for n in (256, 512):
            yield Kind(f"moved, {component}", n, _drawn(ratio_estimate, n, change, below), truth)


def _pooled(name: str, sums: np.ndarray, counts: np.ndarray, sizes: tuple[int, ...]) -> Iterator[Kind]:
    for n in sizes:
        yield Kind(name, n, _drawn(pooled_estimate, n, sums, counts), np.array(sums.sum() / counts.sum()))


def _drawn(estimate: Callable[..., Estimate], n: int, *parts: np.ndarray) -> Draw:
    def draw(generator: np.random.Generator) -> Estimate:
        chosen = generator.integers(0, len(parts[0]), n)
        return estimate(*(part[chosen] for part in parts))

    return draw


def of_cells(checkpoint: Checkpoint) -> Iterator[Kind]:
    """Cells of attention maps, by how many matrices carry them: (Σ a)² / Σ a² as a share of all."""
    batch, generator = checkpoint.sample(MATRICES, 2), np.random.default_rng(0)
    blocks, n_pos = Blocks(checkpoint.model), checkpoint.model.n_positions
    n_heads = blocks.blocks[0].n_heads
    chosen = [generator.choice(n_heads * n_pos**2, CELLS, replace=False) for _ in blocks.blocks]
    parts = [
        np.concatenate([p.flatten(1)[:, c].numpy() for p, c in zip(blocks.patterns(tokens), chosen, strict=True)], 1)
        for tokens in batch.inputs.split(500)
    ]
    cells = np.concatenate(parts).astype(np.float64)
    carried = cells.mean(0) ** 2 / (cells**2).mean(0)
    for least, most in pairwise(RARITY):
        own = cells[:, (least < carried) & (carried <= most)]
        name = f"{own.shape[1]} attention cells of {least:.0%} to {most:.0%}"
        for n in (256, 512) if own.shape[1] else ():
            yield Kind(name, n, _drawn(mean_estimate, n, own), own.mean(0), 400)


def of_positions(checkpoint: Checkpoint) -> Iterator[Kind]:
    """Change of L_mask under permuted positions, over matrices and permutations."""
    batch, blocks = checkpoint.sample(CROSSED, 3), Blocks(checkpoint.encoder)
    before = EntryErrors.of(blocks.complete(batch.inputs), batch.targets, batch)
    counts = before.counts["masked"]
    for label, draw in (("row", permutations.within_columns), ("column", permutations.within_rows)):
        changes = []
        for order in draw(*batch.shape, ORDERS, np.random.default_rng(4)):
            output = blocks.with_positions(order.tolist()).complete(batch.inputs)
            changes.append(EntryErrors.of(output, batch.targets, batch).sums["masked"] - before.sums["masked"])
        sums = np.stack(changes, axis=1)
        truth = np.array(sums.mean(1).sum() / counts.sum())
        yield Kind(f"{label} membership broken by 8", 256, _crossed(sums, counts), truth)


def _crossed(sums: np.ndarray, counts: np.ndarray) -> Draw:
    def draw(generator: np.random.Generator) -> Estimate:
        chosen, orders = generator.integers(0, len(sums), 256), generator.integers(0, sums.shape[1], 8)
        return crossed_estimate(sums[np.ix_(chosen, orders)], counts[chosen])

    return draw


def of_static_heads(checkpoint: Checkpoint) -> Iterator[Kind]:
    """How static heads are beyond what families explain, a layer at a time: those whose average map has any of it."""
    conditions = checkpoint.task.head_classes().conditions.values()
    blocks, scores = Blocks(checkpoint.model), StaticScores(*checkpoint.sample(1, 5).shape)
    inputs = [checkpoint.sample(MAPS, 5, **choice).inputs for choice in conditions]
    for layer, maps in enumerate(zip(*(blocks.patterns(each) for each in inputs), strict=True)):
        truth = scores.of_samples(maps, average_maps(maps)).double().mean(0).numpy()
        for words, chosen in (("above 0.05", truth > 0.05), ("up to 0.05", truth <= 0.05)):
            if chosen.any():
                name = f"static score of layer {layer}, {chosen.sum()} heads {words}"
                own = [each[:, torch.from_numpy(chosen)] for each in maps]
                yield Kind(name, 128, _static(scores, own), truth[chosen], 100)


def _static(scores: StaticScores, maps: Sequence[torch.Tensor]) -> Draw:
    def draw(generator: np.random.Generator) -> Estimate:
        chosen = torch.from_numpy(generator.integers(0, len(maps[0]), 128))
        drawn = [each[chosen] for each in maps]
        return mean_estimate(scores.of_samples(drawn, average_maps(drawn)).double().numpy())

    return draw


def of_probes(checkpoint: Checkpoint) -> Iterator[Kind]:
    """Errors of probes of all targets and layers, and what they gain over their controls, on other matrices."""
    train, test = checkpoint.sample(2048, 6), checkpoint.sample(3000, 7)
    own, others = checkpoint.task.probe_targets(train), checkpoint.task.probe_targets(test)
    blocks, everything = Blocks(checkpoint.model), slice(0, 3000)
    probes = fitted(blocks, train.inputs, own, np.random.default_rng(0).permutation(2048))
    errors: list[np.ndarray] = []
    for layer, resid in enumerate(blocks.residual_stream(test.inputs)):
        predicted = probes[layer].predictions(resid)
        for target, truth in others.at(everything).items():
            squares = [((answer - truth) ** 2).mean(-1) for answer in predicted[target]]
            for weight in others.places(target, everything).values():
                errors.append(np.stack([weight.sum(1), *((one * weight).sum(1) for one in squares)]))
    counts, probe, control = np.stack(errors, axis=-1)
    for name, sums, below in (
        ("test_mse", probe, counts),
        ("gain", control - probe, counts),
        ("control_ratio", probe, control),
    ):
        truth = sums.sum(0) / below.sum(0)
        yield Kind(f"{name} of {len(truth)} probes", 256, _drawn(pooled_estimate, 256, sums, below), truth, 400)


def of_groupings() -> Iterator[Kind]:
    """The variance between groups of simulated positions, less that of shuffled labels."""
    for share in (0.0, 0.2):
        for falls, words in ((4, "a few directions"), (1000, "all directions")):
            generator = np.random.default_rng(0)
            # With equal groups, shuffled labels have (groups − 1) / (positions − 1) in the mean, exactly.
            explained = [variance_explained(grouped(share, generator, falls), COLUMNS) for _ in range(5000)]
            name = f"grouping, {share:.0%} of the scatter, in {words}"
            yield Kind(name, 25, _grouping(share, falls), np.mean(explained) - 4 / 24, 400)


def grouped(share: float, generator: np.random.Generator, falls: float) -> Floats:
    """Positions (25, 64) with this share of their scatter between columns; `falls` says over how few directions."""
    scales = np.exp(-np.arange(64) / falls / 2)
    means, noise = generator.normal(size=(5, 64)) * scales, generator.normal(size=(25, 64)) * scales
    means -= means.mean(0)
    means *= np.sqrt(share / (1 - share) * (scales**2).sum() * 5 / (means**2).sum())
    return np.asarray(means[COLUMNS] + noise)


def _grouping(share: float, falls: float) -> Draw:
    def draw(generator: np.random.Generator) -> Estimate:
        found = grouping(grouped(share, generator, falls), COLUMNS, SHUFFLES, int(generator.integers(2**31)))
        return Estimate(
            *(np.array(each) for each in (found.excess, found.excess_low, found.excess_high, found.p_value))
        )

    return draw


if __name__ == "__main__":
    main(*sys.argv[1:])
