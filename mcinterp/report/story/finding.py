"""A finding: a question, its answer in a sentence with one number, and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from markupsafe import Markup

from mcinterp.report.parts import Link

About = Literal["drop", "before", "learned", "need", "heads", "nearest", "traced", "first", "account"]
"""What findings are about, in the order in which they are told."""
ORDER: tuple[About, ...] = get_args(About)
NOTHING = Markup()
State = Literal["found", "in part", "no change", "undecided", "not measured"]


@dataclass(frozen=True)
class Finding:
    """What a rule makes of stored results.

    Attributes:
        about: which of the questions; a study's answer takes the place of the base's.
        question: as a reader would ask it.
        sentence: the answer, without a full stop.
        number: the part of it that is told first; empty where there is none.
        state: whether there is an effect.
        control: what became of its control, in words; empty where there was nothing to control.
        evidence: where on the pages its numbers are.
        picture: a small SVG element; empty where there is nothing to draw.
    """

    about: About
    question: str
    sentence: str
    number: str
    state: State
    control: str
    evidence: Link
    picture: Markup = NOTHING

    @property
    def parts(self) -> tuple[str, str, str]:
        """The sentence before its number, the number, and what follows it."""
        return self.sentence.partition(self.number) if self.number else (self.sentence, "", "")
