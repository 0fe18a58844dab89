"""What a task may offer beyond being trained on; passes ask for these, never for a task by its name.

A task offers what its class has. Names of the offers are the names of the methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.task.batch import Batch

Floats = NDArray[np.float64]
Sums = Mapping[str, tuple[Floats, Floats]]
"""By name of a score: its sum over each sample, (n,), and what that is divided by, (n,)."""


@dataclass(frozen=True)
class SampleScore:
    """One of the scores that are told sample by sample.

    Attributes:
        meaning: in words, as tables and pages have it; the field's symbol where there is one.
        whole: it is over everything, the others over parts of it.
        words: what a sentence calls it after "the", such as `cross-entropy`; the meaning where left out.
        where: what it is over, such as `next tokens`.
        absent: why it may have no value, as a sentence begins, such as `No token was scored`.
        spelled: what the symbol stands for, said once a page; empty where the meaning is no symbol.
    """

    meaning: str
    whole: bool = False
    words: str = ""
    where: str = "answers"
    absent: str = "Nothing was scored"
    spelled: str = ""


@runtime_checkable
class Scored(Protocol):
    """Errors of answers, sample by sample, for comparisons that are paired over samples.

    Attributes:
        sample_score_kinds: every score by name, the main one first.
        score_unit: short name of what the scores are of, such as `mse`; it is part of the names of columns.
        unit_words: the unit in words, short as in `MSE 0.1`, and in full as on an axis.
        zero_words: what `zero_answers` does, such as `answering 0`.
        zero_sentence: what the main score of `zero_answers` is, in words.
        sample_names: what a sample is called, and several.
    """

    sample_score_kinds: Mapping[str, SampleScore]
    score_unit: str
    unit_words: tuple[str, str]
    zero_words: str
    zero_sentence: str
    sample_names: tuple[str, str]

    def sample_scores(self, answers: Tensor, batch: Batch) -> Sums:
        """Sums and counts of every score, of what a model's `complete` answered."""
        ...

    def zero_answers(self, batch: Batch) -> Tensor:
        """Answers of the same form that know nothing of the sample."""
        ...


@dataclass(frozen=True)
class Comparable:
    """Answers as numbers that can be correlated with another model's.

    Attributes:
        answers: (n, place).
        truth: what they should be, (n, place).
        weights: by name of the score, 0 or 1, (n, place).
    """

    answers: Floats
    truth: Floats
    weights: Mapping[str, Floats]


@runtime_checkable
class Compared(Protocol):
    """Answers of two models to the same inputs.

    Attributes:
        same_inputs: fields of the configuration that two models must share to be given the same inputs.
    """

    same_inputs: tuple[str, ...]

    def comparable_answers(self, answers: Tensor, batch: Batch) -> Comparable:
        """What of a model's answers is compared with another's."""
        ...


@runtime_checkable
class Contrasted(Protocol):
    """For patching: another input whose right answers are others.

    Attributes:
        counterpart_names: what an input and its counterpart are called, such as X and −X.
    """

    counterpart_names: tuple[str, str]

    def counterpart(self, batch: Batch) -> Batch:
        """For each sample its counterpart, in the same order."""
        ...


@dataclass(frozen=True)
class AnswerMeasure:
    """A measure of a model's answers as a whole.

    Attributes:
        meaning: in full, for tables.
        words: what it tells, such as `how certain the answers are`.
        unit: of its axis.
    """

    meaning: str
    words: str
    unit: str


@runtime_checkable
class AnswerMeasured(Protocol):
    """What may move in the answers while the loss stands still.

    Attributes:
        answer_measure_kinds: every measure by name.
    """

    answer_measure_kinds: Mapping[str, AnswerMeasure]

    def answer_measures(self, answers: Tensor, batch: Batch) -> Sums:
        """Sums over each sample, and what they are divided by, of every measure."""
        ...


@runtime_checkable
class LabelledCurves(Protocol):
    """What the loss and the scores of training are called in a legend, where that is not their name."""

    curve_labels: Mapping[str, str]


