"""Sections of the page: random graphs, what is learned when and how suddenly, and the two sides of the analogy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import Judged, Row
from mcinterp.report.numbers import interval, is_absent, listed, number, of_them, plural
from mcinterp.report.parts import FigureView, Section, TableView
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.percolation import figures
from mcinterp.studies.percolation.claims import ABOVE, BELOW
from mcinterp.studies.percolation.drops import REACH, STRINGS, TOKENS
from mcinterp.studies.percolation.exam import CONDITIONED, GRAMMAR, RELATIONS, TYPES, UNSCRAMBLED
from mcinterp.studies.percolation.runs import CLASS_FREE, ONE, PRESET, TWO
from mcinterp.studies.percolation.shift import FULL

NAMES = {
    GRAMMAR: "grammar",
    TYPES: "types of descriptors",
    RELATIONS: "types of relations",
    "reach": "reach",
    UNSCRAMBLED: "task unscramble",
    CONDITIONED: "task conditional",
}
EVENTS = {"onset": "closed_onset", "half": "closed_half"}
ORDER = (
    "Network of seed {seed}: share of free strings that are grammatical, of their descriptors and relations that are "
    "right in type, and of tasks that are done, by step with 95 % intervals; reach is the order parameter of pairs "
    "that were never said, 0 by chance."
)
ERRORS = (
    "Network of seed {seed}: error at both tasks over steps, on the batches, given the right tokens before: of whole "
    "strings, and token by token (dashed)."
)
GIANT = (
    "Random graphs of {nodes} entities and {per_entity} times as many descriptors: shares in the largest component by "
    "edges, over the threshold; points are means of {n} graphs with 95 % intervals."
)
REACHED = (
    "Pairs only: reach over {axis} for every number K of descriptors of a class, mean of {n} networks with 95 % "
    "intervals; dotted, 0, onset (¼) and half of the way (½)."
)
TIMES = "{language}: steps of the onset and of half of the way, each network a point, on the number of descriptors."
EDGES = (
    "Pairs only: edges of a class that training has drawn when reach is ½, beside the threshold; diamonds, after how "
    "many the closed form has half of the pairs joined. Means of {n} networks with 95 % intervals."
)
JOINED = "Reach over steps, a line a network; dotted, 0, ¼ and ½."


def graphs(result: Result, others: Mapping[str, Result]) -> Section:
    """Show giant shares beside the closed form, and slopes."""
    every = result.table("shares")
    shares = every[every["nodes"] == result.facts["nodes"]]
    words = GIANT.format(
        nodes=number(result.facts["nodes"]), per_entity=result.facts["per_entity"], n=int(shares["n"].iloc[0])
    )
    figure = FigureView(words, figures.giant_figure(shares, result.table("closed")))
    captions = {"slopes": "Powers of K", "shares": "Largest components", "peaks": "Where the others are largest"}
    sentences = [_giant(shares), _small(every), _powers(result.table("slopes"))]
    return Section(result.name, result.title, sentences, [figure], _tables(result, captions, {"shares", "peaks"}))


def order(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what free strings and tasks are like over training, and in which order."""
    steps, later = result.table("steps"), result.table("later")
    drawn = [
        FigureView(ORDER.format(seed=int(rows["trained"].iloc[0])), figures.order_figure(_long(rows)))
        for _, rows in steps.groupby("network", sort=False)
    ]
    captions = {"halves": "Half of the way", "later": "What comes later", "steps": "Checkpoints"}
    sentences = [_halves(result.table("halves")), *(_later(row) for row in later.to_dict("records"))]
    return Section(result.name, result.title, sentences, drawn, _tables(result, captions, {"steps"}))


def drops(result: Result, others: Mapping[str, Result]) -> Section:
    """Show in how many networks the detector finds a drop, of whole strings and token by token."""
    shares = result.table("shares")
    captions = {"shares": "Networks with a drop", "drops": "Drops"}
    drawn = [
        FigureView(ERRORS.format(seed=int(rows["trained"].iloc[0])), figures.errors_figure(rows))
        for _, rows in result.table("errors").groupby("network", sort=False)
    ]
    return Section(result.name, result.title, list(_drops(shares)), drawn, _tables(result, captions, {"drops"}))


def shift(result: Result, others: Mapping[str, Result]) -> Section:
    """Show when reach emerges, and as which power of descriptors, entities and batch."""
    times, ratios = result.table("times"), result.table("ratios")
    captions = {"slopes": "Powers", "ratios": "Edges at half of the way", "times": "Networks"}
    sentences = [*_slopes(result.table("slopes")), *_edges(ratios)]
    tables = _tables(result, captions, {"times"})
    return Section(result.name, result.title, sentences, list(_shift_figures(result, times, ratios)), tables)


