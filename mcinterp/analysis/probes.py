"""Linear probes: what can be read off the residual stream of each layer by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.analysis.statistics import Estimate, Floats, interval_columns, mean_estimate, pooled_estimate
from mcinterp.errors import InputError
from mcinterp.model import MatrixEncoder
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task import MatrixBatch

COLUMNS = {
    "layer": "0 for the embeddings, l for the residual stream after block l (counted from 1)",
    "target": "masked row, entry or singular vector",
    "entries": "positions the error is averaged over: all, masked or observed",
    "n_train": "matrices the probe is fitted on",
    "n_test": "other matrices it is tested on",
    "seed": "seed of both",
    "train_mse": "MSE on the training matrices",
    **interval_columns("test_mse", "MSE on the test matrices"),
    "train_cosine": "mean |cosine| between prediction and target on the training matrices (vector targets)",
    **interval_columns("test_cosine", "the same on the test matrices"),
    **interval_columns("control_mse", "control: test MSE of a probe fitted to the targets of other matrices"),
    "control_cosine": "control: its mean |cosine|",
    "constant_mse": "test MSE of predicting the mean training target",
}
_TARGETS = ("masked row", "entry", "singular vector")


def linear_probes(checkpoint: Checkpoint, samples: int = 2048, test_samples: int = 256, seed: int = 0) -> Result:
    """Fit and test least-squares probes, without intercept, at every layer.

    At every position (i, j) of a matrix X the targets are: *masked row*, the entries of row i with masked ones set to
    0; *entry*, the true X_ij, reported for masked and observed positions apart; *singular vector*, the top left
    singular vector of X with the sign that makes its largest element positive (for the error; the cosine is taken
    without sign). The control is a probe fitted with each training target taken from another matrix, which can learn
    nothing: its error should be that of predicting the mean target. Intervals are over test matrices.

    Args:
        checkpoint: what to look at.
        samples: training matrices.
        test_samples: test matrices, at least 2.
        seed: of the training batch; the test batch has seed + 1.

    Returns:
        table `probes`. Source: Fig. 6 and App. K of arXiv 2410.22244.
    """
    if samples < 2 or test_samples < 2:
        raise InputError(f"linear_probes: needs 2 matrices to train and to test, got {samples} and {test_samples}")
    model = checkpoint.encoder
    train, test = checkpoint.sample(samples, seed), checkpoint.sample(test_samples, seed + 1)
    shuffled = np.random.default_rng(seed).permutation(samples)
    train_targets, test_targets = _targets(train), _targets(test)
    rows = []
    train_resid, test_resid = residual_stream(model, train), residual_stream(model, test)
    for layer, (resid_train, resid_test) in enumerate(zip(train_resid, test_resid, strict=True)):
        x_train, x_test = resid_train.astype(np.float64), resid_test.astype(np.float64)
        for target in _TARGETS:
            y_train, y_test = train_targets[target], test_targets[target]
            real = _Fit.of(x_train, y_train, x_test, y_test)
            control = _Fit.of(x_train, y_train[shuffled], x_test, y_test)
            sizes = {"n_train": samples, "n_test": test_samples, "seed": seed}
            rows += [
                {"layer": layer, "target": target, "entries": entries, **sizes, **columns}
                for entries, columns in _measures(real, control, train, test, target)
            ]
    return Result(
        "probes",
        "Linear probes",
        {"samples": samples, "test_samples": test_samples, "seed": seed},
        {"targets": list(_TARGETS), "n_layers": checkpoint.config.model.n_layers},
        {"probes": Table.of(COLUMNS, rows)},
    )


@torch.no_grad()
def residual_stream(model: MatrixEncoder, batch: MatrixBatch) -> list[NDArray[np.float32]]:
    """The residual stream after the embeddings and after each block, each (n, pos, d_model), float32."""
    names = ["hook_full_embed"] + [f"blocks.{b}.hook_normalized_resid_post" for b in range(model.cfg.n_layers)]
    wanted = set(names)
    _, cache = model.run_with_cache(batch.inputs, names_filter=lambda name: name in wanted, return_cache_object=False)
    return [cache[name].cpu().numpy() for name in names]


def least_squares(x: Floats, y: Floats) -> Floats:
    """Minimise ‖x w − y‖² through the normal equations; the smallest such w where several are equal.

    Args:
        x: (n, d).
        y: (n, k).

    Returns:
        (d, k).
    """
    gram = x.T @ x
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * len(gram) * np.finfo(np.float64).eps
    return np.asarray((vectors[:, kept] / values[kept]) @ (vectors[:, kept].T @ (x.T @ y)))


@dataclass(frozen=True)
class _Fit:
    """Predictions and targets, each (n, pos, k)."""

    train_prediction: Floats
    train_target: Floats
    test_prediction: Floats
    test_target: Floats

    @classmethod
    def of(cls, x_train: Floats, y_train: Floats, x_test: Floats, y_test: Floats) -> _Fit:
        weights = least_squares(x_train.reshape(-1, x_train.shape[-1]), y_train.reshape(-1, y_train.shape[-1]))
        return cls(x_train @ weights, y_train, x_test @ weights, y_test)


def _measures(
    real: _Fit, control: _Fit, train: MatrixBatch, test: MatrixBatch, target: str
) -> list[tuple[str, dict[str, Any]]]:
    """Which entries, and the table's columns for them."""
    if target != "entry":
        return [("all", _columns(real, control, np.ones(train.inputs.shape), np.ones(test.inputs.shape)))]
    seen_train, seen_test = train.observed.cpu().numpy(), test.observed.cpu().numpy()
    everything = [("observed", seen_train, seen_test), ("masked", ~seen_train, ~seen_test)]
    return [(name, _columns(real, control, a.astype(float), b.astype(float))) for name, a, b in everything]


