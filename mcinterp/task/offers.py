"""What a task may offer beyond being trained on; passes ask for these, never for a task by its name.

A task offers what its class has. Names of the offers are the names of the methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

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
    """

    meaning: str
    whole: bool = False


@runtime_checkable
class Scored(Protocol):
    """Errors of answers, sample by sample, for comparisons that are paired over samples.

    Attributes:
        sample_score_kinds: every score by name, the main one first.
        score_unit: short name of what the scores are of, such as `mse`; it is part of the names of columns.
        zero_sentence: what the main score of `zero_answers` is, in words.
        sample_names: what a sample is called, and several.
    """

    sample_score_kinds: Mapping[str, SampleScore]
    score_unit: str
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


@runtime_checkable
class Attended(Protocol):
    """For the attention viewer: families of inputs by name.

    Attributes:
        key_name: name of the column of the attention on a family's `keys`.
        key_meaning: what these are.
        shown_axes: axes of each array of `shown_beside`.
    """

    key_name: str
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


@runtime_checkable
class LabelledPositions(Protocol):
    """Names of positions, for every axis of every figure."""

    def position_labels(self) -> list[str]:
        """A name for every position."""
        ...

    def position_facts(self) -> Mapping[str, Any]:
        """How positions lie, for those who draw them."""
        ...


@runtime_checkable
class GroupedPositions(Protocol):
    """Groups of positions, for what is alike within them."""

    def position_groups(self) -> Mapping[str, Sequence[int]]:
        """By what positions may be grouped, and the group of each."""
        ...


@runtime_checkable
class LabelledTokens(Protocol):
    """What tokens stand for."""

    def token_labels(self) -> Sequence[str]:
        """A name for every token."""
        ...


@runtime_checkable
class HeadClasses(Protocol):
    """Classes of heads, each with a score that is 0 for uniform attention and 1 for a perfect member.

    Attributes:
        kinds: kinds of classes, each with its classes; a head has at most one class of a kind.
        conditions: families of inputs that heads are looked at under, by name, with what each chooses of `examples`.
    """

    kinds: Mapping[str, Sequence[str]]

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


@runtime_checkable
class ShownTokens(Protocol):
    """Tokens that stand for numbers, as circuits show and embeddings follow them.

    Attributes:
        blank_name: column of what is said of the token that stands for no number.
        blank_meaning: what that token is called.
        blank_token: its id.
    """

    blank_name: str
    blank_meaning: str
    blank_token: int

    def token_values(self) -> Floats:
        """The number that each token stands for, (d_vocab,), NaN for those that stand for none."""
        ...

    def shown_tokens(self, inputs: Tensor) -> Tensor:
        """Ids of the tokens whose circuits are kept, of inputs (n, pos); (token,)."""
        ...

    def followed_tokens(self, batch: Batch) -> tuple[Any, Floats, Any]:
        """Ids, numbers and occurrences of the tokens whose embeddings are followed, each (token,)."""
        ...


@runtime_checkable
class AnswerMeasured(Protocol):
    """What may move in the answers while the loss stands still.

    Attributes:
        answer_measure_kinds: every measure by name, in words.
    """

    answer_measure_kinds: Mapping[str, str]

    def answer_measures(self, answers: Tensor, batch: Batch) -> Sums:
        """Sums over each sample, and what they are divided by, of every measure."""
        ...


@runtime_checkable
class Classified(Protocol):
    """Classes that heads are sorted into."""

    def head_classes(self) -> HeadClasses:
        """The classes."""
        ...


@runtime_checkable
class ProbeTargets(Protocol):
    """What linear probes are to read, of all samples of a batch.

    Attributes:
        names: of the targets, in order.
    """

    names: tuple[str, ...]

    def at(self, samples: Any) -> dict[str, Floats]:
        """Each target of some samples (a slice or indices) at every position, (n, pos, k)."""
        ...

    def means(self) -> dict[str, Floats]:
        """The mean of each target over samples and positions, (k,)."""
        ...

    def places(self, target: str, samples: slice) -> Mapping[str, Floats]:
        """Positions that a target's error is averaged over, by name: 0 or 1, (n, pos)."""
        ...


@runtime_checkable
class Probed(Protocol):
    """What linear probes are to read off the residual stream."""

    def probe_targets(self, batch: Batch) -> ProbeTargets:
        """Targets of every sample."""
        ...


@runtime_checkable
class WithOracles(Protocol):
    """Known algorithms that a model's answers are compared with."""

    def oracles(self, batch: Batch) -> Mapping[str, Tensor]:
        """What each answers to a batch, in the form of a model's answers."""
        ...


@runtime_checkable
class Decoded(Protocol):
    """What tokens say."""

    def decode(self, tokens: Sequence[int] | Tensor) -> str:
        """A sequence of tokens as a person reads it."""
        ...
