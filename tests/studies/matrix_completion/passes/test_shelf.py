"""The hidden shelf: answers that are planted are told for what they are, and the shipped run's is where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from slow_shelf import head_rows as slow_head_rows
from slow_statistics import assert_table
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.analysis.registry import defined_for
from mcinterp.errors import InputError, UnansweredError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.baselines.symmetric import (
    BestSymmetric,
    partitions,
    symmetric_terms,
    triples,
)
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.passes.shelf import Given, hidden_shelf, shelf_tables
from mcinterp.studies.matrix_completion.passes.shelf_answers import (
    BEST,
    CUBE,
    PLACE,
    TRUTH,
    Shown,
    answers_of,
    observed_values,
    permuted_inputs,
)
from mcinterp.studies.matrix_completion.passes.shelf_heads import head_rows
from mcinterp.studies.matrix_completion.passes.shelf_verdicts import Stretch, explained_by, stretch, verdict
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

SHIPPED = Path(__file__).parents[4] / "checkpoints" / "tiny"
N, SMALL = 4000, 0.1
PLACES = np.linspace(-1, 1, 25)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return Checkpoint.untrained(small_config(), seed=0)


@pytest.fixture(scope="module")
def shown(checkpoint: Checkpoint) -> Shown:
    return Shown.of(checkpoint, N, 3)


Answer = Callable[[np.ndarray, Shown], np.ndarray]
"""From what is observed, (n, entry), to answers (n, 1) or (n, entry)."""
PLANTED: dict[str, Answer] = {
    BEST: lambda values, shown: shown.best[BEST].answers(values)[:, None],
    CUBE: lambda values, shown: values.sum(1, keepdims=True) ** 3 / 1000,
    "zero": lambda values, shown: 0 * values,
    PLACE: lambda values, shown: SMALL * np.tile(PLACES, (len(values), 1)),
    TRUTH: lambda values, shown: shown.targets,
    "noise": lambda values, shown: SMALL * np.random.default_rng(1).normal(size=(len(values), 1)),
}


def planted(checkpoint: Checkpoint, shown: Shown, answer: Answer) -> dict[str, Table]:
    """The tables of a model that answers so at every step."""
    dealt = observed_values(checkpoint, replace(shown.batch, inputs=shown.permuted))
    wide = np.ones_like(shown.values)
    given = Given(answer(shown.values, shown) * wide, answer(dealt, shown) * wide)
    untrained = np.random.default_rng(0).normal(size=shown.values.shape)
    return shelf_tables(shown, {5: given}, untrained, {"n": N, "seed": 3})


def told(tables: dict[str, Table]) -> tuple[str, str, list[str]]:
    """The verdict, the nearest candidate, and those as near."""
    rows = [row for _, row in tables["candidates"].frame.iterrows() if row["candidate"] != TRUTH]
    return tables["answers"].frame.iloc[0]["verdict"], *explained_by(rows)


@pytest.mark.parametrize(
    ("name", "expected"),
    [(BEST, "shelf"), (CUBE, "shelf"), ("zero", "none"), (PLACE, "none"), (TRUTH, "none"), ("noise", "none")],
)
def test_what_a_planted_model_answers_is_told(checkpoint: Checkpoint, shown: Shown, name: str, expected: str) -> None:
    tables = planted(checkpoint, shown, PLANTED[name])
    found, nearest, alike = told(tables)
    assert found == expected
    assert nearest == ({"zero": "", "noise": "", TRUTH: "X Xᵀ X"}.get(name, name))
    assert not alike
    row = tables["answers"].frame.iloc[0]
    if name in (BEST, CUBE):
        assert [row["between"], row["symmetry"]] == pytest.approx([1, 1])
        assert abs(row["dealt_between"]) < 0.05
        assert abs(row["other_symmetry"]) < 0.15
    if name == BEST:
        assert row["gain"] == row["possible"] > 0
        assert row["short"] == row["short_low"] == 0
    if name == TRUTH:
        assert row["gain"] == 1
        assert row["size"] == pytest.approx(1)
    if name == "zero":
        assert row["gain"] == row["size"] == 0
        assert np.isnan(row["between"])


def test_answers_half_of_whose_variance_is_between_matrices_are_undecided(checkpoint: Checkpoint, shown: Shown) -> None:
    best = PLANTED[BEST](shown.values, shown)
    noise = float(np.std(best)) * np.random.default_rng(2).normal(size=shown.values.shape)
    tables = planted(checkpoint, shown, lambda values, own: PLANTED[BEST](values, own) + noise)
    assert tables["answers"].frame.iloc[0]["between"] == pytest.approx(0.5, abs=0.1)
    assert told(tables)[:2] == ("undecided", BEST)


BETWEEN = {"between": 0.8, "between_low": 0.7, "between_high": 0.9}
GAIN = {"gain": 0.01, "gain_low": 0.0, "gain_high": 0.02}
FOLLOWS = {"correlation": 0.6, "correlation_low": 0.5, "correlation_high": 0.7}
FOLLOWS |= {"control": 0.0, "control_low": -0.05, "control_high": 0.05}


@pytest.mark.parametrize(
    ("answers", "best", "expected"),
    [
        ({}, {}, "shelf"),
        ({"between_low": 0.4}, {}, "undecided"),
        ({"between": 0.2, "between_low": 0.1, "between_high": 0.4}, {}, "none"),
        ({"between_low": np.nan, "between_high": np.nan}, {}, "none"),
        ({"gain_high": 0.06}, {}, "undecided"),
        ({"gain": 0.2, "gain_low": 0.1, "gain_high": 0.3}, {}, "none"),
        ({}, {"correlation": 0.1, "correlation_low": -0.2, "correlation_high": 0.3}, "undecided"),
        ({}, {"correlation": 0.0, "correlation_low": -0.02, "correlation_high": 0.02}, "none"),
        ({}, {"correlation": -0.6, "correlation_low": -0.7, "correlation_high": -0.5}, "none"),
        # The answers to other matrices go with it as much: it is not of this matrix.
        ({}, {"control": 0.6, "control_low": 0.5, "control_high": 0.7}, "undecided"),
        ({}, {"correlation_low": np.nan, "correlation_high": np.nan}, "none"),
    ],
)
def test_every_verdict_of_forged_rows(answers: dict[str, float], best: dict[str, float], expected: str) -> None:
    assert verdict({**BETWEEN, **GAIN, **answers}, {**FOLLOWS, **best}) == expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("nssn", Stretch("shelf", 20, 30, 10, 40)),
        ("ssnn", Stretch("shelf", 10, 20, None, 30)),
        ("nnns", Stretch("shelf", 40, 40, 30, None)),
        ("snss", Stretch("shelf", 30, 40, 20, None)),
        ("snsn", Stretch("shelf", 10, 10, None, 20)),
        ("nunn", Stretch("undecided")),
        ("nnnn", Stretch("none")),
    ],
)
def test_the_longest_stretch(verdicts: str, expected: Stretch) -> None:
    names = {"s": "shelf", "n": "none", "u": "undecided"}
    assert stretch([10, 20, 30, 40], [names[each] for each in verdicts]) == expected  # type: ignore[misc]


def test_the_sum_of_triples_is_that_of_all_products_of_three() -> None:
    values = np.random.default_rng(0).normal(size=(3, 7))
    assert triples(values) == pytest.approx([sum(a * b * c for a, b, c in combinations(own, 3)) for own in values])


def test_terms_are_as_many_as_partitions_and_independent() -> None:
    assert list(partitions(3)) == [(3,), (2, 1), (1, 1, 1)]
    assert [len(list(partitions(total))) for total in range(8)] == [1, 1, 2, 3, 5, 7, 11, 15]
    terms = symmetric_terms(np.random.default_rng(0).normal(size=(50, 9)), 5)
    assert terms.shape == (50, 1 + 3 + 7)
    assert np.linalg.matrix_rank(terms) == 11


@pytest.mark.parametrize("rank", [1, 2])
def test_only_corners_of_a_rectangle_say_anything_of_the_fourth(rank: int) -> None:
    """E[x_e Σ_abc x_a x_b x_c] is rank / 81 times the number of triples that are the other corners."""
    generator = np.random.default_rng(rank)
    u, v = (generator.uniform(-1, 1, size=(400_000, 3, rank)) for _ in range(2))
    matrices = (u @ v.transpose(0, 2, 1)).reshape(-1, 9)
    observed = np.array([0, 1, 1, 1, 1, 0, 1, 1, 1])  # entry 0 is masked; it has 3 rectangles with observed corners
    products = matrices[:, 0] * triples(matrices * observed)
    error = products.std() / np.sqrt(len(products))
    assert products.mean() == pytest.approx(3 * rank / 81, abs=4 * error)
    assert error < 0.1 * rank / 81


def test_no_linear_symmetric_answer_is_worth_anything_and_a_cubic_one_is(checkpoint: Checkpoint) -> None:
    batch = checkpoint.sample(20_000, 1)
    values, targets = observed_values(checkpoint, batch), batch.targets.double().numpy()
    masked = (~batch.observed).double().numpy()
    fit, test = slice(0, 15_000), slice(15_000, None)

    def worth(degree: int) -> float:
        best = BestSymmetric.fitted(values[fit], targets[fit], masked[fit], degree)
        answers = best.answers(values[test])[:, None]
        gained = (targets[test] ** 2 - (targets[test] - answers) ** 2) * masked[test]
        return float(gained.sum() / (targets[test] ** 2 * masked[test]).sum())

    assert abs(worth(1)) < 0.001
    assert 0.004 < worth(3) < worth(5)


def test_the_best_answer_knows_no_places_and_is_odd(shown: Shown) -> None:
    best = shown.best[BEST]
    order = np.random.default_rng(0).permutation(25)
    assert best.answers(shown.values[:, order]) == pytest.approx(best.answers(shown.values))
    assert best.answers(-shown.values) == pytest.approx(-best.answers(shown.values))


@pytest.mark.parametrize("sizes", [None, ((3, 4), (5, 5))])
def test_entries_are_dealt_out_to_places_of_observed_ones(sizes: object) -> None:
    task = TaskConfig(rows=5, cols=5, rank=1, p_mask=0.4, v_min=-2.0, v_max=2.0, sizes=sizes)
    batch = MatrixCompletion(task).sample(40, torch.Generator().manual_seed(2))
    dealt = permuted_inputs(batch, 7)
    assert torch.equal(dealt[~batch.observed], batch.inputs[~batch.observed])
    assert torch.equal(dealt.sort(1).values, batch.inputs.sort(1).values)
    moved = (dealt != batch.inputs)[batch.observed].double().mean()
    assert moved > 0.8


def test_the_shipped_run_has_a_shelf_before_its_drop() -> None:
    run = Run(SHIPPED)
    steps = [step for step in run.steps if 1700 < step < 5000]
    found = hidden_shelf(run, steps, samples=512)
    assert [found.facts[name] for name in ("state", "first", "last", "before", "after")] == [
        "shelf",
        3002,
        3867,
        2272,
        4391,
    ]
    candidates = found.table("candidates").set_index(["step", "candidate"])
    for step in (3002, 3867):
        assert candidates.loc[(step, "sum"), "behind_low"] > 0
        assert candidates.loc[(step, CUBE), "behind"] > 0
        assert candidates.loc[(step, BEST), "behind"] == 0
    heads = found.table("heads").set_index(["group", "method"])
    assert (heads.loc["none", "share"] == 0).all()
    for method in ("zero", "mean", "patch"):
        assert heads.loc[("all", method), "share"] == pytest.approx(1, abs=0.1)
        assert heads.loc[("all", method), "other_share_low"] < 0.1


@dataclass(frozen=True)
class OfModel:
    """In the place of the best symmetric answer: of each matrix what the model itself answers, in the mean."""

    means: np.ndarray

    def answers(self, values: np.ndarray) -> np.ndarray:
        return self.means


def test_what_goes_with_heads_is_what_loops_find() -> None:
    checkpoint = Checkpoint.untrained(small_config(model={"init_std": 0.8}), seed=4)
    shown = Shown.of(checkpoint, 16, 5)
    means = (answers_of(checkpoint, shown.batch.inputs) * shown.masked).sum(1) / np.maximum(shown.counts, 1)
    shown = replace(shown, best={**shown.best, BEST: OfModel(means)})  # type: ignore[dict-item]
    found = pd.DataFrame(head_rows(checkpoint, shown, {"step": 0, "n": 16, "seed": 5}))
    assert found[["share", "other_share"]].notna().all().all()
    assert (found["share"] - found["other_share"]).abs().max() > 0.1
    assert_table(found, slow_head_rows(checkpoint, shown.batch, shown.best_answers, 5), rel=1e-3)


def test_no_entry_to_answer_is_said(trained_folder: Path) -> None:
    run = Run(trained_folder)
    with pytest.raises(InputError, match="at least 4"):
        hidden_shelf(run, samples=3)
    blank = small_config(task={"p_mask": 0.0})
    with pytest.raises(UnansweredError, match="no entry of 8 matrices is masked"):
        Shown.of(Checkpoint.untrained(blank, 0), 8, 0)


def test_a_sequence_is_not_asked() -> None:
    assert "shelf" not in defined_for(small_gpt_config())
    assert "shelf" in defined_for(small_config())


def test_a_stored_result_is_read_back(trained_folder: Path, tmp_path: Path) -> None:
    found = hidden_shelf(Run(trained_folder), samples=8)
    found.save(tmp_path / "shelf")
    assert Result.load(tmp_path / "shelf").table("heads").equals(found.table("heads"))
