"""A table on stdout or in a file, in the format that was asked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.names import check_names
from mcinterp.cli.options import split_names
from mcinterp.cli.progress import say
from mcinterp.errors import WriteError

if TYPE_CHECKING:
    import pandas as pd

    from mcinterp.results import Result


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
Columns = Annotated[
    str | None,
    typer.Option(help="Columns, named as in the CSV, of every format but table; else all, of LaTeX a few."),
]
TableFile = Annotated[Path | None, typer.Option(help="Write to a file instead of stdout.", metavar="FILE")]


def check_file(out: Path | None) -> None:
    """Refuse a file that cannot be written, before the table is made.

    Raises:
        WriteError: if it is a folder or in none.
    """
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        reason = "it is a folder" if out.is_dir() else f"there is no folder {out.parent}"
        raise WriteError(f"{out} cannot be written: {reason}")


def write_table(
    results: Sequence[Result], name: str, text: str, format: Format, out: Path | None, columns: str | None
) -> None:
    """Print the results' table of this name, or write it to a file; `text` is its form for a reader."""
    written = text if format is Format.table else formatted(results, name, format, split_names(columns))
    if out is None:
        print(written)
    else:
        from mcinterp.runs.files import explained

        with explained(out):
            out.write_text(written + "\n", encoding="utf-8")
        say(f"{sum(len(result.table(name)) for result in results)} rows written to {out}")


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
    """A change with its interval, as texts; empty where there is none."""
    bounds = zip(table[column], table[f"{column}_low"], table[f"{column}_high"], strict=True)
    return ["" if value != value else f"{value:+.4f} [{low:+.4f}, {high:+.4f}]" for value, low, high in bounds]


def formatted(results: Sequence[Result], name: str, format: Format, columns: Sequence[str] | None = None) -> str:
    """The results' table of this name one below the other; without a choice as LaTeX what tells most, else all."""
    import pandas as pd

    if format is Format.latex:
        from mcinterp.report.latex import latex_table

        return latex_table(results, name, columns)
    table = pd.concat([result.table(name) for result in results], ignore_index=True)
    check_names("column", columns, map(str, table))
    table = table[columns] if columns else table
    if format is Format.csv:
        return table.to_csv(index=False, lineterminator="\n").rstrip("\n")
    if format is Format.json:
        return str(table.to_json(orient="records", indent=2))
    told = table.astype(object).where(table.notna(), None)
    return str(told.to_markdown(index=False, floatfmt=".4g", missingval=""))
