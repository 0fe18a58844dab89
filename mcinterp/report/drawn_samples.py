"""Single samples drawn: numbers as grids side by side, or tokens in a line, coloured by right and wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from mcinterp.report.numbers import fixed
from mcinterp.report.parts import visible

CELL = 30
LEVELS = 5
"""So many strengths of colour has a number of either sign."""
HALF, DENSE = 5, 10
"""Grids of at most so many columns stand two samples abreast; in those of more there is no room for numbers."""
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Form:
    """How samples are drawn, as the facts of a result say it.

    Attributes:
        shape: rows and columns in which places lie.
        hidden: what a place is called that the model is not told.
        tokens: what numbers stand for; None where they are numbers.
        scale: the number that has the strongest colour.
    """

    shape: tuple[int, int]
    hidden: str
    tokens: Sequence[str] | None
    scale: float

    @property
    def layout(self) -> str:
        """The class of the element around all samples."""
        if self.tokens is not None:
            return "tokens-in-line"
        cols = self.shape[1]
        return "half" if cols <= HALF else "dense" if cols > DENSE else "whole"

    def token(self, number: float) -> str:
        """What a number stands for; one that the vocabulary does not have is told as it is."""
        tokens = self.tokens or ()
        return visible(tokens[int(number)] if 0 <= number < len(tokens) else f"{number:g}")

    def level(self, number: float) -> str:
        """A letter for the colour of a number: f for 0, a and k for the strongest; - where there is none."""
        if np.isnan(number):
            return "-"
        share = number / self.scale if self.scale else 0.0
        return chr(ord("f") + int(np.clip(round(LEVELS * share), -LEVELS, LEVELS)))


@dataclass(frozen=True)
class Sample:
    """What the model is told, and what is right, place by place; NaN where it is hidden, or nothing is asked."""

    places: Sequence[str]
    given: Floats
    truth: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Sample:
        """From its rows of a table."""
        return cls([str(place) for place in rows["place"]], numbers(rows["given"]), numbers(rows["truth"]))


@dataclass(frozen=True)
class Answered:
    """What it is answered, place by place, how far that is off, and how probable what is right was held."""

    answer: Floats
    error: Floats
    probability: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Answered:
        """From its rows of a table."""
        return cls(*(numbers(rows[name]) for name in ("answer", "error", "probability")))


def numbers(values: pd.Series) -> Floats:
    """A column as numbers, NaN where it is empty."""
    return np.asarray(pd.to_numeric(values, errors="coerce"), dtype=np.float64)


def drawn(form: Form, sample: Sample, panels: Mapping[str, Floats], answered: Answered, label: str) -> Markup:
    """One sample: grids of numbers by what each shows, or its tokens in a line.

    Args:
        form: how it is drawn.
        sample: what is told and right.
        panels: numbers by what they are, what `answered` has among them; of tokens they are not needed.
        answered: what is answered.
        label: what it is, for those who cannot see it.
    """
    if form.tokens is None:
        inside = Markup().join(_panel(form, sample, *panel) for panel in panels.items())
        return _block("panels", f"{label}: {', '.join(panels)}", inside)
    return _block("line", f"{label}: tokens, each with what was held to come there", _line(form, sample, answered))


def _block(kind: str, label: str, inside: Markup) -> Markup:
    return Markup('<div class="{}" tabindex="0" role="group" aria-label="{}">{}</div>').format(
        kind, visible(label), inside
    )


def _panel(form: Form, sample: Sample, name: str, values: Floats) -> Markup:
    rows, cols = form.shape
    cells = Markup().join(_cells(form, sample, name, values))
    return Markup(
        '<figure class="panel"><svg viewBox="-1 -1 {w} {h}" role="img" aria-label="{name}" data-panel="{name}">{cells}'
        "</svg><figcaption>{name}</figcaption></figure>"
    ).format(w=cols * CELL + 2, h=rows * CELL + 2, name=name, cells=cells)


def _cells(form: Form, sample: Sample, name: str, values: Floats) -> Iterator[Markup]:
    """The places of a sample, row by row; one that it does not have is left out."""
    for at, (value, truth, given) in enumerate(zip(values, sample.truth, sample.given, strict=True)):
        if np.isnan(truth):
            continue
        row, col = divmod(at, form.shape[1])
        asked = " asked" if np.isnan(given) and name not in ("truth", "input") else ""
        kind = f"l-{form.level(value)}{asked}" if np.isfinite(value) else "not-told"
        yield Markup(
            '<g class="{kind}" data-at="{at}" data-exact="{exact}"><rect x="{x}" y="{y}" width="{s}" height="{s}"/>'
            '<text x="{tx}" y="{ty}">{text}</text></g>'
        ).format(
            kind=kind,
            at=at,
            x=col * CELL + 1,
            y=row * CELL + 1,
            s=CELL - 2,
            tx=(col + 0.5) * CELL,
            ty=(row + 0.5) * CELL,
            exact=exact(value),
            text=short(value),
        )


def short(value: float) -> str:
    """A number for a small cell: two decimals and no 0 before them, of 1 and more one decimal, of 10 and more none."""
    if np.isnan(value):
        return "·"
    text = fixed(value, 2 if abs(value) < 0.995 else 1 if abs(value) < 9.95 else 0)
    return text.replace("0.", ".", 1) if text.lstrip("−").startswith("0.") else text


def exact(value: float) -> str:
    """A number to four decimals, as the script has it; empty where there is none."""
    return "" if np.isnan(value) else f"{round(float(value), 4):g}"


def _line(form: Form, sample: Sample, answered: Answered) -> Markup:
    """The tokens of a sequence; under each that is scored what the model held most probable there."""
    first = Markup('<span class="token"><b>{}</b></span>').format(form.token(sample.given[0]))
    return first + Markup().join(_token(form, sample, answered, at) for at in range(len(sample.places)))


def _token(form: Form, sample: Sample, answered: Answered, at: int) -> Markup:
    if np.isnan(sample.truth[at]):
        if at + 1 == len(sample.given):
            return Markup()
        return Markup('<span class="token"><b>{}</b></span>').format(form.token(sample.given[at + 1]))
    return _SCORED.format(
        kind="right" if right(sample, answered)[at] else "wrong",
        at=at,
        exact=exact(answered.probability[at]),
        sure=exact(np.nan_to_num(answered.probability[at])),
        token=form.token(sample.truth[at]),
        mark=mark(form, sample, answered, at),
    )


def right(sample: Sample, answered: Answered) -> list[bool]:
    """Whether each token that is scored was held the most probable; False for others."""
    return [bool(known) for known in sample.truth == answered.answer]


def mark(form: Form, sample: Sample, answered: Answered, at: int) -> str:
    """What stands under a token: how probable it was held, or which one instead; nothing where it is not scored."""
    if np.isnan(sample.truth[at]):
        return ""
    if right(sample, answered)[at]:
        return f"✓ {short(answered.probability[at])}"
    return f"✗ {form.token(answered.answer[at])}"


_SCORED = Markup(
    '<span class="token {kind}" data-at="{at}" data-exact="{exact}" style="--sure:{sure}">'
    "<b>{token}</b><small>{mark}</small></span>"
)
