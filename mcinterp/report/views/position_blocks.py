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

TOLD = 4
"""So many heads are told one by one."""


def block_figures(taxonomy: Result) -> list[FigureView]:
    """A figure a grouping; none where positions are not grouped."""
    return [
        FigureView(
            f"Attention of the queries of each {name} (top to bottom) on the keys of each {name} (left to right), as a "
            "multiple of what uniform attention has: white as much, orange up to 4 times as much or more, blue down to "
            "a quarter or less.",
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
    groups = " or ".join(f"whole {several(name)}" for name in _groupings(taxonomy))
    some = own["head"].unique().tolist()
    if not some:
        return [f"None of the {plural(len(unfit), 'head')} without a class is shown to favour or avoid {groups}."]
    verb = "favours or avoids" if len(some) == 1 else "favour or avoid"
    told = "; ".join(_told(head, own[own["head"] == head]) for head in some[:TOLD])
    more = f"; {plural(len(some) - TOLD, 'more head')} in the table" if len(some) > TOLD else ""
    return [
        f"Of {plural(len(unfit), 'head')} without a class {number(len(some))} {verb} {groups}, with more than twice or "
        f"less than half of what uniform attention has: {told}{more}."
    ]


def _told(head: str, rows: pd.DataFrame) -> str:
    """What a head favours and avoids, such as `L1H0 avoids rows (0, 2, 3 → 1, 4)`."""
    clauses = [
        f"{verb} {several(row['grouping'])} ({row[column]})"
        for row in rows.to_dict("records")
        for verb, column in (("favours", "favoured"), ("avoids", "avoided"))
        if row[f"n_{column}"]
    ]
    return f"{head} {listed(clauses)}"


def _groupings(taxonomy: Result) -> Sequence[str]:
    return list(dict.fromkeys(taxonomy.table("blocks")["grouping"])) if "blocks" in taxonomy.tables else []
