"""What there is to tell a story from: the stored results of a run, and where a reader finds each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from mcinterp.report.figures.curve import drops_of, marked
from mcinterp.report.numbers import number
from mcinterp.report.parts import Link
from mcinterp.report.scores import Scores, curve_name
from mcinterp.results import Result


@dataclass(frozen=True)
class Told:
    """Stored results, and which step a story is about.

    Attributes:
        run: the `training` result.
        steps: step → results of its passes.
        compared: results of the comparisons by name.
        claims: what became of a paper's claims.
        pages: step → its page.
        here: the step of the page that the story stands on; None for the page of the run.
    """

    run: Result | None = None
    steps: Mapping[int, Mapping[str, Result]] = field(default_factory=dict)
    compared: Mapping[str, Result] = field(default_factory=dict)
    claims: Result | None = None
    pages: Mapping[int, str] = field(default_factory=dict)
    here: int | None = None

    @property
    def step(self) -> int | None:
        """The step that is told of: the page's, else the last analysed one, else the last that is kept."""
        kept = self.run.facts.get("steps", ()) if self.run else ()
        return self.here if self.here is not None else max(self.steps or kept, default=None)

    @cached_property
    def scores(self) -> Scores | None:
        """What the task calls its scores."""
        return Scores.known(self.run)

    @property
    def drops(self) -> list[Mapping[str, object]]:
        """Every drop of the run."""
        return [dict(drop) for drop in drops_of(self.run)] if self.run else []

    @property
    def transition(self) -> Mapping[str, object]:
        """The largest drop, and all of them."""
        return marked(self.run)

    @property
    def progress(self) -> str:
        """What the curve that drops is called."""
        return curve_name(self.run, str(self.run.facts.get("progress_score", ""))) if self.run else ""

    def result(self, name: str) -> Result | None:
        """A pass's result at the step that is told of."""
        return self.steps.get(self.step, {}).get(name) if self.step is not None else None

    def rows(self, name: str, table: str) -> pd.DataFrame:
        """A comparison's table; an empty one where it is not stored."""
        result = self.compared.get(name)
        return result.tables[table].frame if result and table in result.tables else pd.DataFrame()

    def plateau_step(self, name: str, table: str) -> int | None:
        """Of a comparison's steps that of the plateau's middle; None where there was no drop."""
        transition, frame = self.transition, self.rows(name, table)
        if not transition.get("found") or frame.empty:
            return None
        start = float(str(transition["start"]))
        middle = (float(str(transition.get("plateau_start") or 0.0)) + start) / 2
        flat = [int(step) for step in frame["step"].unique() if step <= start]
        return min(flat, key=lambda step: abs(step - middle), default=None)

    def at(self, name: str) -> Link:
        """Where a pass's result at the step is shown."""
        text = f"step {number(self.step)}"
        return Link(text, f"#{name}" if self.step == self.here else f"{self.pages.get(self.step or 0, '')}#{name}")

    def beside(self, name: str, text: str = "all steps") -> Link:
        """Where a comparison, or another section of the run's page, is shown."""
        return Link(text, f"#{name}" if self.here is None else f"index.html#{name}")

    def on(self, step: int) -> Told:
        """The same, told on the page of a step."""
        return replace(self, here=step)
