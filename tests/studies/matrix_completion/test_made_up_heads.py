"""What heads that are made up by hand are called, through the door that anyone has: `classify_patterns`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import made_up_heads as heads
import numpy as np
import pandas as pd
import pytest

import mcinterp
from mcinterp import classify_patterns
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.head_scores import FAMILIES, GROUPS

RUN, STATIC = "longest-contiguous-column", "input-processing"
SIZES = [(5, 5), (7, 7)]

PURE = {
    # head: family, group
    "row": (heads.row, "row", "none"),
    "column": (heads.column, "column", "none"),
    "identity": (heads.identity, "identity", "none"),
    "masked-row": (heads.hitting(heads.uniform), "none", "masked-row"),
    "observed-copy": (heads.hitting(heads.identity), "identity", "observed-copy"),
    "off-diagonals": (heads.off_diagonals, "column", "mask-ignore"),
    "collecting": (heads.collecting, "none", "mask-ignore"),
    "longest run": (heads.longest_column, "none", RUN),
    "next position": (heads.neighbour(1), "none", STATIC),
    "middle row": (heads.middle_row, "none", STATIC),
}
NOISY = {f"{name}, noisy": (heads.Noisy(head, 0.3, 1), *labels) for name, (head, *labels) in PURE.items()}
NOTHING = {
    "MASK alone": (heads.mask_keys, "none", "none"),
    "observed alone": (heads.observed_keys, "none", "none"),
    "uniform": (heads.uniform, "none", "none"),
    "random": (heads.Noisy(heads.uniform, 1.0, 2), "none", "none"),
    "a random key": (heads.RandomKey(3), "none", "none"),
}
BUSY_ELSEWHERE = {
    "masked rows, else column": (heads.hitting(heads.column), "column", "none"),
    "masked rows, else next row": (heads.hitting(heads.next_row), "none", STATIC),
    "masked rows, else corners": (heads.hitting(heads.corners), "none", STATIC),
    "masked rows, else row": (heads.hitting(heads.row), "row", "none"),
    "row, observed alone": (heads.row_observed, "row", "none"),
    "masked rows, else a random key": (heads.hitting(heads.RandomKey(4)), "none", "none"),
}
OTHER_COLUMNS = {
    "fullest column": (heads.fullest_column, "none"),
    "fullest columns": (heads.fullest_columns, "none"),
    "complete columns": (heads.complete_columns, "none"),
    "emptiest column": (heads.emptiest_column, "none"),
    "longest hole": (heads.longest_hole, "none"),
}
STATIC_HEADS = {
    "first column": (heads.first_column, "none", STATIC),
    "previous position": (heads.neighbour(-1), "none", STATIC),
    "diagonal": (heads.diagonal, "none", STATIC),
    "one key": (heads.first_key, "none", STATIC),
    "corners": (heads.corners, "none", STATIC),
    "row itself included": (heads.same_row, "row", "none"),
    "column itself included": (heads.same_column, "column", "none"),
    "identity and one key": (heads.half(heads.identity, heads.first_key), "identity", STATIC),
}
SEVERAL = {
    "half row, half column": (heads.half(heads.row, heads.column), ("row", "column")),
    "row here, column there": (heads.by_place(heads.row, heads.column), ("row", "column")),
    "half row, half identity": (heads.half(heads.row, heads.identity), ("row", "identity")),
}
LABELLED = {**PURE, **NOISY, **NOTHING, **BUSY_ELSEWHERE, **STATIC_HEADS}
ALL = {name: head for name, (head, *_) in {**LABELLED, **OTHER_COLUMNS, **SEVERAL}.items()}


def task(rows: int, cols: int):
    return mcinterp.make_task(TaskConfig(rows=rows, cols=cols, rank=1, v_min=-10.0, v_max=10.0))


def classified(made_up, rows: int, cols: int, samples: int = 12) -> Result:
    functions = {
        name: lambda observed, head=head: heads.normalised(head(observed).astype(float))
        for name, head in made_up.items()
    }
    return classify_patterns(functions, task(rows, cols), samples=samples)


@cache
def results(size: tuple[int, int]) -> Result:
    return classified(ALL, *size)


def labels(size: tuple[int, int]) -> pd.DataFrame:
    return results(size).table("heads").set_index("head")


def scores(size: tuple[int, int]) -> pd.DataFrame:
    return results(size).table("scores").pivot_table("score", "head", "class")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LABELLED)
def test_a_head_is_called_what_it_is(name, size):
    _, family, group = LABELLED[name]
    row = labels(size).loc[name]
    assert (row["family"], row["group"]) == (family, group)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", OTHER_COLUMNS)
def test_only_who_follows_the_longest_run_is_said_to(name, size):
    assert labels(size).loc[name, "group"] == "none"
    assert scores(size).loc[name, RUN] < 0.1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", BUSY_ELSEWHERE)
def test_who_is_busy_in_other_rows_is_no_masked_row_head(name, size):
    assert scores(size).loc[name, "masked-row"] < 0.2


@pytest.mark.parametrize("size", SIZES)
def test_a_perfect_member_scores_one(size):
    found = scores(size)
    for name, own in (("row", "row"), ("column", "column"), ("identity", "identity"), ("masked-row", "masked-row")):
        assert found.loc[name, own] == pytest.approx(1, abs=1e-4)
    assert found.loc["observed-copy", "observed-copy"] == pytest.approx(1, abs=1e-4)
    assert found.loc["off-diagonals", "mask-ignore"] == pytest.approx(1, abs=1e-4)
    assert found.loc["collecting", "mask-ignore"] == pytest.approx(1, abs=1e-4)
    assert found.loc["longest run", RUN] == pytest.approx(1, abs=1e-4)
    assert found.loc["diagonal", STATIC] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_a_uniform_head_scores_zero_everywhere(size):
    assert scores(size).loc["uniform"].abs().max() < 1e-6


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["row", "column", "identity", "row itself included", "half row, half column"])
def test_what_a_family_explains_is_not_said_to_process_the_input(name, size):
    assert scores(size).loc[name, STATIC] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["previous position", "next position"])
def test_a_neighbour_is_mostly_in_the_row_but_no_row_head(name, size):
    row = results(size).table("scores").set_index(["head", "class"]).loc[(name, "row")]
    assert row["score_low"] > row["threshold"]
    assert not row["fits"]
    assert row["least"] < 0
    assert row["least_place"] == ("column 0" if name == "previous position" else f"column {size[1] - 1}")
    nearest = labels(size).loc[name, ["family_nearest", "family_above", "family_score", "family_all"]]
    assert list(nearest) == ["row", pytest.approx(row["score"] - 0.3), pytest.approx(row["score"]), "row"]


@pytest.mark.parametrize("size", SIZES)
def test_two_families_at_once_are_ambiguous(size):
    row = labels(size).loc["half row, half column"]
    assert row["family"] == "ambiguous"
    assert row["family_all"] in ("row, column", "column, row")
    assert row["family_margin_low"] <= 1e-6
    assert row["family_margin_high"] >= 0


def test_each_of_two_families_at_some_places_is_ambiguous():
    row = labels((7, 7)).loc["row here, column there"]
    assert (row["family"], row["family_all"]) == ("ambiguous", "row, column")


def test_a_head_with_a_second_job_is_called_by_the_first_and_keeps_the_other():
    row = labels((5, 5)).loc["half row, half identity"]
    assert (row["family"], row["family_all"]) == ("identity", "identity, row")
    assert row["family_margin_low"] > 0


def test_no_other_head_is_ambiguous():
    for size in SIZES:
        found = labels(size)
        ambiguous = found.index[(found[["family", "group"]] == "ambiguous").any(axis=1)]
        assert set(ambiguous) <= set(SEVERAL)


def test_every_head_has_a_row_with_every_class_and_no_untrained_model():
    result = results((5, 5))
    assert list(result.table("heads")["head"]) == list(ALL)
    assert list(result.table("scores")["class"]) == [*FAMILIES, *GROUPS] * len(ALL)
    assert result.table("scores")["untrained_max"].isna().all()
    assert set(result.table("scores")["threshold"]) == {0.3}


def test_what_small_matrices_cannot_tell_is_said():
    result = classified({"row": heads.row, "longest run": heads.longest_column}, 4, 4)
    assert RUN not in set(result.table("scores")["class"])
    assert "4 × 4" in result.facts["unscored"][RUN]
    assert list(result.table("heads")["family"]) == ["row", "none"]
    tiny = classified({"identity": heads.identity}, 2, 2)
    assert set(tiny.facts["unscored"]) == {RUN, STATIC}


def test_blocks_of_rows_are_told_where_no_class_fits():
    def avoids(observed):
        place, _ = heads.grid(observed)
        quiet = (place == 1) | (place == 4)
        return heads.normalised(heads.uniform(observed) * ~(quiet & ~quiet[:, None]))

    result = classified({"avoids": avoids, "uniform": heads.uniform, "row": heads.same_row}, 5, 5)
    assert set(result.table("heads")["family"].iloc[:2]) == {"none"}
    rows = result.table("blocks").set_index(["grouping", "head"])
    assert rows.loc[("row", "avoids"), "avoided"] == "0, 2, 3 → 1, 4"
    assert rows.loc[("row", "avoids"), "favoured"] == "none"
    assert rows.loc[("row", "row"), "favoured"] == "0 → 0 · 1 → 1 · 2 → 2 · 3 → 3 · 4 → 4"
    assert list(rows.loc["column"]["n_avoided"]) == [0, 0, 0]
    assert list(rows.xs("uniform", level="head")["n_favoured"]) == [0, 0]
    own = rows.loc[("row", "avoids"), "own"]
    assert own == pytest.approx((3 / 3 + 2 / 5) / 5)
    np.testing.assert_allclose(result.arrays["row_blocks"][0, 0], [1 / 3, 0, 1 / 3, 1 / 3, 0], atol=1e-6)


def pattern_with(change):
    pattern = np.full((25, 25), 1 / 25)
    change(pattern)
    return lambda observed: pattern


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda observed: np.ones((5, 5)), r"an array of shape \(5, 5\)"),
        (lambda observed: np.full((25, 25), "a"), "an array of <U1"),
        (pattern_with(lambda p: p.__setitem__((3, 4), np.nan)), "not finite"),
        (pattern_with(lambda p: p.__setitem__((3, 4), np.inf)), "not finite"),
        (pattern_with(lambda p: p.__setitem__((3, 4), -0.1)), "-0.1, which is negative"),
        (pattern_with(lambda p: p.__setitem__(3, 0.1)), r"a query \(3\) whose attention is 2.5 in total, not 1"),
    ],
)
def test_what_is_no_pattern_is_refused_by_name(function, said):
    with pytest.raises(mcinterp.InputError, match=rf"the function of 'mine' must .* 25 × 25 .*random it gave .*{said}"):
        classify_patterns({"fine": lambda observed: np.eye(25), "mine": function}, task(5, 5), samples=2)


def test_what_is_asked_for_has_to_be_there():
    with pytest.raises(mcinterp.InputError, match="a task with head_classes is needed, got str"):
        classify_patterns({"mine": heads.row}, "tiny")
    with pytest.raises(mcinterp.InputError, match="at least one head"):
        classify_patterns({}, task(5, 5))
    with pytest.raises(mcinterp.InputError, match="at least 2, got 1"):
        classify_patterns({"mine": heads.row}, task(5, 5), samples=1)


def test_a_function_is_given_masks_of_its_own():
    seen = []

    def head(observed):
        seen.append(observed.copy())
        observed[:] = False
        return np.eye(25)

    classify_patterns({"mine": head, "other": head}, task(5, 5), samples=3)
    first, second = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert all(mask.shape == (5, 5) and mask.dtype == bool and mask.any() for mask in first)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_the_example_of_the_docs_runs(capsys):
    page = (Path(__file__).parents[3] / "docs" / "passes" / "taxonomy.md").read_text(encoding="utf-8")
    exec(page.partition("```python\n")[2].partition("```")[0], {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[1:4] for line in printed[1:]] == [["fullest", "none", "none"], ["itself", "identity", "none"]]
