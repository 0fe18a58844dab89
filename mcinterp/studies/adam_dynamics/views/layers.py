"""Layers whose scale means nothing, the stages of k-Adam, and what is trained with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, number, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.adam_dynamics.figures.layers import angle_figure, losses_figure, norm_figure

NORM = (
    "‖W‖² of a hidden layer of the first seed's network at β₁ = {beta1:g}, begun at a tenth, once and ten times the "
    "usual "
    "size; dashed and dotted, moving averages of the squared updates with and without the factor."
)
ANGLE = "By how much the layer's weights turn with an update; dashed, √(2ηλ(1 − β₁)/(1 + β₁))."
LOSSES = {
    "plain": "Cross-entropy on fresh points by learning rate, networks without normalisation, mean over networks with "
    "95 % "
    "intervals.",
    "normalised": "The same with normalised hidden layers.",
}
BEGIN_AS_ADAM = 1e-9
"""Differences of weights up to this are rounding."""


def invariant(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the norm, its two predictions and the angle."""
    settings = result.table("settings")
    rows = settings[settings["normalised"]].to_dict("records")
    factor = [f"{_share(row, 'over_factor')} at β₁ = {row['beta1']:g}" for row in rows]
    plain = [f"{_share(row, 'over_average')}" for row in rows]
    angle = [f"{_share(row, 'over_law')}" for row in rows]
    others_of = settings[~settings["normalised"]]
    sentences = [
        f"The largest |cos| of weights and gradient at any update is "
        f"{number(settings[settings['normalised']]['cosine'].max())}"
        f" with normalisation, and at least {number(others_of['cosine'].min())} without.",
        f"In the end ‖W‖² is {', '.join(factor)} times the average with the factor, and {', '.join(plain)} times the "
        f"plain "
        f"one (n = {plural(int(settings['n'].iloc[0]), 'network')} each).",
        f"The angle is {', '.join(angle)} times its law; without normalisation "
        f"{', '.join(_share(row, 'over_law') for row in others_of.to_dict('records'))} times.",
    ]
    figures = [
        FigureView(NORM.format(beta1=result.facts["beta1"]), norm_figure(result)),
        FigureView(ANGLE, angle_figure(result)),
    ]
    tables = [
        table_view(settings, result.tables["settings"].columns, "Settings"),
        table_view(result.table("networks"), result.tables["networks"].columns, "Networks", folded=True),
    ]
    return Section(result.name, result.title, sentences, figures, tables)


def stages(result: Result, others: Mapping[str, Result]) -> Section:
    """Show that one stage is Adam, and every stage's own bound."""
    one, deep = result.table("one").iloc[0], result.table("deep")
    same = "are torch's but for rounding" if one["difference"] <= BEGIN_AS_ADAM else "are not torch's"
    shares = [f"{number(row['share'])} (stage {row['stage']})" for row in deep.to_dict("records")]
    sizes = [f"{number(row['size'])}" for row in deep.to_dict("records")]
    sentences = [
        f"With one stage the weights after {plural(int(one['updates']), 'update')} {same}: the largest difference is "
        f"{number(one['difference'])}, where the largest change since the beginning is {number(one['moved'])}.",
        f"The largest share of its own bound of any of three stages: {', '.join(shares)}; what each gives has a root "
        f"mean "
        f"square of {', '.join(sizes)}.",
    ]
    tables = [
        table_view(deep, result.tables["deep"].columns, "Three stages"),
        table_view(result.table("one"), result.tables["one"].columns, "One stage, and one without memory", folded=True),
    ]
    return Section(result.name, result.title, sentences, tables=tables)


def trained(result: Result, others: Mapping[str, Result]) -> Section:
    """Show test losses by optimiser and learning rate."""
    best, losses = result.table("best"), result.table("losses")
    figures = [
        FigureView(LOSSES.get(str(kind), str(kind)), losses_figure(rows))
        for kind, rows in losses.groupby("networks", sort=False)
    ]
    others_than_adam = best[best["optimiser"] != "Adam"].to_dict("records")
    sentences = [_against_adam(row) for row in others_than_adam]
    check = result.table("check").iloc[0]
    sentences.append(
        f"k-Adam with one stage, which is Adam but for rounding, ends {_share(check, 'difference')} nats from it "
        f"(learning rate {check['rate']:g})."
    )
    tables = [
        table_view(best, result.tables["best"].columns, "Each at its best learning rate"),
        table_view(losses, result.tables["losses"].columns, "All learning rates", folded=True),
        table_view(result.table("check"), result.tables["check"].columns, "One stage beside Adam", folded=True),
    ]
    return Section(result.name, result.title, sentences, figures, tables)


def _against_adam(row: Mapping[Any, Any]) -> str:
    """What an optimiser's loss is beside Adam's, at the best learning rates and at the small one."""
    words = ("higher than", "lower than", "not told apart from", "the same as")
    best, small = (Judged.of(row, column).say(*words) for column in ("to_adam", "small"))
    kind = "" if row["networks"] == "plain" else ", normalised hidden layers"
    return (
        f"{row['optimiser']}{kind}: at its best learning rate, {row['rate']:g}, its loss is {best} Adam's at its own "
        f"best "
        f"(difference {_share(row, 'to_adam')} nats, n = {row['n']}); at the least rate of all it is {small} Adam's "
        f"(difference {_share(row, 'small')}), and its updates are {_share(row, 'sizes')} times as large."
    )


def _share(row: Mapping[Any, Any] | pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
