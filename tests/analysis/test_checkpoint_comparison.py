"""Two checkpoints side by side: against slow computations, with themselves, and with models of another shape."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import planted_copier
from slow_attention import heads_of, traces, uniform_map
from slow_statistics import estimate, pooled
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.analysis import compare_checkpoints, head_taxonomy
from mcinterp.analysis.compare.head_columns import COMPARED, SHUFFLED, UNTRAINED, given_other
from mcinterp.config import RunConfig, load_preset
from mcinterp.errors import InputError
from mcinterp.model import Head, HeadSet, intervene
from mcinterp.model.components import reorder_heads
from mcinterp.model.interventions import uniform_pattern
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run

pytestmark = pytest.mark.no_cover

N, SEED = 12, 5
TINY = Path(__file__).parents[1] / "data" / "tiny"


@pytest.fixture(scope="module")
def other(random_checkpoint: Checkpoint) -> Checkpoint:
    """Another random model that has something in common with `random_checkpoint`."""
    generator = torch.Generator().manual_seed(11)
    weights = {
        name: weight if "token_type" in name else weight + 0.3 * torch.randn(weight.shape, generator=generator)
        for name, weight in random_checkpoint.weights.items()
    }
    return replace(random_checkpoint, weights=weights, step=7, run_name="other", digest="other")


@pytest.fixture(scope="module")
def found(random_checkpoint: Checkpoint, other: Checkpoint) -> Result:
    return compare_checkpoints(random_checkpoint, other, N, SEED)


def slow_correlation(x: np.ndarray, y: np.ndarray, where: np.ndarray) -> dict[str, float]:
    """Pearson's correlation of the entries of weighted matrices."""

    def statistic(weights: np.ndarray) -> float:
        weight = (where * weights[:, None]).ravel()
        covariance = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=weight, ddof=0)
        return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))

    return dict(zip(("", "_low", "_high"), estimate(statistic, where.any(1))[:3], strict=True))


def outputs_of(checkpoint: Checkpoint, batch: object) -> np.ndarray:
    return np.array([trace.output for trace in traces(checkpoint, batch)])


def test_errors_and_answers_are_those_of_the_definition(
    found: Result, random_checkpoint: Checkpoint, other: Checkpoint
) -> None:
    batch = random_checkpoint.sample(N, SEED)
    fresh = Checkpoint.untrained(other.config, other.config.training.seed + 1)
    a, b, untrained = (outputs_of(checkpoint, batch) for checkpoint in (random_checkpoint, other, fresh))
    truth, seen = batch.targets.double().numpy(), batch.observed.numpy()
    errors, answers = (found.table(name).set_index("entries") for name in ("errors", "answers"))
    for entries, where in (("masked", ~seen), ("observed", seen), ("total", seen | ~seen)):
        counts = where.sum(1).astype(float)
        sums = [((model - truth) ** 2 * where).sum(1) for model in (a, b)]
        expected = {
            **pooled("a_mse", sums[0], counts),
            **pooled("b_mse", sums[1], counts),
            **pooled("difference", sums[1] - sums[0], counts),
            "a_zero": (truth**2 * where).sum() / counts.sum(),
            "b_zero": (truth**2 * where).sum() / counts.sum(),
        }
        assert errors.loc[entries, list(expected)].to_dict() == pytest.approx(expected, rel=1e-4)
        pairs = {
            "correlation": (a, b),
            "other_matrices": (a, np.concatenate([b[-1:], b[:-1]])),
            "untrained": (a, untrained),
            "error_correlation": (a - truth, b - truth),
        }
        for name, (x, y) in pairs.items():
            slow = slow_correlation(x, y, where)
            for end, value in slow.items():
                assert answers.loc[entries, name + end] == pytest.approx(np.clip(value, -1, 1), abs=1e-3), (name, end)
        expected = pooled("mean_abs_difference", (np.abs(a - b) * where).sum(1), counts)
        assert answers.loc[entries, list(expected)].to_dict() == pytest.approx(expected, rel=1e-3)
    assert (errors["n"] == N).all()
    assert (errors["seed"] == SEED).all()


def slow_scores(a: Checkpoint, b: Checkpoint, matrices: slice, apart: int = 0) -> np.ndarray:
    """The score of every pair of heads on some of the matrices, from the definition."""
    inputs = a.sample(N, SEED).part(matrices)
    given = replace(inputs, inputs=torch.cat([inputs.inputs[-apart:], inputs.inputs[:-apart]])) if apart else inputs
    patterns = []
    for checkpoint, batch in ((a, inputs), (b, given)):
        uniform = uniform_map(checkpoint)
        each = [[run.patterns[pair] - uniform for pair in heads_of(checkpoint)] for run in traces(checkpoint, batch)]
        patterns.append(np.moveaxis(np.array(each), 1, 0).reshape(len(heads_of(checkpoint)), -1))
    x, y = patterns
    return (x @ y.T) / np.sqrt((x**2).sum(1)[:, None] * (y**2).sum(1)[None])


