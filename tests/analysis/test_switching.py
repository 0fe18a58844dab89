"""Switching: against a slow loop over state dictionaries, a planted case, and laws."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from slow_encoder import mse, run_slowly
from small_run import small_config

from mcinterp.analysis import model_switching, switch
from mcinterp.analysis.passes.exchange import BACK, FORTH, INTO_LAST, exchangeable_rows
from mcinterp.analysis.statistics import ratio_estimate
from mcinterp.errors import InputError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run

N, SEED = 12, 5
TINY = Path(__file__).parents[1] / "data" / "tiny"
EVERY = ["attention-qkv", "attention", "mlp", "tokens", "positions", "layer-norms", "read-out"]


@pytest.fixture(scope="module")
def donor(random_checkpoint: Checkpoint) -> Checkpoint:
    """Another random model, of which no parameter is that of `random_checkpoint`."""
    generator = torch.Generator().manual_seed(11)
    weights = {
        name: weight if "token_type" in name else weight + 0.3 * torch.randn(weight.shape, generator=generator)
        for name, weight in random_checkpoint.weights.items()
    }
    return replace(random_checkpoint, weights=weights, step=7, run_name="donor")


def rows_of(result: Result, entries: str = "masked", table: str = "switching"):
    frame = result.table(table)
    return frame[frame["entries"] == entries].set_index("component")


SLOW = {
    "attention-qkv": ("attn.W_Q", "attn.b_Q", "attn.W_K", "attn.b_K", "attn.W_V", "attn.b_V"),
    "mlp:1": ("blocks.1.mlp.",),
    "positions+read-out": ("W_pos", "unembed."),
    "everything-but:attention": ("W_E", "W_pos", "ln", ".mlp.", "unembed."),
}


@pytest.mark.parametrize("component", SLOW)
def test_against_a_loop_over_state_dictionaries(
    random_checkpoint: Checkpoint, donor: Checkpoint, component: str
) -> None:
    result = switch(donor, random_checkpoint, component, samples=N, seed=SEED)
    weights = dict(random_checkpoint.weights)
    for name in weights:
        if any(part in name for part in SLOW[component]):
            weights[name] = donor.weights[name]
    batch = random_checkpoint.sample(N, SEED)
    outputs = {
        which: [run_slowly(model, tokens).output for tokens in batch.inputs.numpy()]
        for which, model in (
            ("switched", replace(random_checkpoint, weights=weights)),
            ("recipient", random_checkpoint),
            ("donor", donor),
        )
    }
    targets, seen = batch.targets.numpy(), batch.observed.numpy()
    for entries, where in (("masked", ~seen), ("observed", seen), ("total", seen | ~seen)):
        row = rows_of(result, entries).loc[component]
        errors = {which: mse(output, targets, where) for which, output in outputs.items()}
        for which, expected in errors.items():
            assert row[f"{which}_mse"] == pytest.approx(expected, rel=1e-5)
        change = errors["switched"] - errors["recipient"]
        assert row["change"] == pytest.approx(change, abs=1e-5)
        assert row["change_low"] < row["change"] < row["change_high"]
        gap = errors["donor"] - errors["recipient"]
        if np.isfinite(row["moved"]):
            assert row["moved"] == pytest.approx(change / gap, rel=1e-3)
    assert (result.table("switching")["n"] == N).all()


def test_switching_nothing_changes_nothing_and_everything_gives_the_donor(
    random_checkpoint: Checkpoint, donor: Checkpoint
) -> None:
    frame = switch(donor, random_checkpoint, EVERY, samples=N, seed=SEED).table("switching")
    nothing, everything = (frame[frame["kind"] == kind] for kind in ("nothing", "everything"))
    assert len(nothing) == len(everything) == 3
    assert (nothing[["change", "change_low", "change_high"]] == 0).all(axis=None)
    assert (nothing["switched_mse"] == nothing["recipient_mse"]).all()
    assert (everything["switched_mse"] == everything["donor_mse"]).all()
    known = everything["moved"].notna()
    assert (everything.loc[known, ["moved", "moved_low", "moved_high"]] == 1).all(axis=None)
    components = frame[frame["kind"] == "component"]
    assert components["change"].abs().min() > 0
    # Layer norms, attention, MLP and the rest share no parameter and together are everything.
    sizes = components[components["entries"] == "masked"].set_index("component")["parameters"]
    assert sizes.drop("attention-qkv").sum() == everything["parameters"].iloc[0]


@pytest.mark.parametrize("planted", ["mlp", "positions", "attention-qkv", "layer-norms"])
def test_where_only_one_component_differs_only_it_matters(
    random_checkpoint: Checkpoint, donor: Checkpoint, planted: str
) -> None:
    from mcinterp.model.components import Component, transplant

    component = Component.parse(planted, donor.weights)
    other = replace(donor, weights=transplant(donor.weights, random_checkpoint.weights, component))
    rows = rows_of(switch(other, random_checkpoint, EVERY, samples=N, seed=SEED))
    carrying = {planted, "everything"} | ({"attention"} if planted == "attention-qkv" else set())
    for name, row in rows.iterrows():
        if name in carrying:
            assert row["switched_mse"] == row["donor_mse"] != row["recipient_mse"]
        else:
            assert row["change"] == 0
            assert row["switched_mse"] == row["recipient_mse"]


def test_the_same_seed_gives_the_same_numbers(random_checkpoint: Checkpoint, donor: Checkpoint) -> None:
    first, again = (switch(donor, random_checkpoint, "mlp", samples=N, seed=SEED).table("switching") for _ in "ab")
    assert first.equals(again)
    assert not first.equals(switch(donor, random_checkpoint, "mlp", samples=N, seed=SEED + 1).table("switching"))


def test_neither_model_is_touched(random_checkpoint: Checkpoint, donor: Checkpoint) -> None:
    before = [{name: w.clone() for name, w in c.weights.items()} for c in (random_checkpoint, donor)]
    switch(donor, random_checkpoint, EVERY, samples=N, seed=SEED)
    for kept, checkpoint in zip(before, (random_checkpoint, donor), strict=True):
        assert all(torch.equal(kept[name], weight) for name, weight in checkpoint.weights.items())


def test_models_of_other_shapes_are_refused(random_checkpoint: Checkpoint) -> None:
    wide = Checkpoint.untrained(small_config(), seed=0)
    with pytest.raises(
        InputError, match=r"different shapes: embed\.embed\.W_E is \(402, 16\) in the donor, \(602, 12\)"
    ):
        switch(wide, random_checkpoint, "mlp", samples=N)
    deeper = random_checkpoint.config.model_copy(
        update={"model": random_checkpoint.config.model.model_copy(update={"n_layers": 3})}
    )
    with pytest.raises(InputError, match=r"blocks\.2\.\S+ is \S+.* in the donor, absent in the recipient"):
        switch(Checkpoint.untrained(deeper, 0), random_checkpoint, "tokens", samples=N)


def test_other_mistakes(random_checkpoint: Checkpoint, donor: Checkpoint) -> None:
    with pytest.raises(InputError, match="did you mean 'positions'"):
        switch(donor, random_checkpoint, ["mlp", "position"], samples=N)
    with pytest.raises(InputError, match="samples must be at least 2, got 1"):
        switch(donor, random_checkpoint, samples=1)


def test_a_ratio_has_the_interval_of_the_delta_method() -> None:
    rng = np.random.default_rng(0)
    below = rng.normal(2, 1, 400)
    above = 0.7 * below + rng.normal(0, 0.5, 400)
    estimate = ratio_estimate(above, below)
    assert estimate.value == pytest.approx(above.sum() / below.sum())
    picks = rng.integers(0, 400, (4000, 400))
    low, high = np.quantile(above[picks].sum(1) / below[picks].sum(1), [0.025, 0.975])
    assert estimate.low == pytest.approx(low, abs=0.006)
    assert estimate.high == pytest.approx(high, abs=0.006)
    turned = ratio_estimate(above, -below)
    assert (turned.value, turned.low, turned.high) == pytest.approx((-estimate.value, -estimate.high, -estimate.low))
    assert np.isnan(ratio_estimate(above, below - below.mean()).value)
    assert np.isnan(ratio_estimate(above, 0 * below).low)
    same = ratio_estimate(below, below)
    assert (same.value, same.low, same.high) == (1, 1, 1)


@pytest.fixture(scope="module")
def sweep(trained_folder: Path) -> Result:
    return model_switching(Run(trained_folder), samples=16, seed=SEED)


def test_before_and_after_are_the_switches_of_these_two_checkpoints(trained: Run, sweep: Result) -> None:
    first, last = trained.checkpoint("first"), trained.checkpoint("last")
    assert (sweep.facts["before"], sweep.facts["after"]) == (first.step, last.step) == (0, 40)
    for direction, donor, recipient in (("after → before", last, first), ("before → after", first, last)):
        frame = sweep.table("pre_post")
        frame = frame[frame["direction"] == direction].reset_index(drop=True)
        expected = switch(donor, recipient, samples=16, seed=SEED).table("switching")
        columns = [name for name in expected.columns if name != "direction"]
        assert frame[columns].equals(expected[columns])


def test_untrained_components_are_those_of_another_seed(trained: Run, sweep: Result) -> None:
    untrained = Checkpoint.untrained(trained.config, trained.config.training.seed + 1)
    expected = rows_of(switch(untrained, trained.checkpoint("last"), samples=16, seed=SEED))
    frame = rows_of(sweep, table="pre_post").query("direction == 'untrained → after'")
    assert list(frame.index) == sweep.facts["components"]
    assert (frame["kind"] == "untrained").all()
    assert frame["switched_mse"].equals(expected.loc[frame.index, "switched_mse"])


def test_every_checkpoint_is_switched_into_the_last_and_with_its_neighbours(trained: Run, sweep: Result) -> None:
    exchange = sweep.table("exchange")
    names = [*sweep.facts["components"], "everything"]
    steps = trained.steps
    pairs = {
        INTO_LAST: [(step, steps[-1]) for step in steps],
        BACK: list(zip(steps[1:], steps[:-1], strict=True)),
        FORTH: list(pairwise(steps)),
    }
    for comparison, expected in pairs.items():
        rows = exchange[exchange["comparison"] == comparison]
        got = list(zip(rows["donor_step"], rows["recipient_step"], strict=True))
        assert got == [pair for pair in expected for _ in names]
        assert rows["component"].tolist() == names * len(expected)
        samples = 16 if comparison == INTO_LAST else 8
        assert (rows["n"] == samples).all()
        donor_step, recipient_step = expected[len(expected) // 2]
        switched = rows_of(
            switch(trained.checkpoint(donor_step), trained.checkpoint(recipient_step), names, samples, SEED)
        )
        here = rows.query("donor_step == @donor_step and recipient_step == @recipient_step").set_index("component")
        for column in ("recipient_mse", "donor_mse", "change", "change_low", "change_high"):
            values = switched[~switched.index.duplicated()].loc[names, column]
            assert here[column].to_numpy() == pytest.approx(values.to_numpy(), abs=1e-12)
    own = exchange.query("comparison == @INTO_LAST and donor_step == 40")
    assert (own[["change", "change_low", "change_high"]] == 0).all(axis=None)


def forged(component: str, changes: list[tuple[float, float]]) -> list[dict[str, object]]:
    return [
        {"comparison": INTO_LAST, "component": component, "donor_step": 10 * i, "recipient_step": 90, "n": 8, "seed": 0}
        | {"change": (low + high) / 2, "change_low": low, "change_high": high}
        for i, (low, high) in enumerate(changes)
    ]


def test_from_when_on_a_component_is_exchangeable() -> None:
    # The tolerance is 0.05: the interval's upper end decides, and one relapse counts.
    rows = [
        *forged("late", [(0.2, 0.3), (0.01, 0.04), (0.01, 0.06), (-0.1, 0.04), (0, 0.01)]),
        *forged("always", [(0, 0), (-1, -0.5)]),
        *forged("never", [(0.2, 0.3), (0.1, 0.2)]),
        *forged("unknown", [(0, 0), (float("nan"), float("nan")), (0, 0)]),
    ]
    table = {row["component"]: row for row in exchangeable_rows(rows, plateau=1.0)}
    assert (table["late"]["from_step"], table["late"]["failing_step"]) == (30, 20)
    assert (table["late"]["failing_change_low"], table["late"]["failing_change_high"]) == (0.01, 0.06)
    assert table["always"]["from_step"] == 0
    assert np.isnan(table["always"]["failing_step"])
    assert np.isnan(table["never"]["from_step"])
    assert table["never"]["failing_step"] == 10
    assert table["unknown"]["from_step"] == 20
    assert {row["tolerance"] for row in table.values()} == {0.05}


def test_without_a_drop_the_tolerance_is_measured_by_answering_zero(trained: Run, sweep: Result) -> None:
    batch = trained.checkpoint("last").sample(16, SEED)
    masked = ~batch.observed.numpy()
    assert sweep.facts["plateau"] == pytest.approx((batch.targets.numpy()[masked] ** 2).mean())
    assert "no drop" in sweep.facts["plateau_source"]
    assert sweep.facts["tolerance"] == pytest.approx(0.05 * sweep.facts["plateau"])


def test_one_checkpoint_is_enough(trained: Run) -> None:
    result = model_switching(trained, [40], samples=8)
    assert result.facts["before"] == result.facts["after"] == 40
    assert set(result.table("exchange")["comparison"]) == {INTO_LAST}
    assert result.table("exchangeable").empty
    assert (result.table("pre_post").query("kind == 'component'")["change"] == 0).all()
    with pytest.raises(InputError, match="has no checkpoint to compare"):
        model_switching(trained, [])


def test_saved_and_read_it_is_the_same(sweep: Result, tmp_path: Path) -> None:
    sweep.save(tmp_path / "switching")
    again = Result.load(tmp_path / "switching")
    assert again.facts == sweep.facts
    for name in sweep.tables:
        assert again.table(name).to_csv() == sweep.table(name).to_csv()


def test_in_the_trained_run_attention_makes_the_difference_after_the_drop_only() -> None:
    run = Run(TINY)
    result = model_switching(run, samples=128)
    assert (result.facts["before"], result.facts["after"]) == (2272, 16000)
    rows = rows_of(result, table="pre_post").set_index("direction", append=True)
    into_before = rows.loc[("attention-qkv", "after → before")]
    assert abs(into_before["change"]) < 0.05 * run.transition.plateau
    into_after = rows.loc[("attention-qkv", "before → after")]
    assert into_after["moved_low"] > 0.8
    observed = rows_of(result, "observed", "pre_post").set_index("direction", append=True)
    assert observed.loc[("attention-qkv", "before → after")]["switched_mse"] < 0.01 * run.transition.plateau
    assert result.facts["plateau_source"] == "the run's plateau"
