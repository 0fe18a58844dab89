"""Claims and their findings as a page shows them: a bar, a verdict, a control, and the table of the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from mcinterp.report.bars import CLASSES, Bar, Point
from mcinterp.report.formulas import formulas
from mcinterp.report.numbers import ABSENT, is_absent, number
from mcinterp.report.palette import VERDICTS
from mcinterp.report.parts import Cell, FigureView, Link, TableView
from mcinterp.report.why import control_state, finding_why, number_in, reported_in, rule_in, written

PLURALS = {"holds": "hold", "does not hold": "do not hold", "undecided": "are undecided"}
SINGULARS = {"holds": "holds", "does not hold": "does not hold", "undecided": "is undecided"}


@dataclass(frozen=True)
class FindingView:
    """A finding as shown.

    Attributes:
        text: what was measured.
        bar: its number against its rule.
        value: the number, with its interval.
        n: how many samples or seeds are behind it, in words; empty where that is not known.
        rule: when it holds.
        verdict: what became of it.
        kind: of the style sheet, by verdict.
        why: the verdict, in a sentence.
        control: what should come out null, and what came of it; empty without one.
        evidence: where the number comes from; None where that is told elsewhere.
    """

    text: Markup
    bar: Markup
    value: str
    n: str
    rule: str
    verdict: str
    kind: str
    why: str
    control: Markup
    evidence: Cell | None = None

    @classmethod
    def of(cls, row: pd.Series, n: str, evidence: Cell | None = None, points: Sequence[Point] = ()) -> FindingView:
        """A stored row of findings; with `points` the value is their mean."""
        found, rule = number_in(row), rule_in(row)
        verdict, asked = str(row["verdict"]), printed(row["rule"])
        bar = Bar(found.value, found.low, found.high, rule.low, rule.high, verdict, reported_in(row), points)
        value = written(found)
        words = f"{value}, {verdict}: it holds where it is {asked}"
        why = printed(finding_why(row))
        state = control_state(row)
        asked_of = Markup("") if is_absent(row["control"]) else formulas(printed(row["control"]))
        control = Markup("{}: {}").format(state, asked_of) if state else asked_of
        text = formulas(str(row["finding"]))
        return cls(text, bar.drawing(words), value, n, asked, verdict, CLASSES[verdict], why, control, evidence)


@dataclass(frozen=True)
class ClaimView:
    """A claim as shown.

    Attributes:
        name: anchor.
        title: heading, with its verdict.
        sentences: what is claimed, and what the paper reports of it.
        why: what decides it.
        findings: in order.
        table: their numbers.
        picture: the figure that shows it best; None without one.
        see: where that figure stands, if another claim has it.
    """

    name: str
    title: str
    sentences: Sequence[Markup]
    why: Markup
    findings: Sequence[FindingView]
    table: TableView
    picture: FigureView | None = None
    see: Link | None = None


def claimed(claim: Mapping[str, Any] | pd.Series) -> list[Markup]:
    """What a paper claims, and what it reports of it where it gives a number."""
    reported = claim.get("reported")  # a report may be older than the column
    said = [formulas(f"{claim['text']} ({claim['source']})")]
    return said if is_absent(reported) else [*said, formulas(f"The paper's own: {reported}.")]


def printed(text: Any) -> str:
    """A stored text with true minus signs."""
    return ABSENT if is_absent(text) else str(text).replace(" -", " −").replace("e-", "e−")


def verdict_cell(verdict: Any, note: str = "", href: str = "") -> Cell:
    """A verdict with its colour."""
    return Cell(str(verdict), note=note, colour=VERDICTS.get(str(verdict), ""), href=href)


def samples_of(row: pd.Series) -> str:
    """How many samples are behind a number."""
    return f"n = {number(int(row['n']))}" if row["n"] else ""


def anchor(name: Any) -> str:
    """Of a claim's section."""
    return str(name).replace(" ", "-")


def headed(name: Any) -> str:
    """A claim's name as a heading begins."""
    return f"{str(name)[:1].upper()}{str(name)[1:]}"
