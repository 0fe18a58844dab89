"""Concept signals, paths, hidden capabilities and samples, as sections of a page."""

from __future__ import annotations

from collections.abc import Mapping

from mcinterp.report.parts import Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result


def signals(result: Result, _: Mapping[str, Result]) -> Section:
    """Show them."""
    return _tables(result)


def paths(result: Result, _: Mapping[str, Result]) -> Section:
    """Show them."""
    return _tables(result)


def hidden(result: Result, _: Mapping[str, Result]) -> Section:
    """Show them."""
    return _tables(result)


def samples(result: Result, _: Mapping[str, Result]) -> Section:
    """Show them."""
    return _tables(result)


def _tables(result: Result) -> Section:
    return Section(
        result.name,
        result.title,
        tables=[table_view(result.table(n), result.tables[n].columns, n, folded=True) for n in result.tables],
    )
