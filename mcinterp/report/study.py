"""The page that says which claims of a paper hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mcinterp.report.numbers import ABSENT, interval, is_absent, number, plural
from mcinterp.report.page import render, scripts_for
from mcinterp.report.palette import VERDICTS
from mcinterp.report.parts import Cell, Column, Link, Section, TableView
from mcinterp.results import Result

STUDY = "study"
"""Where a study's results are, under a report's data."""
CLAIMS = f"{STUDY}/claims"
"""Its claims."""
PAGE = "paper.html"
COLUMNS = ("what was measured", "value", "n", "holds where it is", "control", "verdict", "evidence")
PLURALS = {"holds": "hold", "does not hold": "do not hold", "undecided": "are undecided"}
SINGULARS = {"holds": "holds", "does not hold": "does not hold", "undecided": "is undecided"}


@dataclass(frozen=True)
class _Places:
    """Where the results that numbers come from are shown.

    Attributes:
        steps: key of a result → step of its checkpoint, None for one of the whole run.
        shown: results that stand on this very page.
    """

    steps: Mapping[str, int | None]
    shown: Collection[str]

    def cell(self, key: str) -> Cell:
        """Where a number comes from, with a link to the section that shows it."""
        place, _, name = key.rpartition("/")
        if key not in self.steps:
            return Cell(f"{name}: not there")
        if place == "study":
            return Cell(name, href=f"#{name}" if name in self.shown else f"data/{key}/result.json")
        step = self.steps[key]
        if step is None:
            return Cell(name, href=f"index.html#{name}")
        return Cell(f"{name}, step {number(step)}", href=f"step-{step:08d}.html#{name}")


def claims_page(
    result: Result, run: str, single_file: bool, links: Sequence[Link], shown: Sequence[Section] = ()
) -> str:
    """The page of a study's claims, from their stored result.

    Args:
        result: the claims.
        run: name of the run.
        single_file: whether scripts and style stand in the page.
        links: to the numbers of the claims.
        shown: what the study measured besides the passes, under the claims.
    """
    claims, findings = result.table("claims"), result.table("findings")
    places = _Places(dict(result.facts["steps"]), {section.name for section in shown})
    sections = [
        _section(claim, findings[findings["claim"] == claim["claim"]], places) for _, claim in claims.iterrows()
    ]
    return render(
        "study",
        single_file,
        scripts_for(attention=False),
        title=str(result.facts["title"]),
        run=run,
        source=str(result.facts["source"]),
        preset=str(result.facts["preset"]),
        lead=claims_sentence(result),
        summary=_summary(claims),
        bounds=str(result.facts.get("bounds", "")),
        sections=sections,
        shown=shown,
        links=links,
    )


def claims_sentence(result: Result) -> str:
    """How many claims came out how."""
    verdicts = list(result.table("claims")["verdict"])
    counts = {verdict: verdicts.count(verdict) for verdict in PLURALS}
    words = [f"{n} {SINGULARS[verdict] if n == 1 else PLURALS[verdict]}" for verdict, n in counts.items() if n]
    return f"Of {plural(len(verdicts), 'claim')}, {', '.join(words)}."


def _summary(claims: pd.DataFrame) -> TableView:
    rows = [
        (
            Cell(str(claim["text"]), note=str(claim["source"]), href=f"#{_anchor(claim['claim'])}"),
            _verdict(claim["verdict"]),
            Cell(f"{claim['holds']} of {claim['findings']}"),
        )
        for _, claim in claims.iterrows()
    ]
    columns = [Column("claim"), Column("verdict"), Column("findings that hold")]
    return TableView("Claims", columns, rows, kind="plain claims")


def _section(claim: pd.Series, findings: pd.DataFrame, places: _Places) -> Section:
    rows = [_row(finding, places) for _, finding in findings.iterrows()]
    table = TableView("What decides it", list(map(Column, COLUMNS)), rows, kind="plain claims")
    title = f"{str(claim['claim']).capitalize()}: {claim['verdict']}"
    return Section(_anchor(claim["claim"]), title, [f"{claim['text']} ({claim['source']})"], tables=[table])


def _row(finding: pd.Series, places: _Places) -> tuple[Cell, ...]:
    ends = finding["value_low"], finding["value_high"]
    value = number(finding["value"]) if ends[0] == ends[1] else interval(finding["value"], *ends)
    return (
        Cell(str(finding["finding"])),
        Cell(value, value if is_absent(finding["value"]) else repr(float(finding["value"]))),
        Cell(number(int(finding["n"]) or None)),
        Cell(_printed(finding["rule"])),
        Cell(_printed(finding["control"])),
        _verdict(finding["verdict"]),
        places.cell(str(finding["evidence"])),
    )


def _printed(text: Any) -> str:
    """A stored text with true minus signs."""
    return ABSENT if is_absent(text) else str(text).replace(" -", " −").replace("e-", "e−")


def _verdict(verdict: Any) -> Cell:
    return Cell(str(verdict), colour=VERDICTS.get(str(verdict), ""))


def _anchor(name: Any) -> str:
    return str(name).replace(" ", "-")
