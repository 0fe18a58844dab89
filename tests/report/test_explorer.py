"""The explorer in a browser: its model is PyTorch's, its nuclear norm mcinterp's, and it does what its controls say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch
from small_run import small_config

from mcinterp.analysis.baselines import has_unique_minimiser, nuclear_norm_reference, solve_nuclear_norm
from mcinterp.analysis.explorable import explorable
from mcinterp.config import TaskConfig
from mcinterp.model import Head, HeadSet, intervene
from mcinterp.model.interventions import uniform_pattern
from mcinterp.report import write_explorer
from mcinterp.runs import Checkpoint, Run, train
from mcinterp.task import MatrixBatch, MatrixCompletion
from mcinterp.task.tokens import tokenise

Opened = Callable[..., Any]
TINY = Path(__file__).parents[2] / "checkpoints" / "tiny"
SET = """([values, observed, at, heads]) => {
  const { live } = Explorer;
  Object.assign(live.state, { at, values: Float64Array.from(values), observed: Uint8Array.from(observed) });
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


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of 4 × 5 matrices with an ε of LayerNorm that matters, and attention far from uniform."""
    config = small_config(
        task={"rows": 4, "cols": 5},
        model={"n_heads": 4, "d_model": 24, "layer_norm_eps": 0.02, "init_std": 0.6},
        training={"learning_rate": 3e-3},
    )
    folder = tmp_path_factory.mktemp("runs") / "small"
    train(folder, config, device="cpu")
    return Run(folder)


@pytest.fixture(scope="module")
def small_page(small: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_explorer(explorable(small, small.steps), tmp_path_factory.mktemp("small") / "explore.html")


@pytest.fixture
def page(small_page: Path, opened: Opened) -> Iterator[Any]:
    with opened(small_page) as page:
        yield page


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


def test_answers_patterns_and_ablations_are_pytorchs(page: Any, small: Run) -> None:
    assert len(small.steps) > 4
    assert difference(page, small, small.steps, 6) < 1e-5


@pytest.mark.skipif(not TINY.exists(), reason="the shipped run is not here")
def test_so_they_are_for_every_shipped_checkpoint(opened: Opened, tmp_path: Path) -> None:
    run = Run(TINY)
    with opened(write_explorer(explorable(run, run.steps), tmp_path / "tiny.html")) as page:
        assert difference(page, run, run.steps, 2) < 1e-4


def test_errors_and_norm_are_those_of_the_answers(page: Any, small: Run) -> None:
    checkpoint = small.checkpoint("last")
    batch = drawn(checkpoint, 4, 9)
    task = MatrixCompletion(checkpoint.config.task)
    for i in range(4):
        one = batch.part(slice(i, i + 1))
        got = page.evaluate(SET, [one.targets[0].tolist(), one.observed[0].int().tolist(), len(small.steps) - 1, []])
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


# Controls ------------------------------------------------------------------------------------------------------------


def state(page: Any) -> dict[str, Any]:
    script = """() => {
      const { state } = Explorer.live;
      return { ...state, values: [...state.values], observed: [...state.observed], step: Explorer.outcome.step };
    }"""
    found: dict[str, Any] = page.evaluate(script)
    return found


def entry(page: Any, row: int, col: int) -> Any:
    return page.locator("#given tbody tr").nth(row).locator("td.entry").nth(col)


def texts(page: Any, table: str) -> list[str]:
    return [str(text) for text in page.locator(f"#{table} td.entry span").all_inner_texts()]


def test_a_click_masks_and_unmasks(page: Any) -> None:
    page.get_by_label("Mask", exact=True).select_option("none")
    before = texts(page, "answered")
    entry(page, 1, 2).click()
    assert [i for i, seen in enumerate(state(page)["observed"]) if not seen] == [7]
    assert "19 of 20 entries observed" in page.locator("#seen").inner_text()
    assert page.get_by_label("Mask", exact=True).input_value() == "by hand"
    assert texts(page, "answered") != before
    entry(page, 1, 2).click()
    assert all(state(page)["observed"])
    assert texts(page, "answered") == before


def test_a_masked_entrys_value_is_hidden_from_the_model(page: Any) -> None:
    page.get_by_label("Mask", exact=True).select_option("checkerboard")
    before = page.evaluate("[...Explorer.outcome.model.answers]")
    errors = page.locator("#scores tbody").inner_text()
    entry(page, 0, 1).focus()
    page.keyboard.type("1.5")
    page.keyboard.press("Enter")
    assert state(page)["values"][1] == 1.5
    assert page.evaluate("[...Explorer.outcome.model.answers]") == before
    assert page.locator("#scores tbody").inner_text() != errors


def test_entries_are_reached_masked_and_typed_by_keyboard(page: Any) -> None:
    page.get_by_label("Mask", exact=True).select_option("none")
    entry(page, 0, 0).focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    assert [i for i, seen in enumerate(state(page)["observed"]) if not seen] == [11]
    assert state(page)["entry"] == 11
    page.keyboard.press("End")
    page.keyboard.type("-0.256")
    assert state(page)["values"][14] == -0.26
    page.keyboard.press("Escape")
    assert state(page)["values"][14] != -0.26
    page.keyboard.type("1.52")
    assert state(page)["values"][14] == 1.52
    assert page.locator("#typing").inner_text() == ""
    page.keyboard.press("Home")
    page.keyboard.type("12")
    assert "from −2 to 2" in page.locator("#typing").inner_text()
    assert state(page)["values"][14] == 1.52
    page.keyboard.press("ArrowDown")
    assert state(page)["entry"] == 19
    assert page.locator("#given td[tabindex='0']").count() == 1
    assert page.evaluate("document.activeElement.dataset.index") == "19"


def test_structured_masks_and_matrices_are_chosen(page: Any) -> None:
    masks = page.get_by_label("Mask", exact=True)
    masks.select_option("masked-rows:2@1,3@3")
    grid = np.array(state(page)["observed"]).reshape(4, 5)
    assert grid.tolist() == [[1] * 5, [1] * 5, [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
    assert "column-run:0@0-3" in masks.inner_text()
    page.get_by_role("button", name="New matrix of rank 1").click()
    low = np.reshape(state(page)["values"], (4, 5))
    assert np.linalg.svd(low, compute_uv=False)[1] < 0.03
    page.get_by_role("button", name="New full-rank matrix").click()
    full = np.reshape(state(page)["values"], (4, 5))
    assert np.linalg.svd(full, compute_uv=False)[3] > 0.03
    assert np.array(state(page)["observed"]).reshape(4, 5).tolist() == grid.tolist()
    page.get_by_role("button", name="New random mask").click()
    assert masks.input_value() == "random"


def test_the_slider_goes_through_training(page: Any, small: Run) -> None:
    slider = page.get_by_role("slider")
    assert state(page)["step"] == small.steps[-1]
    before = texts(page, "answered")
    slider.focus()
    page.keyboard.press("Home")
    assert state(page)["step"] == small.steps[0] == 0
    assert page.locator("#now").inner_text() == "step 0"
    assert texts(page, "answered") != before
    page.locator("#curve .mark").nth(2).click()
    assert state(page)["step"] == small.steps[2]
    assert slider.input_value() == "2"


def test_heads_layers_and_all_are_ablated(page: Any) -> None:
    before = texts(page, "answered")
    head = page.get_by_role("button", name=re.compile("^L1H2"))
    head.click()
    assert state(page)["ablated"] == [[False] * 4, [False, False, True, False]]
    assert head.get_attribute("aria-pressed") == "true"
    assert "intact model" in page.locator("#scores").inner_text()
    assert texts(page, "answered") != before
    page.get_by_role("button", name="Layer 0").click()
    assert "L0H0, L0H1, L0H2, L0H3, L1H2" in page.locator("#ablated").inner_text()
    page.get_by_role("button", name="Layer 0").click()
    assert state(page)["ablated"][0] == [False] * 4
    page.get_by_role("button", name="Ablate all").click()
    assert "all heads" in page.locator("#ablated").inner_text()
    page.get_by_role("button", name="Ablate none").click()
    assert texts(page, "answered") == before


def test_pointing_at_an_entry_shows_where_heads_look_from_it(page: Any) -> None:
    # The map's pixels are read back: the colour of a key is in proportion to its share of the attention.
    page.locator("#scale").select_option("own")
    entry(page, 2, 3).hover()
    assert page.locator("#entry").inner_text() == "2,3"
    script = """() => {
      const tile = document.querySelectorAll("button.head")[5];
      const map = tile.querySelectorAll("canvas")[1];
      const side = map.width / 5;
      const pixels = map.getContext("2d").getImageData(0, 0, map.width, map.height).data;
      const at = (key) => 4 * ((Math.floor(key / 5) * side + 3) * map.width + (key % 5) * side + 3);
      return Array.from({ length: 20 }, (_, key) => 255 - pixels[at(key)]);
    }"""
    shown = np.array(page.evaluate(script))
    pattern = np.array(page.evaluate("[...Explorer.outcome.patterns[1][1]]")).reshape(20, 20)
    np.testing.assert_allclose(shown, 255 * pattern[13] / pattern.max(), atol=1.5)
    most = int(pattern[13].argmax())
    expected = f"L1H1: entry 2,3 attends most to {most // 5},{most % 5}, {pattern[13].max():.2f}"
    assert page.locator("button.head").nth(5).get_attribute("aria-label") == expected
    page.locator("#answered td.entry").nth(0).hover()
    assert page.locator("#entry").inner_text() == "0,0"


def test_pointing_at_a_head_draws_its_look_onto_the_matrix(page: Any) -> None:
    entry(page, 1, 1).hover()
    page.get_by_role("button", name=re.compile("^L0H3")).hover()
    shown = page.evaluate(
        "[...document.querySelectorAll('#given td.entry')].map((c) => +c.style.getPropertyValue('--look'))"
    )
    shares = np.array(page.evaluate("[...Explorer.outcome.patterns[0][3].subarray(120, 140)]"))
    np.testing.assert_allclose(shown, shares / shares.max(), atol=1e-3)


def test_errors_are_shown_in_the_place_of_values(page: Any) -> None:
    page.get_by_label("Completions as").select_option("errors")
    answers, values = page.evaluate("[[...Explorer.outcome.model.answers], [...Explorer.live.state.values]]")
    shown = [float(text.replace("−", "-")) for text in texts(page, "answered")]
    np.testing.assert_allclose(shown, np.subtract(answers, values), atol=6e-4)
    assert all(
        text.lstrip("−0.") == ""
        for text, seen in zip(texts(page, "solved"), state(page)["observed"], strict=True)
        if seen
    )


def test_the_time_until_it_is_painted_is_told(page: Any) -> None:
    entry(page, 0, 0).click()
    page.wait_for_selector("#timing[data-ms]")
    assert re.fullmatch(r"computed in [\d.]+ ms, painted after [\d.]+ ms", page.locator("#timing").inner_text())
    assert 0 < float(page.locator("#timing").get_attribute("data-ms")) < 5000


# The page ------------------------------------------------------------------------------------------------------------


@contextmanager
def scheme(browser: Any, path: Path, dark: bool, width: int) -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()


def contrast(one: list[float], other: list[float]) -> float:
    def luminance(channels: list[float]) -> float:
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def channels(colour: str) -> list[float]:
    found = [float(number) for number in re.findall(r"[\d.]+", colour.removeprefix("color(srgb"))][:3]
    return found if colour.startswith("color(") else [number / 255 for number in found]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [480, 1400])
def test_it_follows_the_readers_setting_and_reads_well(browser: Any, small_page: Path, dark: bool, width: int) -> None:
    with scheme(browser, small_page, dark, width) as page:
        page.get_by_label("Mask", exact=True).select_option("checkerboard")
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(channels(body)) < 0.6) == dark
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cells = page.evaluate(
            """[...document.querySelectorAll("#answered td.entry")].map((cell) => {
              const style = getComputedStyle(cell);
              return [style.color, style.backgroundColor];
            })"""
        )
        assert min(contrast(channels(ink), channels(ground)) for ink, ground in cells) > 4.5


@pytest.mark.parametrize("width", [480, 1400])
def test_numbers_fit_their_cells(opened: Opened, tmp_path: Path, width: int) -> None:
    config = small_config(task={"rows": 9, "cols": 10, "v_min": -20.0, "v_max": 20.0}, training={"steps": 2})
    train(tmp_path / "wide", config, device="cpu")
    with opened(write_explorer(explorable(Run(tmp_path / "wide")), tmp_path / "wide.html"), width) as page:
        page.evaluate("Explorer.change(null, (live) => { live.state.values = live.state.values.map((x) => 15 * x); })")
        wide = """[...document.querySelectorAll("td.entry")].filter(
          (cell) => cell.firstChild.getBoundingClientRect().width > cell.clientWidth).length"""
        assert page.evaluate(wide) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_landmarks_names_and_digits_of_the_page(page: Any) -> None:
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).inner_text().endswith("small")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(set(ids)) == len(ids)
    assert page.locator("button:not([aria-label]):empty").count() == 0
    for control in page.locator("main select:visible, main input:visible").all():
        assert control.evaluate("(e) => e.labels.length > 0 || e.hasAttribute('aria-label')")
    assert page.get_by_role("grid").count() == 1
    assert page.get_by_role("gridcell").count() == 20
    assert re.fullmatch(r"0,1: −?\d\.\d\d(, masked)?", entry(page, 0, 1).get_attribute("aria-label"))
    assert page.evaluate("Numbers.number(0.000012345)") == "1.23e−5"
    assert page.evaluate("[Numbers.number(-0.12345), Numbers.number(123456), Numbers.number(NaN)]") == [
        "−0.123",
        "123,456",
        "–",
    ]
    assert page.evaluate("[Numbers.fixed(-0.0004, 2), Numbers.parse('−0,5'), Numbers.parse('1e3')]") == [
        "0.00",
        -0.5,
        None,
    ]
