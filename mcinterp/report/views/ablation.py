"""Ablation: how much each set of heads matters, against random sets of the same size."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.figures import ablation_figure
from mcinterp.report.figures.ablation import SIGNIFICANT, ablation_rows
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

FIRST = ["group", "heads", "method", "masked_mse", "masked_ratio", "masked_delta", "masked_delta_low"]
FIRST += ["masked_delta_high", "control_delta", "excess", "excess_low", "excess_high", "verdict", "q_value"]
HIDDEN = {"total_mse", "total_mse_clean", "control_delta_min", "control_delta_max", "p_value", "kind", "n_controls"}
CAPTION = (
    "Change of the masked MSE when {what} ablated, with 95 % interval; filled where the change is significant "
    "(p < 0.05; for single heads with the false-discovery rate controlled). To the right: the ablation hurts. "
    "Grey bars: the range of random groups of the same size. Methods are switched in the legend."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the ablations of a checkpoint."""
    frame = ablation_rows(result)
    frame = frame[[name for name in FIRST if name in frame] + [name for name in frame if name not in FIRST]]
    meanings = {name: meaning for table in result.tables.values() for name, meaning in table.columns.items()}
    single = frame["kind"] == "head"
    figures = []
    if (~single).any():
        figures.append(FigureView(CAPTION.format(what="a set of heads is"), ablation_figure(result, heads=False)))
    if single.any():
        figures.append(FigureView(CAPTION.format(what="one head is"), ablation_figure(result, heads=True)))
    tables = [
        table_view(frame[rows], meanings, caption, hide=HIDDEN, folded=folded)
        for rows, caption, folded in ((~single, "Sets of heads", False), (single, "Single heads", True))
        if rows.any()
    ]
    return Section(result.name, result.title, sentences(frame), figures, tables)


def row_of(frame: pd.DataFrame, method: str, **wanted: str) -> pd.Series | None:
    """The first row of a method with these values, if there is one."""
    chosen = frame["method"] == method
    for column, value in wanted.items():
        chosen &= frame[column] == value
    return frame[chosen].iloc[0] if chosen.any() else None


def sentences(frame: pd.DataFrame) -> list[str]:
    """What the first method's ablations say: all heads, then single heads."""
    method = frame["method"].iloc[0]
    everything = row_of(frame, method, group="all")
    if frame["masked_mse_clean"].isna().all():
        return [_nothing_masked(everything)]
    parts = [] if everything is None else [_all_heads(everything)]
    single = frame[(frame["method"] == method) & (frame["kind"] == "head")]
    return parts if single.empty else [*parts, _single_heads(single, method)]


def _nothing_masked(everything: pd.Series | None) -> str:
    """What is left to say where there is no masked error to change."""
    said = "No entry was masked, so that ablations change the observed error alone"
    if everything is None:
        return f"{said}."
    return (
        f"{said}: with all heads ablated ({everything['method']}, n = {number(everything['n'])}) the observed MSE goes "
        f"from {number(everything['observed_mse_clean'])} to {number(everything['observed_mse'])}."
    )


def delta(row: pd.Series) -> str:
    """A change of the masked error with its interval."""
    return interval(row["masked_delta"], row["masked_delta_low"], row["masked_delta_high"])


def _all_heads(row: pd.Series) -> str:
    if row["masked_delta_low"] > 0:
        verb = "raises"
    elif row["masked_delta_high"] < 0:
        verb = "lowers"
    else:
        verb = "does not measurably change"
    return (
        f"Ablating all heads ({row['method']}) {verb} the masked MSE: {number(row['masked_mse_clean'])} → "
        f"{number(row['masked_mse'])} (× {number(row['masked_ratio'])}, change {delta(row)}, n = {number(row['n'])}); "
        f"the observed MSE goes from {number(row['observed_mse_clean'])} to {number(row['observed_mse'])}."
    )


def _single_heads(rows: pd.DataFrame, method: str) -> str:
    hurting = rows[(rows["q_value"] < SIGNIFICANT) & (rows["masked_delta"] > 0)]
    worst = rows.iloc[int(rows["masked_delta"].argmax())]
    beyond = (rows["verdict"] == "hurts more than control").sum()
    return (
        f"Of {len(rows)} single heads ablated ({method}), {len(hurting)} raise the masked MSE significantly and "
        f"{beyond} hurt more than every random control; the largest change is {delta(worst)} at {worst['group']}."
    )
