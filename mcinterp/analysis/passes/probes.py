"""Linear probes: what can be read off the residual stream of each layer by least squares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from mcinterp.analysis.passes.probe_fits import Fitted, fitted
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, mean_estimate, pooled_estimate
from mcinterp.errors import InputError
from mcinterp.model.blocks import Blocks
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task.inside import ProbeTargets

COLUMNS = {
    "layer": "0 for the embeddings, l for the residual stream after block l (counted from 1)",
    "target": "what the probe reads",
    "entries": "positions the error is averaged over",
    "n_train": "samples the probe is fitted on",
    "n_test": "other samples it is tested on",
    "seed": "seed of both",
    "train_mse": "MSE on the training samples",
    **interval_columns("test_mse", "MSE on the test samples"),
    "train_cosine": "mean |cosine| between prediction and target on the training samples (vector targets)",
    **interval_columns("test_cosine", "the same on the test samples"),
    **interval_columns("control_mse", "control: test MSE of a probe fitted to the targets of other samples"),
    "control_cosine": "control: its mean |cosine|",
    "constant_mse": "test MSE of predicting the mean training target",
    **interval_columns(
        "gain",
        "control_mse − test_mse, paired over the test samples: above 0 where the probe reads more than its control",
    ),
    **interval_columns("cosine_gain", "test_cosine − control_cosine, paired likewise (vector targets)"),
    **interval_columns("control_ratio", "test_mse / control_mse, paired: the control's own error is in the interval"),
    **interval_columns("first_ratio", "test_mse / that of the same target at layer 0, paired likewise"),
}


def linear_probes(checkpoint: Checkpoint, samples: int = 2048, test_samples: int = 256, seed: int = 0) -> Result:
    """Fit and test least-squares probes, without intercept, at every layer.

    What is read is the task's choice (`probe_targets`). Where a target is a vector the cosine is taken without sign.
    The control is a probe fitted with each training target taken from another sample, which can learn nothing: its
    error should be that of predicting the mean target. Intervals are over test samples, which every probe and control
    sees, so that all comparisons are paired.

    Args:
        checkpoint: what to look at.
        samples: to train on, at least 2.
        test_samples: to test on, at least 2.
        seed: of the training batch; the test batch has seed + 1.

    Returns:
        table `probes`. Source: Fig. 6 and App. K of arXiv 2410.22244.
    """
    if samples < 2 or test_samples < 2:
        raise InputError(f"linear_probes: needs 2 samples to train and to test, got {samples} and {test_samples}")
    check_offered("probes", checkpoint.config)
    task = checkpoint.task
    train, test = checkpoint.sample(samples, seed), checkpoint.sample(test_samples, seed + 1)
    shuffled = np.random.default_rng(seed).permutation(samples)
    blocks, own, others = Blocks(checkpoint.model), task.probe_targets(train), task.probe_targets(test)
    weights = fitted(blocks, train.inputs, own, shuffled)
    constants = own.means()
    train_scores = _scores(blocks, train.inputs, own, weights, constants)
    test_scores = _scores(blocks, test.inputs, others, weights, constants)
    sizes = {"n_train": samples, "n_test": test_samples, "seed": seed}
    rows = [
        {"layer": layer, "target": target, "entries": entries, **sizes, **_columns(one, *others)}
        for (layer, target, entries), one in train_scores.items()
        for others in [(test_scores[layer, target, entries], test_scores[0, target, entries])]
    ]
    return Result(
        "probes",
        "Linear probes",
        {"samples": samples, "test_samples": test_samples, "seed": seed},
        {
            "targets": list(own.names),
            "main_places": dict(own.main_places),
            "n_layers": transformer(checkpoint.config).n_layers,
        },
        {"probes": Table.of(COLUMNS, rows)},
    )


@dataclass
class _Score:
    """How well probes did, sample by sample: arrays (n,), in parts.

    Attributes:
        counts: positions that count.
        squares: over them, the summed mean square errors of the probe, of its control, and of the mean target.
        cosines: mean |cosine| of the probe and of its control.
    """

    counts: list[Floats] = field(default_factory=list)
    squares: tuple[list[Floats], ...] = field(default_factory=lambda: ([], [], []))
    cosines: tuple[list[Floats], ...] = field(default_factory=lambda: ([], []))

    def add(self, predictions: Sequence[Floats], target: Floats, weight: Floats) -> None:
        """Score the predictions of the probe, its control and the mean target, each (n, pos, k) or (k,)."""
        self.counts.append(weight.sum(1))
        for kept, prediction in zip(self.squares, predictions, strict=True):
            kept.append((((prediction - target) ** 2).mean(-1) * weight).sum(1))
        if target.shape[-1] > 1:
            for kept, prediction in zip(self.cosines, predictions[:2], strict=True):
                kept.append(_cosine(prediction, target))

    def totals(self, which: int) -> Floats:
        """Summed errors of each sample, (n,)."""
        return np.concatenate(self.squares[which])

    def mse(self, which: int) -> Estimate:
        return pooled_estimate(self.totals(which), np.concatenate(self.counts))

    def gain(self) -> Estimate:
        """By how much the control's error is larger than the probe's, paired."""
        return pooled_estimate(self.totals(_CONTROL) - self.totals(_PROBE), np.concatenate(self.counts))

    def cosine(self, which: int) -> Floats:
        """Of each sample, (n,); NaN where it is not defined, and everywhere for a target of one number."""
        parts = self.cosines[which]
        return np.concatenate(parts) if parts else np.full(len(np.concatenate(self.counts)), np.nan)


_PROBE, _CONTROL, _CONSTANT = range(3)


def _scores(
    blocks: Blocks, inputs: Tensor, targets: ProbeTargets, weights: Sequence[Fitted], constants: Mapping[str, Floats]
) -> dict[tuple[int, str, str], _Score]:
    """Scores of every layer's probes of each target at each kind of position."""
    scores: dict[tuple[int, str, str], _Score] = defaultdict(_Score)
    for samples in blocks.parts(len(inputs), kept=2 * blocks.model.model_config.d_model):
        here = targets.at(samples)
        for layer, resid in enumerate(blocks.residual_stream(inputs[samples])):
            predicted = weights[layer].predictions(resid)
            for target, truth in here.items():
                for places, weight in targets.places(target, samples).items():
                    scores[layer, target, places].add((*predicted[target], constants[target]), truth, weight)
    return dict(scores)


