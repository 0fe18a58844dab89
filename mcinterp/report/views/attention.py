"""Attention maps: every head's map under a chosen mask, the mask beneath, how widely heads spread."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from mcinterp.report.figures import entropy_figure
from mcinterp.report.figures.attention import uniform_entropy
from mcinterp.report.masks import describe_mask, draw_mask
from mcinterp.report.numbers import number
from mcinterp.report.parts import FigureView, Section, Widget
from mcinterp.report.tables import table_view
from mcinterp.results import Result

SEPARATOR = "sep"
IN_SEQUENCE = "row,column of the matrix, after ? where it may be masked and after = where it is written out"


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the attention of a checkpoint."""
    mask = result.facts["masks"][0]
    table = result.tables["heads"]
    caption = f"Entropy of each head's attention under the {mask} mask, averaged over queries, with 95 % interval."
    return Section(
        result.name,
        result.title,
        [sentence(result)],
        [FigureView(caption, entropy_figure(result, mask))],
        [table_view(table.frame, table.columns, "Every head under every mask", folded=True)],
        widget=widget(result, checkpoint.get("taxonomy")),
    )


def sentence(result: Result) -> str:
    """What the numbers say of the first mask."""
    mask = result.facts["masks"][0]
    rows = result.table("heads")
    rows = rows[rows["mask"] == mask]
    uniform = uniform_entropy(result)
    sharp, diffuse = rows.iloc[int(rows["entropy"].argmin())], rows.iloc[int(rows["entropy"].argmax())]
    key = result.facts.get("uniform_masked_mass", [float(1 - result.arrays["observed"][0].mean())])[0]
    return (
        f"Under the {mask} mask (n = {number(int(rows['n'].iloc[0]))}) a head's attention has a mean entropy of "
        f"{number(rows['entropy'].mean())} nats, where uniform attention has {number(uniform)}: from "
        f"{number(sharp['entropy'])} in {sharp['head']}, the sharpest, to {number(diffuse['entropy'])} in "
        f"{diffuse['head']}, the most diffuse. Masked keys receive {number(rows['masked_mass'].mean())} of the "
        f"attention on average; uniform attention would give them {number(key)}."
    )


def widget(result: Result, taxonomy: Result | None, masks: Collection[str] | None = None) -> Widget:
    """The maps for CircuitsVis and the drawings of the masks."""
    names = [name for name in result.facts["masks"] if masks is None or name in masks]
    observed = dict(zip(result.facts["masks"], result.arrays["observed"], strict=True))
    drawings = [(name, draw_mask(observed[name], name), describe_mask(observed[name])) for name in names]
    data = payload(result, taxonomy, names)
    return Widget(data, drawings, IN_SEQUENCE) if SEPARATOR in data["tokens"] else Widget(data, drawings)


def payload(result: Result, taxonomy: Result | None, masks: Collection[str]) -> dict[str, Any]:
    """The attention maps as attention.js draws them.

    Returns:
        `size`, positions of a query and of a key; `tokens`, their names; `heads`, labels with the classes;
        `layers`, each head's layer; `masks`; `maps`, for each mask and head the map row by row in thousandths.
    """
    positions = position_names(result)
    maps = result.arrays["maps"]
    n_layers, n_heads = maps.shape[1:3]
    chosen = [index for index, name in enumerate(result.facts["masks"]) if name in masks]
    heads = head_names(n_layers, n_heads)
    labels = class_labels(taxonomy) if taxonomy else {}
    thousandths = np.rint(np.nan_to_num(maps[chosen]) * 1000).astype(int)
    return {
        "size": len(positions),
        "tokens": positions,
        "heads": [" ".join(filter(None, (head, labels.get(head)))) for head in heads],
        "layers": [layer for layer in range(n_layers) for _ in range(n_heads)],
        "masks": [result.facts["masks"][index] for index in chosen],
        "maps": thousandths.reshape(len(chosen), n_layers * n_heads, -1).tolist(),
    }


def head_names(n_layers: int, n_heads: int) -> list[str]:
    """The name of every head, layer by layer."""
    return [f"L{layer}H{head}" for layer in range(n_layers) for head in range(n_heads)]


def position_names(result: Result) -> list[str]:
    """The name of every position; results that do not say have one position an entry."""
    rows, cols = result.facts["rows"], result.facts["cols"]
    return list(result.facts.get("positions") or (f"{row},{col}" for row in range(rows) for col in range(cols)))


def class_labels(taxonomy: Result) -> dict[str, str]:
    """Head → its family and group, those that it has."""
    rows = taxonomy.table("heads")
    return {
        row["head"]: " · ".join(name for name in (row["family"], row["group"]) if name != "none")
        for row in rows.to_dict("records")
    }
