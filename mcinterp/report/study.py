"""The page that says which claims of a paper hold."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from mcinterp.installed import studies
from mcinterp.report.findings import (
    PLURALS,
    SINGULARS,
    ClaimView,
    FindingView,
    anchor,
    claimed,
    headed,
    printed,
    samples_of,
    verdict_cell,
)
from mcinterp.report.formulas import formulas
from mcinterp.report.numbers import interval, is_absent, number, plural
from mcinterp.report.page import render, scripts_for
from mcinterp.report.parts import Cell, Column, Link, Section, TableView
from mcinterp.report.pictures import STUDY, Chosen, Pictures, chosen_pictures
from mcinterp.report.size import size_sentence
from mcinterp.report.unmeasured import grouped, unmeasured
from mcinterp.report.why import claim_why
from mcinterp.results import Result

CLAIMS = "study/claims"
"""Where a study's claims are, under a report's data."""
PAGE = "paper.html"
COLUMNS = ("what was measured", "value", "n", "holds where it is", "control", "verdict", "evidence")


def claims_page(result: Result, run: str, links: Sequence[Link], pictures: Pictures | None = None) -> str:
    """The page of a study's claims, from their stored result.

    Args:
        result: the claims.
        run: that they are about; empty where the study has none.
        links: lead to the numbers of the claims.
        pictures: of what they rest on; what the study measured itself stands below the claims.
    """
    claims, steps = result.table("claims"), result.facts["steps"]
    findings = {str(name): rows for name, rows in result.table("findings").groupby("claim", sort=False)}
    evidence = pictures.sections if pictures else ()
    lacking = unmeasured(claims, result.table("findings"), steps)
    decided = claims[~claims["claim"].isin(lacking)]
    chosen = chosen_pictures({name: findings[name] for name in decided["claim"]}, pictures.first) if pictures else {}
    places = _places(steps, {section.name for section in evidence})
    study = studies().get(str(result.facts.get("study")))
    return render(
        "study",
        scripts_for(attention=False),
        title=str(result.facts["title"]),
        run=run,
        source=str(result.facts["source"]),
        preset=str(result.facts["preset"]),
        size=formulas(size_sentence(study, pictures.run if pictures else None)),
        lead=claims_sentence(result),
        summary=_summary(claims, findings, lacking),
        bounds=str(result.facts.get("bounds", "")),
        claims=[_claim(claim, findings[claim["claim"]], places, chosen) for _, claim in decided.iterrows()],
        groups=grouped(claims, lacking, study),
        links=links,
        evidence=[_without_chosen(section, chosen) for section in evidence],
        moved=_moved(chosen),
    )


def claims_sentence(result: Result) -> str:
    """How many claims came out how, and how many of them nothing was measured for."""
    claims = result.table("claims")
    verdicts = list(claims["verdict"])
    counts = {verdict: verdicts.count(verdict) for verdict in PLURALS}
    words = [f"{n} {SINGULARS[verdict] if n == 1 else PLURALS[verdict]}" for verdict, n in counts.items() if n]
    lacking = len(unmeasured(claims, result.table("findings"), result.facts["steps"]))
    which = "which" if lacking == counts["undecided"] else f"{lacking} of which"
    left = f", {which} {'was' if lacking == 1 else 'were'} not measured" if lacking else ""
    return f"Of {plural(len(verdicts), 'claim')}, {', '.join(words)}{left}."


def _summary(
    claims: pd.DataFrame, findings: Mapping[str, pd.DataFrame], lacking: Mapping[str, Sequence[str]]
) -> TableView:
    """Claims that are decided, with what decides them, and then those that nothing was measured for."""
    last = claims["claim"].isin(lacking)
    ordered = pd.concat([claims[~last], claims[last]])
    rows = [
        (
            Cell(formulas(str(claim["text"])), note=str(claim["source"]), href=f"#{anchor(claim['claim'])}"),
            verdict_cell(claim["verdict"]),
            Cell(f"{claim['holds']} of {claim['findings']}"),
            Cell("not measured" if unknown else formulas(printed(claim_why(findings[claim["claim"]])))),
        )
        for (_, claim), unknown in zip(ordered.iterrows(), sorted(last), strict=True)
    ]
    columns = [Column("claim"), Column("verdict"), Column("findings that hold"), Column("why")]
    groups = {len(claims) - int(last.sum()): "Not measured"} if last.any() else {}
    return TableView("Claims", columns, rows, kind="plain claims", groups=groups)


def _claim(
    claim: pd.Series, findings: pd.DataFrame, places: Mapping[str, Cell], chosen: Mapping[str, Chosen]
) -> ClaimView:
    name = str(claim["claim"])
    rows = [_row(finding, places) for _, finding in findings.iterrows()]
    view = ClaimView(
        anchor(name),
        f"{headed(name)}: {claim['verdict']}",
        claimed(claim),
        formulas(printed(claim_why(findings))),
        [FindingView.of(row, samples_of(row), _evidence(row, places)) for _, row in findings.iterrows()],
        TableView("What decides it", list(map(Column, COLUMNS)), rows, kind="plain claims", folded=True),
    )
    if name not in chosen:
        return view
    one = chosen[name]
    if one.figure:
        return replace(view, picture=one.figure)
    owner = next(other for other, its in chosen.items() if its.key == one.key)
    return replace(view, see=Link(f"the picture of “{owner}”", f"#{anchor(owner)}"))


def _row(finding: pd.Series, places: Mapping[str, Cell]) -> tuple[Cell, ...]:
    ends = (finding["value_low"], finding["value_high"])
    value = number(finding["value"]) if ends[0] == ends[1] else interval(finding["value"], *ends)
    return (
        Cell(formulas(str(finding["finding"]))),
        Cell(value, value if is_absent(finding["value"]) else repr(float(finding["value"]))),
        Cell(number(int(finding["n"]) or None)),
        Cell(printed(finding["rule"])),
        Cell(formulas(printed(finding["control"]))),
        verdict_cell(finding["verdict"]),
        Cell(_evidence(finding, places).text),
    )


def _evidence(finding: pd.Series, places: Mapping[str, Cell]) -> Cell:
    key = str(finding["evidence"])
    return places.get(key, Cell(f"{key.rpartition('/')[2]}: not there"))


def _without_chosen(section: Section, chosen: Mapping[str, Chosen]) -> Section:
    """What a study measured, without the figure that stands with a claim."""
    if f"{STUDY}/{section.name}" not in {one.key for one in chosen.values()}:
        return section
    return replace(section, figures=section.figures[1:])


def _moved(chosen: Mapping[str, Chosen]) -> dict[str, Link]:
    """Section of this page → the claim that its first figure stands with."""
    owners = [(one.key, claim) for claim, one in chosen.items() if one.figure]
    return {
        key.rpartition("/")[2]: Link(headed(claim), f"#{anchor(claim)}")
        for key, claim in owners
        if key.startswith(f"{STUDY}/")
    }


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
