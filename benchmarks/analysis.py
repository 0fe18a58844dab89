"""How fast a checkpoint is analysed: python benchmarks/analysis.py [ROUNDS] [THREADS].

Takes in turn, on models with random weights, each pass of the package and the plain way of doing the same: one hooked
forward pass of the whole model for each set of heads, numpy's least squares with everything in memory, hooked passes
whose activations are all kept, and one cvxpy problem a matrix, built anew. The plain way is run on a part of the work
and scaled by count where the table says so. Prints ratios and stores them in results/analysis.csv.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
import torch
from measure import interleaved, ratio, store
from nuclear_norm import SWEEP, problems

import mcinterp
from mcinterp.analysis import PASSES, analyse
from mcinterp.analysis.passes.head_patterns import average_maps
from mcinterp.analysis.passes.probes import linear_probes
from mcinterp.analysis.passes.taxonomy import head_taxonomy
from mcinterp.analysis.registry import defined_for
from mcinterp.model import Head, HeadSet, intervene
from mcinterp.model.head_sweep import HeadChange, HeadSweep
from mcinterp.model.interventions import replaced_z, uniform_pattern
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.baselines import nuclear_norm_completion

SHAPES = {"2 layers × 8 heads, d_model 64, 5 × 5": "tiny", "4 layers × 8 heads, d_model 128, 7 × 7": "small"}
DEEPER = {"tiny": (), "small": ("model.n_layers=4", "model.d_model=128", "model.d_mlp=512")}
SWEPT, PROBED, SHARE = {"tiny": 512, "small": 64}, {"tiny": 2048, "small": 256}, 8
SOLVED, SOLVED_ALONE = 512, 8

Row = dict[str, object]


def main(rounds: str = "3", threads: str = "1") -> None:
    """Time every row."""
    torch.set_num_threads(int(threads))
    rows = [row for name, preset in SHAPES.items() for row in _model_rows(name, preset, int(rounds))]
    rows += _nuclear_rows(int(rounds))
    rows.append(_report_row())
    store("analysis", [{"threads": threads, **row} for row in rows])


def untrained(preset: str) -> Checkpoint:
    """A model of a preset's shape, with random weights."""
    return Checkpoint.untrained(mcinterp.load_preset(preset, DEEPER[preset]), seed=0)


def single_heads(checkpoint: Checkpoint) -> list[HeadSet]:
    """Every head on its own."""
    shape = checkpoint.config.model
    return [
        HeadSet.of(str(Head(*pair)), [Head(*pair)]) for pair in product(range(shape.n_layers), range(shape.n_heads))
    ]


def _model_rows(name: str, preset: str, rounds: int) -> Iterator[Row]:
    checkpoint = untrained(preset)
    heads = single_heads(checkpoint)
    tokens, other = (checkpoint.sample(SWEPT[preset], seed).inputs for seed in (0, 1))
    # Every eighth head alone, one of every layer: a hooked pass takes as long whichever head it is for.
    some = heads[::SHARE]
    scaled = f"hooked pass of the whole model a head, {len(some)} heads × {SHARE}"
    yield _row(
        f"ablation, every head alone: {name}",
        f"{len(tokens)} matrices",
        lambda: ablated(checkpoint, tokens, heads),
        lambda: ablated_plainly(checkpoint, tokens, some),
        scaled,
        rounds,
        SHARE,
    )
    yield _row(
        f"patching, every head alone: {name}",
        f"{len(tokens)} matrices",
        lambda: patched(checkpoint, tokens, other, heads),
        lambda: patched_plainly(checkpoint, tokens, other, some),
        scaled,
        rounds,
        SHARE,
    )
    few = PROBED[preset]
    yield _row(
        f"probes of all layers: {name}",
        f"{few} + 256 matrices",
        lambda: linear_probes(checkpoint, few),
        lambda: probed_plainly(checkpoint, few),
        "hooked pass, np.linalg.lstsq a target, all in memory",
        rounds,
    )
    yield _row(
        f"taxonomy: {name}",
        "128 matrices a mask",
        lambda: head_taxonomy(checkpoint),
        lambda: patterns_plainly(checkpoint),
        "hooked passes and scores of all layers at once",
        rounds,
    )


