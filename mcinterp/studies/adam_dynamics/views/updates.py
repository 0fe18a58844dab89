"""Adam's updates: their bound, their flow, whose explode, and what rare tokens do to an embedding's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.report.numbers import interval, is_absent, listed, number, of_them, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.adam_dynamics.figures.updates import (
    absence_figure,
    flow_figure,
    plane_figure,
    sizes_figure,
    slopes_figure,
)

PASSED = 1e-9
"""A share of the bound beyond 1 by no more than this is rounding."""
PLANE = (
    "Largest entry of the update over the learning rate at the last update, from the first seed: β₁ rises upwards, β₂ "
    "to "
    "the right. Above the line β₁² > β₂. The darkest cells are at most 1, the brightest 10²⁰ or more. First the bound."
)
SIZES = "The same over training, the points fixed and the learning rate 0.01; dashed, the bound of each pair of decays."
SLOPES = (
    "How fast the updates of networks that have exploded grow, all seeds, against ½ ln r; crosses: what the flow's "
    "constant says."
)
FLOW = (
    "Largest distance of Adam from its flow over the length of its way, with 95 % intervals over starts; dotted, from "
    "the flow with the two decays exchanged."
)
ABSENCE = (
    "Largest |m|/√v of the embedding of token {token}, from the first seed: while the token does not come its gradient "
    "is 0, and the ratio goes its own way, ½ ln r an update."
)


def bounds(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the bound beside streams of gradients and beside the flow's."""
    pairs, line = result.table("pairs"), result.table("line")
    sentences = [_attained(pairs), _sides(pairs), _line(line)]
    tables = [
        table_view(pairs, result.tables["pairs"].columns, "Pairs of decays", folded=True),
        table_view(line, result.tables["line"].columns, "Along the gradient of C from the usual decays", folded=True),
    ]
    return Section(result.name, result.title, sentences, tables=tables)


def _attained(pairs: pd.DataFrame) -> str:
    off, most = (pairs["attained"] - 1).abs().max(), pairs["largest"].max()
    passed = (
        f"none of {plural(int(pairs['n'].iloc[0]), 'other stream')} passes it"
        if most <= 1 + PASSED
        else f"another stream reaches {number(most)} times it"
    )
    late = number(pairs["largest_late"].max())
    return (
        f"For {plural(len(pairs), 'pair')} of decays the worst gradients keep within {number(off)} of the bound at "
        f"every "
        f"update, as a share of it; {passed} (beyond the first updates, where any gradient attains it, the largest "
        f"share "
        f"is {late})."
    )


def _sides(pairs: pd.DataFrame) -> str:
    outside, apart = pairs[pairs["ratio"] > 1], pairs[(pairs["ratio"] > 1) != (pairs["stability"] < 0)]
    text = f"r = β₁²/β₂ is above 1, so that the bound has no end, for {of_them(len(outside), len(pairs), 'pair')}"
    if apart.empty:
        return f"{text}; the flow's constant C says the same of all of them."
    named = listed([f"({row['beta1']:g}, {row['beta2']:g})" for row in apart.to_dict("records")])
    return f"{text}; the flow's constant C says otherwise of {named}."


def _line(line: pd.DataFrame) -> str:
    if line.empty:
        return "No pair on the line through the usual decays is outside."
    share = line["flow_growth"] / line["growth"]
    return (
        f"On the line along which the paper measured, −C/2 is {number(share.min())} to {number(share.max())} times ½ "
        f"ln r, "
        f"which the slope after a burst of gradients is."
    )


def flow(result: Result, others: Mapping[str, Result]) -> Section:
    """Show how far Adam goes from its flow."""
    rows, falls = result.table("distances"), result.table("falls")
    small = rows[rows["rate"] <= result.facts["small"]]
    same = small[small["rate"] == small["rate"].max()]
    sentences = [
        f"Up to the learning rate {number(result.facts['small'])} Adam is at most {number(small['distance'].max())} of "
        f"the length of its way from its flow (means over {plural(int(rows['n'].iloc[0]), 'start')}, the furthest of "
        f"all "
        f"decays); from the flow with exchanged decays it is {number(same['exchanged'].min())} to "
        f"{number(same['exchanged'].max())} at that rate.",
        "With updates a tenth as large the distance is "
        f"{listed([_share(row, 'share') for row in falls.to_dict('records')])} of that.",
    ]
    tables = [
        table_view(rows, result.tables["distances"].columns, "Distances", folded=True),
        table_view(falls, result.tables["falls"].columns, "By how much they fall", folded=True),
    ]
    return Section(result.name, result.title, sentences, [FigureView(FLOW, flow_figure(rows))], tables)


