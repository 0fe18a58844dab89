"""Why a claim came out as it did, in a sentence: which finding decides it, and by how much."""

from __future__ import annotations

import math

import pandas as pd

from mcinterp.report.numbers import interval, is_absent, number, of_them, plural
from mcinterp.study.claims import NAN, Number, Rule

DECISIVE = ("does not hold", "undecided", "holds")
"""A claim hangs on the first finding that does not hold, else on the first that is undecided."""
DISTANT = 2
"""Digits of how far a number lies from where it would be decided otherwise."""


def number_in(row: pd.Series) -> Number:
    """A row's value with its interval."""
    value, low, high = (float(row[name]) for name in ("value", "value_low", "value_high"))
    return Number(value, low, high)


def rule_in(row: pd.Series) -> Rule:
    """A row's rule."""
    return Rule(float(row["rule_low"]), float(row["rule_high"]))


def control_state(row: pd.Series) -> str:
    """What came of a finding's control; empty without one, and where an older report leaves it open."""
    stored = row.get("control_state")
    if not is_absent(stored) or is_absent(row["control"]):
        return "" if is_absent(stored) else str(stored)
    if row["verdict"] != "undecided":
        return "null"
    decided = not lacking_seeds(row) and rule_in(row).verdict(number_in(row)) != "undecided"
    return "not null" if decided else ""


def lacking_seeds(row: pd.Series) -> bool:
    """Whether a finding over seeds has no value in one of them."""
    return "seeds" in row and row["n"] < row["seeds"]


def deciding(findings: pd.DataFrame) -> pd.Series:
    """The finding that a claim hangs on; of findings that all hold, the one with the least room to its bound."""
    rows = next(rows for verdict in DECISIVE if len(rows := findings[findings["verdict"] == verdict]))
    if rows.iloc[0]["verdict"] != "holds":
        return rows.iloc[0]
    rooms = [_room(rule_in(row), number_in(row)) for _, row in rows.iterrows()]
    return rows.iloc[rooms.index(min(rooms))]


def claim_why(findings: pd.DataFrame) -> str:
    """Why a claim holds, does not hold or is undecided."""
    one, total = deciding(findings), len(findings)
    why = finding_why(one)
    if total == 1:
        return _sentence(f"{one['verdict']}: {why}")
    holding = int((findings["verdict"] == "holds").sum())
    if holding < total:
        counted = f"{of_them(holding, total, 'finding')} {'hold' if holding > 1 else 'holds'}"
        return _sentence(f"{one['verdict']}: {why} ({one['finding']}); {counted}")
    exact = one["rule_low"] == one["rule_high"]
    return _sentence(
        f"holds: all {total} findings do; {'' if exact else 'nearest to its bound, '}{why} ({one['finding']})"
    )


def finding_why(row: pd.Series) -> str:
    """What a finding's number has to do with its rule, without a full stop."""
    found, rule = number_in(row), rule_in(row)
    if math.isnan(found.value):
        return "it was not measured"
    if lacking_seeds(row):
        return f"only {row['n']} of {plural(row['seeds'], 'seed')} have a value, so that there is no mean of all"
    if (state := control_state(row)) not in ("", "null"):
        return f"its control is {state}, whatever the value: {row['control']}"
    value = written(found)
    if math.isnan(found.low) or math.isnan(found.high):
        return f"{value} has no interval, so that nothing is decided"
    return f"{value} {_stands(rule, found)}"


def written(found: Number) -> str:
    """A value, with its interval where that is more than the value itself."""
    return number(found.value) if found.low == found.high else interval(found.value, found.low, found.high)


def _stands(rule: Rule, found: Number) -> str:
    verdict = rule.verdict(found)
    if verdict == "holds":
        return _inside(rule, found)
    if verdict == "undecided":
        return f"reaches {' and '.join(_reached(rule, found))}"
    if found.high < rule.low:
        return f"stays below {bound(rule.low)}, by {_distance(rule.low - found.high)}"
    return f"stays above {bound(rule.high)}, by {_distance(found.low - rule.high)}"


def _inside(rule: Rule, found: Number) -> str:
    if rule.low == rule.high:
        return "is what it has to be"
    ends = [(found.low - rule.low, "above", rule.low), (rule.high - found.high, "below", rule.high)]
    room, side, end = min(one for one in ends if math.isfinite(one[2]))
    nearest = found.low if side == "above" else found.high
    if number(nearest) == number(end):
        return f"reaches {bound(end)}, to rounding, and does not go beyond"
    return f"stays {side} {bound(end)}, by {_distance(room)}"


def _reached(rule: Rule, found: Number) -> list[str]:
    """Which ends of the rule an interval crosses, and which way."""
    crossed = [end for end in (rule.low, rule.high) if found.low <= end <= found.high]
    ends = list(dict.fromkeys(crossed))
    return [f"{'below' if found.value > end else 'over'} {bound(end)}" for end in ends]


def _room(rule: Rule, found: Number) -> tuple[bool, float]:
    """How near an interval comes to where it would be undecided, in units of what it is compared with.

    Values that nothing was averaged for come after all intervals: on their bound they are none the less sure.
    """
    ends = ((rule.low, found.low - rule.low), (rule.high, rule.high - found.high))
    shares = [room / (max(abs(end), abs(found.value)) or 1.0) for end, room in ends if math.isfinite(end)]
    return found.low == found.high, min(shares, default=math.inf)


def bound(end: float) -> str:
    """An end of a rule, as it was set."""
    return f"{end:g}".replace("-", "−")


def _distance(value: float) -> str:
    return number(value, DISTANT)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def reported_in(row: pd.Series) -> float:
    """The paper's own number of a finding; NaN where it gives none, or the report is older than the column."""
    stored = row.get("reported")
    return NAN if stored is None or is_absent(stored) else float(stored)
