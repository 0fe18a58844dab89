"""Transition matrices that predictions imply in a context, and whether they look like training chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from mcinterp.report.numbers import interval
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.markov_mixtures.figures.implied import matrices_figure
from mcinterp.studies.markov_mixtures.networks import MIDDLE, TOKENS

WHOSE = {"ID": "of a training chain", "OOD": "of an unseen chain"}
MATRICES = (
    "{network}, a sequence {whose}: the chain's own steps, from a state (down) to the next (across), beside what the "
    "model predicts at the last place of every state, and what the algorithms do there."
)


def implied(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the matrices, and which chains they are near to."""
    views = [
        table_view(
            result.table("nearer"), result.tables["nearer"].columns, "Nearer to a training chain than to a fresh one"
        )
    ]
    return Section(result.name, result.title, list(_sentences(result)), list(_figures(result)), views)


def _figures(result: Result) -> Iterator[FigureView]:
    rows = result.table("rows")
    rows = rows[rows["role"] == MIDDLE]
    for family, whose in WHOSE.items():
        own = rows[rows["family"] == family]
        if len(own):
            network = own["network"].iloc[0]
            yield FigureView(
                MATRICES.format(network=network, whose=whose), matrices_figure(own[own["network"] == network])
            )


def _sentences(result: Result) -> Iterator[str]:
    nearer = result.table("nearer")
    told = [
        f"{row['network']}: {_ends(row, 'share')}, of the sequences' own chains {_ends(row, 'true')}, a difference of "
        f"{_ends(row, 'more')}"
        for _, row in nearer[nearer["role"] != TOKENS].iterrows()
    ]
    if told:
        yield (
            "Share of sequences of unseen chains for which the model implies a matrix that is nearer to one of the "
            f"training chains than to one of as many fresh ones — {'; '.join(told)}."
        )


def _ends(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
