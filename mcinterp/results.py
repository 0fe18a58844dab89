"""What an analysis pass returns, and how it is stored: tables as CSV, arrays as npz, the rest as JSON."""

from __future__ import annotations

import html
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.declared import load
from mcinterp.errors import CheckpointError, InputError, nearest_name, reason
from mcinterp.runs.files import atomic_folder, explained

LATEX = "mcinterp.report.latex:latex_table"
RECORD = "result.json"
ARRAYS = "arrays.npz"
UNANSWERED = "unanswered"
TABLE_NAME = re.compile(r"[\w][\w .+=,-]*")
"""Names of tables are names of files, and lead to no other folder."""


@dataclass(frozen=True)
class Table:
    """A data frame whose columns are declared.

    Attributes:
        frame: the values.
        columns: meaning and unit of every column, in order.
    """

    frame: pd.DataFrame
    columns: Mapping[str, str]

    @classmethod
    def of(cls, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> Table:
        """Build a table from rows that have exactly the declared columns.

        Raises:
            InputError: if a row lacks a column or has another one.
        """
        rows = list(rows)
        for row in rows:
            if row.keys() != columns.keys():
                raise InputError(f"a row has columns {sorted(row)}, declared are {sorted(columns)}")
        return cls(pd.DataFrame(rows, columns=list(columns)), columns)


@dataclass(frozen=True)
class Result:
    """What a pass found in one checkpoint.

    Attributes:
        name: the pass.
        title: its heading.
        settings: what it was called with.
        facts: single values and names that tables and arrays refer to (JSON).
        tables: by name.
        arrays: by name; `facts["axes"]` gives each array's axis order.
        provenance: where it comes from (run, step, digests, versions, seed, device); set by the runner.
    """

    name: str
    title: str
    settings: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def without_answer(cls, name: str, title: str, why: str) -> Result:
        """What stands for a pass that has no answer, or failed."""
        return cls(name, title, {}, {UNANSWERED: why})

    @property
    def why_unanswered(self) -> str:
        """Why there is nothing here; empty where there is."""
        return str(self.facts.get(UNANSWERED, ""))

    def table(self, name: str) -> pd.DataFrame:
        """One table's data frame.

        Raises:
            InputError: if there is no such table.
        """
        if name not in self.tables:
            raise InputError(f"the {self.name} result has no table {name!r}{nearest_name(name, self.tables)}")
        return self.tables[name].frame

    def latex(
        self,
        table: str = "",
        columns: Sequence[str] | Mapping[str, str] | None = None,
        digits: int | None = None,
        caption: str = "",
        label: str = "",
    ) -> str:
        """One table as LaTeX for a paper; see `mcinterp.latex_table`, which also takes several results.

        Args:
            table: its name; by default the first one.
            columns: names of the columns, in order, or each with its heading; by default those that tell most.
            digits: significant digits; by default as on pages.
            caption: a text.
            label: of the table.

        Raises:
            InputError: if there is no such table or column.
        """
        return str(load(LATEX)(self, table, columns, digits, caption, label))

    def _repr_html_(self) -> str:
        parts = [f"<h3>{html.escape(self.title)}</h3>"]
        for name, table in self.tables.items():
            parts += [f"<h4>{html.escape(name)}</h4>", table.frame.to_html(index=False)]
        return "".join(parts)

    def save(self, folder: Path) -> None:
        """Write the result as a folder, in one piece: result.json, one CSV a table, arrays.npz."""
        record = {
            "name": self.name,
            "title": self.title,
            "settings": dict(self.settings),
            "facts": dict(self.facts),
            "tables": {name: dict(table.columns) for name, table in self.tables.items()},
            "arrays": list(self.arrays),
            "provenance": dict(self.provenance),
        }
        for name in self.tables:
            if not TABLE_NAME.fullmatch(name):
                raise InputError(f"the {self.name} result cannot be stored: {name!r} is no name of a file")
        with explained(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_folder(folder) as temporary:
            for name, table in self.tables.items():
                table.frame.to_csv(temporary / f"{name}.csv", index=False, lineterminator="\n")
            if self.arrays:
                np.savez_compressed(temporary / ARRAYS, **self.arrays)  # type: ignore[arg-type]
            (temporary / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, numbers: bool = True) -> Result:
        """Read what `save` wrote.

        Args:
            folder: that it was written to.
            numbers: whether tables and arrays are read too, which takes time where they are large.

        Raises:
            CheckpointError: if the folder is missing, damaged or lacks a table or an array.
        """
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            columns_of, named = (record["tables"], record["arrays"]) if numbers else ({}, [])
            tables = {name: _read_table(folder, name, columns) for name, columns in columns_of.items()}
            arrays = _read_arrays(folder / ARRAYS, named)
            facts = StoredFacts(folder, record["facts"])
            return cls(**{**record, "facts": facts, "tables": tables, "arrays": arrays})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"the result in {folder} cannot be read: {reason(error)}") from None


class StoredFacts(dict[str, Any]):
    """Facts of a stored result.

    One that is not there is told as what it is: left out by an earlier version.

    Args:
        folder: of the result.
        facts: as they were stored.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        super().__init__(facts)
        self._folder = folder

    def __missing__(self, name: str) -> Any:
        raise CheckpointError(
            f"the result in {self._folder} does not say {name!r}, which earlier versions did not store: analyse the "
            "run again"
        )


def _read_table(folder: Path, name: str, columns: Mapping[str, str]) -> Table:
    if not TABLE_NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is no name of a table")
    path = folder / f"{name}.csv"
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    if list(frame.columns) != list(columns):
        raise ValueError(f"{path.name} has columns {list(frame.columns)}, declared are {list(columns)}")
    return Table(frame, columns)


def _read_arrays(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    if not names:
        return {}
    # Opened here, because numpy leaves the file open when it is damaged.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in names}
