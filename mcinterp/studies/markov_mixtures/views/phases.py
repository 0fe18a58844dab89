"""Which algorithm each network answers like: by step, by context, and how far from the truth that leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from mcinterp.report.numbers import interval, number, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.markov_mixtures.figures.phases import (
    SURE,
    choices_figure,
    phase_contexts_figure,
    phase_steps_figure,
    truth_figure,
)
from mcinterp.studies.markov_mixtures.mixtures import MIXTURES
from mcinterp.studies.markov_mixtures.networks import TOKENS
from mcinterp.task.oracle_tokens import LATE

MAP = (
    "The nearest of the four algorithms and of the two that look at no context, by checkpoint (on a logarithmic axis) "
    f"and network, at late places of sequences of the training chains. The paler a square, the less is it before the "
    f"second (full from a margin of {SURE:g} nats on)."
)
CONTEXT_MAP = (
    "The same at the last checkpoint, by how many tokens have been seen. At the first, both ways to retrieve are one."
)
CHOICES = (
    "How much nearer Bi-Inf is than Bi-Ret at the last checkpoint, by how many tokens have been seen, with 95 % "
    "intervals; below 0 it is further."
)
TRUTH = (
    "{network}: KL(truth ‖ model) at late places, with 95 % intervals, on sequences of the training chains (ID) and of "
    "unseen ones (OOD); dotted, what the algorithms have on OOD (on ID they can be switched on in the legend); dashed, "
    "OOD as the mixture fitted on ID predicts it."
)


def phases(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the nearest algorithms and the distances from the truth."""
    tables = {
        "onsets": ("When algorithms first are nearest", False),
        "lines": ("What the algorithms have, and the model at its last checkpoint over it", True),
        "choices": ("Retrieval or inference at the last checkpoint, by context", True),
    }
    views = [
        table_view(result.table(name), result.tables[name].columns, title, folded=folded)
        for name, (title, folded) in tables.items()
    ]
    return Section(result.name, result.title, _sentences(result), list(_figures(result, others)), views)


def _figures(result: Result, others: Mapping[str, Result]) -> Iterator[FigureView]:
    nearest, choices = _dependent(result.table("nearest")), _dependent(result.table("choices"))
    contexts = [name for name in dict.fromkeys(nearest["context"].astype(str)) if name != LATE]
    nearest, choices = (frame.assign(context=frame["context"].astype(str)) for frame in (nearest, choices))
    yield FigureView(MAP, phase_steps_figure(nearest[nearest["context"] == LATE]))
    yield FigureView(CONTEXT_MAP, phase_contexts_figure(nearest[nearest["context"].isin(contexts)], contexts))
    yield FigureView(CHOICES, choices_figure(choices, contexts))
    predicted = others[MIXTURES].table("predicted") if MIXTURES in others else None
    for network in shown_networks(result.table("onsets")):
        truth, lines = (_of(result.table(name), network) for name in ("truth", "lines"))
        figure = truth_figure(truth, lines, None if predicted is None else _of(predicted, network))
        yield FigureView(TRUTH.format(network=network), figure)


def shown_networks(onsets: pd.DataFrame) -> list[str]:
    """The first network of every N whose tokens depend on each other; the others are in the tables."""
    return list(_dependent(onsets).groupby("role", sort=False)["network"].first())


def _of(frame: pd.DataFrame, network: str) -> pd.DataFrame:
    return frame[frame["network"] == network]


def _sentences(result: Result) -> list[str]:
    nearest, onsets = (_dependent(result.table(name)) for name in ("nearest", "onsets"))
    late = nearest[nearest["context"] == LATE].groupby("network", sort=False).last().reset_index()
    firsts = [f"{row['network']} {_first(row, 'unigram')} and {_first(row, 'bigram')}" for _, row in onsets.iterrows()]
    return [
        f"At the last checkpoint, at late places of {plural(int(late['n'].iloc[0]), 'sequence')} of the training "
        f"chains, nearest are — {'; '.join(_ending(row) for _, row in late.iterrows())}.",
        f"Steps at which a unigram and a bigram algorithm first were nearest — {'; '.join(firsts)}.",
        _oracles(result),
    ]


def _dependent(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the network whose tokens are independent, of which unigrams and bigrams say the same."""
    return frame[frame["role"] != TOKENS]


def _ending(row: pd.Series) -> str:
    margin = interval(row["margin"], row["margin_low"], row["margin_high"])
    if row["verdict"] == "nearest":
        return f"{row['network']} {row['nearest']}, {margin} nats before {row['second']}"
    return f"{row['network']} {row['nearest']} or {row['second']}, not told apart ({margin})"


def _first(row: pd.Series, kind: str) -> str:
    return number(int(row[kind])) if row[kind] == row[kind] else "never"


def _oracles(result: Result) -> str:
    told = "; ".join(f"{name}: {meaning}" for name, meaning in result.facts["oracles"].items())
    return f"The algorithms — {told}."