def _columns(train: _Score, test: _Score, first: _Score) -> dict[str, Any]:
    """A row's scores, from those of the training and test samples, and of the test samples at layer 0."""
    probe, control = test.cosine(_PROBE), test.cosine(_CONTROL)
    return {
        "train_mse": float(train.mse(_PROBE).value),
        **test.mse(_PROBE).columns("test_mse"),
        "train_cosine": _mean(train.cosine(_PROBE)),
        **mean_estimate(probe).columns("test_cosine"),
        **test.mse(_CONTROL).columns("control_mse"),
        "control_cosine": _mean(control),
        "constant_mse": float(test.mse(_CONSTANT).value),
        **test.gain().columns("gain"),
        **mean_estimate(probe - control).columns("cosine_gain"),
        **pooled_estimate(test.totals(_PROBE), test.totals(_CONTROL)).columns("control_ratio"),
        **pooled_estimate(test.totals(_PROBE), first.totals(_PROBE)).columns("first_ratio"),
    }


def _mean(values: Floats) -> float:
    """What is not defined left out; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _cosine(prediction: Floats, target: Floats) -> Floats:
    """Mean |cosine| over the positions of each sample, (n,); positions whose target is zero are left out."""
    norms = np.linalg.norm(prediction, axis=-1) * np.linalg.norm(target, axis=-1)
    dots = np.abs((prediction * target).sum(-1))
    defined = norms > 0
    counts = defined.sum(1)
    sums = np.divide(dots, norms, out=np.zeros_like(dots), where=defined).sum(1)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
