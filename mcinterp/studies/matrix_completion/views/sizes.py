"""Errors by matrix size: how well the model completes each size it was trained on, and that padding changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.scores import HARDLY, batch, change
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.sizes import sizes_figure

CAPTION = (
    "MSE on matrices of each size (rows × columns) with random masks, with 95 % interval; grey: answering 0 at masked "
    "entries."
)
ROUNDING = 1e-4
"""Answers that differ by more than this are not the same up to float32 rounding."""


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the errors by size of a checkpoint."""
    table = result.tables["sizes"]
    several = len(result.facts["sizes"]) > 1
    return Section(
        result.name,
        result.title,
        sentences(result),
        [FigureView(CAPTION, sizes_figure(result))] if several else [],
        [table_view(table.frame, table.columns, "Every size", folded=True)],
    )


def rows(steps: Steps) -> list[Row]:
    """L_mask by size at every checkpoint; nothing where all matrices have one size."""
    names = dict.fromkeys(name for result in found(steps, "sizes") for name in result.facts["sizes"])
    if len(names) < 2:
        return []
    heading = "L_mask by matrix size"
    return [(heading, name, "", each(steps, "sizes", partial(_cell, name))) for name in names]


def sentences(result: Result) -> list[str]:
    """What each size's error is, whether padding leaks, and what the other sections look at."""
    frame, facts = result.table("sizes"), result.facts
    masked = frame[frame["entries"] == "masked"]
    clauses = "; ".join(_clause(row) for row in masked.to_dict("records"))
    samples = batch(frame["n"].iloc[0], frame["seed"].iloc[0], "matrices")
    texts = [f"L_mask ({samples}, of each size) is {clauses}."]
    difference = frame["padding_difference"].max()
    if difference == difference:
        texts.append(_padding_sentence(float(difference)))
    if len(facts["trained_sizes"]) > 1:
        unseen = "" if facts["grid"] in facts["trained_sizes"] else ", a size that the model was not trained on"
        texts.append(f"The other sections look at matrices without padding, {_unbroken(facts['grid'])}{unseen}.")
    return texts


def _clause(row: Mapping[Any, Any] | pd.Series) -> str:
    matrices = f"{_unbroken(row['size'])} matrices{'' if row['trained'] else ' (not trained on)'}"
    if row["mse"] != row["mse"]:
        return f"not defined on {matrices}, which have no masked entry"
    score = interval(row["mse"], row["mse_low"], row["mse_high"])
    return f"{score} on {matrices}, {_verdict(row)} answering 0 ({number(row['zero_mse'])})"


def _unbroken(size: str) -> str:
    """A size that no line break divides."""
    return size.replace(" ", "\u00a0")


def _verdict(row: Mapping[Any, Any] | pd.Series) -> str:
    return change(row, "gain", row["zero_mse"]).say(
        "better than", "worse than", "not told apart from", f"within {HARDLY} of"
    )


def _padding_sentence(difference: float) -> str:
    if difference <= ROUNDING:
        return (
            f"Control: padding changes no answer beyond rounding (by at most {number(difference)}, against the same "
            "weights on the entries alone)."
        )
    return (
        f"Control failed: padding changes answers by up to {number(difference)}, against the same weights on the "
        "entries alone; distrust the numbers of the smaller sizes."
    )


def _cell(name: str, result: Result) -> Cell:
    frame = result.table("sizes")
    own: pd.DataFrame = frame[(frame["size"] == name) & (frame["entries"] == "masked")]
    if own.empty or own["mse"].isna().any():
        return NOTHING
    row = own.iloc[0]
    score = interval(row["mse"], row["mse_low"], row["mse_high"])
    return Cell(score, note=f"{_verdict(row)} answering 0: {number(row['zero_mse'])}")
