"""Graph tracing on a page: what each result says in sentences, figures and tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures.tracing import context_figure, moving_nodes_figure
from mcinterp.report.numbers import interval, number, of_them
from mcinterp.report.parts import FigureView, Section, TableView
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.graph_tracing.ablation import BEST_INDUCTION, BEST_PREVIOUS, PLANE, RANDOM, WORST_PREVIOUS
from mcinterp.studies.graph_tracing.figures import ablation_figure, both_figure, components_figure, sizes_figure
from mcinterp.studies.graph_tracing.moments import GEOMETRY, GEOMETRY_FIRST, HALF_ACCURACY, HALF_GEOMETRY, LEAST_ENERGY
from mcinterp.studies.graph_tracing.nulls import MIXED, PREDICTION
from mcinterp.studies.graph_tracing.runs import MOSTLY, MOSTLY_PRIOR, NO_PRIOR, OWN
from mcinterp.studies.graph_tracing.sizes import DIFFERENCE, MEMORY, MODEL

COURSES = (
    ("explained", "η² of the last layer", "solid"),
    ("mixing", "η² of mixing alone", "dot"),
    ("other_mass", "accuracy beyond the node before", "solid"),
    ("energy", "normalised energy", "dash"),
)
MASSES = (
    ("mass", "the model", "solid"),
    ("bayes", "exact Bayes", "dash"),
    ("directed", "memory of what followed what", "dot"),
    ("prior_mass", "the model, on the prior's neighbours", "solid"),
)
THAN = ("more than", "less than", "not certainly more than")


def structure(result: Result, _: Mapping[str, Result]) -> Section:
    """Show how states and predictions change along context."""
    captions = {
        "moments": "What comes first",
        "drops": "Sudden drops along context",
        "geometry": "Geometry by layer and context",
        "predictions": "Predictions by context",
        "both": "Prior and context",
        "effects": "Without the node before",
        "components": "Principal components in the last context",
    }
    tables = [_table(result, name, caption, folded=name != "moments") for name, caption in captions.items()]
    sentences = [_geometry(result), _first(result), _sudden(result), *_prior(result)]
    return Section(result.name, result.title, sentences, _structure_figures(result), tables)


def _structure_figures(result: Result) -> list[FigureView]:
    facts, own = result.facts, {name: _of(result, name) for name in ("course", "predictions", "components")}
    both = result.table("both")
    shown = both[(both["layer"] == facts["layers"]) & both["network"].isin([OWN, MOSTLY_PRIOR, NO_PRIOR])]
    edges = [(int(one), int(other)) for one, other in facts["edges"]]
    moving = [
        FigureView(
            f"Slide through context: the mean state of every node of a {facts['graph']} {after}, in the plane of the "
            f"first two components ({number(result.arrays['plane_share'][layer][-1])} of the variance in the last "
            "context), turned so that nodes move least. Lines are the graph's edges; names are those of the first "
            "labelling.",
            moving_nodes_figure(result.arrays["plane"][layer], edges, facts["labels"], facts["windows"]),
        )
        for layer, after in ((facts["layers"], "after the last block"), (1, "after the first"))
    ]
    return [
        *moving,
        FigureView(
            "By tokens seen, mean over labellings with 95 % interval: how much of the geometry graph distance "
            "explains, what mixing in the predecessor alone would give, the accuracy that going back "
            "does not explain, and energy.",
            context_figure(own["course"], COURSES, "seen", ""),
        ),
        FigureView(
            "Probability of the current node's neighbours by context, beside what is known exactly.",
            context_figure(own["predictions"], MASSES, "begin", "probability", shift=1, top=1.05),
        ),
        FigureView(
            "Partial η² in the last layer: what distances on the prior's graph explain beside those on the walk's "
            "(dashed), and the other way round (solid), by network.",
            both_figure(shown),
        ),
        FigureView(
            "Principal components of the last layer in the last context, and which graph's modes they lie in; by "
            f"chance {number(2 / (len(facts['labels']) - 1))}.",
            components_figure(own["components"]),
        ),
    ]


def _geometry(result: Result) -> str:
    row = _in_last(result, "geometry")
    above = Judged.of(row, "above_chance").say(*THAN, missing="beside")
    near = Judged.of(row, "energy", 1.0, 0.05).say(
        "further apart than other nodes", "nearer to each other than other nodes", "about as far apart as any nodes",
        "as far apart as any nodes",
    )  # fmt: skip
    return (
        f"In the last context graph distance explains {_value(row, 'explained')} of the last layer's geometry, {above} "
        f"the 99 % quantile of shuffled nodes ({number(row['chance'])}); neighbours are {near} (normalised energy "
        f"{_value(row, 'energy')})."
    )


def _first(result: Result) -> str:
    rows = _by(_of(result, "moments"), "what")
    geometry, accuracy = rows[HALF_GEOMETRY], rows[HALF_ACCURACY]
    said = Judged.of(rows[GEOMETRY_FIRST], "value").say("before", "after", "at about the same time as")
    return (
        f"Half of the geometry is there after {_value(geometry, 'value')} tokens, {said} half of the accuracy beyond "
        f"the node before ({_value(accuracy, 'value')}). The least energy of any context is "
        f"{_value(rows[LEAST_ENERGY], 'value')}."
    )


def _sudden(result: Result) -> str:
    row = _by(_of(result, "drops"), "curve")[GEOMETRY]
    labellings = of_them(int(row["found"]), int(row["n"]), "labelling")
    return f"The detector finds a sudden change of the geometry in {labellings}."


def _prior(result: Result) -> list[str]:
    found = []
    for network, share in ((OWN, result.facts["prior"]), (MOSTLY_PRIOR, MOSTLY)):
        row = _in_last(result, "both", network)
        beside = Judged.of(row, "prior_above").say(
            "more than", "less than", "not certainly more than", missing="beside"
        )
        found.append(
            f"Where the prior has {share:g} of training, distances on its graph explain {_value(row, 'prior')} beside "
            f"the context's, {beside} the 95 % quantile of shuffled nodes; the context's explain "
            f"{_value(row, 'context')} beside the prior's."
        )
    return found


def ablation(result: Result, _: Mapping[str, Result]) -> Section:
    """Show what heads and planes are needed for."""
    captions = {"effects": "Without heads", "heads": "Scores of heads on walks", "planes": "Without planes"}
    figure = FigureView(
        "Probability of neighbours and η² in the second half of the context without heads, whose outputs became their "
        "means over other walks; means over labellings with 95 % interval.",
        ablation_figure(result.table("effects")),
    )
    tables = [_table(result, name, caption, folded=name == "heads") for name, caption in captions.items()]
    return Section(result.name, result.title, [_heads(result), _planes(result)], [figure], tables)


def _heads(result: Result) -> str:
    rows = _by(result.table("effects"), "without")
    previous, worst, induction = (rows[name] for name in (BEST_PREVIOUS, WORST_PREVIOUS, BEST_INDUCTION))
    return (
        f"Without the best previous-token head {previous['heads']} the probability of neighbours falls by "
        f"{_value(previous, 'mass_fall')} and η² after the first block by {_value(previous, 'first_layer_fall')}; "
        f"without the worst of its layer, by {_value(worst, 'mass_fall')} and {_value(worst, 'first_layer_fall')}. "
        f"Without the best induction head {induction['heads']} the probability falls by "
        f"{_value(induction, 'mass_fall')}."
    )


def _planes(result: Result) -> str:
    rows = _by(result.table("planes"), "without")
    own, random = rows[PLANE], rows[RANDOM]
    said = Judged.of(own, "beyond_random").say("more than", "less than", "about as much as")
    return (
        f"Without the plane of the geometry ({_value(own, 'variance')} of the variance) the probability of neighbours "
        f"falls by {_value(own, 'mass_fall')}, {said} without random planes that hold as much "
        f"({_value(random, 'mass_fall')})."
    )


def sizes(result: Result, _: Mapping[str, Result]) -> Section:
    """Show how context grows with the ring."""
    slopes = _by(result.table("slopes"), "of")
    more = Judged.of(slopes[DIFFERENCE], "slope").say("more steeply than", "less steeply than", "about as steeply as")
    sentence = (
        f"The context at which accuracy is half-way grows as a power {_value(slopes[MODEL], 'slope')} of the "
        f"number of nodes, {more} that of a memory of what followed what ({_value(slopes[MEMORY], 'slope')})."
    )
    figure = FigureView(
        "Tokens seen at half of the accuracy beyond the node before, for one network that traces rings of all these "
        "sizes, and for a memory on the same walks; means over labellings with 95 % interval.",
        sizes_figure(result.table("rings")),
    )
    tables = [_table(result, "rings", "Rings"), _table(result, "slopes", "Slopes")]
    return Section(result.name, result.title, [sentence], [figure], tables)


def nulls(result: Result, _: Mapping[str, Result]) -> Section:
    """Show what mixtures of independent states have exactly."""
    rows = result.table("nulls")
    mixed, predicted = (rows[rows["states"] == made]["energy"] for made in (MIXED, PREDICTION))
    sentence = (
        f"States that mix their neighbours in have energies of {number(mixed.min())} to {number(mixed.max())} without "
        f"any learning; states of the prediction alone, {number(predicted.min())} to {number(predicted.max())}, as on "
        "graphs without triangles neighbours have no neighbours in common. On a ring graph distance explains all of "
        "either: η² says that there is geometry, and not which."
    )
    return Section(result.name, result.title, [sentence], [], [_table(result, "nulls", "Exact values")])


def _table(result: Result, name: str, caption: str, folded: bool = False) -> TableView:
    return table_view(result.table(name), result.tables[name].columns, caption, folded=folded)


def _of(result: Result, table: str, network: str = OWN) -> pd.DataFrame:
    frame = result.table(table)
    return frame[frame["network"] == network]


def _by(rows: pd.DataFrame, column: str) -> dict[str, pd.Series]:
    """Its rows, by what stands in a column."""
    return {str(name): row for name, row in rows.set_index(column).iterrows()}


def _in_last(result: Result, table: str, network: str = OWN) -> pd.Series:
    """The row of the last layer in the last context."""
    rows = _of(result, table, network)
    return rows[(rows["layer"] == result.facts["layers"]) & (rows["begin"] == result.facts["last"])].iloc[0]


def _value(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
