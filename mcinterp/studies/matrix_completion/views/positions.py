"""Position sensitivity: what of a position the model's answers hang on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, is_absent, number, plural
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.scores import batch, change, raises
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.positions import moved_figure, positions_figure

CAPTION = (
    "Change of L_mask when positions carry each other's embeddings: the average over permutations with its "
    "95 % interval over matrices, and ticks for single permutations. To the right: the permutation hurts. Grey kinds "
    "are null for any model, exactly or up to sampling."
)
MOVED_CAPTION = (
    "How far the output moves at masked entries, with 95 % interval. Whole rows and columns exchanged move it only if "
    "the model uses more of a row than which entries share it."
)
HEADING = "Permuted positional embeddings, L_mask: clean → permuted"
MEMBERSHIPS = ("row membership", "column membership")


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the position sensitivity of a checkpoint."""
    table, single = result.tables["positions"], result.tables["each"]
    return Section(
        result.name,
        result.title,
        sentences(table.frame),
        [FigureView(CAPTION, positions_figure(result)), FigureView(MOVED_CAPTION, moved_figure(result))],
        [
            table_view(table.frame, table.columns, "By kind of permutation"),
            table_view(single.frame, single.columns, "Single permutations", folded=True),
        ],
    )


def rows(steps: Steps) -> list[Row]:
    """L_mask under each kind of permutation at every checkpoint, the controls left out."""
    kinds = dict.fromkeys(
        row["kind"]
        for result in found(steps, "positions")
        for _, row in result.table("positions").iterrows()
        if row["null"] != "exactly"
    )
    first = next((result.table("positions").iloc[0] for result in found(steps, "positions")), None)
    heading = HEADING if first is None else f"{HEADING}, {batch(first['n'], first['seed'], 'matrices')}"
    return [(heading, kind, "", each(steps, "positions", partial(_cell, kind))) for kind in kinds]


def sentences(frame: pd.DataFrame) -> list[str]:
    """What all positions, memberships and exchanged rows say, and what the controls do."""
    if frame["masked_delta"].isna().all():
        return ["No entry was masked, so that L_mask could not be measured."]
    kinds = {row["kind"]: row for _, row in frame.iterrows()}
    said = [_all_positions(kinds["all positions"])] if "all positions" in kinds else []
    said += [_memberships([kinds[name] for name in MEMBERSHIPS])] if all(name in kinds for name in MEMBERSHIPS) else []
    exchanged = [row for row in kinds.values() if row["null"] == "on average"]
    said += [_exchanged(exchanged)] if exchanged else []
    exact = [row for row in kinds.values() if row["null"] == "exactly"]
    return said + ([_controls(exact)] if exact else [])


def _ci(row: pd.Series, column: str) -> str:
    return interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _all_positions(row: pd.Series) -> str:
    return (
        f"Permuting all positions {raises(_change(row), 'L_mask')}: {number(row['masked_mse_clean'])} → "
        f"{number(row['masked_mse'])} (× {number(row['masked_ratio'])}, change {_ci(row, 'masked_delta')}, average of "
        f"{plural(int(row['n_permutations']), 'permutation')}, {batch(row['n'], row['seed'], 'matrices')}); answering "
        f"0 has {number(row['zero_mse'])}. L_obs goes from {number(row['observed_mse_clean'])} to "
        f"{number(row['observed_mse'])}."
    )


def _change(row: pd.Series) -> Judged:
    return change(row, "masked_delta", row["masked_mse_clean"])


def _memberships(pair: list[pd.Series]) -> str:
    told = " and ".join(
        f"breaking {row['kind']} {raises(_change(row), 'L_mask')} ({_ci(row, 'masked_delta')})" for row in pair
    )
    return f"While the other membership is kept, {told}."


def _exchanged(kinds: list[pd.Series]) -> str:
    changes = ", ".join(f"{_ci(row, 'masked_delta')} ({row['kind']}{_by_chance(row)})" for row in kinds)
    moved = ", ".join(f"{_ci(row, 'masked_moved')} ({row['kind']})" for row in kinds)
    return (
        "Whole rows or columns exchanged, which keeps both memberships, leave the expected L_mask of any model as it "
        f"is, since such matrices are as likely as before (changes measured: {changes}). Single outputs at masked "
        f"entries move by a mean square of {moved}; 0 would mean that a row or column is known only by which entries "
        f"share it. The clean L_mask is {number(kinds[0]['masked_mse_clean'])}."
    )


def _by_chance(row: pd.Series) -> str:
    """That a change which has to be 0 lies outside its interval."""
    outside = ", whose interval misses 0, as 1 in 20 do by chance"
    return Judged.of(row, "masked_delta").say(outside, outside, ", as has to be")


def _controls(kinds: list[pd.Series]) -> str:
    names = {"none": "no permutation", "data too": "entries, masks and targets permuted along"}
    parts = [f"{number(row['masked_delta'])} with {names.get(row['kind'], row['kind'])}" for row in kinds]
    return f"Controls, 0 but for rounding: L_mask changes by {' and '.join(parts)}."


def _cell(kind: str, result: Result) -> Cell:
    frame = result.table("positions")
    chosen = frame[frame["kind"] == kind]
    if chosen.empty or is_absent(chosen.iloc[0]["masked_mse"]):
        return NOTHING
    row = chosen.iloc[0]
    return Cell(
        f"{number(row['masked_mse_clean'])} → {number(row['masked_mse'])}",
        note=f"change {_ci(row, 'masked_delta')}; outputs moved {number(row['masked_moved'])}",
    )
