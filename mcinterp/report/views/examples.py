"""Examples of inputs with what is answered to them: on the page of a run, of a checkpoint and of a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from mcinterp.declared import load
from mcinterp.report.drawn_samples import Answered, Floats, Form, Sample, drawn, exact, mark, numbers, right, short
from mcinterp.report.links import EXPLORER
from mcinterp.report.numbers import listed, number
from mcinterp.report.parts import Section, embed_json, visible
from mcinterp.report.scores import batch
from mcinterp.report.tables import table_view
from mcinterp.report.views.training import study_of_run
from mcinterp.results import Result

NAME, TITLE = "examples", "What it answers"
MOST_STEPS = 60
"""A slider goes through at most so many checkpoints, evenly spread."""


@dataclass(frozen=True)
class Examples:
    """A run's examples, stored by the comparison of that name.

    Attributes:
        result: the stored result.
        run: the run's `training` result; None where there is none.
        explorable: whether an explorer stands beside the pages, to which examples then lead.
    """

    result: Result
    run: Result | None = None
    explorable: bool = False

    @classmethod
    def stored(cls, result: Result | None, run: Result | None, explorable: bool) -> Examples | None:
        """As stored; None where there are none."""
        return None if result is None or result.why_unanswered else cls(result, run, explorable)

    def over_steps(self) -> Section:
        """All checkpoints, with a slider through them."""
        steps, last = self._slid, self.steps[-1]
        data = embed_json({**self.fixed, "steps": [self._data(step) for step in steps]})
        slider = _SLIDER.format(last=len(steps) - 1, said=_step(last)) if len(steps) > 1 else Markup()
        sentences = [self._chosen, self._course]
        return self._section(sentences, framed(self.form.layout, slider, self._drawn(last), data), self._tables)

    def at(self, step: int) -> Section | None:
        """One checkpoint; None where it is not among those that were looked at."""
        if step not in self.steps:
            return None
        return self._section(
            [self._chosen], framed(self.form.layout, Markup(), self._drawn(step), embed_json(self.fixed))
        )

    @cached_property
    def steps(self) -> list[int]:
        """Checkpoints that were looked at, in order."""
        return sorted(int(step) for step in self.result.table("scores")["step"].unique())

    @cached_property
    def form(self) -> Form:
        """How samples are drawn; one scale for all steps and pictures."""
        facts, tables = self.result.facts, self.result.tables
        told = [numbers(tables["inputs"].frame["truth"]), numbers(tables["answers"].frame["answer"])]
        largest = np.nanmax(np.abs(np.concatenate(told)), initial=0.0)
        rows, cols = facts["shape"]
        return Form((rows, cols), str(facts["hidden"]), facts["tokens"], float(largest))

    @property
    def _slid(self) -> list[int]:
        places = np.unique(np.linspace(0, len(self.steps) - 1, MOST_STEPS).round().astype(int))
        return [self.steps[place] for place in places]

    @property
    def score(self) -> str:
        return str(self.result.facts["score_words"])

    @property
    def samples(self) -> Sequence[str]:
        return list(self.result.facts["sample_names"])

    @cached_property
    def _samples_by_name(self) -> dict[str, Sample]:
        rows = self.result.table("inputs")
        return {str(name): Sample.of(own) for name, own in rows.groupby("example", sort=False)}

    @cached_property
    def _answers(self) -> dict[tuple[int, str], Answered]:
        rows, found = self.result.table("answers"), {}
        for step in self.steps:
            for name, own in rows[rows["step"] == step].groupby("example", sort=False):
                found[step, str(name)] = Answered.of(own)
        return found

    @cached_property
    def _scores(self) -> dict[tuple[int, str], float]:
        rows = self.result.table("scores")
        keys = zip(rows["step"].astype(int).tolist(), rows["example"].astype(str), strict=True)
        return dict(zip(keys, numbers(rows["score"]).tolist(), strict=True))

    def _said(self, step: int, name: str) -> str:
        return f"{self.score} {number(self._scores[step, name])}"

    # What is said --------------------------------------------------------------------------------------------------

    @property
    def _chosen(self) -> str:
        rows = self.result.table("chosen")
        one, several = self.samples
        drawn_ = rows[rows["example"] != "structured"].iloc[0]
        text = (
            f"The same {several} at every step, chosen by the answers at step {number(self.result.facts['chosen_at'])} "
            f"({batch(drawn_['n'], drawn_['seed'], several)}): {listed(self._how(rows))}."
        )
        return f"{text} Each is one {one}, not an average."

    def _how(self, rows: pd.DataFrame) -> list[str]:
        words = {
            "typical": f"the one with the median {self.score}",
            "best": "the smallest",
            "worst": "the largest",
            "structured": "a structured one",
        }
        return [words[str(name)] for name in rows["example"]]

    @property
    def _course(self) -> str:
        first, last = self.steps[0], self.steps[-1]
        told = [
            f"{name} {number(self._scores[first, name])} → {number(self._scores[last, name])}"
            for name in self._samples_by_name
        ]
        score = self.score[:1].upper() + self.score[1:]
        return f"{score} from step {number(first)} to step {number(last)}: {'; '.join(told)}."

    @property
    def _legend(self) -> str:
        """What the colours mean."""
        if self.form.tokens is not None:
            return (
                "The true tokens, in order. ✓ blue: the model held it the most probable, with its probability; ✗ "
                "orange: it held another one so, which stands below. The stronger the blue, or the paler the orange, "
                "the more probable was the right token. Grey tokens are not scored."
            )
        hidden = self.form.hidden
        return (
            f"Blue is negative, orange positive; the strongest colours are ±{number(self.form.scale)} and beyond, the "
            f"same in all pictures and at every step. Dashed: {hidden} in the input; outlined: answers there."
        )

    @property
    def legend(self) -> Markup:
        return Markup('<p class="hint">{}</p>').format(visible(self._legend))

    # What is drawn -------------------------------------------------------------------------------------------------

    def _section(self, sentences: list[str], shown: Markup, tables: Sequence[Any] = ()) -> Section:
        return Section(NAME, TITLE, sentences, tables=tables, drawing=self.legend + shown)

    @property
    def _tables(self) -> list[Any]:
        table = self.result.tables["chosen"]
        return [table_view(table.frame, table.columns, "How they were chosen", folded=True)]

    def _drawn(self, step: int) -> Markup:
        """Every example at a step."""
        found = Markup()
        for name, sample in self._samples_by_name.items():
            answered = self._answers[step, name]
            found += EXAMPLE.format(
                name=visible(name),
                score=visible(self._said(step, name)),
                drawing=drawn(self.form, sample, _panels(sample, answered), answered, name),
                link=self.link(step, sample),
            )
        return found

    def link(self, step: int, sample: Sample, head: str = "") -> Markup:
        """To the explorer, where one stands beside the pages and its study says how it is addressed."""
        study = study_of_run(self.run)
        if not (self.explorable and study and study.explorer and study.explorer.address):
            return Markup()
        place = load(study.explorer.address)(step, self.form.shape, sample.truth, sample.given, head)
        return Markup('<p class="opened"><a href="{}#{}">open this in the explorer</a></p>').format(EXPLORER, place)

    # What the script flicks through ----------------------------------------------------------------------------------

    @property
    def fixed(self) -> dict[str, Any]:
        """What is the same at every step."""
        return {
            "tokens": self.form.tokens is not None,
            "hidden": self.form.hidden,
            "places": next(iter(self._samples_by_name.values())).places,
        }

    def _data(self, step: int) -> dict[str, Any]:
        """What an example's pictures become at a step."""
        return {
            "step": step,
            "text": _step(step),
            "examples": [
                self._changing(sample, self._answers[step, name], self._said(step, name))
                for name, sample in self._samples_by_name.items()
            ],
        }

    def _changing(self, sample: Sample, answered: Answered, score: str) -> dict[str, Any]:
        if self.form.tokens is not None:
            marks = [mark(self.form, sample, answered, at) for at in range(len(sample.places))]
            return {
                "score": score,
                "right": right(sample, answered),
                "sure": _exact(answered.probability),
                "marks": marks,
            }
        values = {"answer": answered.answer, "error": answered.error}
        return {
            "score": score,
            "exact": {name: _exact(each) for name, each in values.items()},
            "texts": {name: [short(value) for value in each] for name, each in values.items()},
            "levels": {name: "".join(self.form.level(value) for value in each) for name, each in values.items()},
        }


EXAMPLE = Markup(
    '<div class="example"><h3>{name} <span class="score">{score}</span></h3>{drawing}'
    '<p class="told" aria-live="polite"></p>{link}</div>'
)
_SLIDER = Markup(
    '<div class="controls"><label>Step <input type="range" class="example-step" min="0" max="{last}" value="{last}" '
    'aria-valuetext="{said}"><output>{said}</output></label></div>'
)


def framed(layout: str, slider: Markup, drawing: Markup, data: Markup) -> Markup:
    return Markup(
        '<div class="examples {}">{}<div class="list">{}</div><script type="application/json">{}</script></div>'
    ).format(layout, slider, drawing, data)


def _panels(sample: Sample, answered: Answered) -> dict[str, Floats]:
    return {"truth": sample.truth, "input": sample.given, "answer": answered.answer, "error": answered.error}


def _exact(values: Floats) -> list[str]:
    return [exact(value) for value in values]


def _step(step: int) -> str:
    return f"step {number(step)}"


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show the examples of a run."""
    return Examples(result, beside.get("training")).over_steps()
