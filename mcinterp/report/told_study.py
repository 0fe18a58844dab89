"""A study on the page of all: each of its claims with what decides it as a bar, on one run or over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mcinterp.installed import studies
from mcinterp.report.bars import CLASSES
from mcinterp.report.findings import FindingView, anchor, printed, samples_of
from mcinterp.report.formulas import formulas
from mcinterp.report.links import DATA, INDEX
from mcinterp.report.numbers import is_absent
from mcinterp.report.replication import mean_finding, share_of
from mcinterp.report.size import size_sentence
from mcinterp.report.study import PAGE
from mcinterp.report.unmeasured import Unmeasured, grouped, unmeasured
from mcinterp.report.why import claim_why, deciding
from mcinterp.results import RECORD, Result


@dataclass(frozen=True)
class Came:
    """What became of a claim, on one run or over seeds.

    Attributes:
        where: that is, in words.
        verdict: holds, does not hold or undecided.
        kind: of the style sheet, by verdict.
        href: where it is told in full.
        said: the seeds in which it holds; empty of one run.
    """

    where: str
    verdict: str
    kind: str
    href: str
    said: str = ""


@dataclass(frozen=True)
class ToldClaim:
    """A claim as shown.

    Attributes:
        text: what is claimed.
        href: where all of it is told.
        source: paper and place.
        reported: what the paper itself reports of it; empty where it gives no number.
        why: what decides it.
        finding: that decides it.
        further: the others.
        came: what became of it, over seeds first where it was carried out with several.
    """

    text: Markup
    href: str
    source: str
    reported: Markup
    why: Markup
    finding: FindingView
    further: Sequence[FindingView]
    came: Sequence[Came]


@dataclass(frozen=True)
class ToldStudy:
    """A study as shown.

    Attributes:
        name: its name, and anchor.
        title: of the paper.
        about: where that is, the preset, and the machine.
        size: what was trained here, beside what the paper trained.
        claims: those that anything was measured for.
        groups: the others, by what would decide them.
        seeded: whether its bars are over seeds.
    """

    name: str
    title: str
    about: str
    size: Markup
    claims: Sequence[ToldClaim]
    groups: Sequence[Unmeasured]
    seeded: bool


def told_study(result: Result, row: pd.Series, folder: Path) -> ToldStudy:
    """A study of the stored overview.

    Args:
        result: the overview.
        row: of its table `studies`, of one that is decided.
        folder: of the page.
    """
    name = str(row["study"])
    tables = {key: _of(result.table(key), study=name) for key in ("claims", "findings", "over_seeds", "values")}
    claims, study = tables["claims"], studies().get(name)
    machine = "" if is_absent(row["machine"]) else f"; decided on {row['machine']}"
    lacking = unmeasured(claims, tables["findings"], result.facts["known"][name])
    return ToldStudy(
        name,
        str(row["title"]),
        f"{row['source']}; preset {row['preset']}{machine}.",
        formulas(size_sentence(study, _run(folder / str(row["folder"])))),
        [_claim(claim, tables, row) for _, claim in claims[~claims["claim"].isin(lacking)].iterrows()],
        grouped(claims, lacking, study),
        not tables["over_seeds"].empty,
    )


def _of(frame: pd.DataFrame, **equal: object) -> pd.DataFrame:
    """The rows in which columns have these values."""
    for column, value in equal.items():
        frame = frame[frame[column] == value]
    return frame


def _run(report: Path) -> Result | None:
    """What was trained for a report; None where nothing was."""
    record = report / DATA / "training"
    return Result.load(record) if (record / RECORD).is_file() else None


def _claim(claim: pd.Series, tables: dict[str, pd.DataFrame], study: pd.Series) -> ToldClaim:
    own = {key: _of(tables[key], claim=claim["claim"]) for key in ("findings", "over_seeds", "values")}
    seeded = not own["over_seeds"].empty
    rows = own["over_seeds"] if seeded else own["findings"]
    views = {
        at: mean_finding(row, _of(own["values"], number=row["number"]))
        if seeded
        else FindingView.of(row, samples_of(row))
        for at, row in rows.iterrows()
    }
    first = deciding(rows).name
    came = _came(claim, study)
    return ToldClaim(
        formulas(str(claim["text"])),
        came[0].href,
        str(claim["source"]),
        Markup("") if is_absent(claim["reported"]) else formulas(str(claim["reported"])),
        formulas(printed(claim_why(rows))),
        views.pop(first),
        list(views.values()),
        came,
    )


def _came(claim: pd.Series, study: pd.Series) -> list[Came]:
    here = anchor(claim["claim"])
    verdict = str(claim["verdict"])
    once = Came("on one run", verdict, CLASSES[verdict], f"{study['folder']}/{PAGE}#{here}")
    if is_absent(claim["over_seeds"]):
        return [once]
    over = str(claim["over_seeds"])
    said = f"holds in {int(claim['holds_in'])} of {int(claim['seeds'])}: {share_of(claim)}"
    return [Came("over seeds", over, CLASSES[over], f"{study['seeds_folder']}/{INDEX}#{here}", said), once]
