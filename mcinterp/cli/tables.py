"""A table on stdout or in a file, in the format that was asked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.progress import say
from mcinterp.errors import WriteError

if TYPE_CHECKING:
    import pandas as pd


WIDEST = 120
"""Columns of a line of text; also where there is no terminal."""


class Format(StrEnum):
    """How a table is written."""

    table = "table"
    csv = "csv"
    json = "json"
    latex = "latex"
    markdown = "markdown"


TableFormat = Annotated[Format, typer.Option(help="How the table is written.")]
TableFile = Annotated[Path | None, typer.Option(help="Write to a file instead of stdout.", metavar="FILE")]


def check_file(out: Path | None) -> None:
    """Refuse a file that cannot be written, before the table is made.

    Raises:
        WriteError: if it is a folder or in none.
    """
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        reason = "it is a folder" if out.is_dir() else f"there is no folder {out.parent}"
        raise WriteError(f"{out} cannot be written: {reason}")


def write_table(table: pd.DataFrame, text: str, format: Format, out: Path | None) -> None:
    """Print a table, or write it to a file; `text` is its form for a reader, all other formats hold every column."""
    written = text if format is Format.table else formatted(table, format)
    if out is None:
        print(written)
    else:
        from mcinterp.runs.files import explained

        with explained(out):
            out.write_text(written + "\n", encoding="utf-8")
        say(f"{len(table)} rows written to {out}")


def readable(view: pd.DataFrame) -> str:
    """A table of texts, aligned for a terminal."""
    return str(view.to_markdown(index=False, tablefmt="simple", disable_numparse=True))


def text_width() -> int:
    """Columns that a line of text may have."""
    return min(shutil.get_terminal_size((WIDEST, 0)).columns, WIDEST)


def listed(entries: Mapping[str, str]) -> str:
    """Names, each with what it is beside it, broken between words where the terminal ends."""
    indent = " " * (max(map(len, entries), default=0) + 2)
    width = max(text_width(), len(indent) + 20)
    return "\n".join(
        fill(text, width, initial_indent=name.ljust(len(indent)), subsequent_indent=indent, break_on_hyphens=False)
        for name, text in entries.items()
    )


def with_bounds(table: pd.DataFrame, column: str) -> list[str]:
    """A change with its interval, as texts."""
    bounds = zip(table[column], table[f"{column}_low"], table[f"{column}_high"], strict=True)
    return [f"{value:+.4f} [{low:+.4f}, {high:+.4f}]" for value, low, high in bounds]


def formatted(table: pd.DataFrame, format: Format) -> str:
    """All columns of a table, in a format that other programs read."""
    if format is Format.csv:
        return table.to_csv(index=False, lineterminator="\n").rstrip("\n")
    if format is Format.json:
        return str(table.to_json(orient="records", indent=2))
    if format is Format.latex:
        return table.to_latex(index=False, float_format="%.4g", escape=True).rstrip("\n")
    return str(table.to_markdown(index=False, floatfmt=".4g"))
