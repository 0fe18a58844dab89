"""Claims of a paper and the rules that decide them: numbers with intervals and controls in, verdicts out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.analysis.statistics import share_estimate
from mcinterp.results import Result, Table

Verdict = Literal["holds", "does not hold", "undecided"]
NAN = float("nan")

CLAIM_COLUMNS = {
    "claim": "its name",
    "text": "what is claimed",
    "source": "where",
    "reported": "what the paper itself reports of it, in a few words; empty where it gives no number",
    "verdict": "holds if every finding holds, does not hold if one does not, else undecided",
    "holds": "findings that hold",
    "findings": "all of its findings",
}
FINDING_COLUMNS = {
    "claim": "which claim it decides",
    "finding": "what was measured",
    "rule": "when it holds; it does not hold when the whole interval lies on the other side",
    "rule_low": "lower end of where it holds; -inf without one",
    "rule_high": "upper end, likewise",
    "n": "samples behind the value",
    "counted": "whether the value is the share of them that are so, with its exact binomial interval",
    "value": "the value",
    "value_low": "value: lower end of the 95 % interval (the value itself where there is nothing to average)",
    "value_high": "… upper end",
    "control": "what should come out null, with its value and rule; where it does not, the finding is undecided",
    "control_text": "what that is, alone; empty without a control, as the next",
    "control_value": "its value",
    "control_rule_low": "lower end of where it is null; -inf without one",
    "control_rule_high": "upper end, likewise",
    "control_state": "null, not null, not surely null or not measured; empty without a control",
    "verdict": "holds, does not hold or undecided",
    "evidence": "result that the number comes from",
    "reported": "the paper's own number of the same quantity; empty where it gives none",
}


@dataclass(frozen=True)
class Number:
    """A value with its 95 % interval; NaN where it could not be measured.

    Attributes:
        value: it.
        low: lower end of the interval.
        high: upper end.
        n: samples behind it.
        counted: whether it is the share of them that are so, with their exact binomial interval. Over seeds the
            samples of such numbers are put together, where other numbers are averaged.
    """

    value: float
    low: float
    high: float
    n: int = 0
    counted: bool = False

    @classmethod
    def exact(cls, value: float, n: int = 1) -> Number:
        """A number without sampling, which is its own interval."""
        return cls(float(value), float(value), float(value), n)

    @classmethod
    def share(cls, count: int, n: int) -> Number:
        """`count` of `n` samples, with the exact binomial interval; missing without a sample."""
        if not n:
            return MISSING
        found = share_estimate(count, n)
        return cls(float(found.value), float(found.low), float(found.high), n, counted=True)

    def plus(self, shift: float) -> Number:
        """The same, moved by a shift that is taken as known."""
        return replace(self, value=self.value + shift, low=self.low + shift, high=self.high + shift)

    def over(self, scale: Number) -> Number:
        """The same in units of a scale that has an interval of its own; missing unless that is certainly positive.

        What each of the two alone leaves open of the ratio is added in quadrature, as for independent estimates; where
        both were measured on the same samples the interval is too wide rather than too narrow.
        """
        if not scale.low > 0:
            return MISSING
        value, ends = self.value / scale.value, (self.value / scale.low, self.value / scale.high)
        down = math.hypot((self.value - self.low) / scale.value, value - min(ends))
        up = math.hypot((self.high - self.value) / scale.value, max(ends) - value)
        return replace(self, value=value, low=value - down, high=value + up)


MISSING = Number(NAN, NAN, NAN)


@dataclass(frozen=True)
class Rule:
    """An interval that a number must lie in: decided only where its whole 95 % interval is inside or outside."""

    low: float = -float("inf")
    high: float = float("inf")

    def verdict(self, number: Number) -> Verdict:
        """`holds` inside, `does not hold` outside, `undecided` across an end or without a number."""
        if math.isnan(number.low) or math.isnan(number.high):
            return "undecided"
        least, most = (Judged(number.value, number.low, number.high, end).side for end in (self.low, self.high))
        if least == "below" or most == "above":
            return "does not hold"
        return "undecided" if "undecided" in (least, most) else "holds"

    def __str__(self) -> str:
        if self.low == -float("inf"):
            return f"at most {self.high:g}"
        if self.high == float("inf"):
            return f"at least {self.low:g}"
        return f"{self.low:g}" if self.low == self.high else f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Control:
    """A number that should come out null: what it is, and where it has to lie."""

    text: str
    number: Number
    rule: Rule

    @property
    def state(self) -> str:
        """What came of it: `null`, `not null`, `not surely null` across an end of the rule, or `not measured`."""
        verdict = self.rule.verdict(self.number)
        if verdict == "undecided":
            return "not measured" if math.isnan(self.number.value) else "not surely null"
        return "null" if verdict == "holds" else "not null"

    def __str__(self) -> str:
        value = "not measured" if math.isnan(self.number.value) else f"{self.number.value:.3g}"
        return f"{self.text}: {value} ({self.rule})"


@dataclass(frozen=True)
class Finding:
    """One number that a claim rests on.

    Attributes:
        text: what was measured, in words.
        number: it.
        rule: that decides.
        evidence: key of the result that it comes from, such as `after/ablation`.
        control: null; None where the rule compares with one already.
        reported: the paper's own number of the same quantity, which is drawn beside it; NaN where it gives none.
    """

    text: str
    number: Number
    rule: Rule
    evidence: str
    control: Control | None = None
    reported: float = NAN

    @property
    def verdict(self) -> Verdict:
        """The rule's, unless the control failed or is missing."""
        if self.control and self.control.state != "null":
            return "undecided"
        return self.rule.verdict(self.number)


