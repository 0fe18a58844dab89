"""Rises on unseen chains, the weights that change with them, and what other networks' weights would predict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.markov_mixtures.networks import MIDDLE


def competition(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what happens between the best checkpoint on unseen chains and the last."""
    titles = {"rises": "From the least KL on unseen chains to the last checkpoint", "others": "With others' weights"}
    views = [
        table_view(result.table(name), result.tables[name].columns, title, folded=name != "rises")
        for name, title in titles.items()
    ]
    return Section(result.name, result.title, [*_rises(result), *_others(result)], tables=views)


def _rises(result: Result) -> Iterator[str]:
    rises = result.table("rises")
    for _, row in rises[rises["role"] == MIDDLE].iterrows():
        said = Judged.of(row, "rise").say("rises again by", "falls by", "changes, but not for certain, by")
        yield (
            f"{row['network']}: KL(truth ‖ model) on unseen chains is least at step {number(int(row['least']))} and "
            f"{said} {_ends(row, 'rise')} to the last checkpoint, while that on the training chains changes by "
            f"{_ends(row, 'learned')}. The weight of Bi-Ret changes by {_ends(row, 'retrieval')}, that of Bi-Inf by "
            f"{_ends(row, 'inference')}; the mixture predicts {_ends(row, 'predicted')}. Over "
            f"{int(row['checkpoints'])} checkpoints from the first bigrams on, predicted and measured KL have a "
            f"correlation of {number(row['correlation'])}."
        )


def _others(result: Result) -> Iterator[str]:
    for network, rows in result.table("others").groupby("network", sort=False):
        told = "; ".join(f"of {row['weights']} {_ends(row, 'further')}" for _, row in rows.iterrows())
        yield (
            f"By how much the KL predicted for {network} at its last checkpoint is further off with the weights of "
            f"other networks — {told}."
        )


def _ends(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
