"""A model along walks through a graph: its nodes that move, geometry by layer, predictions beside memories."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures.tracing import context_figure, moving_nodes_figure
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

COURSES = (("explained", "η²", "solid"), ("energy", "normalised energy", "dash"), ("plane", "plane", "dot"))
MASSES = (
    ("mass", "the model", "solid"),
    ("other_mass", "the model, beyond the node before", "solid"),
    ("directed", "memory of what followed what", "dot"),
)
CAPTIONS = {
    "geometry": "Geometry by layer and context",
    "predictions": "Predictions by context",
    "effects": "Without the node before",
}


def trace(result: Result, _: Mapping[str, Result]) -> Section:
    """Show geometry and predictions by context."""
    layer = clearest_layer(result)
    rows = result.table("geometry")
    own = rows[rows["layer"] == layer]
    edges = [(int(one), int(other)) for one, other in result.facts["edges"]]
    share = number(float(result.arrays["plane_share"][layer][-1]))
    figures = [
        FigureView(
            f"Slide through context: the mean state of every node after {layer} blocks, in the plane of the first two "
            f"components ({share} of the variance in the last context), turned so that nodes move least. Lines are the "
            "graph's edges; words are those of the first labelling.",
            moving_nodes_figure(result.arrays["plane"][layer], edges, result.facts["labels"], result.facts["windows"]),
        ),
        FigureView(
            f"Geometry after {layer} blocks by context, mean over labellings with 95 % interval.",
            context_figure(own, COURSES, "begin", "", shift=1),
        ),
        FigureView(
            "Probability of the current node's neighbours by context, mean over labellings with 95 % interval.",
            context_figure(result.table("predictions"), MASSES, "begin", "probability", shift=1, top=1.05),
        ),
    ]
    tables = [table_view(result.table(name), result.tables[name].columns, text) for name, text in CAPTIONS.items()]
    return Section(result.name, result.title, [_geometry(own.iloc[-1], layer), _right(result)], figures, tables)


def clearest_layer(result: Result) -> int:
    """The layer whose geometry graph distance explains best in the last context; the last one where none is whole."""
    rows = result.table("geometry")
    last = rows[rows["begin"] == result.facts["last"]].dropna(subset=["explained"])
    return int(result.facts["layers"] if last.empty else last.loc[last["explained"].idxmax(), "layer"])


def _geometry(row: pd.Series, layer: int) -> str:
    if pd.isna(row["explained"]):
        return "In the last context some nodes are never seen: more walks would show them."
    above = Judged.of(row, "above_chance").say("more than", "less than", "not certainly more than", missing="beside")
    near = Judged.of(row, "energy", 1.0).say(
        "further apart than other nodes", "nearer to each other than other nodes", "about as far apart as any nodes"
    )
    return (
        f"In the last context graph distance explains most after {layer} blocks: {_value(row, 'explained')} of the "
        f"geometry, {above} the 99 % quantile of shuffled nodes ({number(row['chance'])}). Neighbours are {near} "
        f"(normalised energy {_value(row, 'energy')})."
    )


def _right(result: Result) -> str:
    first, last = result.table("predictions").iloc[0], result.table("predictions").iloc[-1]
    return (
        f"The probability of neighbours goes from {_value(first, 'mass')} to {_value(last, 'mass')}, where a memory of "
        f"what followed what has {number(last['directed'])}."
    )


def _value(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
