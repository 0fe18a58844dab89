"""Tables for papers: of stored results the chosen columns, with headings that read, short numbers and head sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.passes.ablation_columns import WITHOUT_HEADS
from mcinterp.errors import InputError, nearest_name
from mcinterp.report.figures.ablation import ablation_rows
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.scores import Scores
from mcinterp.report.tables import FEW, PLAIN_NUMBERS, is_bound, is_numeric, label_of
from mcinterp.report.tex import tex, tex_number
from mcinterp.results import Result

_HEADS = re.compile(r"L\d+H\d+(,L\d+H\d+)+")
_LABEL = re.compile(r"[\w:.+-]+")
_TELLING: Mapping[str, Callable[[Scores], list[str]]] = {
    "ablation": lambda scores: [
        *("step", "group", "heads", "method"),
        *(scores.clean, scores.mean, scores.ratio, scores.delta),
    ],
}
"""Columns of a table that are written unless others are asked for; of others all."""


def latex_table(
    results: Result | Sequence[Result],
    table: str = "",
    columns: Sequence[str] | Mapping[str, str] | None = None,
    digits: int | None = None,
    caption: str = "",
    label: str = "",
) -> str:
    r"""A table of a result, or of several of the same pass one below the other, as LaTeX that needs no package.

    An interval stands in its value's cell. Whole numbers and texts that are the same in every row, such as `n` and
    `seed`, are said once: at the end of the caption, or in a comment. Where a class has no heads the row says so.

    Args:
        results: with the table.
        table: its name; by default the first one. An ablation's has the columns of its controls too.
        columns: names of the columns, in order, or each with its heading, a text; by default those that tell most.
        digits: significant digits of every number; by default 3, and in intervals as many as their width deserves.
        caption: a text, in which symbols such as W_O are set as such; with it or a label, the tabular stands in a
            `table`.
        label: for `\ref`, letters, digits and any of : . + - _.

    Raises:
        InputError: if there is no result, they are of different passes, or there is no such table or column.
    """
    results = [results] if isinstance(results, Result) else list(results)
    if not results:
        raise InputError("latex: at least one result is needed, got none")
    table = table or next(iter(results[0].tables), "")
    if digits is not None and not 1 <= digits <= 17:
        raise InputError(f"latex: digits must be between 1 and 17, got {digits}")
    if label and not _LABEL.fullmatch(label):
        raise InputError(f"latex: a label has letters, digits and any of : . + - _, got {label!r:.80}")
    frame = _frame(results, table)
    shown = _Shown(frame, _chosen(frame, table, Scores.known(results[0]), columns), digits)
    tabular = "\n".join(shown.lines())
    if not caption and not label:
        return f"{tabular}\n% {shown.shared}" if shown.shared else tabular
    said = " ".join(part for part in (caption, shown.shared) if part)
    named = [f"\\label{{{label}}}"] if label else []
    return "\n".join(
        [r"\begin{table}", r"\centering", f"\\caption{{{tex(said)}}}", *named, tabular, r"\end{table}"],
    )


def short_heads(text: str) -> str:
    """A set of heads in few letters: neighbours joined, as in `L0H0–3,L1H2`, and of many the first and their number."""
    if not _HEADS.fullmatch(text):
        return text
    heads = sorted((int(layer), int(head)) for layer, head in re.findall(r"L(\d+)H(\d+)", text))
    runs = groupby(enumerate(heads), key=lambda one: (one[1][0], one[1][1] - one[0]))
    parts = [part for _, run in runs for part in _joined([head for _, head in run])]
    return ",".join(parts) if len(parts) <= FEW else f"{','.join(parts[: FEW - 1])},… ({len(heads)} heads)"


def _joined(run: Sequence[tuple[int, int]]) -> list[str]:
    """Neighbouring heads, layer and head; three and more as one."""
    names = [f"L{layer}H{head}" for layer, head in run]
    return [f"{names[0]}–{run[-1][1]}"] if len(run) > 2 else names


def _frame(results: Sequence[Result], table: str) -> pd.DataFrame:
    if len({result.name for result in results}) > 1:
        raise InputError(f"latex: results of one pass are needed, got {', '.join(result.name for result in results)}")
    with_controls = results[0].name == table == "ablation"
    frames = [ablation_rows(result) if with_controls else result.table(table) for result in results]
    return pd.concat(frames, ignore_index=True)


def _chosen(
    frame: pd.DataFrame, table: str, scores: Scores | None, columns: Sequence[str] | Mapping[str, str] | None
) -> dict[str, str]:
    """Columns with their headings."""
    known = list(map(str, frame))
    if columns is None:
        telling = _TELLING[table](scores) if table in _TELLING and scores else known
        columns = [one for one in telling if one in known and not is_bound(one, frame) and not _constant(frame, one)]
    for one in columns:
        if one not in known:
            raise InputError(f"the table {table} has no column {one!r:.80}{nearest_name(str(one), known)}")
    given = columns if isinstance(columns, Mapping) else {}
    return {one: given.get(one) or label_of(one, scores.heads if scores else {}) for one in columns}


def _constant(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column says the same of every row and is no measurement."""
    values = frame[name]
    measured = pd.api.types.is_float_dtype(values)
    return len(values) > 1 and not measured and bool(values.notna().all()) and values.nunique() == 1