def _row(
    what: str,
    work: str,
    ours: Callable[[], object],
    plain: Callable[[], object],
    rival: str,
    rounds: int,
    scale: float = 1,
) -> Row:
    seconds = interleaved({"ours": ours, "rival": plain}, rounds)
    rivals = [scale * one for one in seconds["rival"]]
    middle, low, high = ratio(rivals, seconds["ours"])
    print(f"{what}: {middle:.2f} times as fast", file=sys.stderr, flush=True)
    return {
        "what": what,
        "work": work,
        "ours s": median(seconds["ours"]),
        "rival": rival,
        "rival s": median(rivals),
        "ratio": middle,
        "lowest": low,
        "highest": high,
    }


def ablated(checkpoint: Checkpoint, tokens: torch.Tensor, heads: Sequence[HeadSet]) -> None:
    """The sweep of the ablation pass, with uniform attention."""
    sweep = HeadSweep(checkpoint.model)
    for part in sweep.parts(tokens):
        for _ in sweep.answers(part.run, {one: HeadChange(one, None) for one in heads}):
            pass


@torch.no_grad()
def ablated_plainly(checkpoint: Checkpoint, tokens: torch.Tensor, heads: Sequence[HeadSet]) -> None:
    """A hooked forward pass of the whole model for each set."""
    for one in heads:
        with intervene(checkpoint.model, uniform_pattern(one)):
            checkpoint.model.complete(tokens)


def patched(checkpoint: Checkpoint, tokens: torch.Tensor, other: torch.Tensor, heads: Sequence[HeadSet]) -> None:
    """The sweep of the patching pass, one direction."""
    sweep = HeadSweep(checkpoint.model)
    for base, source in zip(sweep.parts(tokens), sweep.parts(other), strict=True):
        for _ in sweep.answers(base.run, {one: HeadChange(one, source.run.z) for one in heads}):
            pass


@torch.no_grad()
def patched_plainly(
    checkpoint: Checkpoint, tokens: torch.Tensor, other: torch.Tensor, heads: Sequence[HeadSet]
) -> None:
    """The same with hooks."""
    names = {f"blocks.{layer}.attn.hook_z" for layer in range(checkpoint.config.model.n_layers)}
    _, cache = checkpoint.model.run_with_cache(
        other, names_filter=lambda name: name in names, return_cache_object=False
    )
    z = [cache[f"blocks.{layer}.attn.hook_z"] for layer in range(len(names))]
    for one in heads:
        with intervene(checkpoint.model, replaced_z(one, z)):
            checkpoint.model.complete(tokens)


@torch.no_grad()
def probed_plainly(checkpoint: Checkpoint, samples: int) -> None:
    """Least squares for every layer, target and control, and test errors, from all activations at once."""
    parts = [checkpoint.sample(n, seed) for n, seed in ((samples, 0), (256, 1))]
    shuffled = np.random.default_rng(0).permutation(samples)
    streams, targets = ([function(checkpoint, part) for part in parts] for function in (_stream, _targets))
    for x, x_test in zip(*streams, strict=True):
        for y, y_test in zip(*targets, strict=True):
            for train in (y, y[shuffled]):
                weights = np.linalg.lstsq(x, train.reshape(len(x), -1), rcond=None)[0]
                ((x_test @ weights).reshape(y_test.shape) - y_test).__pow__(2).mean()


def _stream(checkpoint: Checkpoint, batch: mcinterp.MatrixBatch) -> list[np.ndarray]:
    names = [
        "hook_full_embed",
        *(f"blocks.{b}.hook_normalized_resid_post" for b in range(checkpoint.config.model.n_layers)),
    ]
    _, cache = checkpoint.encoder.run_with_cache(batch.inputs, names_filter=lambda name: name in names)
    return [cache[name].double().flatten(0, 1).numpy() for name in names]


