"""Attention over training, what order is worth, and the drop on unseen chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from mcinterp.report.figures import over_steps_figure
from mcinterp.report.numbers import interval, listed, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.markov_mixtures.circuits import LAYERS, PREVIOUS, SUCCESSOR
from mcinterp.studies.markov_mixtures.views.mixtures import at_last
from mcinterp.studies.markov_mixtures.views.phases import shown_networks

NAMES = {PREVIOUS: "token before, best head of layer {}", SUCCESSOR: "successors, best head of layer {}"}
HEADS = (
    "{network}: attention of the best heads by step on sequences of unseen chains, 0 as uniform attention has it, 1 "
    "all of it, with 95 % intervals (shaded: the drop of KL(truth ‖ model) on them)."
)
ORDER = (
    "KL between the predictions at the last place before and after all other tokens are shuffled, by step, with 95 % "
    "intervals, on sequences of unseen chains."
)


def circuits(result: Result, others: Mapping[str, Result]) -> Section:
    """Show heads, order and drops."""
    drops, heads = result.table("drops"), result.table("heads")
    shown = shown_networks(drops)
    figures = [
        _heads_figure(heads[heads["network"] == row["network"]], row)
        for _, row in drops.iterrows()
        if row["network"] in shown
    ]
    order = FigureView(ORDER, over_steps_figure(result.table("order"), "order", "network", "KL, nats", {}, height=380))
    views = [
        table_view(
            drops, result.tables["drops"].columns, "Drops on unseen chains, and the step of successor attention"
        ),
        table_view(at_last(heads), result.tables["heads"].columns, "Heads at the last checkpoint", folded=True),
    ]
    return Section(result.name, result.title, list(_sentences(result)), [*figures, order], views)


def best_heads(heads: pd.DataFrame) -> pd.DataFrame:
    """By step the best head of each kind in its layer: columns `step`, `curve`, `score` with its interval."""
    parts = []
    for kind, layer in LAYERS.items():
        layer = min(layer, int(heads["layer"].max()))
        rows = heads[heads["layer"] == layer]
        best = rows.loc[rows.groupby("step")[kind].idxmax()]
        renamed = {f"{kind}{end}": f"score{end}" for end in ("", "_low", "_high")}
        parts.append(best.rename(columns=renamed)[["step", *renamed.values()]].assign(curve=NAMES[kind].format(layer)))
    return pd.concat(parts, ignore_index=True)


def _heads_figure(heads: pd.DataFrame, drop: pd.Series) -> FigureView:
    figure = over_steps_figure(best_heads(heads), "score", "curve", "attention, 0 … 1", dict(drop))
    return FigureView(HEADS.format(network=drop["network"]), figure)


def _sentences(result: Result) -> Iterator[str]:
    drops = result.table("drops")
    found = [
        f"{row['network']} from step {_step(row['start'])} to {_step(row['end'])}, steepest at {_step(row['steepest'])}"
        for _, row in drops[drops["found"].astype(bool)].iterrows()
    ]
    none = [str(name) for name in drops[~drops["found"].astype(bool)]["network"]]
    yield (
        "Over the logarithm of the step the detector finds a drop of KL(truth ‖ model) on unseen chains — "
        f"{'; '.join(found) or 'of no network'}. It finds none of {listed(none) or 'no other'}."
    )
    linear = [str(name) for name in drops[drops["on_steps"].astype(bool)]["network"]]
    yield (
        "Over the step itself, on which the plateau is short beside the training, it finds one of "
        f"{listed(linear) or 'none'}."
    )
    half = [f"{row['network']} {_step(row['successor'])}" for _, row in drops.iterrows()]
    yield f"Steps from which on the best head of layer 1 has half of its last successor attention — {'; '.join(half)}."
    order = at_last(result.table("order"))
    told = "; ".join(
        f"{row['network']} {interval(row['order'], row['order_low'], row['order_high'])}" for _, row in order.iterrows()
    )
    yield f"What order is worth at the last checkpoint, KL after a shuffle — {told}."


def _step(value: float) -> str:
    return number(round(value)) if value == value else number(None)
