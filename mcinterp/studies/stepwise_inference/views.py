"""Sections of pages: accuracies, temperatures and lengths, what is learned first, and exemplars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import ABSENT, interval, is_absent, listed, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.stepwise_inference import figures

Row = Mapping[Any, Any]
WHICH = {
    "near": "with a path no longer than those in training",
    "far": "farther apart than any in training",
    "all": "of any distance",
}


def accuracy(result: Result, others: Mapping[str, Result]) -> Section:
    """Show what writing the steps gains, beside a random walk and what the training pairs imply."""
    frame, contrasts = result.table("accuracy"), result.table("contrasts")
    # Layers first, as they are what most is said of; then by the length of what was trained on.
    frame = frame.sort_values(["graph", "longest"], ascending=[False, True], kind="stable")
    drawn = [
        FigureView(
            f"Held-out pairs {words}: accuracy of PATH and NOPATH with 95 % intervals, by graph and longest path in "
            "training. Depth alone gives ½ (dotted).",
            figures.accuracy_figure(rows),
        )
        for kind, words in WHICH.items()
        if len(rows := frame[frame["pairs"] == kind])
    ]
    captions = {"accuracy": "Accuracies and paths of held-out pairs", "contrasts": "Contrasts and the control"}
    shown = {"accuracy": frame, "contrasts": contrasts}
    tables = [table_view(each, result.tables[key].columns, captions[key]) for key, each in shown.items()]
    own = frame[(frame["graph"] == "hierarchical") & (frame["longest"] == result.facts["own"])]
    sentences = [_gap(row) for row in own.to_dict("records")] + [_contrast(row) for row in contrasts.to_dict("records")]
    return Section(result.name, result.title, sentences, drawn, tables)


def temperature(result: Result, others: Mapping[str, Result]) -> Section:
    """Show accuracy and diversity over temperature, and the lengths of true paths beside two references."""
    trade, lengths = result.table("trade"), result.table("lengths")
    if trade.empty:
        return Section(result.name, result.title, ["No held-out pair has a few paths, all of them trained on."])
    bernoulli = lengths[lengths["graph"] == "bernoulli"]
    last = bernoulli[bernoulli["step"] == result.facts["step"]]
    early = bernoulli[(bernoulli["temperature"] == 1.0) & (bernoulli["step"] > 0)].sort_values("step")
    n = int(trade["n"].iloc[0])
    drawn = [
        FigureView(
            f"Bernoulli graph, paths of up to {result.facts['longest']} edges, {n} held-out pairs: probability of a "
            "true path, and expected share of a pair's paths among samples, exact for each pair; dashed, the path law.",
            figures.trade_figure(trade),
        ),
        FigureView(
            "Edges of the model's true paths less those of two references, over temperature; dashed, what sharpening "
            "does to the path law itself.",
            figures.length_figure(last, "temperature"),
        ),
        FigureView("The same at temperature 1, over training.", figures.length_figure(early, "step")),
    ]
    captions = {"trade": "Accuracy and diversity", "peaks": "Where most paths are found", "lengths": "Lengths"}
    tables = [
        table_view(result.table(key), result.tables[key].columns, title, folded=key == "lengths")
        for key, title in captions.items()
    ]
    return Section(result.name, result.title, [_peaks(result.table("peaks")), *_lengths(last)], drawn, tables)


def order(result: Result, others: Mapping[str, Result]) -> Section:
    """Show when steps go along edges, and when they reach goals."""
    steps, halves = result.table("steps"), result.table("halves")
    drawn = [
        FigureView(
            "Held-out pairs, most probable answers at every checkpoint: share of steps along edges, and of goals "
            "reached along edges.",
            figures.order_figure(steps),
        )
    ]
    captions = {"halves": "When half of each is there", "steps": "Checkpoints"}
    tables = [
        table_view(result.table(key), result.tables[key].columns, title, folded=key == "steps")
        for key, title in captions.items()
    ]
    return Section(result.name, result.title, [_halves(halves.to_dict("records")[0])], drawn, tables)


def exemplars(result: Result, others: Mapping[str, Result]) -> Section:
    """Show which chains are followed, and which of two."""
    steering, conflicts = result.table("steering"), result.table("conflicts")
    drawn = [
        FigureView(
            f"Trained with exemplars in {network}: share of prompts whose chain is followed over its ghost edges; "
            "dotted, the longest chain in training.",
            figures.steering_figure(rows),
        )
        for network, rows in steering.groupby("network", sort=False)
    ]
    conflict = "Two chains from A to D, in both orders: whose link is taken from A, by how exemplars stood in training."
    drawn.append(FigureView(conflict, figures.conflict_figure(conflicts)))
    captions = {"steering": "Steering", "limits": "One motif more than in training", "conflicts": "Conflicting chains"}
    tables = [
        table_view(result.table(key), result.tables[key].columns, title, folded=key == "steering")
        for key, title in captions.items()
    ]
    sentences = [_followed(steering, network) for network in steering["network"].unique()]
    return Section(
        result.name, result.title, sentences + [_conflict(row) for row in conflicts.to_dict("records")], drawn, tables
    )


def _estimate(row: Row, column: str) -> str:
    return interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _gap(row: Row) -> str:
    verdict = Judged.of(row, "gap").say(
        "more than without",
        "less than without",
        "not shown to differ from without",
        "the same as without",
        "not measured",
    )
    return (
        f"Pairs {WHICH[row['pairs']]}: {_estimate(row, 'stepwise')} are right with steps and "
        f"{_estimate(row, 'direct')} without, {verdict} (difference {_estimate(row, 'gap')}); a random walk has "
        f"{number(row['walker'])}. Of those with a path {_estimate(row, 'valid')} are reached along edges, by the walk "
        f"{number(row['hits'])}; {_estimate(row, 'lied')} are said to have one that was not written."
    )


def _contrast(row: Row) -> str:
    said = {
        "structure": "The gap in the hierarchical graph less that in the Bernoulli graph is",
        "shorter paths": "With as many pairs, the gap of shorter paths less that of the longest is",
        "labels by chance": "A direct network whose labels were shuffled answers right, of held-out pairs,",
    }
    return f"{said.get(row['contrast'], row['contrast'])} {_estimate(row, 'value')} (n = {number(int(row['n']))})."


def _peaks(peaks: pd.DataFrame) -> str:
    parts = [f"{_estimate(row, 'peak')} with {number(row['samples'])} samples" for row in peaks.to_dict("records")]
    return f"Most of a pair's paths are found at temperature {listed(parts)}."


def _lengths(rows: pd.DataFrame) -> list[str]:
    """Of temperature 1, what the two references say."""
    found = rows[rows["temperature"] == 1.0].to_dict("records")
    if not found:
        return []
    row = found[0]
    raw = Judged.of(row, "raw").say(
        "longer than", "shorter than", "not shown to differ in length from", "of the same length as"
    )
    bias = Judged.of(row, "bias").say("longer", "shorter", "not shown to differ", "the same")
    return [
        f"At temperature 1 the model's true paths are {raw} those of the uniform law, by {_estimate(row, 'raw')} "
        f"edges; beside those of a path law that fails as often as the model they are {bias}, by "
        f"{_estimate(row, 'bias')}."
    ]


def _halves(row: Row) -> str:
    edges, goals = number(row["edges"]), number(row["goals"])
    said = f"Half of the last share of steps along edges is there at step {edges}, half of the goals at step {goals}"
    if is_absent(row["later"]):
        return f"{said}."
    verdict = Judged.of(row, "later").say("later", "earlier", "not shown to be later or earlier", "at the same step")
    return f"{said}: {verdict}, by a factor of which the logarithm is {_estimate(row, 'later')}."


def _followed(steering: pd.DataFrame, network: str) -> str:
    """Chains of each length in the chain's own order, of links seen and unseen."""
    rows = steering[(steering["network"] == network) & (steering["exemplars"] == "chain")]
    parts = []
    for links, of in rows.groupby("links", sort=False):
        shares = ", ".join(f"{row['motifs']}: {row['steered']:.0%}" for row in of.to_dict("records"))
        parts.append(f"of {links} links — {shares or ABSENT}")
    return f"Trained with exemplars in {network}, chains are followed by their number of motifs, {'; '.join(parts)}."


def _conflict(row: Row) -> str:
    verdict = Judged.of(row, "primacy").say(
        "the first is taken more often",
        "the second is taken more often",
        "neither is shown to be taken more often",
        "both are taken the same",
    )
    return (
        f"{str(row['network']).capitalize()}, {row['arrangement']}: of two links that part {verdict} (first "
        f"{row['first']:.0%}, second {row['second']:.0%}, neither {row['neither']:.0%}); to the goal "
        f"{row['first_through']:.0%} go through the first chain and {row['second_through']:.0%} through the second."
    )
