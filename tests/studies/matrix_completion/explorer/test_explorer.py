"""The explorer in a browser: its model is PyTorch's, its nuclear norm mcinterp's, and it does what its controls say."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch
from small_run import small_config

from mcinterp.analysis import ablation, patching
from mcinterp.model import Head, HeadSet, intervene
from mcinterp.model.interventions import replaced_z, uniform_pattern
from mcinterp.runs import Checkpoint, Run, train
from mcinterp.studies.matrix_completion.baselines import (
    has_unique_minimiser,
    nuclear_norm_reference,
    solve_nuclear_norm,
)
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.explorer.explorable import explorable
from mcinterp.studies.matrix_completion.explorer.page import write_explorer
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.tokens import tokenise

pytestmark = pytest.mark.no_cover

Opened = Callable[..., Any]
TINY = Path(__file__).parents[4] / "checkpoints" / "tiny"
SET = """([values, observed, at, heads, method = "uniform", second = null]) => {
  const { live } = Explorer;
  const numbers = { values: Float64Array.from(values), observed: Uint8Array.from(observed) };
  Object.assign(live.state, { at, ...numbers, method, second: second && Float64Array.from(second) });
  live.ablateAll(false);
  if (heads.length) live.ablate(heads);
  const { model, intact, patterns } = live.outcome();
  return {
    answers: [...model.answers],
    intact: intact && [...intact.answers],
    patterns: heads.length ? [] : patterns.map((layer) => layer.map((head) => [...head])),
    errors: [model.observed, model.masked, model.all, model.norm],
  };
}"""

SOLVE = "(given) => { const found = Nuclear.complete(...given); return { ...found, completed: [...found.completed] }; }"


def drawn(checkpoint: Checkpoint, n: int, seed: int) -> MatrixBatch:
    batch: MatrixBatch = checkpoint.sample(n, seed)
    return batch


def heads_of(checkpoint: Checkpoint, seed: int) -> list[tuple[int, int]]:
    """Some heads, at random."""
    cfg = checkpoint.model.cfg
    chosen = np.random.default_rng(seed).random((cfg.n_layers, cfg.n_heads)) < 0.4
    return [(layer, head) for layer, head in product(range(cfg.n_layers), range(cfg.n_heads)) if chosen[layer, head]]


def difference(page: Any, run: Run, steps: list[int], n: int) -> float:
    """The largest difference between the page's answers and patterns and PyTorch's, with and without ablation."""
    largest = 0.0
    for at, step in enumerate(steps):
        checkpoint = run.checkpoint(step)
        batch = drawn(checkpoint, n, step)
        heads = heads_of(checkpoint, step)
        model = checkpoint.encoder
        answers, cache = model.run_with_cache(batch.inputs)
        with intervene(model, uniform_pattern(HeadSet.of("some", (Head(*head) for head in heads)))):
            ablated = model.complete(batch.inputs)
        for i in range(n):
            given = [batch.targets[i].tolist(), batch.observed[i].int().tolist(), at]
            clean = page.evaluate(SET, [*given, []])
            pattern = [cache["pattern", layer][i].flatten(1) for layer in range(model.cfg.n_layers)]
            largest = max(
                largest,
                float(np.abs(np.array(clean["answers"]) - answers[i, :, 0].numpy()).max()),
                float(np.abs(np.array(clean["patterns"]) - torch.stack(pattern).numpy()).max()),
            )
            changed = page.evaluate(SET, [*given, [list(head) for head in heads]])
            largest = max(largest, float(np.abs(np.array(changed["answers"]) - ablated[i].numpy()).max()))
            assert changed["intact"] == (clean["answers"] if heads else None)
    return largest


def test_answers_patterns_and_ablations_are_pytorchs(page: Any, explored: Run) -> None:
    assert len(explored.steps) > 4
    assert difference(page, explored, explored.steps, 6) < 1e-5


@pytest.mark.skipif(not TINY.exists(), reason="the shipped run is not here")
def test_so_they_are_for_every_shipped_checkpoint(opened: Opened, tmp_path: Path) -> None:
    run = Run(TINY)
    with opened(write_explorer(explorable(run, run.steps), tmp_path / "tiny.html")) as page:
        assert difference(page, run, run.steps, 2) < 1e-4


def test_zero_mean_and_patched_heads_are_pytorchs(page: Any, explored: Run) -> None:
    for at, step in enumerate(explored.steps):
        checkpoint = explored.checkpoint(step)
        model, batch, other = checkpoint.encoder, drawn(checkpoint, 3, step), drawn(checkpoint, 3, step + 100)
        heads = heads_of(checkpoint, step) or [(0, 0)]
        chosen = HeadSet.of("some", (Head(*head) for head in heads))
        second = MatrixCompletion(checkpoint.config.task).batch(
            other.targets.view(-1, 4, 5), batch.observed.view(-1, 4, 5)
        )
        mean = model.run_with_cache(checkpoint.sample(512, 0).inputs)[1]
        layers = range(model.cfg.n_layers)
        sources = {
            "zero": [torch.zeros_like(mean["z", layer][:1]) for layer in layers],
            "mean": [mean["z", layer].mean(0, keepdim=True) for layer in layers],
            "patch": [model.run_with_cache(second.inputs)[1]["z", layer] for layer in layers],
        }
        for method, z in sources.items():
            with intervene(model, replaced_z(chosen, z)):
                expected = model.complete(batch.inputs)
            for i in range(3):
                given = [batch.targets[i].tolist(), batch.observed[i].int().tolist(), at, [list(h) for h in heads]]
                got = page.evaluate(SET, [*given, method, other.targets[i].tolist()])
                np.testing.assert_allclose(got["answers"], expected[i].numpy(), atol=1e-5, err_msg=method)


MEASURED = """([values, observed, at, heads, method]) => {
  const { live } = Explorer;
  live.state.at = at;
  live.state.method = method;
  live.ablateOnly(heads);
  return values.map((own, i) => {
    Object.assign(live.state, { values: Float64Array.from(own), observed: Uint8Array.from(observed[i]), second: null });
    const { model, asSecond } = live.outcome();
    return [model.masked, asSecond ? asSecond.masked : NaN];
  });
}"""


def over_all(masked: np.ndarray, scores: list[float]) -> float:
    """The mean over all masked entries of all matrices, from a mean over those of each."""
    counts = masked.sum(1)
    return float(np.nansum(np.array(scores) * counts) / counts.sum())


def test_its_errors_are_those_of_the_passes(
    explored: Run, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it says of 12 matrices, averaged, is what ablation and patching say of them.
    n, names = 12, "L0H1,L1H0,L1H3"
    monkeypatch.setattr(import_module("mcinterp.studies.matrix_completion.explorer.explorable"), "MEAN_OVER", n)
    checkpoint, heads = explored.checkpoint("last"), [[0, 1], [1, 0], [1, 3]]
    batch = drawn(checkpoint, n, 0)
    masked = ~batch.observed.flatten(1).numpy()
    given = [
        batch.targets.flatten(1).tolist(),
        batch.observed.flatten(1).int().tolist(),
        len(explored.steps) - 1,
        heads,
    ]
    methods = ["uniform", "zero", "mean"]
    ablated = ablation(checkpoint, [names], methods, n, 0).table("ablation").set_index("method")["masked_mse"]
    table = patching(checkpoint, [names], n, 0).table("patching")
    patched = table[(table["entries"] == "masked") & (table["group"] == names)].set_index("direction")
    with opened(write_explorer(explorable(explored, explored.steps), tmp_path / "explore.html")) as page:
        for method in methods:
            scores = page.evaluate(MEASURED, [*given, method])
            assert over_all(masked, [own for own, _ in scores]) == pytest.approx(ablated[method], rel=1e-5), method
        scores = page.evaluate(MEASURED, [*given, "patch"])
    for column, which in (("mse_to_base", 0), ("mse_to_source", 1)):
        told = over_all(masked, [pair[which] for pair in scores])
        assert told == pytest.approx(patched.loc["−X into X", column], rel=1e-5)
    assert len({*ablated.round(6), round(told, 6)}) == 4


def test_errors_and_norm_are_those_of_the_answers(page: Any, explored: Run) -> None:
    checkpoint = explored.checkpoint("last")
    batch = drawn(checkpoint, 4, 9)
    task = MatrixCompletion(checkpoint.config.task)
    for i in range(4):
        one = batch.part(slice(i, i + 1))
        got = page.evaluate(SET, [one.targets[0].tolist(), one.observed[0].int().tolist(), len(explored.steps) - 1, []])
        answers = checkpoint.encoder.complete(one.inputs)
        scores = task.scores(answers, one)
        norm = torch.linalg.svdvals(answers.double().view(4, 5)).sum()
        expected = [scores["observed_mse"], scores["masked_mse"], task.loss(answers, one), norm]
        np.testing.assert_allclose(got["errors"], [float(value) for value in expected], rtol=1e-4, atol=1e-6)


def test_a_smaller_matrix_of_a_mixture_is_answered_as_with_padding(opened: Opened, tmp_path: Path) -> None:
    config = small_config(task={"sizes": ((3, 3), (5, 4), (4, 5))}, model={"init_std": 0.6})
    train(tmp_path / "mixed", config, device="cpu")
    run = Run(tmp_path / "mixed")
    checkpoint = run.checkpoint("last")
    with opened(write_explorer(explorable(run, [run.steps[-1]]), tmp_path / "mixed.html")) as page:
        for rows, cols in ((5, 4), (3, 3)):
            page.get_by_label("Size").select_option(f"{rows},{cols}")
            assert page.locator("#given td.entry").count() == rows * cols
            batch = checkpoint.sample(1, 3, None, (rows, cols))
            (present,) = batch.present
            values, observed = batch.targets[0][present], batch.observed[0][present]
            heads = heads_of(checkpoint, rows)
            got = page.evaluate(SET, [values.tolist(), observed.int().tolist(), 0, [list(head) for head in heads]])
            padding = checkpoint.encoder.padding(batch.inputs)
            chosen = HeadSet.of("some", (Head(*head) for head in heads))
            with intervene(checkpoint.encoder, uniform_pattern(chosen, padding)):
                expected = checkpoint.encoder.complete(batch.inputs)[0][present]
            np.testing.assert_allclose(got["answers"], expected.numpy(), atol=1e-5)
            z = checkpoint.encoder.run_with_cache(checkpoint.sample(512, 0).inputs)[1]
            mean = [z["z", layer].mean(0, keepdim=True) for layer in range(2)]
            got = page.evaluate(
                SET, [values.tolist(), observed.int().tolist(), 0, [list(head) for head in heads], "mean"]
            )
            with intervene(checkpoint.encoder, replaced_z(chosen, mean)):
                expected = checkpoint.encoder.complete(batch.inputs)[0][present]
            np.testing.assert_allclose(got["answers"], expected.numpy(), atol=1e-5)
            clean = page.evaluate(SET, [values.tolist(), observed.int().tolist(), 0, []])
            assert len(clean["patterns"][0][0]) == (rows * cols) ** 2


@pytest.mark.parametrize("changes", [{}, {"tokens": "truncate"}, {"decimals": 0, "v_min": -7.0}, {"decimals": 1}])
def test_tokens_are_those_of_the_task(page: Any, changes: dict[str, Any]) -> None:
    task = TaskConfig(**{"v_min": -2.0, "v_max": 2.0, "out_of_range": "clip", **changes})
    exact = np.arange(task.n_values) / 10**task.decimals + task.v_min
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [exact, rng.uniform(task.v_min - 1, task.v_max + 1, 300), [0.125, 0.135, -0.125, 0.5, 1.5, -0.5, -1.5, 0.045]]
    )
    observed = rng.random(len(values)) < 0.9
    expected, n_clipped = tokenise(torch.tensor(values), torch.tensor(observed), task)
    given = [values.tolist(), observed.astype(int).tolist(), task.model_dump(mode="json")]
    got = page.evaluate("(given) => Task.tokens(...given)", given)
    assert n_clipped > 0
    assert got == expected.tolist()


@pytest.mark.parametrize("law", ["uniform", "gaussian", "laplace", "full-rank"])
def test_drawn_matrices_follow_the_tasks_law(page: Any, law: str) -> None:
    task = TaskConfig(rows=4, cols=3, rank=2, factors=law, factor_scale=0.7, out_of_range="clip")
    draw = """(task) => {
      const random = Task.generator(5);
      return Array.from({ length: 4000 }, () => [...Task.matrix(task.rows, task.cols, task, random)]);
    }"""
    got = np.array(page.evaluate(draw, task.model_dump(mode="json"))).reshape(-1, 4, 3)
    expected = MatrixCompletion(task).sample(4000, torch.Generator().manual_seed(0)).targets.view(-1, 4, 3).numpy()
    assert abs(got.mean()) < 0.02
    assert got.var() == pytest.approx(expected.var(), rel=0.08)
    assert (got**4).mean() == pytest.approx((expected**4).mean(), rel=0.3)
    np.testing.assert_allclose(got, got.round(2), atol=1e-12)
    smallest = np.linalg.svd(got, compute_uv=False)[:, 2].mean()
    assert smallest == pytest.approx(np.linalg.svd(expected, compute_uv=False)[:, 2].mean(), rel=0.1)
    masks = page.evaluate("(task) => [...Task.mask(20000, task, Task.generator(2))]", task.model_dump(mode="json"))
    assert np.mean(masks) == pytest.approx(1 - task.p_mask, abs=0.015)


def test_erf_is_that_of_scipy(page: Any) -> None:
    x = np.concatenate([np.linspace(-7, 7, 2001), [0.0, 1e-9, 2.9999999, 3.0, 5.9999, 6.0]])
    np.testing.assert_allclose(page.evaluate("(x) => x.map(Encoder.erf)", x.tolist()), scipy.special.erf(x), atol=1e-14)


@pytest.mark.parametrize(("rows", "cols", "rank"), [(5, 5, 1), (4, 7, 2), (7, 4, 3), (6, 6, 6), (1, 5, 1), (10, 10, 9)])
def test_rank_and_singular_values_are_numpys(page: Any, rows: int, cols: int, rank: int) -> None:
    rng = np.random.default_rng(rows * cols + rank)
    task = TaskConfig(rows=max(2, rows), cols=cols).model_dump(mode="json")
    for _ in range(5):
        low = rng.uniform(-1, 1, (rows, rank)) @ rng.uniform(-1, 1, (rank, cols))
        for matrix in (low, low.round(2), np.zeros((rows, cols)), np.repeat(low[:, :1], cols, 1)):
            got = page.evaluate("(given) => Rank.of(...given)", [matrix.ravel().tolist(), rows, cols, task])
            np.testing.assert_allclose(got["singular"], np.linalg.svd(matrix, compute_uv=False), atol=1e-12)
            assert got["tolerance"] == pytest.approx(0.005 * np.sqrt(rows * cols))
            assert got["rank"] == np.linalg.matrix_rank(matrix, tol=got["tolerance"])
        # Rounding alone never makes a rank higher.
        assert np.linalg.matrix_rank(low.round(2), tol=got["tolerance"]) <= rank


@pytest.mark.parametrize(("rows", "cols", "rank"), [(5, 5, 1), (4, 7, 2), (7, 7, 2), (10, 10, 3), (6, 5, 5), (1, 6, 1)])
def test_the_nuclear_norm_solution_is_mcinterps(page: Any, rows: int, cols: int, rank: int) -> None:
    n, generator = 6, torch.Generator().manual_seed(rows * cols)
    factors = [torch.rand((n, side, rank), generator=generator).double() * 2 - 1 for side in (rows, cols)]
    values = (factors[0] @ factors[1].mT).round(decimals=2)
    observed = torch.rand(values.shape, generator=generator) >= 0.25
    solution = solve_nuclear_norm(values, observed).require_converged()
    unique = has_unique_minimiser(solution, observed)
    for i in range(n):
        got = page.evaluate(SOLVE, [values[i].flatten().tolist(), observed[i].int().flatten().tolist(), rows, cols])
        assert got["converged"]
        assert got["gap"] <= 1e-6
        assert got["norm"] == pytest.approx(float(solution.objective[i]), rel=2e-6)
        completed = np.array(got["completed"]).reshape(rows, cols)
        assert np.linalg.norm(completed, "nuc") == pytest.approx(got["norm"], rel=1e-9)
        assert (completed[observed[i]] == values[i][observed[i]].numpy()).all()
        assert got["unique"] == unique[i]
        if unique[i]:
            # mcinterp's own ends at a relative gap of 5e-7, which leaves the entries that much room.
            np.testing.assert_allclose(completed, solution.completed[i].numpy(), atol=1e-3)
    assert unique.any()


@pytest.mark.parametrize(("rows", "cols"), [(5, 5), (7, 7)])
def test_and_clarabels(page: Any, rows: int, cols: int) -> None:
    rng = np.random.default_rng(rows)
    values = rng.uniform(-1, 1, (3, rows, cols)).round(2)
    observed = rng.random(values.shape) >= 0.3
    for matrix, mask, expected in zip(values, observed, nuclear_norm_reference(values, observed), strict=True):
        got = page.evaluate(SOLVE, [matrix.ravel().tolist(), mask.astype(int).ravel().tolist(), rows, cols])
        assert got["unique"]
        assert got["norm"] == pytest.approx(np.linalg.norm(expected, "nuc"), rel=1e-6)
        np.testing.assert_allclose(got["completed"], expected.ravel(), atol=3e-4)


def test_a_solution_that_is_not_the_only_one_is_told_apart(page: Any) -> None:
    # [[1, ?], [?, 1]]: every completion [[1, t], [t, 1]] with |t| ≤ 1 has nuclear norm 2.
    got = page.evaluate(SOLVE, [[1.0, 0.0, 0.0, 1.0], [1, 0, 0, 1], 2, 2])
    assert got["norm"] == pytest.approx(2, rel=1e-6)
    assert not got["unique"]


@pytest.mark.parametrize("observed", [0, 1])
def test_the_nuclear_norm_of_nothing_and_of_everything(page: Any, observed: int) -> None:
    values = [0.3, -0.2, 0.1, 0.9, 0.4, -0.7]
    got = page.evaluate(SOLVE, [values, [observed] * 6, 2, 3])
    assert got["converged"]
    np.testing.assert_allclose(got["completed"], [value * observed for value in values], atol=1e-12)
    assert got["norm"] == pytest.approx(observed * np.linalg.norm(np.reshape(values, (2, 3)), "nuc"), abs=1e-9)


def test_what_does_not_converge_is_said(page: Any) -> None:
    page.evaluate("Explorer.change(null, (live) => { live.state.values = live.state.values.map(() => NaN); })")
    assert "did not converge" in page.locator("#certificate").inner_text()
    assert "did not converge" not in page.title()
