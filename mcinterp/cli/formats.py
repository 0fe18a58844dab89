"""How a table is written to stdout."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class Format(StrEnum):
    """How a table is written."""

    table = "table"
    csv = "csv"
    json = "json"
    latex = "latex"
    markdown = "markdown"


def formatted(table: pd.DataFrame, format: Format) -> str:
    """All columns of a table, in a format that other programs read."""
    if format is Format.csv:
        return table.to_csv(index=False, lineterminator="\n").rstrip("\n")
    if format is Format.json:
        return str(table.to_json(orient="records", indent=2))
    if format is Format.latex:
        return table.to_latex(index=False, float_format="%.4g", escape=True).rstrip("\n")
    return str(table.to_markdown(index=False, floatfmt=".4g"))