def _columns(real: _Fit, control: _Fit, train_weight: Floats, test_weight: Floats) -> dict[str, Any]:
    """Errors over the positions that `train_weight` and `test_weight`, (n, pos), pick."""
    vector = real.test_target.shape[-1] > 1
    nan = float("nan")
    constant = real.train_target.mean((0, 1))
    test_cosine = mean_estimate(_cosine(real.test_prediction, real.test_target))
    return {
        "train_mse": float(_mse(real.train_prediction, real.train_target, train_weight).value),
        **_mse(real.test_prediction, real.test_target, test_weight).columns("test_mse"),
        "train_cosine": float(np.nanmean(_cosine(real.train_prediction, real.train_target))) if vector else nan,
        **{name: value if vector else nan for name, value in test_cosine.columns("test_cosine").items()},
        **_mse(control.test_prediction, control.test_target, test_weight).columns("control_mse"),
        "control_cosine": float(np.nanmean(_cosine(control.test_prediction, control.test_target))) if vector else nan,
        "constant_mse": float(_mse(constant, real.test_target, test_weight).value),
    }


def _mse(prediction: Floats, target: Floats, weight: Floats) -> Estimate:
    square = ((prediction - target) ** 2).mean(-1)
    return pooled_estimate((square * weight).sum(1), weight.sum(1))


def _cosine(prediction: Floats, target: Floats) -> Floats:
    """Mean |cosine| over the positions of each sample, (n,); positions whose target is zero are left out."""
    norms = np.linalg.norm(prediction, axis=-1) * np.linalg.norm(target, axis=-1)
    dots = np.abs((prediction * target).sum(-1))
    defined = norms > 0
    counts = defined.sum(1)
    sums = np.divide(dots, norms, out=np.zeros_like(dots), where=defined).sum(1)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def _targets(batch: MatrixBatch) -> dict[str, Floats]:
    """Each target at every position, (n, pos, k)."""
    rows, cols = batch.shape
    matrices = batch.targets.double().cpu().view(-1, rows, cols)
    seen = matrices * batch.observed.cpu().view(-1, rows, cols)
    vectors = _top_left_singular(matrices)
    return {
        "masked row": seen.repeat_interleave(cols, dim=1).numpy(),
        "entry": matrices.flatten(1)[..., None].numpy(),
        "singular vector": vectors[:, None, :].expand(-1, rows * cols, -1).numpy(),
    }


def _top_left_singular(matrices: Tensor) -> Tensor:
    vectors = torch.linalg.svd(matrices).U[:, :, 0]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign()
