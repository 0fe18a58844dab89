"""Which entries are right first: planted answers that favour a row, a column or what is observed are told for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_run import small_config

from mcinterp.errors import InputError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.passes.stairs import (
    BIN_COLUMNS,
    HEAD_COLUMNS,
    bin_rows,
    entry_stairs,
    most_uneven,
)
from mcinterp.studies.matrix_completion.passes.stairs_bins import KINDS, NONE, Labels, binned
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch, double
from mcinterp.studies.matrix_completion.views.stairs import sentences, view

SHIPPED = Path(__file__).parents[4] / "checkpoints" / "tiny"
N = 400


@pytest.fixture(scope="module")
def batch() -> MatrixBatch:
    found = Checkpoint.untrained(small_config(), 0).sample(N, 2)
    assert isinstance(found, MatrixBatch)
    return found


@pytest.fixture(scope="module")
def kinds(batch: MatrixBatch) -> dict[str, Labels]:
    return binned(Checkpoint.untrained(small_config(), 0), batch, double(batch.masked), 2)


def bins_of(batch: MatrixBatch, kinds: dict[str, Labels], share: np.ndarray) -> Result:
    """Of a model that answers this share of every entry, (n, entry) or (entry,)."""
    targets = double(batch.targets)
    rows = list(bin_rows(targets * share, targets, kinds, {"step": 7, "n": N, "seed": 2}))
    heads = Table(pd.DataFrame(columns=list(HEAD_COLUMNS), dtype=float), HEAD_COLUMNS)
    return Result("stairs", "", {}, {"looked_at": 7}, {"bins": Table.of(BIN_COLUMNS, rows), "heads": heads})


@pytest.mark.parametrize(("kind", "number"), [("row", 3), ("column", 0)])
def test_a_favoured_row_or_column_is_found(
    batch: MatrixBatch, kinds: dict[str, Labels], kind: str, number: int
) -> None:
    places = np.arange(25) // 5 if kind == "row" else np.arange(25) % 5
    found = bins_of(batch, kinds, np.where(places == number, 1.0, 0.5))
    frame = found.table("bins").set_index(["by", "bin"])
    assert frame.loc[(kind, str(number)), "left"] == 0
    assert frame.loc[kind, "left"].drop(str(number)).tolist() == pytest.approx([0.25] * 4)
    assert frame.loc[(kind, str(number)), "apart"] == pytest.approx(-0.25)
    other = "column" if kind == "row" else "row"
    said = sentences(found)[0]
    assert f"{kind} {number} is right before the others (L_mask 0 of that of answering 0, 0.25 in the others)" in said
    assert f"no {other} is measurably right before the others" in said
    outside = (frame["shuffled_apart_low"] > 0) | (frame["shuffled_apart_high"] < 0)
    assert outside.sum() <= 4  # of 22


def test_what_is_observed_is_told_from_rows(batch: MatrixBatch, kinds: dict[str, Labels]) -> None:
    own = kinds["observed"]
    known = np.array([low for _, low, _ in own.bins])[own.labels]
    found = bins_of(batch, kinds, np.where(known >= 7, 1.0, 0.2))
    frame = found.table("bins")
    observed = frame[frame["by"] == "observed"]
    assert (observed[observed["low"] >= 7]["left"] == 0).all()
    assert observed[observed["low"] < 7]["left"].dropna().tolist() == pytest.approx([0.64] * 5, rel=1e-6)
    said = " ".join(sentences(found))
    assert "no row is measurably right before the others" in said
    assert "Where least and most is observed, L_mask over that of answering 0 falls" in said


def test_even_answers_favour_nothing(batch: MatrixBatch, kinds: dict[str, Labels]) -> None:
    found = bins_of(batch, kinds, np.full(25, 0.5))
    assert found.table("bins")["apart"].abs().max() < 1e-9
    said = " ".join(sentences(found))
    assert "no row is measurably right before the others (L_mask 0.25 of that of answering 0)" in said
    assert "is the same" in said
    assert "No head is measurably worth more to one row or column" in said


def test_what_is_worse_than_zero_is_not_right_however_much_worse_the_others_are(
    batch: MatrixBatch, kinds: dict[str, Labels]
) -> None:
    found = bins_of(batch, kinds, np.where(np.arange(25) // 5 == 3, -0.2, -1.0))
    row = found.table("bins").set_index(["by", "bin"]).loc[("row", "3")]
    assert (row["left"], row["apart"]) == (pytest.approx(1.44), pytest.approx(1.44 - 4))
    assert row["apart_high"] < -0.05
    assert "no row is measurably right before the others (L_mask 1.4 to 4.0" in sentences(found)[0]


def test_labels_are_of_masked_entries_and_dealt_out_among_them(batch: MatrixBatch, kinds: dict[str, Labels]) -> None:
    masked = double(batch.masked) > 0
    assert kinds.keys() == KINDS.keys()
    for own in kinds.values():
        assert ((own.labels != NONE) == masked).all()
        assert ((own.shuffled != NONE) == masked).all()
        assert (np.bincount(own.labels[masked]) == np.bincount(own.shuffled[masked])).all()
        assert (own.labels != own.shuffled).any()


def test_the_step_that_is_looked_at_is_one_of_the_fall() -> None:
    rows = [
        {"step": step, "by": "row", "left": left, "apart": apart}
        for step, lefts, aparts in (
            (0, (3.0, 5.0), (-2.0, 2.0)),
            (10, (1.0, 0.99), (0.01, -0.01)),
            (20, (0.3, 0.9), (-0.6, 0.6)),
            (30, (0.1, 0.2), (-0.1, 0.1)),
        )
        for left, apart in zip(lefts, aparts, strict=True)
    ]
    assert most_uneven(pd.DataFrame(rows)) == 20
    assert most_uneven(pd.DataFrame(rows[:4])) == 10


def test_the_shipped_run_gets_two_rows_right_before_the_others() -> None:
    run = Run(SHIPPED)
    found = entry_stairs(run, [2272, 4915, 16000], samples=256)
    assert found.facts["looked_at"] == 4915
    rows = found.table("bins").query("by == 'row' and step == 4915").set_index("bin")
    assert rows[(rows["apart_high"] < 0) & (rows["apart"] < -0.2)].index.tolist() == ["1", "4"]
    before = found.table("bins").query("by == 'row' and step == 2272")
    assert before["apart"].abs().max() < 0.02
    assert "rows 1 and 4 are right before the others" in sentences(found)[0]
    section = view(found, {})
    assert len(section.figures) == 1
    assert len([axis for axis in section.figures[0].figure.layout if axis.startswith("yaxis")]) == 4
    assert len(section.tables) == 2


def test_a_head_that_a_row_hangs_on_is_named(batch: MatrixBatch, kinds: dict[str, Labels]) -> None:
    found = bins_of(batch, kinds, np.full(25, 0.5))
    row = dict.fromkeys(HEAD_COLUMNS, 0) | {"head": "L0H1", "by": "row", "bin": "2"}
    row |= {"apart": 0.4, "apart_low": 0.3, "apart_high": 0.5, "harm": 0.5, "harm_low": 0.4, "harm_high": 0.6}
    heads = Table.of(HEAD_COLUMNS, [row, row | {"bin": "3", "apart_low": -0.1}])
    said = sentences(Result("stairs", "", {}, found.facts, {**found.tables, "heads": heads}))[-1]
    assert said.startswith("1 pair of a head and a row or column goes together, most of all L0H1 and row 2:")


def test_too_few_samples_are_refused(trained_folder: Path) -> None:
    with pytest.raises(InputError, match="at least 2"):
        entry_stairs(Run(trained_folder), samples=1)
