"""The structured identity mapping: the equations and the networks trained to them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, number, of_them, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.identity_mapping.figures import concepts_figure, swing_figure

LITTLE = 1e-3
"""A smaller rise, of a loss's beginning, is told as none."""


def equations(result: Result, _: Mapping[str, Result]) -> Section:
    """Show the flow of two layers from several beginnings, and how near the integration is to the closed forms."""
    two, curves = result.table("two_layers"), result.tables["curves"]
    figures = [
        FigureView(
            f"Two layers W = U Uᵀ, exact gradient flow, initial diagonal {number(diagonal)}: loss at the unseen "
            "combination of all concepts (solid) and training loss (dotted), as shares of their beginnings, for every "
            "initial correlation of the two axes.",
            swing_figure(rows),
        )
        for diagonal, rows in curves.frame.groupby("diagonal")
    ]
    deviation = number(result.facts.get("one_layer_deviation"))
    sentences = [
        f"{_largest(two)} {_without(two)}",
        f"The integrated flow of one layer is within {deviation} of its closed form 1 − exp(−a_p t).",
    ]
    tables = [
        table_view(two, result.tables["two_layers"].columns, "Rise of the loss at the unseen combination"),
        table_view(
            result.table("one_layer"), result.tables["one_layer"].columns, "One layer and its closed form", folded=True
        ),
    ]
    return Section(result.name, result.title, sentences, figures, tables)


def networks(result: Result, _: Mapping[str, Result]) -> Section:
    """Show what trained networks learn of every concept, beside the closed form, and how far the loss swings."""
    curves = result.table("curves")
    figures = [
        FigureView(
            f"Trained, {setting}: share of each concept that is answered where all are present, mean over "
            f"{plural(int(result.facts['seeds']), 'seed')} with 95 % interval"
            + ("; dashed, the closed form." if rows["closed_form"].notna().any() else "."),
            concepts_figure(rows),
        )
        for setting, rows in curves.groupby("setting", sort=False)
    ]
    captions = {"rates": "Rates", "order": "Order of learning", "swing": "Swing of the loss at the unseen combination"}
    tables = [table_view(result.table(key), result.tables[key].columns, title) for key, title in captions.items()]
    return Section(result.name, result.title, [_rates(result.table("rates"))], figures, tables)


def _largest(two: pd.DataFrame) -> str:
    rising = two[[_rise(rise).side == "above" for rise in two["rise"]]]
    if rising.empty:
        return f"From no beginning does the loss at the unseen combination rise by more than {LITTLE:.1%} of it."
    most = rising.iloc[int(rising["rise"].argmax())]
    return (
        f"The loss at the unseen combination rises from {of_them(len(rising), len(two), 'beginning')}, most by "
        f"{number(most['rise'])} of its beginning (diagonal {number(most['diagonal'])}, correlation "
        f"{number(most['correlation'])})."
    )


def _without(two: pd.DataFrame) -> str:
    rows = two[two["correlation"] <= 0]
    if rows.empty:
        return ""
    rise = rows["rise"].max()
    most = f"rises by up to {number(rise)} of it"
    verdict = _rise(rise).say(most, most, most, f"never rises by more than {LITTLE:.1%} of it")
    return f"Without a positive correlation it {verdict}."


def _rise(rise: float) -> Judged:
    """A rise of the loss as a share of its beginning; of integrated equations, without sampling."""
    return Judged(rise, rise, rise, 0.0, LITTLE)


def _rates(rates: pd.DataFrame) -> str:
    shares = [
        f"{interval(row['share'], row['share_low'], row['share_high'])} of a_{row['concept']} ({row['setting']})"
        for _, row in rates.iterrows()
    ]
    return f"Fitted rates are {'; '.join(shares)}."
