"""Distribution shift: how far from its training a checkpoint still completes matrices."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.scores import HARDLY, batch, change
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.shift import laws_figure, shift_figure

CAPTION = (
    "L_mask as a share of that of answering 0, over {what}, with 95 % interval; below 1, answers are nearer to the "
    "truth than 0 is."
)
WHAT = {
    "p_mask": "the share of masked entries",
    "rank": "the rank, with the factors of training and with factors scaled to keep the variance",
}
HEADING = "L_mask as a share of that of answering 0, on other inputs than those of training"
TRAINING, FRESH, KEPT = "training", "training, fresh batch", "rank (variance kept)"


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the distribution shift of a checkpoint."""
    table = result.tables["shift"]
    laws = table.frame["sweep"] == "law"
    figures = [FigureView(CAPTION.format(what=what), shift_figure(result, over)) for over, what in WHAT.items()]
    parts = ((laws, "Laws", False), (~laws, "Ranks and shares of masked entries", True))
    return Section(
        result.name,
        result.title,
        sentences(table.frame),
        [*figures, FigureView(CAPTION.format(what="the laws of the matrices"), laws_figure(result))],
        [table_view(table.frame[rows], table.columns, name, folded=folded) for rows, name, folded in parts],
    )


def rows(steps: Steps) -> list[Row]:
    """The ratio at every checkpoint: the laws, and the ends of the sweeps."""
    kinds = dict.fromkeys(kind for result in found(steps, "shift") for kind in _shown(result.table("shift")))
    return [
        (
            HEADING,
            f"{condition}, variance kept" if sweep == KEPT else condition,
            "",
            each(steps, "shift", partial(_cell, (sweep, condition))),
        )
        for sweep, condition in kinds
    ]


def sentences(frame: pd.DataFrame) -> list[str]:
    """Training and its control, then the laws, the shares of masked entries and the ranks."""
    laws = frame[frame["sweep"] == "law"]
    base, fresh = (laws[laws["condition"] == name] for name in (TRAINING, FRESH))
    said = [] if base.empty or fresh.empty else [_training(base.iloc[0], fresh.iloc[0])]
    others = laws[~laws["condition"].isin([TRAINING, FRESH])]
    said += [] if others.empty else [_laws(others)]
    said += [_sweep(str(name), rows) for name, rows in frame[frame["sweep"] != "law"].groupby("sweep", sort=False)]
    worst = frame.iloc[int(frame["unseen"].fillna(0).argmax())]
    return said + ([_unseen(worst)] if worst["unseen"] > 0 else [])


def _ci(row: pd.Series, column: str) -> str:
    return interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _training(base: pd.Series, fresh: pd.Series) -> str:
    if is_absent(base["masked_ratio"]):
        return "No entry is masked in training, so that L_mask there could not be measured."
    more = "more than its interval allows, as 1 in 20 do by chance"
    verdict = Judged.of(fresh, "ratio_change").say(more, more, "nothing measurable")
    return (
        f"Under the law of training L_mask is {_ci(base, 'masked_ratio')} times that of answering 0 (L_mask "
        f"{number(base['masked_mse'])}, {batch(base['n'], base['seed'], 'matrices')}). The control, a second batch of "
        f"that law, differs by {_ci(fresh, 'ratio_change')}: {verdict}."
    )


def _laws(laws: pd.DataFrame) -> str:
    parts = [f"{row['condition']} {_ci(row, 'masked_ratio')} ({_change(row)})" for _, row in laws.iterrows()]
    return f"Under other laws the ratio is: {'; '.join(parts)}."


def _change(row: pd.Series) -> str:
    if is_absent(row["ratio_change"]):
        return "no training ratio to compare with"
    return change(row, "ratio_change", row["masked_ratio"] - row["ratio_change"]).say(
        "worse than in training",
        "better than in training",
        "not measurably different",
        f"as in training, to within {HARDLY}",
    )


def _sweep(name: str, rows: pd.DataFrame) -> str:
    known = rows[rows["masked_ratio"].notna()]
    if known.empty:
        return f"Over {name} L_mask could not be measured."
    first, last = known.iloc[0], known.iloc[-1]
    return (
        f"Over {name} the ratio goes from {_ci(first, 'masked_ratio')} at {first['condition']} to "
        f"{_ci(last, 'masked_ratio')} at {last['condition']} (n = {number(first['n'])}); it lies below 1, so that the "
        f"answers are nearer to the truth than 0 is, {_where(known)}."
    )


def _where(rows: pd.DataFrame) -> str:
    """Where the interval of the ratio lies below 1."""
    better = [row["condition"] for _, row in rows.iterrows() if Judged.of(row, "masked_ratio", 1.0).side == "below"]
    if len(better) == len(rows):
        return "at every one of them"
    return f"measurably at {', '.join(better)} and at no other" if better else "measurably at none of them"


def _unseen(row: pd.Series) -> str:
    return (
        "Where values occur that training never draws, their tokens were never trained: at most "
        f"{number(row['unseen'])} of the observed entries ({row['sweep']}: {row['condition']}), where L_obs is "
        f"{number(row['observed_mse'])}."
    )


def _shown(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The laws without the control, the highest rank, and both ends of the shares of masked entries."""
    kinds = [(str(row["sweep"]), str(row["condition"])) for _, row in frame.iterrows() if row["condition"] != FRESH]
    laws, ranks, shares = ([kind for kind in kinds if kind[0] == name] for name in ("law", KEPT, "p_mask"))
    return list(dict.fromkeys([*laws, *ranks[-1:], *shares[:1], *shares[-1:]]))


def _cell(kind: tuple[str, str], result: Result) -> Cell:
    frame = result.table("shift")
    chosen = frame[(frame["sweep"] == kind[0]) & (frame["condition"] == kind[1])]
    if chosen.empty or is_absent(chosen.iloc[0]["masked_ratio"]):
        return NOTHING
    row = chosen.iloc[0]
    return Cell(
        _ci(row, "masked_ratio"), note=f"L_mask {number(row['masked_mse'])}, L_obs {number(row['observed_mse'])}"
    )
