"""A pass without a view of its own: its tables."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.report.parts import Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show every table of a result."""
    tables = [table_view(table.frame, table.columns, name) for name, table in result.tables.items()]
    return Section(result.name, result.title, tables=tables)
