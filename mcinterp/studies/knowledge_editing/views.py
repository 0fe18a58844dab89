"""Sections of pages: what is known, rings, single edits, and many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.knowledge_editing import figures
from mcinterp.studies.knowledge_editing.contrasts import FARTHER, KEY_LESS

Row = Mapping[Any, Any]
OWN = "own"
MATRIX = "random matrix"
RHO = "above it stands ρ of distances in it and distances around the order"


def knowledge(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what networks recall and infer, and when they learned it."""
    frame = result.table("knowledge")
    drawn = [
        FigureView(
            "Shown facts (recall), held-out facts whose inverses are shown, held-out compositions: share right of the "
            "study's own network, by step, with 95 % interval.",
            figures.learning_figure(result.table("learning")),
        ),
        FigureView(
            "The same at the end of training, of every network.",
            figures.knowledge_figure(frame),
        ),
    ]
    own = frame[(frame["network"] == OWN) & (frame["orders"] == "all")]
    shares = "; ".join(f"{row['kind']} {_estimate(row, 'right')} (n = {row['n']})" for row in own.to_dict("records"))
    sentences = [f"Right at the end of training: {shares}; chance {number(result.facts['chance'])}."] if shares else []
    titles = {"knowledge": "What every network has right", "learning": "By step"}
    return Section(result.name, result.title, sentences, drawn, _tables(result, titles))


def geometry(result: Result, others: Mapping[str, Result]) -> Section:
    """Show where entities lie, before and after edits."""
    points, rings = result.table("points"), result.table("rings")
    relation, entity = result.facts["relation"], result.facts["entity"]
    embedded, stream = (points[points["of"] == of] for of in ("embeddings", "stream"))
    own = rings[rings["network"] == OWN]
    drawn = [
        FigureView(
            f"Embeddings of the entities, two dimensions of Isomap; lines and colours go around order {order}; {RHO}.",
            figures.rings_figure(embedded, int(order), _titles(own[own["of"] == "embeddings"], order)),
        )
        for order in embedded["order"].unique()
    ]
    drawn.append(
        FigureView(
            f"The stream after the last block at relation {relation}, before and after edits of {entity} {relation} to "
            "answers at growing distance; lines and colours go around the edited order. Each is turned onto the first; "
            f"{RHO}.",
            figures.rings_figure(stream, 0, _titles(own[own["of"] == "stream"], 0)),
        )
    )
    sentences = [_ring(row) for row in own[own["of"] == "embeddings"].to_dict("records")]
    return Section(result.name, result.title, sentences, drawn, _tables(result, {"rings": "Rings in numbers"}))


