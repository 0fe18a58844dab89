"""The picture of a claim: the first figure of the section that shows what it is decided by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mcinterp.report.links import DATA
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.views import answers, training, view_of
from mcinterp.report.why import deciding
from mcinterp.results import RECORD, Result

STUDY, RUN, TRAINING = "study", "run", "training"
"""Places of results: what a study measured itself, what looks at a whole run; and the course of its training."""


@dataclass
class Pictures:
    """The first figure of every result that claims rest on, made when it is asked for.

    Attributes:
        folder: of the report.
        steps: key of every result → the step that it is of; None where it is of none.
        sections: what the study measured itself, as shown.
        run: the run's `training` result; None where there is none.
    """

    folder: Path
    steps: Mapping[str, int | None]
    sections: Sequence[Section]
    run: Result | None
    _stored: dict[int | None, dict[str, Result]] = field(default_factory=dict)

    def first(self, key: str) -> FigureView | None:
        """The first figure of a result; None where it has none, or is not there."""
        section = self._section(key)
        return next(iter(section.figures), None) if section else None

    def _section(self, key: str) -> Section | None:
        place, _, name = key.rpartition("/")
        if place == STUDY:
            return next((section for section in self.sections if section.name == name), None)
        if key == TRAINING:
            return training.view(self.run, {}) if self.run else None
        if key not in self.steps:
            return None
        results = self._results(self.steps[key])
        return view_of(name)(results[name], results) if name in results else None

    def _results(self, step: int | None) -> dict[str, Result]:
        if step not in self._stored:
            folder = self.folder / DATA / (RUN if step is None else f"step-{step:08d}")
            found = {path.parent.name: Result.load(path.parent) for path in sorted(folder.glob(f"*/{RECORD}"))}
            self._stored[step] = answers(found) | ({TRAINING: self.run} if self.run else {})
        return self._stored[step]


@dataclass(frozen=True)
class Chosen:
    """The picture of a claim: the key of its result, and the figure where no earlier claim has it."""

    key: str
    figure: FigureView | None


def chosen_pictures(
    findings: Mapping[str, pd.DataFrame], first: Callable[[str], FigureView | None]
) -> dict[str, Chosen]:
    """For every claim the figure of what speaks against it, else of its first finding that has one; each figure once.

    Args:
        findings: claim → its findings, in the order of the page.
        first: from the key of a result to its first figure.
    """
    figures: dict[str, FigureView | None] = {}
    taken: set[str] = set()
    chosen: dict[str, Chosen] = {}
    for claim, rows in findings.items():
        one = deciding(rows)
        first_asked = [] if one["verdict"] == "holds" else [str(one["evidence"])]
        keys = list(dict.fromkeys([*first_asked, *rows["evidence"]]))
        figures |= {key: first(key) for key in keys if key not in figures}
        shown = [key for key in keys if figures[key] is not None]
        free = [key for key in shown if key not in taken]
        if shown:
            key = (free or shown)[0]
            chosen[claim] = Chosen(key, figures[key] if free else None)
            taken.add(key)
    return chosen
