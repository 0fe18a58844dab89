"""Probes fitted and tested part by part of the batch: those of numpy's least squares on everything at once."""

from __future__ import annotations

import numpy as np
import pytest

from mcinterp.analysis import linear_probes
from mcinterp.model import blocks
from mcinterp.runs import Checkpoint

SAMPLES, TEST_SAMPLES, SEED = 90, 20, 4


def streams(checkpoint: Checkpoint, tokens) -> list[np.ndarray]:
    """The residual stream of every layer, from the hooked forward pass, (n · pos, d_model)."""
    _, cache = checkpoint.encoder.run_with_cache(tokens)
    names = ["hook_full_embed", *(f"blocks.{layer}.hook_normalized_resid_post" for layer in range(2))]
    return [cache[name].double().flatten(0, 1).numpy() for name in names]


def wanted(batch) -> dict[str, np.ndarray]:
    """Targets at every position, matrix by matrix from their definitions, (n, pos, k)."""
    matrices = batch.targets.double().numpy().reshape(-1, 4, 3)
    seen = batch.observed.numpy().reshape(-1, 4, 3)
    rows = np.array(
        [[np.where(s[p // 3], m[p // 3], 0) for p in range(12)] for m, s in zip(matrices, seen, strict=True)]
    )
    tops = [np.linalg.svd(matrix)[0][:, 0] for matrix in matrices]
    tops = [top * np.sign(top[np.abs(top).argmax()]) for top in tops]
    return {
        "masked row": rows,
        "entry": matrices.reshape(-1, 12, 1),
        "singular vector": np.array([[top] * 12 for top in tops]),
    }


def cosine(prediction: np.ndarray, target: np.ndarray) -> float:
    """Mean |cosine| over positions with a target, then over matrices."""
    each = []
    for own, truth in zip(prediction, target, strict=True):
        norms = np.linalg.norm(own, axis=1) * np.linalg.norm(truth, axis=1)
        dots = np.abs((own * truth).sum(1))
        each.append((dots[norms > 0] / norms[norms > 0]).mean())
    return float(np.mean(each))


def solve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least squares; what LayerNorm leaves of one direction is float32 rounding, which is not to be fitted."""
    return np.linalg.lstsq(x, y.reshape(len(x), -1), rcond=1e-6)[0]


def expected(x: np.ndarray, x_test: np.ndarray, y: np.ndarray, truth: np.ndarray, order: np.ndarray) -> dict:
    """Square errors and cosines of a probe, its control and the mean target."""
    predicted, controlled = ((x_test @ solve(x, part)).reshape(truth.shape) for part in (y, y[order]))
    fit = (x @ solve(x, y)).reshape(y.shape)
    return {
        "train_mse": (fit - y) ** 2,
        "test_mse": (predicted - truth) ** 2,
        "control_mse": (controlled - truth) ** 2,
        "constant_mse": (y.mean((0, 1)) - truth) ** 2,
        "train_cosine": cosine(fit, y),
        "test_cosine": cosine(predicted, truth),
        "control_cosine": cosine(controlled, truth),
    }


@pytest.mark.parametrize("memory", [1, 2**16, 2**24])
def test_tables_are_those_of_lstsq_on_all_samples(
    random_checkpoint: Checkpoint, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(blocks.BYTES, "cpu", memory)
    table = linear_probes(random_checkpoint, SAMPLES, TEST_SAMPLES, SEED).table("probes")
    train, test = random_checkpoint.sample(SAMPLES, SEED), random_checkpoint.sample(TEST_SAMPLES, SEED + 1)
    order = np.random.default_rng(SEED).permutation(SAMPLES)
    x, x_test, y, truth = (
        *(streams(random_checkpoint, part.inputs) for part in (train, test)),
        wanted(train),
        wanted(test),
    )
    for row in table.itertuples():
        found = expected(x[row.layer], x_test[row.layer], y[row.target], truth[row.target], order)
        for column, value in found.items():
            seen = (train if column == "train_mse" else test).observed.numpy()
            where = {"all": seen | True, "observed": seen, "masked": ~seen}[row.entries]
            if column.endswith("mse"):
                assert getattr(row, column) == pytest.approx(value[where].mean(), rel=1e-4, abs=1e-9), (row, column)
            elif row.target != "entry":
                assert getattr(row, column) == pytest.approx(value, rel=1e-4), (row, column)
    assert len(table) == 3 * 4
