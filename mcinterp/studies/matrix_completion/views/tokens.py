"""Token intervention: whether the model answers the value of the token that stands in the place of MASK."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, is_absent, number, of_them
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.scores import HARDLY, batch, change
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.tokens import tokens_figure

CAPTION = (
    "Mean square between the output and the value of the token that stands in the place of MASK (0 for MASK itself), "
    "with 95 % interval, on a logarithmic axis; grey: the same output with MASK left there; diamonds: L_obs. Far left "
    "of grey: the output is the token's value."
)
HEADING = "Token in the place of MASK: mean square between the output there and its value (0 for MASK)"
MASK = "MASK"


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the token intervention of a checkpoint."""
    table = result.tables["tokens"]
    return Section(
        result.name,
        result.title,
        sentences(table.frame),
        [FigureView(CAPTION, tokens_figure(result))],
        [table_view(table.frame, table.columns, "Every token and kind of input", hide={"value"})],
    )


def rows(steps: Steps) -> list[Row]:
    """The error to the token's value at every checkpoint, one row a token and kind of input."""
    frames = [result.table("tokens") for result in found(steps, "tokens")]
    kinds = dict.fromkeys(pair for frame in frames for pair in zip(frame["input"], frame["token"], strict=True))
    return [
        (HEADING, f"{token}, {name}", "", each(steps, "tokens", partial(_cell, (name, token)))) for name, token in kinds
    ]


def sentences(frame: pd.DataFrame) -> list[str]:
    """What the output is at MASK, then what it is at the tokens of values, for each kind of input."""
    if frame["value_mse"].isna().all():
        return ["No entry was masked, so that no token could be replaced."]
    said = [_at_mask(row) for _, row in frame[frame["token"] == MASK].iterrows()]
    values = frame[frame["token"] != MASK]
    return said + [_at_values(str(name), rows) for name, rows in values.groupby("input", sort=False)]


def _ci(row: pd.Series, column: str) -> str:
    return interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _at_mask(row: pd.Series) -> str:
    verdict = change(row, "gained", row["zero_mse"]).say(
        "nearer to the truth than 0 is",
        "farther from the truth than 0 is",
        "not measurably nearer to the truth than 0 is",
        f"as near to the truth as 0 is, to within {HARDLY} of the error",
    )
    return (
        f"At MASK ({row['input']}, {batch(row['n'], row['seed'], 'matrices')}) the mean square of the output is "
        f"{_ci(row, 'value_mse')}, and it is {verdict}: L_mask {number(row['masked_mse'])}, where answering 0 has "
        f"{number(row['zero_mse'])} (difference {_ci(row, 'gained')})."
    )


def _at_values(name: str, rows: pd.DataFrame) -> str:
    parts = [
        f"{_ci(row, 'value_mse')} at the token of {row['token'].removeprefix('value ')} "
        f"({number(row['control_mse'])} with MASK there)"
        for _, row in rows.iterrows()
    ]
    said = f"With a value in the place of MASK ({name}) {_verdict(rows)}: mean square to it {', '.join(parts)}. "
    if rows["observed_mse"].isna().all():
        return f"{said}No entry was observed, so that there is no L_obs."
    with_mask = (rows["observed_mse"] - rows["observed_change"]).iloc[0]
    worst = rows.iloc[int(rows["observed_mse"].argmax())]
    return (
        f"{said}L_obs is {number(with_mask)} with MASK and at most {number(worst['observed_mse'])} with a value "
        f"(change {_ci(worst, 'observed_change')})."
    )


def _verdict(rows: pd.DataFrame) -> str:
    sides = [Judged.of(row, "copied").side for _, row in rows.iterrows()]
    nearer, farther = sides.count("above"), sides.count("below")
    moves = "the output there measurably moves"
    if not nearer and not farther:
        return "the output there does not measurably move towards the token's value"
    return (
        f"{moves} towards the token's value for {of_them(nearer, len(sides), 'value')}, and away from it for "
        f"{of_them(farther, len(sides), 'value')}"
    )


def _cell(kind: tuple[str, str], result: Result) -> Cell:
    frame = result.table("tokens")
    chosen = frame[(frame["input"] == kind[0]) & (frame["token"] == kind[1])]
    if chosen.empty or is_absent(chosen.iloc[0]["value_mse"]):
        return NOTHING
    row = chosen.iloc[0]
    beside = "" if kind[1] == MASK else f"{number(row['control_mse'])} with MASK there; "
    return Cell(_ci(row, "value_mse"), note=f"{beside}L_obs {number(row['observed_mse'])}")