@dataclass(frozen=True)
class _Shown:
    """The columns of a frame, by name with their headings, and how many digits their numbers have."""

    frame: pd.DataFrame
    columns: Mapping[str, str]
    digits: int | None

    @property
    def shared(self) -> str:
        """What is the same in every row and not shown, in a sentence."""
        names = [name for name in map(str, self.frame) if name not in self.columns and _constant(self.frame, name)]
        if len(self.frame) == 1:
            names = [name for name in ("n", "seed") if name in self.frame and name not in self.columns]
        said = ", ".join(f"{label_of(name, {})} {self._written(name, self.frame[name].iloc[0])}" for name in names)
        return f"In every row: {' '.join(said.split())}." if said else ""

    def lines(self) -> list[str]:
        """Of the tabular."""
        kinds = "".join("r" if is_numeric(self.frame[name]) else "l" for name in self.columns)
        rows = [" & ".join(self._row(record)) + r" \\" for record in self.frame.to_dict("records")]
        head = " & ".join(map(self._head, self.columns)) + r" \\"
        return [rf"\begin{{tabular}}{{{kinds}}}", r"\hline", head, r"\hline", *rows, r"\hline", r"\end{tabular}"]

    def _head(self, name: str) -> str:
        return tex(f"{self.columns[name]} [95 %]" if self._has_bounds(name) else self.columns[name])

    def _row(self, record: Mapping[Any, Any]) -> list[str]:
        cells = {name: self._cell(name, record) for name in self.columns}
        absent = [name for name in cells if is_absent(record[name])]
        if absent and record.get("heads") == WITHOUT_HEADS and "heads" not in cells:
            cells[absent[0]] = WITHOUT_HEADS
        return list(cells.values())

    def _cell(self, name: str, record: Mapping[Any, Any]) -> str:
        value = record[name]
        if isinstance(value, str) and value:
            return tex(short_heads(value))
        if is_absent(value) or not self._has_bounds(name):
            return tex_number(self._written(name, value))
        parts = [record[f"{name}{end}"] for end in ("", "_low", "_high")]
        if self.digits is None:
            return tex_number(interval(*parts))
        of, low, high = (number(part, self.digits) for part in parts)
        return tex_number(f"{of} [{low}, {high}]")

    def _written(self, name: str, value: Any) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        if isinstance(value, str) and value:
            return short_heads(value)
        return str(int(value)) if name in PLAIN_NUMBERS else number(value, self.digits or 3)

    def _has_bounds(self, name: str) -> bool:
        return f"{name}_low" in self.frame and f"{name}_high" in self.frame
