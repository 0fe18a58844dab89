"""Where the numbers of a page come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.report.parts import Cell, Column, TableView
from mcinterp.report.views.training import flattened
from mcinterp.results import Result


def provenance_tables(results: Mapping[str, Result]) -> list[TableView]:
    """What all results share, and what each has of its own."""
    each = {name: dict(flattened(result.provenance)) for name, result in results.items() if result.provenance}
    if not each:
        return []
    keys = dict.fromkeys(key for values in each.values() for key in values)
    shared = [key for key in keys if len({values.get(key) for values in each.values()}) == 1]
    own = [key for key in keys if key not in shared]
    first = next(iter(each.values()))
    common = [(Cell(key), Cell(first[key])) for key in shared]
    tables = [TableView("Shared by every pass", [Column("field"), Column("value")], common, kind="plain")]
    if own:
        rows = [(Cell(name), *(_cell(values.get(key)) for key in own)) for name, values in each.items()]
        tables.append(TableView("Of each pass", [Column("pass"), *map(Column, own)], rows, kind="plain"))
    return tables


def digests_table(steps: Mapping[int, Mapping[str, Result]]) -> TableView:
    """Which weights every checkpoint's results are of, and with which versions they were made."""
    rows = []
    for step, results in steps.items():
        digests = {str(result.provenance.get("digest", "–")) for result in results.values()}
        rows.append((Cell(f"{step:,}"), Cell(", ".join(sorted(digests))), Cell(", ".join(results))))
    columns = [Column("step"), Column("digest of the weights"), Column("passes")]
    return TableView("Checkpoints", columns, rows, kind="plain")


def versions(steps: Mapping[int, Mapping[str, Result]]) -> list[tuple[str, str]]:
    """Package versions, several where results were made with different ones."""
    found: dict[str, dict[str, None]] = {}
    for results in steps.values():
        for result in results.values():
            stored: Mapping[str, Any] = result.provenance.get("versions") or {}
            for name, version in stored.items():
                found.setdefault(name, {})[str(version)] = None
    return [(name, ", ".join(values)) for name, values in found.items()]


def _cell(value: str | None) -> Cell:
    return Cell(value or "–")
