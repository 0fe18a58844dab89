"""What forged evidence is made of, for the claims of any study: tables of rows, to be spoilt one number at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.results import Result, Table
from mcinterp.study import Evidence

Rows = list[dict[str, Any]]
Tables = dict[str, dict[str, Rows]]


def with_interval(name: str, value: float, half: float = 0.0) -> dict[str, float]:
    """The three columns of an estimate."""
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def spoilt(tables: Tables, key: str, table: str, where: Mapping[str, Any], values: Mapping[str, Any]) -> Tables:
    """The tables, with other values in the rows of one that are as `where` says; they are changed themselves."""
    rows = [row for row in tables[key][table] if all(row[name] == value for name, value in where.items())]
    assert rows, "the row that is to be spoilt is not there"
    for row in rows:
        assert set(values) <= set(row)
        row.update(values)
    return tables


def as_evidence(tables: Tables, facts: Mapping[str, Mapping[str, Any]]) -> Evidence:
    """Tables as stored results, with the facts of each."""
    return Evidence(
        {
            key: Result(key, key, {}, facts.get(key, {}), {name: _table(rows) for name, rows in parts.items()})
            for key, parts in tables.items()
        }
    )


def _table(rows: Rows) -> Table:
    frame = pd.DataFrame(rows)
    return Table(frame, {name: name for name in frame.columns})
