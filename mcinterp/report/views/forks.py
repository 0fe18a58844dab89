"""Forking tokens of a sampled text: the law of its outcome, where it changes, and what the branches lead to."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mcinterp.report.figures.forking import fork_tree_figure, outcome_areas_figure
from mcinterp.report.numbers import is_absent, listed, number, of_them, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

STRONG = math.log(9)
"""Evidence for a change above it is told as such."""
AREAS = (
    "Law of the outcome of texts that go on from each place of the text (areas), and the probability that it changes "
    "with each token (bars)."
)
TREE = (
    "The tree at token {position}: branches as wide as their probabilities, the text's own in the colour of letters, "
    "and what their samples end in."
)


@dataclass(frozen=True)
class Word:
    """A token of the text as shown.

    Attributes:
        text: of it.
        share: of the colour, 0 … 1: the probability that the law changes with it.
        called: whether it is a fork.
        title: what is said where one points at it.
    """

    text: str
    share: float
    called: bool
    title: str


def forks(result: Result, _: Mapping[str, Result]) -> Section:
    """Show a text's forks."""
    tokens, laws = unquoted(result.table("tokens"), "token"), result.table("laws")
    branches = unquoted(result.table("branches"), "branch")
    outcomes = list(result.facts["outcomes"])
    table = laws.pivot(index="position", columns="outcome", values="weighted")[outcomes]
    bars = {"change": tokens["posterior"].tolist()}
    figures = [FigureView(AREAS, outcome_areas_figure(table.to_numpy(), tokens["token"].tolist(), outcomes, bars))]
    fork = most_likely(tokens)
    if fork is not None:
        rows = branches[branches["position"] == fork["position"]]
        before = str(result.facts["prompt"]) + "".join(tokens["token"][tokens["position"] < fork["position"]])
        figures.append(FigureView(TREE.format(position=fork["position"]), fork_tree_figure(rows, before)))
    captions = {
        "tokens": "Tokens of the text",
        "series": "Evidence for any change",
        "laws": "Laws of the outcome along the text",
        "branches": "Branches of every position",
    }
    tables = [
        table_view(result.table(name), result.tables[name].columns, caption, folded=name in ("laws", "branches"))
        for name, caption in captions.items()
    ]
    return Section(result.name, result.title, sentences(result), figures, tables)


def words(result: Result) -> list[Word]:
    """The text's tokens, coloured by the probability that the law changes with each."""
    found = []
    for row in unquoted(result.table("tokens"), "token").to_dict("records"):
        share = 0.0 if is_absent(row["posterior"]) else float(row["posterior"])
        branches = f"{row['branches']} branch{'' if row['branches'] == 1 else 'es'}"
        title = f"token {row['position']}: change {number(row['posterior'], 2)}, {branches}"
        found.append(Word(str(row["token"]), share, bool(row["called"]), title))
    return found


def unquoted(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """A table whose column of tokens has their bare texts."""
    return frame.assign(**{column: [json.loads(token) for token in frame[column]]})


def most_likely(tokens: pd.DataFrame) -> pd.Series | None:
    """The fork of which the change is most probable; without a fork that token with several branches."""
    some = tokens[tokens["branches"] > 1]
    some = some[some["called"]] if some["called"].any() else some
    if some.empty or not some["posterior"].notna().any():
        return None
    return some.iloc[int(some["posterior"].argmax())]


def sentences(result: Result) -> list[str]:
    """What the numbers say."""
    series = result.table("series").iloc[0]
    return [_evidence(series), _where(unquoted(result.table("tokens"), "token")), _noise(result), _ends(result)]


def _evidence(series: pd.Series) -> str:
    factor = float(series["log_bayes_factor"])
    nulls = int(series["nulls"])
    as_much = round(float(series["p_value"]) * (nulls + 1)) - 1
    others = f"{as_much or 'none'} of {nulls} series without any change has as much"
    odds = f"a Bayes factor of {number(math.exp(min(factor, 600)))}"
    if factor > STRONG:
        return f"The samples speak for a change of the outcome's law along the text, by {odds}; {others}."
    if factor < -STRONG:
        return f"The samples speak against any change of the outcome's law along the text, by {odds} for one."
    return f"The samples do not tell whether the outcome's law changes along the text ({odds}; {others})."


def _where(tokens: pd.DataFrame) -> str:
    called = tokens[tokens["called"]]
    n = len(tokens) - 1
    if called.empty:
        return f"At none of {plural(n, 'token')} is there a change that is both more probable than not and large."
    names = [f"{row['token'].strip() or row['token']!r} (token {row['position']})" for row in called.to_dict("records")]
    shown = names if len(names) <= 6 else [*names[:6], f"{len(names) - 6} more"]
    return (
        f"The law changes at {of_them(len(called), n, 'token')}: {listed(shown)}. With few samples the change may be "
        "at a token beside."
    )


def _noise(result: Result) -> str:
    tokens = result.table("tokens")
    steps, n = int((tokens["change"] > result.facts["effect"]).sum()), int(tokens["n"].iloc[0])
    counted = "distinct texts" if result.facts["distinct"] else "samples"
    return (
        f"The estimates before and after step by more than {result.facts['effect']:g} at {plural(steps, 'token')}; "
        f"with {n} {counted} a branch noise alone may make some of them, the more the fewer there are, which is why "
        "they are not what is called."
    )


def _ends(result: Result) -> str:
    laws = result.table("laws")
    first = laws[laws["position"] == laws["position"].min()].sort_values("weighted", ascending=False, kind="stable")
    told = [f"{row['outcome']} {row['weighted']:.0%}" for row in first.to_dict("records") if row["weighted"] >= 0.005]
    other = float(np.mean(laws[laws["outcome"] == result.facts["outcomes"][-1]]["weighted"]))
    return (
        f"At the beginning the outcome is {', '.join(told)}. On average {other:.0%} of the samples say none, or a "
        "rarer one than those that are told apart."
    )