def edits(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what single edits do, by distance, and what changes that are no edits do."""
    frame, summary = result.table("edits"), result.table("summary")
    drawn = []
    for network in result.facts["networks"]:
        rows = summary[(summary["network"] == network) & summary["method"].isin(["edit", "present answer"])]
        n = int(rows["n"].max()) if len(rows) else 0
        drawn += [
            FigureView(
                f"Network {network}, {n} facts: share of what was right that is no longer, by distance of the new "
                "answer (0: the present answer), with 95 % interval.",
                figures.losses_figure(rows),
            ),
            FigureView(
                f"Network {network}: recall lost over distortion R, an edit a point; grey, changes that are no edits "
                "(random matrices of the edits' norm lie far beyond).",
                figures.scatter_figure(frame[frame["network"] == network]),
            ),
        ]
    sentences = [
        sentence
        for network in result.facts["networks"]
        for said in (_distances, _beside, _explained)
        for sentence in said(result, network)
    ]
    titles = {
        "summary": "Edits and controls, means over facts",
        "contrasts": "Paired differences",
        "explained": "What goes with the loss of recall",
    }
    return Section(result.name, result.title, sentences, drawn, _tables(result, titles))


def sequences(result: Result, others: Mapping[str, Result]) -> Section:
    """Show how damage grows with the number of edits."""
    frame, growth = result.table("sequences"), result.table("growth")
    drawn = [
        FigureView(
            f"Network {network}: distortion and losses after so many edits, each to the neighbour of the right answer, "
            "mean over sequences with 95 % interval.",
            figures.sequences_figure(rows),
        )
        for network, rows in frame.groupby("network", sort=False)
    ]
    sentences = [
        _growth(row) for row in growth.to_dict("records") if row["measure"] in ("r_edited", "recall_edited", "held")
    ]
    titles = {"sequences": "By number of edits", "growth": "From the first to the last"}
    return Section(result.name, result.title, sentences, drawn, _tables(result, titles))


def _tables(result: Result, titles: Mapping[str, str]) -> list[Any]:
    return [
        table_view(result.table(key), result.tables[key].columns, title, folded=True)
        for key, title in titles.items()
        if len(result.table(key))
    ]


def _estimate(row: Row, column: str) -> str:
    return interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _titles(rings: pd.DataFrame, order: int) -> dict[str, str]:
    """Of each picture its ρ, by the edit that was made before; embeddings have none."""
    found = {}
    for row in rings[rings["order"] == order].to_dict("records"):
        edit = row["edit"] if not is_absent(row["edit"]) else ""
        which = {"": "", "before": "before<br>"}.get(edit, f"distance {edit}<br>")
        found[edit or "before"] = f"{which}ρ = {number(row['isomap'], 2)}"
    return found


def _ring(row: Row) -> str:
    most = f", and {number(row['power'])} has {number(row['strongest'])}, the most of all"
    return (
        f"Order {row['order']}: {number(row['mode1'])} of the embeddings' scatter has one period around it (no "
        f"structure: {number(row['flat'])}; random orders {_estimate(row, 'random')})"
        f"{'' if row['strongest'] == 1 else most}; distances in Isomap go with distances around it by ρ = "
        f"{number(row['isomap'])}."
    )


def _distances(result: Result, network: str) -> Iterator[str]:
    near, far = result.facts["nearest"], result.facts["farthest"]
    for measure, words in {"r_edited": "distortion R", "recall_edited": "the recall that is lost"}.items():
        for row in _contrast(result, network, FARTHER, measure):
            verdict = Judged.of(row, "difference").say(
                "larger than", "smaller than", "not shown to differ from", "the same as", "not measured beside"
            )
            yield (
                f"Network {network}: {words} by edits to answers {far} places away is {verdict} that by edits to "
                f"answers {near} away (difference {_estimate(row, 'difference')}, n = {row['n']})."
            )


def _beside(result: Result, network: str) -> Iterator[str]:
    for row in _contrast(result, network, KEY_LESS, "recall_edited"):
        verdict = Judged.of(row, "difference").say(
            "larger than", "smaller than", "not shown to differ from", "the same as", "not measured beside"
        )
        yield (
            f"Network {network}: the recall that is lost by edits is {verdict} that by a random key of the same effect "
            f"(difference {_estimate(row, 'difference')})."
        )
    summary = result.table("summary")
    for row in summary[(summary["network"] == network) & (summary["method"] == MATRIX)].to_dict("records"):
        yield (
            f"Network {network}: a random matrix of the edit's norm loses {_estimate(row, 'recall_edited')} of recall, "
            f"with R of {_estimate(row, 'r_edited')}."
        )


def _contrast(result: Result, network: str, contrast: str, measure: str) -> Sequence[Row]:
    frame = result.table("contrasts")
    wanted = {"network": network, "contrast": contrast, "measure": measure}
    return frame[(frame[list(wanted)] == pd.Series(wanted)).all(axis=1)].to_dict("records")


def _explained(result: Result, network: str) -> Iterator[str]:
    frame = result.table("explained")
    for row in frame[frame["network"] == network].to_dict("records"):
        if is_absent(row["correlation"]):
            yield f"Network {network}: R or recall is the same for all edits, so that neither goes with the other."
            continue
        yield (
            f"Network {network}: over {row['n']} edits R goes with the recall that is lost by ρ = "
            f"{_estimate(row, 'correlation')} (r² = {number(row['explained'])}; the paper has 0.905), with R of other "
            f"edits by {_estimate(row, 'shuffled')}. At equal length of δ, distance goes with the loss by "
            f"{number(row['at_equal_length'])}."
        )


def _growth(row: Row) -> str:
    said = {"r_edited": "R", "recall_edited": "the recall that is lost", "held": "the share of edits that hold"}
    verdict = Judged.of(row, "growth").say("grows", "falls", "is not shown to change", "stays", "was not measured")
    return (
        f"From the first to the last edit {said[row['measure']]} {verdict} "
        f"({_estimate(row, 'growth')}, {row['n']} sequences)."
    )
