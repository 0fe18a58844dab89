"""Chosen sets of heads, across layers, ablated and patched against the numpy encoder."""

from __future__ import annotations

import numpy as np
import pytest
from slow_encoder import mse, run_slowly

from mcinterp.analysis import ablation, patching

N, SEED = 12, 5


@pytest.fixture(scope="module")
def batch(random_checkpoint):
    return random_checkpoint.sample(N, SEED)


@pytest.fixture(scope="module")
def clean(random_checkpoint, batch):
    return [run_slowly(random_checkpoint, tokens) for tokens in batch.inputs.numpy()]


@pytest.mark.parametrize("method", ["uniform", "zero", "mean", "resample"])
def test_ablation(random_checkpoint, batch, clean, method):
    chosen = {(0, 1), (1, 0), (1, 2)}
    table = ablation(random_checkpoint, ["L0H1,L1H0,L1H2"], [method], samples=N, seed=SEED).table("ablation").loc[0]

    def edited(index):
        def pattern(layer, head, value):
            return np.full_like(value, 1 / 12) if method == "uniform" and (layer, head) in chosen else value

        def z(layer, head, value):
            if (layer, head) not in chosen or method == "uniform":
                return value
            if method == "mean":
                return np.mean([trace.z[layer, head] for trace in clean], axis=0)
            return 0 * value if method == "zero" else clean[index - 1].z[layer, head]

        return run_slowly(random_checkpoint, batch.inputs.numpy()[index], pattern, z).output

    outputs = [edited(index) for index in range(N)]
    targets, seen = batch.targets.numpy(), batch.observed.numpy()
    assert table["masked_mse"] == pytest.approx(mse(outputs, targets, ~seen), rel=1e-5)
    assert table["observed_mse"] == pytest.approx(mse(outputs, targets, seen), rel=1e-5)
    assert table["total_mse"] == pytest.approx(mse(outputs, targets, seen | ~seen), rel=1e-5)
    before = mse([trace.output for trace in clean], targets, ~seen)
    assert table["masked_mse_clean"] == pytest.approx(before, rel=1e-5)
    assert table["masked_delta"] == pytest.approx(table["masked_mse"] - before, abs=1e-6)
    assert table["masked_ratio"] == pytest.approx(table["masked_mse"] / before, rel=1e-5)
    assert table["masked_delta_low"] < table["masked_delta"] < table["masked_delta_high"]


def test_patching(random_checkpoint, batch, clean):
    table = patching(random_checkpoint, ["L0H2", "L1H0,L1H1"], samples=N, seed=SEED).table("patching")
    negative = random_checkpoint.task.negated(batch).inputs.numpy()
    seen, targets = batch.observed.numpy(), batch.targets.numpy()
    for name, chosen in (("L0H2", {(0, 2)}), ("L1H0,L1H1", {(1, 0), (1, 1)})):
        outputs = []
        for index in range(N):

            def z(layer, head, value, index=index, chosen=chosen):
                return clean[index].z[layer, head] if (layer, head) in chosen else value

            outputs.append(run_slowly(random_checkpoint, negative[index], edit_z=z).output)
        row = table[(table["direction"] == "X into −X") & (table["group"] == name)].set_index("entries")
        for entries, where in (("masked", ~seen), ("observed", seen)):
            assert row.loc[entries, "mse_to_source"] == pytest.approx(mse(outputs, targets, where), rel=1e-5)
            assert row.loc[entries, "mse_to_base"] == pytest.approx(mse(outputs, -targets, where), rel=1e-5)