def explosions(result: Result, others: Mapping[str, Result]) -> Section:
    """Show whose updates explode, and whose gradients vanish."""
    conditions, networks = result.table("conditions"), result.table("networks")
    reference = conditions.iloc[result.facts["reference"]]
    names = [condition_name(row) for row in conditions.to_dict("records")]
    figures = [FigureView(PLANE, plane_figure(result, names)), FigureView(SIZES, sizes_figure(result))]
    own = (
        (networks["points"] == reference["points"])
        & (networks["normalised"] == reference["normalised"])
        & (networks["rate"] == reference["rate"])
    )
    exploded = networks[own & networks["exploded"] & (networks["ratio"] > 1)]
    if "bounds" in others and len(exploded):
        pairs = others["bounds"].table("pairs")
        figures.append(FigureView(SLOPES, slopes_figure(exploded, pairs[pairs["ratio"] > 1])))
    tables = [table_view(conditions, result.tables["conditions"].columns, "Conditions")]
    return Section(result.name, result.title, _explosion_sentences(conditions, reference, names), figures, tables)


def condition_name(row: Mapping[Any, Any]) -> str:
    """Of a condition, in a few words."""
    parts = ["fresh points"] if row["points"] == "fresh" else []
    parts += ["normalised"] if row["normalised"] else []
    return ", ".join([*parts, f"rate {row['rate']:g}"])


def _explosion_sentences(conditions: pd.DataFrame, reference: pd.Series, names: list[str]) -> list[str]:
    rows = conditions.to_dict("records")
    shares = [f"{name}: {_share(row, 'exploded')}" for name, row in zip(names, rows, strict=True)]
    inside = of_them(int(conditions["inside_exploded"].sum()), int(conditions["inside"].sum()), "network")
    sentences = [
        f"With β₁² below β₂ the updates of {inside} explode, of all conditions. Share of the networks with β₁² above "
        f"β₂ "
        f"whose updates do (mean over {plural(int(reference['n']), 'seed')}) — {'; '.join(shares)}.",
        f"No entry is beyond {number(conditions['share'].max())} of its bound at any update.",
    ]
    if reference["outside_exploded"]:
        sentences.append(
            f"Where points are fixed and the rate is {reference['rate']:g}, those that explode grow at "
            f"{_share(reference, 'slope')} times ½ ln r, the fastest at {number(reference['fastest'])}."
        )
    told = [f"{name}: {_vanished(row)}" for name, row in zip(names, rows, strict=True) if _vanished(row)]
    if told:
        sentences.append(
            "How fast v of the largest entry falls with β₁² above β₂, over what it forgets (1: its gradients have "
            f"vanished, 0: they stay), in networks that have exploded and in those that have not — {'; '.join(told)}."
        )
    return sentences


def _vanished(row: Mapping[Any, Any]) -> str:
    """Of those exploded and of those not, where there are both; empty else."""
    parts = [_share(row, column) for column in ("forgetting", "staying") if not is_absent(row[column])]
    return " and ".join(parts) if len(parts) == 2 else ""


def tokens(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what becomes of an embedding's update while its token is absent."""
    settings = result.table("settings")
    rows = settings.to_dict("records")
    peaks = [f"{_share(row, 'peak')} ({_setting(row)}, n = {row['n']})" for row in rows]
    sentences = [f"log₁₀ of the largest |m|/√v of any token's embedding — {'; '.join(peaks)}."]
    grown = settings[settings["absences"] > 0]
    if len(grown):
        sentences.append(
            f"In {plural(int(grown['absences'].sum()), 'long absence')} of a token the ratio's logarithm changes at "
            f"{number(grown['least_growth'].min(), 6)} to {number(grown['most_growth'].max(), 6)} times ½ ln r an "
            f"update."
        )
    elsewhere = [f"{_share(row, 'elsewhere')} ({_setting(row)})" for row in rows]
    sentences.append(f"The same of any other parameter — {'; '.join(elsewhere)}.")
    tables = [
        table_view(settings, result.tables["settings"].columns, "Settings"),
        table_view(result.table("runs"), result.tables["runs"].columns, "Runs", folded=True),
    ]
    figure = FigureView(ABSENCE.format(token=result.facts["token"]), absence_figure(result))
    return Section(result.name, result.title, sentences, [figure], tables)


def _setting(row: Mapping[Any, Any]) -> str:
    what = "rare tokens" if row["tokens"] == "rare" else "equally frequent tokens"
    return f"{what}, β₁ {row['beta1']:g}, β₂ {row['beta2']:g}"


def _share(row: Mapping[Any, Any] | pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
