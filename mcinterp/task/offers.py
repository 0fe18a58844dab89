"""What a task may offer beyond being trained on; passes ask for these, never for a task by its name.

A task offers what its class has. Names of the offers are the names of the methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
        meaning: in words, as tables and pages have it.
        whole: it is over everything, the others over parts of it.
        words: what a sentence calls it after "the", such as `masked MSE`; the meaning where left out.
        where: what it is over, such as `masked entries`.
        absent: why it may have no value, as a sentence begins, such as `No entry was masked`.
    """

    meaning: str
    whole: bool = False
    words: str = ""
    where: str = "answers"
    absent: str = "Nothing was scored"


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


class Compared(Protocol):
    """Answers of two models to the same inputs.

    Attributes:
        same_inputs: fields of the configuration that two models must share to be given the same inputs.
    """

    same_inputs: tuple[str, ...]

    def comparable_answers(self, answers: Tensor, batch: Batch) -> Comparable:
        """What of a model's answers is compared with another's."""
        ...


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
class FamilyWords:
    """What families of inputs are called.

    Attributes:
        one, several: a family, such as `mask`, and several.
        under: a given family's inputs in a sentence, with its name at {}, such as `under the {} mask`.
        every: the same of all of them.
    """

    one: str = "inputs"
    several: str = "inputs"
    under: str = "on {} inputs"
    every: str = "on all inputs"


class Attended(Protocol):
    """For the attention viewer: families of inputs by name.

    Attributes:
        family_words: what families of inputs are called.
        key_name: name of the column of the attention on a family's `keys`.
        key_words: these in a sentence, such as `masked keys`.
        key_meaning: what these are.
        shown_axes: axes of each array of `shown_beside`.
    """

    family_words: FamilyWords
    key_name: str
    key_words: str
    key_meaning: str
    shown_axes: Mapping[str, tuple[str, ...]]

    def inputs_for_attention(self) -> Sequence[str]:
        """Names of the families that are shown unless others are asked for, the plain random one first."""
        ...

    def attention_choice(self, family: str) -> Mapping[str, Any]:
        """What a family chooses of `examples`."""
        ...

    def attended_keys(self, batch: Batch) -> Tensor:
        """Which positions of a batch's inputs `key_name` is about, bool (n, pos)."""
        ...

    def shown_beside(self, batch: Batch) -> Mapping[str, Floats]:
        """Arrays that picture a family's inputs, by name."""
        ...


class LabelledPositions(Protocol):
    """Names and groups of positions, for every axis of every figure."""

    def position_labels(self) -> list[str]:
        """A name for every position."""
        ...

    def position_facts(self) -> Mapping[str, Any]:
        """How positions lie, for those who draw them.

        `rows` and `cols` where they are the cells of a grid, row by row; `position_words`, how a label is to be read.
        """
        ...

    def position_groups(self) -> Mapping[str, Sequence[int]]:
        """By what positions may be grouped, and the group of each."""
        ...


class LabelledTokens(Protocol):
    """What tokens stand for."""

    def token_labels(self) -> Sequence[str]:
        """A name for every token."""
        ...

    def token_values(self) -> Floats:
        """The number that each token stands for, (d_vocab,), NaN for those that stand for none."""
        ...


class HeadClasses(Protocol):
    """Classes of heads, each with a score that is 0 for uniform attention and 1 for a perfect member.

    Attributes:
        kinds: kinds of classes, each with its classes; a head has at most one class of a kind.
        kind_words: of each kind, several of it, such as `families`, and what heads are looked at under, such as `random
            masks`, or nothing.
        conditions: families of inputs that heads are looked at under, by name, with what each chooses of `examples`.
    """

    kinds: Mapping[str, Sequence[str]]
    kind_words: Mapping[str, tuple[str, str]]

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """See above."""
        ...

    def layer_scores(
        self, patterns: Sequence[Tensor], inputs: Sequence[Tensor], average: Tensor
    ) -> Mapping[str, Tensor]:
        """Scores of a layer's heads by class, (sample, head), or with more axes for `of_all`.

        Args:
            patterns: under each condition, (sample, head, query, key).
            inputs: of the same samples under each condition, (sample, pos).
            average: mean pattern of all samples under all conditions, (head, query, key).
        """
        ...

    def of_all(self, scores: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Scores by class, (sample, head), once those of all samples are there."""
        ...


class Classified(Protocol):
    """Classes that heads are sorted into."""

    def head_classes(self) -> HeadClasses:
        """The classes."""
        ...


class ProbeTargets(Protocol):
    """What linear probes are to read, of all samples of a batch.

    Attributes:
        names: of the targets, in order.
        main_places: of a target whose positions are told apart, those that pages speak of.
    """

    names: tuple[str, ...]
    main_places: Mapping[str, str]

    def at(self, samples: Any) -> dict[str, Floats]:
        """Each target of some samples (a slice or indices) at every position, (n, pos, k)."""
        ...

    def means(self) -> dict[str, Floats]:
        """The mean of each target over samples and positions, (k,)."""
        ...

    def places(self, target: str, samples: slice) -> Mapping[str, Floats]:
        """Positions that a target's error is averaged over, by name: 0 or 1, (n, pos)."""
        ...


class Probed(Protocol):
    """What linear probes are to read off the residual stream."""

    def probe_targets(self, batch: Batch) -> ProbeTargets:
        """Targets of every sample."""
        ...


@dataclass(frozen=True)
class AnswerMeasure:
    """A measure of a model's answers as a whole.

    Attributes:
        meaning: in full, for tables.
        words: what it tells, such as `how much the answers at masked entries vary`.
        unit: of its axis.
    """

    meaning: str
    words: str
    unit: str


class Measured(Protocol):
    """How a model's answers are spread, for what moves while the loss stands still."""

    answer_measure_kinds: Mapping[str, AnswerMeasure]

    def answer_measures(self, answers: Tensor, batch: Batch) -> Sums:
        """Sums and counts of every measure, sample by sample, of what a model's `complete` answered."""
        ...


class LabelledCurves(Protocol):
    """What the loss and the scores of training are called in a legend, where that is not their name."""

    curve_labels: Mapping[str, str]


class WithOracles(Protocol):
    """Known algorithms, by name."""

    def oracles(self, batch: Batch) -> Mapping[str, Tensor]:
        """What each answers to a batch, in the form of a model's answers."""
        ...