def curve_labels(task: object) -> dict[str, str]:
    """What a task's loss and scores of training are called where that is not their name."""
    return dict(task.curve_labels) if isinstance(task, LabelledCurves) else {}


@dataclass(frozen=True)
class OracleKind:
    """A known algorithm.

    Attributes:
        meaning: what it answers.
        null: it looks at nothing that the sample shows but its last token, so that to answer like it is to have learned
            nothing in context.
    """

    meaning: str
    null: bool = False


@runtime_checkable
class WithKnownAnswers(Protocol):
    """Known ways to answer, which a model's answers may be near to by the main score.

    Attributes:
        known_answer_kinds: what each does, by name.
    """

    known_answer_kinds: Mapping[str, str]

    def known_answers(self, batch: Batch) -> Mapping[str, Batch]:
        """For each way the same batch, with what it answers in the place of the right answers."""
        ...


@runtime_checkable
class WithOracles(Protocol):
    """Known algorithms that a model's answers are compared with.

    An answer at a place is a point of k numbers, such as the probabilities of k next tokens, so that answers can be
    mixed.

    Attributes:
        oracle_kinds: every algorithm by name, two at least.
        divergence_words: what `divergence` is, as an axis has it with its unit, such as `KL divergence (nats)`.
    """

    oracle_kinds: Mapping[str, OracleKind]
    divergence_words: str

    def oracles(self, batch: Batch) -> Mapping[str, Tensor]:
        """What each answers to a batch, float64, (n, place, k)."""
        ...

    def answer_points(self, answers: Tensor, batch: Batch) -> Tensor:
        """A model's answers in the same form."""
        ...

    def divergence(self, wanted: Tensor, given: Tensor) -> Tensor:
        """How far the given answers are from the wanted ones at each place, (n, place); 0 for the same."""
        ...

    def contexts(self, batch: Batch) -> Mapping[str, Tensor]:
        """Which places are averaged over, by name, 0 or 1, (n, place); the main ones first, then by what was seen."""
        ...


@runtime_checkable
class Traced(Protocol):
    """Of each sequence of tokens one next token, which is followed to what it comes from."""

    def traced(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """At which position the model is to say it, (n,), and which it is, (n,)."""
        ...


@runtime_checkable
class Decoded(Protocol):
    """What tokens say."""

    def decode(self, tokens: Sequence[int] | Tensor) -> str:
        """A sequence of tokens as a person reads it."""
        ...


@dataclass(frozen=True)
class Shown:
    """Samples as a person looks at them: what the model is told, what is right, and what it answers, place by place.

    Attributes:
        truth: what should be answered, (n, place); NaN where nothing is asked.
        given: what the model is told there, (n, place); NaN where that is hidden from it.
        answer: what it answers, (n, place).
        error: how far the answer is off, (n, place).
        probability: that the model gives to what is right, (n, place); None where answers have none.
    """

    truth: Floats
    given: Floats
    answer: Floats
    error: Floats
    probability: Floats | None = None


@dataclass(frozen=True)
class ShownForm:
    """How such samples are drawn.

    Attributes:
        labels: names of the places.
        shape: rows and columns in which places lie, row by row.
        error_words: what `error` is, with its unit.
        hidden: what a place is called that the model is not told.
        tokens: what each number stands for, where numbers are tokens: `truth` is then the token that comes after
            `given`. None where they are numbers.
    """

    labels: Sequence[str]
    shape: tuple[int, int]
    error_words: str
    hidden: str = "hidden"
    tokens: Sequence[str] | None = None


@runtime_checkable
class Exemplified(Protocol):
    """Samples that can be looked at one by one."""

    def shown_form(self) -> ShownForm:
        """How they are drawn."""
        ...

    def shown_examples(self, answers: Tensor, batch: Batch) -> Shown:
        """A batch beside what a model's `complete` answered to it."""
        ...
