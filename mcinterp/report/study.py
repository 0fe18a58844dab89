"""The page that says which claims of a paper hold."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import pandas as pd

from mcinterp.report.numbers import ABSENT, interval, is_absent, number, plural
from mcinterp.report.page import render, scripts_for
from mcinterp.report.palette import VERDICTS
from mcinterp.report.parts import Cell, Column, Link, Section, TableView
from mcinterp.results import Result

STUDY, CLAIMS = "study", "study/claims"
"""Where what a study measured is, and its claims, under a report's data."""
PAGE = "paper.html"
COLUMNS = ("what was measured", "value", "n", "holds where it is", "control", "verdict", "evidence")
PLURALS = {"holds": "hold", "does not hold": "do not hold", "undecided": "are undecided"}
SINGULARS = {"holds": "holds", "does not hold": "does not hold", "undecided": "is undecided"}


def claims_page(result: Result, run: str, links: Sequence[Link], evidence: Sequence[Section] = ()) -> str:
    """The page of a study's claims, from their stored result.

    Args:
        result: the claims.
        run: that they are about; empty where the study has none.
        links: lead to the numbers of the claims.
        evidence: what the study measured itself, shown below the claims.
    """
    claims, findings = result.table("claims"), result.table("findings")
    places = _places(result.facts["steps"], {section.name for section in evidence})
    sections = [
        _section(claim, findings[findings["claim"] == claim["claim"]], places) for _, claim in claims.iterrows()
    ]
    return render(
        "study",
        scripts_for(attention=False),
        title=str(result.facts["title"]),
        run=run,
        source=str(result.facts["source"]),
        preset=str(result.facts["preset"]),
        lead=claims_sentence(result),
        summary=_summary(claims),
        bounds=str(result.facts.get("bounds", "")),
        sections=sections,
        links=links,
        evidence=evidence,
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
            Cell(str(claim["text"]), note=str(claim["source"]), href=f"#{anchor(claim['claim'])}"),
            verdict_cell(claim["verdict"]),
            Cell(f"{claim['holds']} of {claim['findings']}"),
        )
        for _, claim in claims.iterrows()
    ]
    columns = [Column("claim"), Column("verdict"), Column("findings that hold")]
    return TableView("Claims", columns, rows, kind="plain claims")


def _section(claim: pd.Series, findings: pd.DataFrame, places: Mapping[str, Cell]) -> Section:
    rows = [_row(finding, places) for _, finding in findings.iterrows()]
    table = TableView("What decides it", list(map(Column, COLUMNS)), rows, kind="plain claims")
    name = str(claim["claim"])
    title = f"{name[:1].upper()}{name[1:]}: {claim['verdict']}"
    return Section(anchor(claim["claim"]), title, claimed(claim), tables=[table])


def claimed(claim: pd.Series) -> list[str]:
    """What a paper claims, and what it reports of it where it gives a number."""
    reported = claim.get("reported")  # a report may be older than the column
    said = [f"{claim['text']} ({claim['source']})"]
    return said if is_absent(reported) else [*said, f"The paper's own: {reported}."]


def _row(finding: pd.Series, places: Mapping[str, Cell]) -> tuple[Cell, ...]:
    key, ends = str(finding["evidence"]), (finding["value_low"], finding["value_high"])
    value = number(finding["value"]) if ends[0] == ends[1] else interval(finding["value"], *ends)
    return (
        Cell(str(finding["finding"])),
        Cell(value, value if is_absent(finding["value"]) else repr(float(finding["value"]))),
        Cell(number(int(finding["n"]) or None)),
        Cell(printed(finding["rule"])),
        Cell(printed(finding["control"])),
        verdict_cell(finding["verdict"]),
        places.get(key, Cell(f"{key.rpartition('/')[2]}: not there")),
    )


def printed(text: Any) -> str:
    """A stored text with true minus signs."""
    return ABSENT if is_absent(text) else str(text).replace(" -", " −").replace("e-", "e−")


def verdict_cell(verdict: Any, note: str = "", href: str = "") -> Cell:
    """A verdict with its colour."""
    return Cell(str(verdict), note=note, colour=VERDICTS.get(str(verdict), ""), href=href)


def _places(steps: Mapping[str, int | None], here: Container[str]) -> dict[str, Cell]:
    """For every result its name, with a link to the section that shows it; `here` are those of this page."""
    return {key: _place(key, step, here) for key, step in steps.items()}


def _place(key: str, step: int | None, here: Container[str]) -> Cell:
    place, _, name = key.rpartition("/")
    if place == STUDY:
        return Cell(name, href=f"#{name}" if name in here else f"data/{key}/result.json")
    if step is None:
        return Cell(name, href=f"index.html#{name}")
    return Cell(f"{name}, step {number(step)}", href=f"step-{step:08d}.html#{name}")


def anchor(name: Any) -> str:
    """Of a claim's section."""
    return str(name).replace(" ", "-")
