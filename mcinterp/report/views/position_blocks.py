"""Which groups of positions heads favour and avoid, of those that fit no class above all."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mcinterp.report.figures import position_blocks_figure
from mcinterp.report.numbers import listed, number, plural
from mcinterp.report.palette import NONE
from mcinterp.report.parts import FigureView, TableView
from mcinterp.report.scores import several
from mcinterp.report.tables import table_view
from mcinterp.results import Result

TOLD = 8
"""So many heads are told one by one."""


def block_figures(taxonomy: Result) -> list[FigureView]:
    """A figure a grouping; none where positions are not grouped."""
    return [
        FigureView(
            f"Attention of the queries of each {name} (top to bottom) on the keys of each {name} (left to right), as a "
            "multiple of what uniform attention has: orange up to 4 times as much or more, blue down to a quarter or "
            "less, no colour as much.",
            position_blocks_figure(taxonomy, name),
        )
        for name in _groupings(taxonomy)
    ]


def block_tables(taxonomy: Result) -> list[TableView]:
    """What every head favours and avoids."""
    if not _groupings(taxonomy):
        return []
    table = taxonomy.tables["blocks"]
    caption = f"What every head favours and avoids, by {listed(_groupings(taxonomy))}"
    return [table_view(table.frame, table.columns, caption, folded=True)]


def block_sentences(taxonomy: Result) -> list[str]:
    """What heads without a class favour and avoid."""
    if not _groupings(taxonomy):
        return []
    heads = taxonomy.table("heads")
    unfit = heads.loc[(heads[list(taxonomy.facts["kinds"])] == NONE).all(axis=1), "head"].tolist()
    if not unfit:
        return []
    blocks = taxonomy.table("blocks")
    own = blocks[blocks["head"].isin(unfit) & (blocks["n_favoured"] + blocks["n_avoided"] > 0)]
    groups = f"whole {' or '.join(several(name) for name in _groupings(taxonomy))}"
    some = [head for head in unfit if head in set(own["head"])]
    if not some:
        return [f"None of {plural(len(unfit), 'head')} without a class is shown to favour or avoid {groups}."]
    return [
        f"Of {plural(len(unfit), 'head')} without a class {number(len(some))} {_does(some)} {groups}, with more than "
        f"twice or less than half of what uniform attention has: {_few(some)}. {_commonest(own)}"
    ]


def _does(heads: Sequence[str]) -> str:
    return "favours or avoids" if len(heads) == 1 else "favour or avoid"


def _few(heads: Sequence[str]) -> str:
    more = len(heads) - TOLD
    return listed(heads) if more <= 0 else f"{', '.join(heads[:TOLD])} and {plural(more, 'other')}"


def _commonest(rows: pd.DataFrame) -> str:
    """What most of the heads have in common, such as `In L1H0 and L1H3 queries of rows 0, 2, 3 avoid rows 1, 4`."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for row in rows.to_dict("records"):
        for verb, column in (("favour", "favoured"), ("avoid", "avoided")):
            if row[f"n_{column}"]:
                alike.setdefault((row["grouping"], verb, row[column]), []).append(row["head"])
    (grouping, verb, blocks), heads = max(alike.items(), key=lambda one: len(one[1]))
    said = [
        f"of {_named(grouping, own)} {verb} keys of {_named(grouping, keys)}"
        for own, _, keys in (part.partition(" → ") for part in blocks.split(" · "))
    ]
    return f"In {_few(heads)} queries {listed(said)}."


def _named(grouping: str, groups: str) -> str:
    return f"{several(grouping) if ',' in groups else grouping} {groups}"


def _groupings(taxonomy: Result) -> Sequence[str]:
    return list(dict.fromkeys(taxonomy.table("blocks")["grouping"])) if "blocks" in taxonomy.tables else []
