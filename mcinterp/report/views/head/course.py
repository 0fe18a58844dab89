"""A head and the checkpoints it is followed over, with what its views share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mcinterp.report.figures.ablation import ablation_rows
from mcinterp.report.views.blocks import Steps
from mcinterp.results import Result


class Tables:
    """The tables of all steps, each joined and told apart by head once, however many heads ask.

    Args:
        steps: step → stored results, in order, without arrays.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self._known: dict[tuple[str, str, str], dict[str, pd.DataFrame]] = {}

    def rows(self, head: str, name: str, table: str, column: str) -> pd.DataFrame:
        """A head's rows of a pass's table at every step; empty where no step has any."""
        key = (name, table, column)
        if key not in self._known:
            frames = [
                (ablation_rows(results[name]) if name == "ablation" else results[name].table(table)).assign(step=step)
                for step, results in self.steps.items()
                if name in results
            ]
            joined = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[column])
            self._known[key] = {str(own): rows for own, rows in joined.groupby(column, sort=False)}
        return self._known[key].get(head, pd.DataFrame())


@dataclass(frozen=True)
class Course:
    """A head and the checkpoints it is followed over.

    Attributes:
        head: its name.
        tables: of all steps.
        pages: step → page.
        transition: of the run's loss, as stored.
    """

    head: str
    tables: Tables
    pages: Mapping[int, str]
    transition: Mapping[str, Any]

    def having(self, name: str) -> dict[int, Result]:
        """Step → result of a pass, where it was run."""
        return {step: results[name] for step, results in self.tables.steps.items() if name in results}

    def rows(self, name: str, table: str = "heads", column: str = "head") -> pd.DataFrame:
        """The head's rows of a table at every step; empty where no step has any.

        Those of a set that has this head alone are its rows where the column names sets.
        """
        rows = self.tables.rows(self.head, name, table, column)
        alone = rows["kind"].isin(["head", "custom"]) if column == "heads" and len(rows) else slice(None)
        return rows[alone].reset_index(drop=True)


def missing(what: str) -> str:
    """What a section says where no checkpoint has what it shows."""
    return f"No analysed step has {what}."


def first_columns(frame: pd.DataFrame, first: Sequence[str]) -> pd.DataFrame:
    """The same columns, the telling ones first."""
    wanted = [name for name in first if name in frame]
    return frame[[*wanted, *(name for name in frame if name not in wanted)]]


def meanings(course: Course, name: str) -> dict[str, str]:
    """What the columns of a pass's tables mean."""
    tables = next(iter(course.having(name).values())).tables.values()
    return {column: meaning for table in tables for column, meaning in table.columns.items()}