def test_pairs_are_made_on_one_half_and_scored_on_the_other(
    found: Result, random_checkpoint: Checkpoint, other: Checkpoint
) -> None:
    first, second = slice(0, N // 2), slice(N // 2, N)
    scores = slow_scores(random_checkpoint, other, first)
    best = max(permutations(range(6)), key=lambda order: sum(scores[row, order[row]] for row in range(6)))
    heads = [f"L{layer}H{head}" for layer in range(2) for head in range(3)]
    matches = found.table("matches")
    assert matches["head_a"].tolist() == heads
    assert matches["head_b"].tolist() == [heads[column] for column in best]
    held_out = slow_scores(random_checkpoint, other, second)
    controls = slow_scores(random_checkpoint, other, second, apart=1)
    again = max(permutations(range(6)), key=lambda order: sum(held_out[row, order[row]] for row in range(6)))
    for row, match in enumerate(matches.to_dict("records")):
        assert match["score"] == pytest.approx(held_out[row, best[row]], abs=1e-5)
        assert match["score_low"] <= match["score"] <= match["score_high"]
        assert match["other_matrices"] == pytest.approx(controls[row, best[row]], abs=1e-5)
        assert match["stable"] == (again[row] == best[row])
        assert match["same_index"] == (best[row] == row)
        assert match["same_layer"] == (best[row] // 3 == row // 3)
        assert match["n"] == N // 2
    np.testing.assert_allclose(found.arrays["similarity"], held_out, atol=1e-5)
    table = found.table("similarity")
    assert table["score"].to_numpy().reshape(6, 6) == pytest.approx(held_out, abs=1e-5)
    assert table[table["paired"]]["head_b"].tolist() == matches["head_b"].tolist()


def test_what_heads_do_is_compared_too(found: Result, random_checkpoint: Checkpoint, other: Checkpoint) -> None:
    inputs = random_checkpoint.sample(N, SEED).inputs[N // 2 :]
    a, b, moved = (
        slow_effects(checkpoint, given)
        for checkpoint, given in ((random_checkpoint, inputs), (other, inputs), (other, inputs.roll(1, 0)))
    )
    heads = list(a)
    for match in found.table("matches").to_dict("records"):
        x, y, z = a[match["head_a"]], b[match["head_b"]], moved[match["head_b"]]

        def cosine(weights: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
            products = [(weights * (p * q).sum(1)).sum() for p, q in ((x, y), (x, x), (y, y))]
            return float(products[0] / np.sqrt(products[1] * products[2]))

        value, low, high, _ = estimate(cosine, np.ones(N // 2))
        expected = (value, max(low, -1), min(high, 1))
        assert (match["effect"], match["effect_low"], match["effect_high"]) == pytest.approx(expected, abs=2e-3)
        assert match["effect_other_matrices"] == pytest.approx(cosine(np.ones(N // 2), y=z), abs=1e-3)
    controls = found.table("controls").set_index("what")
    assert controls.loc[COMPARED, "effect"] == pytest.approx(found.table("matches")["effect"].mean())
    assert controls.loc[SHUFFLED, "effect"] == pytest.approx(1, abs=1e-4)
    assert len(heads) == 6


def slow_effects(checkpoint: Checkpoint, inputs: torch.Tensor) -> dict[str, np.ndarray]:
    """What the answers change by when a head attends uniformly, by hooks, (n, entries) for each head."""
    model, found = checkpoint.model, {}
    with torch.no_grad():
        clean = model(inputs)[..., 0]
        for pair in heads_of(checkpoint):
            head = Head(*pair)
            with intervene(model, uniform_pattern(HeadSet.of(str(head), [head]))):
                found[str(head)] = (model(inputs)[..., 0] - clean).double().numpy()
    return found


def test_controls_stand_beside_the_pairs(found: Result, random_checkpoint: Checkpoint, other: Checkpoint) -> None:
    controls, matches = found.table("controls").set_index("what"), found.table("matches")
    assert list(controls.index) == [COMPARED, SHUFFLED, UNTRAINED, given_other("matrices")]
    assert controls.loc[COMPARED, "score"] == pytest.approx(matches["score"].mean())
    assert controls.loc[COMPARED, "lowest"] == matches["score"].min()
    assert controls.loc[SHUFFLED, ["found", "pairs"]].tolist() == [6, 6]
    assert controls.loc[SHUFFLED, "lowest"] == pytest.approx(1, abs=1e-6)
    assert controls.loc[UNTRAINED, "score"] == pytest.approx(matches["untrained"].mean())
    assert found.facts["untrained_highest"] == pytest.approx(matches["untrained"].max())
    assert (matches["above_untrained"] == (matches["score_low"] > matches["untrained"].max())).all()
    # What follows the matrix in one model has nothing to do with another matrix in the other.
    own, others = (controls.loc[what] for what in (COMPARED, given_other("matrices")))
    assert own["response"] > others["response_high"]
    assert abs(others["response"]) < 0.2
    assert 0 < controls.loc[UNTRAINED, "score"] < controls.loc[COMPARED, "score"]


def test_a_model_whose_heads_are_permuted_is_the_same_model(random_checkpoint: Checkpoint) -> None:
    orders = [[1, 2, 0], [2, 1, 0]]
    permuted = replace(random_checkpoint, weights=reorder_heads(random_checkpoint.weights, orders), digest="permuted")
    result = compare_checkpoints(random_checkpoint, permuted, N, SEED)
    matches = result.table("matches")
    assert matches["head_b"].tolist() == ["L0H2", "L0H0", "L0H1", "L1H2", "L1H1", "L1H0"]
    assert matches["score"].tolist() == pytest.approx([1.0] * 6, abs=1e-6)
    assert matches["above_untrained"].all()
    assert matches["stable"].all()
    assert (matches["classes_agree"] != "no").all()
    answers = result.table("answers")
    assert answers["mean_abs_difference"].max() < 1e-6
    assert answers["correlation"].tolist() == pytest.approx([1.0] * 3, abs=1e-9)
    assert result.table("errors")["difference"].abs().max() < 1e-6


def test_classes_are_those_of_the_taxonomy() -> None:
    run = Run(TINY)
    a, b = run.checkpoint("last"), run.checkpoint(4915)
    result = compare_checkpoints(a, b, 32, 0)
    taxonomies = [head_taxonomy(checkpoint, 32, 0).table("heads").set_index("head") for checkpoint in (a, b)]
    known = same = 0
    for match in result.table("matches").to_dict("records"):
        kinds = []
        for taxonomy, side in zip(taxonomies, "ab", strict=True):
            own = taxonomy.loc[match[f"head_{side}"]]
            kinds.append((own["family"], own["group"]))
            names = [name for name in kinds[-1] if name != "none"]
            assert match[f"class_{side}"] == (" · ".join(names) or "none")
        nothing = kinds == [("none", "none")] * 2
        assert match["classes_agree"] == ("none" if nothing else "yes" if kinds[0] == kinds[1] else "no")
        known, same = known + (not nothing), same + (kinds[0] == kinds[1] and not nothing)
    assert known > 0
    table = result.table("classes")
    for row in table.to_dict("records"):
        counts = [(taxonomy[row["kind"]] == row["class"]).sum() for taxonomy in taxonomies]
        assert [row["a_heads"], row["b_heads"]] == counts
    pairs = [
        (tuple(x), tuple(y))
        for x in taxonomies[0][["family", "group"]].to_numpy()
        for y in taxonomies[1][["family", "group"]].to_numpy()
    ]
    some = [(x, y) for x, y in pairs if {x, y} != {("none", "none")}]
    assert result.facts["agreement_by_chance"] == pytest.approx(sum(x == y for x, y in some) / len(some))


def checkpoint_of(seed: int = 3, run_name: str = "of", **sections: dict[str, object]) -> Checkpoint:
    return replace(Checkpoint.untrained(small_config(**sections), seed), run_name=run_name)


@pytest.mark.parametrize(
    ("task", "unlike"),
    [
        ({"rows": 4}, {"rows": [5, 4]}),
        ({"v_max": 3.0}, {"v_max": [2.0, 3.0]}),
        ({"sizes": ((5, 5), (4, 5))}, {"sizes": [None, [[5, 5], [4, 5]]]}),
    ],
)
def test_tasks_with_other_inputs_are_compared_as_far_as_they_can_be(
    task: dict[str, object], unlike: dict[str, list[object]]
) -> None:
    result = compare_checkpoints(checkpoint_of(), checkpoint_of(task=task), N, SEED)
    assert result.facts["shared"] is False
    assert result.facts["unlike"] == unlike
    assert set(result.tables) == {"errors", "classes", "fields"}
    errors = result.table("errors")
    assert errors["difference"].isna().all()
    assert errors[["a_mse", "b_mse", "a_zero", "b_zero"]].notna().all(axis=None)
    assert (errors["a_zero"].tolist() != errors["b_zero"].tolist()) == ("rows" in unlike)
    assert len(result.table("classes")) == 10


def test_another_law_and_another_shape_of_the_model_have_the_same_inputs() -> None:
    b = checkpoint_of(task={"p_mask": 0.6}, model={"n_layers": 1, "n_heads": 3, "d_model": 12})
    result = compare_checkpoints(checkpoint_of(), b, N, SEED)
    assert result.facts["shared"] is True
    assert len(result.table("matches")) == 3
    assert len(result.facts["unpaired_a"]) == 1
    assert result.facts["unpaired_b"] == []
    assert result.arrays["similarity"].shape == (4, 3)
    fields = result.table("fields").set_index("field")
    assert fields.loc["task.p_mask"].tolist() == ["0.3", "0.6"]
    assert fields.loc["model.n_heads"].tolist() == ["2", "3"]


@pytest.mark.parametrize("p_mask", [0.0, 1.0])
def test_nothing_masked_and_nothing_observed_have_answers_too(p_mask: float) -> None:
    models = [checkpoint_of(seed, task={"p_mask": p_mask}) for seed in (1, 2)]
    result = compare_checkpoints(models[0], models[1], N, SEED)
    answers = result.table("answers").set_index("entries")
    absent, there = ("masked", "observed") if p_mask == 0 else ("observed", "masked")
    assert answers.loc[absent].drop(["n", "seed"]).isna().all()
    assert np.isfinite(answers.loc[there, "mean_abs_difference"])
    assert result.table("matches")["score"].notna().all()


def test_sequences_are_compared_without_classes() -> None:
    pair = [Checkpoint.untrained(small_gpt_config(), seed) for seed in (1, 2)]
    result = compare_checkpoints(pair[0], pair[1], N, SEED)
    assert "classes" not in result.tables
    matches = result.table("matches")
    assert len(matches) == 4
    assert matches[["class_a", "class_b", "classes_agree"]].isna().all(axis=None)
    assert result.facts["agreement_by_chance"] is None
    assert len(result.facts["positions"]) == result.arrays["maps_a"].shape[-1] == 13


def test_heads_that_attend_uniformly_cannot_be_paired_by_anything() -> None:
    copier = planted_copier()
    weights = {name: torch.zeros_like(w) if "attn.W_Q" in name else w for name, w in copier.weights.items()}
    silent = replace(copier, weights=weights)
    result = compare_checkpoints(silent, replace(silent, run_name="again"), N, SEED)
    assert result.table("matches")["score"].isna().all()
    controls = result.table("controls").set_index("what")
    assert controls.loc[[COMPARED, SHUFFLED, UNTRAINED], ["score", "effect"]].isna().all(axis=None)
    assert result.facts["untrained_highest"] is None
    assert result.facts["same_weights"] is True


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="at least 4"):
        compare_checkpoints(checkpoint_of(), checkpoint_of(), 3)
    gpt = Checkpoint.untrained(small_gpt_config(), 1)
    with pytest.raises(InputError, match=r"of@0 is asked matrix-completion and untrained@0 matrix-sequence"):
        compare_checkpoints(checkpoint_of(), gpt)


@pytest.mark.needs_study("identity-mapping")
def test_what_has_no_heads_cannot_be_compared() -> None:
    linear = Checkpoint.untrained(RunConfig.model_validate(load_preset("identity-mapping").model_dump()), 0)
    with pytest.raises(InputError, match="comparing checkpoints asks for heads and sample_scores and"):
        compare_checkpoints(linear, linear)


def test_the_same_seed_gives_the_same_numbers_and_they_are_stored(
    found: Result, random_checkpoint: Checkpoint, other: Checkpoint, tmp_path: Path
) -> None:
    again = compare_checkpoints(random_checkpoint, other, N, SEED)
    for name, table in found.tables.items():
        assert again.table(name).equals(table.frame)
    found.save(tmp_path / "r")
    stored = Result.load(tmp_path / "r")
    assert stored.facts == found.facts
    np.testing.assert_array_equal(stored.arrays["maps_a"], found.arrays["maps_a"])
    different = compare_checkpoints(random_checkpoint, other, N, SEED + 1)
    assert not different.table("errors").equals(found.table("errors"))