@dataclass(frozen=True)
class Claim:
    """What a paper says, and what was found.

    Attributes:
        name: short.
        text: the claim in a sentence.
        source: paper and place.
        findings: at least one.
        reported: the paper's own number, in a few words, with what it is of; empty where it gives none.
    """

    name: str
    text: str
    source: str
    findings: tuple[Finding, ...]
    reported: str = ""

    @property
    def verdict(self) -> Verdict:
        """`holds` if every finding does, `does not hold` if one does not."""
        verdicts = [finding.verdict for finding in self.findings]
        if "does not hold" in verdicts:
            return "does not hold"
        return "holds" if set(verdicts) == {"holds"} else "undecided"


def claims_result(name: str, title: str, claims: Sequence[Claim], facts: Mapping[str, Any]) -> Result:
    """Claims with their findings as a result: tables `claims` and `findings`."""
    rows = [
        {
            "claim": claim.name,
            "text": claim.text,
            "source": claim.source,
            "reported": claim.reported,
            "verdict": claim.verdict,
            "holds": sum(finding.verdict == "holds" for finding in claim.findings),
            "findings": len(claim.findings),
        }
        for claim in claims
    ]
    findings = [_finding_row(claim.name, finding) for claim in claims for finding in claim.findings]
    tables = {"claims": Table.of(CLAIM_COLUMNS, rows), "findings": Table.of(FINDING_COLUMNS, findings)}
    return Result(name, title, {}, dict(facts), tables)


def _finding_row(claim: str, finding: Finding) -> dict[str, Any]:
    control = finding.control
    return {
        "claim": claim,
        "finding": finding.text,
        "rule": str(finding.rule),
        "rule_low": finding.rule.low,
        "rule_high": finding.rule.high,
        "n": finding.number.n,
        "counted": finding.number.counted,
        "value": finding.number.value,
        "value_low": finding.number.low,
        "value_high": finding.number.high,
        "control": str(control) if control else "",
        "control_text": control.text if control else "",
        "control_value": control.number.value if control else NAN,
        "control_rule_low": control.rule.low if control else NAN,
        "control_rule_high": control.rule.high if control else NAN,
        "control_state": control.state if control else None,
        "verdict": finding.verdict,
        "evidence": finding.evidence,
        "reported": finding.reported,
    }


@dataclass(frozen=True)
class Evidence:
    """Results by key, read without failing: what is not there is a missing number, which decides nothing."""

    results: Mapping[str, Result]

    def fact(self, key: str, *path: str) -> Any:
        """A fact of a result, or None."""
        found: Any = self.results[key].facts if key in self.results else None
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def rows(self, key: str, table: str, **equal: object) -> pd.DataFrame:
        """The rows of a table in which columns have these values; none without the result or the table."""
        result = self.results.get(key)
        if result is None or table not in result.tables:
            return pd.DataFrame()
        frame = result.table(table)
        fits = [(frame[column] == value).to_numpy() for column, value in equal.items()]
        return frame[np.logical_and.reduce(fits)] if fits else frame

    def number(self, key: str, table: str, column: str, **equal: object) -> Number:
        """The value, with its interval where the table has one, of the first row that fits."""
        return next(iter(self.numbers(key, table, column, **equal)), MISSING)

    def share(self, key: str, table: str, column: str, **equal: object) -> Number:
        """The same of a column that is the share of the row's n with its exact binomial interval."""
        return replace(self.number(key, table, column, **equal), counted=True)

    def numbers(self, key: str, table: str, column: str, **equal: object) -> list[Number]:
        """The numbers of all rows that fit."""
        return [number_of(row, column) for _, row in self.rows(key, table, **equal).iterrows()]


def number_of(row: pd.Series, column: str) -> Number:
    """A column of a row as a number, with the row's n; one without an interval is exact."""
    ends = [f"{column}_low", f"{column}_high"]
    low, high = (float(row[end]) if end in row else float(row[column]) for end in ends)
    return Number(float(row[column]), low, high, int(row.get("n", row.get("n_test", 1))))


def extreme(numbers: Iterable[Number], largest: bool) -> Number:
    """The number that is furthest up (or down) at its interval's end; missing if one is missing or there is none."""
    numbers = list(numbers)
    if not numbers or any(number.value != number.value for number in numbers):
        return MISSING
    return max(numbers, key=lambda number: number.high) if largest else min(numbers, key=lambda number: number.low)