def connected(result: Result, others: Mapping[str, Result]) -> Section:
    """Show reach where a graph joins its classes, where it does not, and where there are none."""
    graph, curves = result.table("graphs"), result.table("curves")
    drawn = [FigureView(JOINED, figures.connected_figure(curves, (TWO, ONE, CLASS_FREE)))]
    captions = {"means": "Reach", "graphs": "Graphs and networks"}
    means = {str(row["role"]): row for row in result.table("means").to_dict("records")}
    sentences = [_joined(means, graph), _typed(means)]
    return Section(result.name, result.title, sentences, drawn, _tables(result, captions, {"graphs"}))


def _tables(result: Result, captions: Mapping[str, str], folded: set[str]) -> list[TableView]:
    return [
        table_view(result.table(name), result.tables[name].columns, caption, _hidden(result, name), name in folded)
        for name, caption in captions.items()
    ]


def _hidden(result: Result, name: str) -> list[str]:
    """A network's name has its role."""
    return ["role"] if "network" in result.table(name) else []


def _long(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for every measure and step."""
    parts = []
    for measure, name in NAMES.items():
        renamed = {f"{measure}{end}": f"share{end}" for end in ("", "_low", "_high")}
        parts.append(rows.rename(columns=renamed)[["step", *renamed.values()]].assign(curve=name))
    return pd.concat(parts, ignore_index=True)


def _shift_figures(result: Result, times: pd.DataFrame, ratios: pd.DataFrame) -> Iterator[FigureView]:
    curves = result.table("curves")
    sizes = curves[curves["role"].str.startswith("pairs, K")]
    n = int(sizes["n"].iloc[0])
    for x, axis in (("step", "steps"), ("scaled", "steps over √K")):
        yield FigureView(REACHED.format(axis=axis, n=n), figures.reach_figure(sizes, x))
    pairs, full = times[times["role"].str.startswith("pairs, K")], times[times["language"] == "full"]
    for language, rows in (("Pairs only", pairs), ("Full language", full)):
        yield FigureView(TIMES.format(language=language), figures.times_figure(rows, EVENTS))
    yield FigureView(EDGES.format(n=n), figures.edges_figure(ratios))


def _estimate(row: Row, column: str) -> str:
    return interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _giant(shares: pd.DataFrame) -> str:
    told = [
        f"at {row['scale']:g} times {_estimate(row, 'entities')}, closed form {number(row['entities_closed'])}"
        for row in shares[shares["scale"].isin([BELOW, ABOVE, 2.0])].to_dict("records")
    ]
    return f"Share of the entities in the largest component, by edges over the threshold — {'; '.join(told)}."


def _small(shares: pd.DataFrame) -> str:
    told = [
        f"E = {number(int(row['nodes']))} {_estimate(row, 'entities_less')}"
        for row in shares[shares["scale"] == ABOVE].to_dict("records")
    ]
    return (
        "The closed form is that of graphs without end. Drawn share of the entities minus the closed form, at "
        f"{ABOVE} times the threshold — {'; '.join(told)}."
    )


def _powers(slopes: pd.DataFrame) -> str:
    told = []
    for entities, rows in slopes.groupby("entities", sort=False):
        powers = [
            f"{row['measure']} {number(row['slope']) if row['n'] == 1 else _estimate(row, 'slope')}"
            for row in rows.to_dict("records")
        ]
        told.append(f"E = {entities}: {', '.join(powers)}")
    return (
        f"Power of K that the edges of an event grow as — {'; '.join(told)}. Only the threshold itself has ½: which "
        "event a point of emergence is set beside matters."
    )


def _halves(halves: pd.DataFrame) -> str:
    told = []
    for _, rows in halves.groupby("network", sort=False):
        of = {row["measure"]: _step(row["half"]) for row in rows.to_dict("records")}
        steps = [f"{NAMES[measure]} {of[measure]}" for measure in of]
        told.append(f"seed {int(rows['trained'].iloc[0])}: {', '.join(steps)}")
    return f"Steps at which half of the way from chance is done — {'; '.join(told)}."


def _later(row: Row) -> str:
    verdict = Judged.of(row, "later", negligible=0.02).say(
        "later than",
        "earlier than",
        "at a step not shown to be later or earlier than",
        "at the same step as",
        "at a step that was not timed beside",
    )
    return (
        f"Half of the way of {NAMES[row['measure']]} is done {verdict} that of {NAMES[row['than']]}: the logarithm of "
        f"the one step over the other is {_estimate(row, 'later')}, mean of {plural(int(row['n']), 'network')}."
    )


def _drops(shares: pd.DataFrame) -> Iterator[str]:
    own = shares[shares["role"] == PRESET]
    for task in ("unscramble", "conditional"):
        of = {row["counted"]: row for row in own[own["task"] == task].to_dict("records")}
        yield (
            f"Task {task}: a plateau and a drop are found in the error of whole strings in {_found(of[STRINGS])}, "
            f"token by token in {_found(of[TOKENS])}."
        )
    reach = {str(row["role"]): row for row in shares[shares["task"] == REACH].to_dict("records")}
    told = [f"in {_found(row)} ({role})" for role, row in reach.items()]
    yield f"In 1 − reach, measured on the batches, they are found {listed(told)}."


def _found(row: Row) -> str:
    return of_them(round(float(row["found"]) * int(row["n"])), int(row["n"]), "network")


def _slopes(slopes: pd.DataFrame) -> Iterator[str]:
    names = {"sizes": "Pairs only, over K", FULL: "Full language, over K", "entities": "Pairs only, over E"}
    names["batches"] = "Pairs only, over the samples of a step"
    for family, name in names.items():
        rows = slopes[(slopes["family"] == family) & (slopes["part"] == "all")].to_dict("records")
        if rows:
            yield f"{name}, the power that the step of an event grows as — {'; '.join(map(_power, rows))}."
    for row in slopes[slopes["part"] == "bend"].to_dict("records"):
        verdict = Judged.of(row, "slope", negligible=0.01).say(
            "a larger power than", "a smaller power than", "a power not shown to differ from that", "the same power as"
        )
        yield (
            f"Pairs only, {row['event']}: over the upper half of the sizes it has {verdict} over the lower, the one "
            f"less the other is {_estimate(row, 'slope')}; by the closed form {number(row['closed'])}."
        )


def _power(row: Row) -> str:
    closed = "" if is_absent(row["closed"]) else f" (percolation: {number(row['closed'])})"
    return f"{row['event']} {_estimate(row, 'slope')}{closed}"


def _edges(ratios: pd.DataFrame) -> Iterator[str]:
    known = ratios[ratios["over"].notna()]
    if known.empty:
        yield "In no setting of pairs only do all networks come to half of the way."
        return
    closed = known["closed"] / known["threshold"]
    yield (
        f"When reach is ½ the edges drawn are {number(known['over'].min())} to {number(known['over'].max())} times "
        f"the threshold of a class (in {of_them(len(known), len(ratios), 'setting')}); by the closed form half of the "
        f"pairs are joined at {number(closed.min())} to {number(closed.max())} times. In "
        f"{of_them(int((known['over_low'] > closed).sum()), len(ratios), 'setting')} the whole interval is beyond that."
    )


def _joined(means: Mapping[str, Any], graph: pd.DataFrame) -> str:
    two, one = means[TWO], means[ONE]
    verdict = Judged.beside(two, "reach", one, "reach", 0.01).say(
        "more than", "less than", "not shown to differ from", "the same as", "not measured beside"
    )
    parts = [f"{role} {_components(graph[graph['role'] == role])}" for role in (TWO, ONE)]
    return (
        f"Pairs only, two descriptors an entity: reach is {_estimate(two, 'reach')} in the end, {verdict} the "
        f"{_estimate(one, 'reach')} where each has one. Components of the graph — {'; '.join(parts)}."
    )


def _components(rows: pd.DataFrame) -> str:
    counts = listed([number(int(count)) for count in rows["components"]])
    return f"{counts}, the largest of {listed([number(int(size)) for size in rows['largest']])} nodes"


def _typed(means: Mapping[str, Any]) -> str:
    free, typed = means[CLASS_FREE], means[PRESET]
    verdict = Judged.of(free, "reach", negligible=0.01).say(
        "above chance", "below chance", "not shown to differ from chance", "the same as by chance", "not measured"
    )
    return (
        f"Where descriptors are drawn from all classes reach is {_estimate(free, 'reach')}, {verdict}; where they have "
        f"types it is {_estimate(typed, 'reach')} after as many steps."
    )


def _step(value: float) -> str:
    return number(round(value)) if value == value else "never"
