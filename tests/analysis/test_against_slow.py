"""Every pass against the numpy encoder, on a random model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from slow_encoder import mse, run_slowly

from mcinterp.analysis import ablation, attention_maps, linear_probes, patching

N, SEED = 12, 5


@pytest.fixture(scope="module")
def batch(random_checkpoint):
    return random_checkpoint.sample(N, SEED)


@pytest.fixture(scope="module")
def clean(random_checkpoint, batch):
    return [run_slowly(random_checkpoint, tokens) for tokens in batch.inputs.numpy()]


def test_attention_maps_are_averages_of_the_softmax(random_checkpoint, clean):
    result = attention_maps(random_checkpoint, masks=["random", "one-per-row"], samples=N, seed=SEED)
    for layer, head in clean[0].patterns:
        expected = np.mean([trace.patterns[layer, head] for trace in clean], axis=0)
        assert result.arrays["maps"][0, layer, head] == pytest.approx(expected, abs=1e-6)
        spread = np.std([trace.patterns[layer, head] for trace in clean], axis=0, ddof=1)
        half_width = stats.t.ppf(0.975, N - 1) * spread / np.sqrt(N)
        assert result.arrays["half_widths"][0, layer, head] == pytest.approx(half_width, abs=1e-5)


def test_attention_table_has_its_numbers(random_checkpoint, batch, clean):
    table = attention_maps(random_checkpoint, masks=["random"], samples=N, seed=SEED).table("heads").set_index("head")
    patterns = [trace.patterns[1, 2] for trace in clean]
    masked = ~batch.observed.numpy()
    row = table.loc["L1H2"]
    assert row["entropy"] == pytest.approx(np.mean([-(p * np.log(p)).sum(-1).mean() for p in patterns]), abs=1e-5)
    assert row["self_mass"] == pytest.approx(np.mean([np.diag(p).mean() for p in patterns]), abs=1e-6)
    on_masked = [p[:, m].sum(-1).mean() for p, m in zip(patterns, masked, strict=True)]
    assert row["masked_mass"] == pytest.approx(np.mean(on_masked), abs=1e-6)
    from_uniform = np.abs(np.mean(patterns, axis=0) - 1 / 12).sum(-1).mean() / 2
    assert row["distance_from_uniform"] == pytest.approx(from_uniform, abs=1e-6)


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


def test_probes(random_checkpoint):
    table = linear_probes(random_checkpoint, samples=40, test_samples=N, seed=SEED).table("probes")
    train, test = random_checkpoint.sample(40, SEED), random_checkpoint.sample(N, SEED + 1)
    x_train, x_test = (
        np.stack([run_slowly(random_checkpoint, tokens).resid[2] for tokens in part.inputs.numpy()])
        for part in (train, test)
    )
    row_train, row_test = (_masked_rows(part) for part in (train, test))
    weights = np.linalg.lstsq(x_train.reshape(-1, 12), row_train.reshape(-1, 3), rcond=None)[0]
    last = table[table["layer"] == 2].set_index(["target", "entries"])
    assert last.loc[("masked row", "all"), "test_mse"] == pytest.approx(((x_test @ weights - row_test) ** 2).mean())
    weights = np.linalg.lstsq(x_train.reshape(-1, 12), train.targets.double().numpy().reshape(-1, 1), rcond=None)[0]
    errors = ((x_test @ weights)[..., 0] - test.targets.double().numpy()) ** 2
    for entries, where in (("masked", ~test.observed.numpy()), ("observed", test.observed.numpy())):
        assert last.loc[("entry", entries), "test_mse"] == pytest.approx(errors[where].mean())


def _masked_rows(batch):
    """For each position, its row of the matrix with masked entries at 0: (n, 12, 3)."""
    values = (batch.targets.double() * batch.observed).numpy().reshape(-1, 4, 3)
    return np.stack([values[:, position // 3] for position in range(12)], axis=1)
