"""The scores that a result's columns and rows are about, and what its task calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcinterp.analysis.judged import NEGLIGIBLE, Judged, Row
from mcinterp.report.numbers import number
from mcinterp.results import Result


@dataclass(frozen=True)
class Scores:
    """What the facts of a result say of its task's scores.

    Attributes:
        main: name of the score that the result is about.
        parts: of those that are over parts of a sample, the main one first.
        meanings: of every score, in the order of the task.
        words: what a sentence calls each after "the", such as `cross-entropy`.
        places: what each is over, such as `answers`.
        absent: why the main one may have no value, as a sentence begins.
        spelled: what the symbols among the words stand for, by score.
        unit: part of the columns' names.
        short, full: the unit in words, as in `MSE 0.1` and as on an axis.
        zero: what answers do that know nothing, such as `answering 0`.
        sample, samples: what a sample is called, and several.
    """

    main: str
    parts: Sequence[str]
    meanings: Mapping[str, str]
    words: Mapping[str, str]
    places: Mapping[str, str]
    absent: str
    spelled: Mapping[str, str]
    unit: str
    short: str
    full: str
    zero: str
    sample: str
    samples: str

    @classmethod
    def of(cls, result: Result) -> Scores:
        """Read them from a result's facts."""
        facts = result.facts
        return cls(
            main=facts["main_score"],
            parts=facts["score_parts"],
            meanings=facts["scores"],
            words=facts["score_words"],
            places=facts["score_places"],
            absent=facts["score_absent"],
            spelled=facts.get("score_spelled", {}),  # an earlier version's scores had no symbols
            unit=facts["score_unit"],
            short=facts["unit_words"][0],
            full=facts["unit_words"][1],
            zero=facts["zero_words"],
            sample=facts["sample_names"][0],
            samples=facts["sample_names"][1],
        )

    @classmethod
    def known(cls, result: Result | None) -> Scores | None:
        """The same, or None where there is no result or it does not say."""
        return cls.of(result) if result and "main_score" in result.facts else None

    def column(self, name: str, suffix: str = "") -> str:
        """Column of a score in tables that have one a score."""
        return f"{name}_{self.unit}{suffix}"

    @property
    def mean(self) -> str:
        """Column of the main score."""
        return self.column(self.main)

    @property
    def clean(self) -> str:
        """Column of the main score of the model as it is."""
        return self.column(self.main, "_clean")

    @property
    def ratio(self) -> str:
        """Column of the main score over that of the model as it is."""
        return f"{self.main}_ratio"

    @property
    def delta(self) -> str:
        """Column of the main score less that of the model as it is."""
        return f"{self.main}_delta"

    @property
    def share(self) -> str:
        """Column of that change as a share of the score of the model as it is."""
        return f"{self.main}_share"

    @property
    def said(self) -> str:
        """The main score in a sentence, after "the"."""
        return self.words[self.main]

    def called(self, name: str) -> str:
        """A score in a sentence: with its article, unless it is a symbol."""
        return self.words[name] if name in self.spelled else f"the {self.words[name]}"

    @property
    def the(self) -> str:
        """The main score in a sentence, likewise."""
        return self.called(self.main)

    @property
    def symbols(self) -> str:
        """What the symbols of a page stand for, sentences; empty where there are none."""
        return " ".join(f"{self.words[name]}: {meaning}." for name, meaning in self.spelled.items())

    @property
    def heads(self) -> dict[str, str]:
        """Columns of scores, and how they are headed: in the words of the task, with a symbol where it has one."""
        return {
            column: said.format(self.words[name])
            for name in self.meanings
            for column, said in (
                (self.column(name, "_clean"), "{}, model as it is"),
                (self.column(name, "_zero"), f"{{}}, {self.zero}"),
                (self.column(name), "{}"),
                (f"{name}_delta", "change of {}"),
                (f"{name}_ratio", "{} over the model's as it is"),
                (f"{name}_share", "change of {} as a share"),
            )
        }

    @property
    def where(self) -> str:
        """What the main score is over."""
        return self.places[self.main]

    @property
    def others(self) -> list[str]:
        """The scores that are not the main one: of parts, then those over everything."""
        return [*self.parts[1:], *(name for name in self.meanings if name not in self.parts)]


def curve_name(result: Result, score: str) -> str:
    """What a score of training is called, in a legend as in a sentence, as far as the result's facts say."""
    return str(result.facts.get("curve_labels", {}).get(score, spaced(score)))


def change(row: Row, column: str, whole: float) -> Judged:
    """A change of a score, which has to be a share of the whole to matter."""
    return Judged.of(row, column, negligible=NEGLIGIBLE * abs(whole))


HARDLY = f"{100 * NEGLIGIBLE:g} %"
"""What a change of a score has to exceed."""


def raises(judged: Judged, score: str) -> str:
    """What something does to a score, which is called so."""
    return judged.say(
        f"raises {score}",
        f"lowers {score}",
        f"does not measurably change {score}",
        f"changes {score} by at most {HARDLY}",
    )


def rises(judged: Judged) -> str:
    """What a score does."""
    return judged.say("rises", "falls", "does not measurably change", f"changes by at most {HARDLY}")


def batch(n: Any, seed: Any, samples: str) -> str:
    """Which samples a number is of, so that numbers of other samples are seen to be others."""
    return f"n = {number(int(n))} fresh {samples}, seed {int(seed)}"


def spaced(name: str) -> str:
    """A name of a table as words."""
    return name.replace("_", " ")


def capital(text: str) -> str:
    """A text as a sentence or a heading begins."""
    return f"{text[:1].upper()}{text[1:]}"


def several(noun: str) -> str:
    """More than one of what a noun names; what is in brackets after it is left out."""
    noun = noun.partition(" (")[0]
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def an(text: str) -> str:
    """A noun with its article; one in capitals is read letter by letter."""
    first = text.partition(" ")[0]
    vowels = "AEFHILMNORSX" if first.isupper() else "aeiouAEIOU"
    return f"{'an' if text[:1] in tuple(vowels) else 'a'} {text}"
