"""Probes: what can be read off the residual stream, and after which block best."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures import probe_figure
from mcinterp.report.figures.probes import measured_targets
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

CAPTION = (
    "{metric} of the probe for each target after each block (0: the embeddings), with 95 % interval; dashed: the same "
    "with {control}."
)
HIDDEN = {"train_cosine", "control_cosine"}


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the probes of a checkpoint."""
    table = result.tables["probes"]
    figures = [
        FigureView(_caption(metric), probe_figure(result, metric))
        for metric in ("mse", "cosine")
        if measured_targets(table.frame, metric)
    ]
    tables = [table_view(table.frame, table.columns, "Every probe", hide=HIDDEN, folded=True)]
    told = sentences(table.frame, result.facts["main_places"])
    return Section(result.name, result.title, told, figures, tables, leading=len(figures))


def best_layers(frame: pd.DataFrame) -> list[pd.Series]:
    """For each target and kind of positions, the row of the layer with the smallest test error."""
    groups = frame.groupby(["target", "entries"], sort=False)
    return [rows.iloc[int(rows["test_mse"].argmin())] for _, rows in groups if rows["test_mse"].notna().any()]


def gain(row: pd.Series) -> Judged:
    """What the probe errs less than the same probe on shuffled targets, paired over the test samples."""
    return Judged.of(row, "gain")


def place(layer: int) -> str:
    """A layer in words."""
    return "in the embeddings" if layer == 0 else f"after block {layer}"


def sentences(frame: pd.DataFrame, main_places: Mapping[str, str]) -> list[str]:
    """One sentence a target, of its main positions where the task tells several kinds apart."""
    best = best_layers(frame)
    return [_sentence(row) for row in best if row["entries"] == main_places.get(row["target"], row["entries"])]


def _sentence(row: pd.Series) -> str:
    what = f"The {row['target']}" + ("" if row["entries"] == "all" else f" at {row['entries']} positions")
    where = place(row["layer"])
    smallest = f"even where its test MSE is smallest, {where}"
    verdict = gain(row).say(
        f"is best decoded {where}",
        f"is decoded worse than shuffled targets {smallest}",
        f"is not told apart from shuffled targets {smallest}",
    )
    return (
        f"{what} {verdict}: test MSE {_told(row, 'test_mse')}, with shuffled targets {number(row['control_mse'])}, "
        f"control minus probe, paired, {_told(row, 'gain')}{_direction(row)}."
    )


def _direction(row: pd.Series) -> str:
    """Of a vector target, how well its direction is met, and whether better than by the control."""
    if is_absent(row["test_cosine"]):
        return ""
    against = f"against {number(row['control_cosine'])} with shuffled targets, probe minus control, paired,"
    return f"; mean |cosine| {_told(row, 'test_cosine')}, {against} {_told(row, 'cosine_gain')}"


def _told(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _caption(metric: str) -> str:
    controls = "shuffled targets, dotted: predicting the mean" if metric == "mse" else "shuffled targets"
    name = "Test MSE" if metric == "mse" else "Mean |cosine| of prediction and target"
    return CAPTION.format(metric=name, control=controls)