def _targets(checkpoint: Checkpoint, batch: mcinterp.MatrixBatch) -> list[np.ndarray]:
    matrices = batch.targets.double().view(-1, *batch.shape)
    seen = matrices * batch.observed.view(-1, *batch.shape)
    tops = torch.linalg.svd(matrices).U[:, :, 0]
    spread = tops[:, None].expand(-1, batch.targets.shape[1], -1)
    rows = seen.repeat_interleave(batch.shape[1], dim=1)
    return [rows.numpy(), matrices.flatten(1)[..., None].numpy(), spread.numpy()]


@torch.no_grad()
def patterns_plainly(checkpoint: Checkpoint) -> None:
    """The taxonomy's scores of the model and of the control, from hooked passes whose patterns are all kept."""
    classes = checkpoint.task.head_classes()
    for model in (checkpoint, Checkpoint.untrained(checkpoint.config, seed=1)):
        under = [_patterns(model, choice["mask"]) for choice in classes.conditions.values()]
        classes.layer_scores(under, [], average_maps(under))
        classes.place_scores(under)


def _patterns(checkpoint: Checkpoint, mask: str | None) -> torch.Tensor:
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(checkpoint.config.model.n_layers)]
    batch = checkpoint.sample(128, 0, mask)
    _, cache = checkpoint.encoder.run_with_cache(batch.inputs, names_filter=lambda name: name in names)
    return torch.cat([cache[name] for name in names], dim=1)


def _nuclear_rows(rounds: int) -> list[Row]:
    values, observed = problems(SWEEP, SOLVED)
    some = torch.cat([torch.arange(SOLVED_ALONE) + SOLVED * share for share in range(len(SWEEP))])
    alone = values[some].numpy(), observed[some].numpy()
    solvers = {"the solver that cvxpy picks": None, "SCS": "SCS", "Clarabel": "CLARABEL"}
    candidates: dict[str, Callable[[], object]] = {"ours": lambda: nuclear_norm_completion(values, observed)}
    candidates |= {name: lambda solver=solver: one_by_one(*alone, solver) for name, solver in solvers.items()}
    seconds = interleaved(candidates, rounds)
    scale = SOLVED / SOLVED_ALONE
    rows: list[Row] = []
    for name in solvers:
        rivals = [scale * one for one in seconds[name]]
        middle, low, high = ratio(rivals, seconds["ours"])
        rows.append(
            {
                "what": "nuclear norm sweep, 7 × 7, 11 values of p_mask",
                "work": f"{len(values)} matrices",
                "ours s": median(seconds["ours"]),
                "rival": f"cvxpy with {name}, built anew a matrix, {len(some)} matrices × {scale:g}",
                "rival s": median(rivals),
                "ratio": middle,
                "lowest": low,
                "highest": high,
            }
        )
    return rows


def _report_row() -> Row:
    """Every pass on one checkpoint of the tiny preset; nothing else does the same."""
    with tempfile.TemporaryDirectory() as folder:
        config = mcinterp.load_preset("tiny", ["training.steps=2", "training.warmup_steps=0"])
        run = mcinterp.train(Path(folder) / "run", config, device="cpu")
        start = time.perf_counter()
        analyse(run, Path(folder) / "report", [run.steps[-1]], list(PASSES.keys() & defined_for(config.task.kind)))
        return {"what": "every pass on one checkpoint: tiny", "ours s": time.perf_counter() - start}


def one_by_one(values: np.ndarray, observed: np.ndarray, solver: str | None) -> None:
    """One convex program a matrix, as one writes it without thinking of the next."""
    import cvxpy

    warnings.filterwarnings("ignore", message="Solution may be inaccurate")
    for matrix, mask in zip(values, observed, strict=True):
        unknown = cvxpy.Variable(matrix.shape)
        seen = mask.astype(float)
        problem = cvxpy.Problem(
            cvxpy.Minimize(cvxpy.normNuc(unknown)), [cvxpy.multiply(seen, unknown) == seen * matrix]
        )
        problem.solve(solver=solver)


if __name__ == "__main__":
    main(*sys.argv[1:])
