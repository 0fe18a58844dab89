"""Causal tracing: which token a next token hangs on, and where the model carries it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures import traced_sites_figure, traced_tokens_figure
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result

SITES_CAPTION = (
    "Share of the lost probability that a site of the clean run brings back, alone, by layer and place (0: where the "
    "next token is said); residual is the stream after the block."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the tracing of a checkpoint."""
    tokens, sites = result.tables["tokens"], result.tables["sites"]
    figures = [
        FigureView(
            "What noise on one token's embedding takes of the right next token's probability, with 95 % interval.",
            traced_tokens_figure(result),
        )
    ]
    if (sites.frame["layer"] >= 0).any():
        figures.append(FigureView(SITES_CAPTION, traced_sites_figure(result)))
    tables = [
        table_view(tokens.frame, tokens.columns, "Noise on one token", folded=True),
        table_view(sites.frame, sites.columns, "One site restored", folded=True),
    ]
    return Section(result.name, result.title, list(sentences(result)), figures, tables)


def sentences(result: Result) -> Iterator[str]:
    """What the token's corruption takes, what brings it back, and whether the controls are null."""
    tokens, sites, offset = result.table("tokens"), result.table("sites"), int(result.facts["offset"])
    for _, row in tokens[tokens["offset"] == offset].iterrows():
        yield _hangs(row, offset)
    whole = sites[sites["layer"] < 0]
    if whole.empty or is_absent(whole.iloc[0]["share"]):
        yield "Nothing that a site brings back can be told as a share of it."
        return
    for kind, rows in sites[sites["layer"] >= 0].groupby("site", sort=False):
        if kind != "residual":
            yield _most(str(kind), rows)
    yield _controls(sites)


def _hangs(row: pd.Series, offset: int) -> str:
    where = "the position that says it" if offset == 0 else f"{-offset} before the position that says it"
    clean, corrupted = (interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in ("clean", "corrupted"))
    verdict = Judged.of(row, "lost").say("falls", "rises", "is not shown to fall", "stays")
    return (
        f"With noise on the token {where}, the probability of the right next token {verdict} from {clean} to "
        f"{corrupted} (n = {number(int(row['n']))})."
    )


def _most(kind: str, rows: pd.DataFrame) -> str:
    best = rows.iloc[int(rows["share"].argmax())]
    share = interval(best["share"], best["share_low"], best["share_high"])
    verdict = Judged.of(best, "recovered").say(
        f"at most {share} of what is lost", "nothing", "nothing that could be told from none", "nothing"
    )
    at = f"layer {int(best['layer'])}, place {int(best['offset'])}".replace("-", "−")
    return f"What the {kind} adds brings back {verdict} ({at})."


def _controls(sites: pd.DataFrame) -> str:
    other = sites[sites["layer"] >= 0]
    if other.empty:
        return "No site was restored."
    worst = other.iloc[int(other["other"].argmax())]
    brought = interval(worst["other"], worst["other_low"], worst["other_high"])
    return f"Controls: another sequence's activation brings back at most {brought}, the embedding itself everything."
