"""What a task may offer to those who look inside a model: inputs for attention, labels, classes of heads, probes.

As in `mcinterp.task.offers`, a task offers what its class has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from mcinterp.task.batch import Batch
from mcinterp.task.offers import Floats


@dataclass(frozen=True)
class FamilyWords:
    """What families of inputs are called.

    Attributes:
        one, several: a family, such as `stimulus`, and several.
        under: a given family's inputs in a sentence, with its name at {}, such as `on {} inputs`.
        every: the same of all of them.
    """

    one: str = "inputs"
    several: str = "inputs"
    under: str = "on {} inputs"
    every: str = "on all inputs"


@runtime_checkable
class Attended(Protocol):
    """For the attention viewer: families of inputs by name.

    Attributes:
        family_words: what families of inputs are called.
        key_name: name of the column of the attention on a family's `keys`.
        key_words: these in a sentence, such as `keys at the first position`.
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

    def attention_choice(self, family: Any) -> Mapping[str, Any]:
        """What a family chooses of `examples`; where the task is `Conditioned`, a family as `named_inputs` gives it."""
        ...

    def attended_keys(self, batch: Batch) -> Tensor:
        """Which positions of a batch's inputs `key_name` is about, bool (n, pos)."""
        ...

    def shown_beside(self, batch: Batch) -> Mapping[str, Floats]:
        """Arrays that picture a family's inputs, by name."""
        ...


@runtime_checkable
class Conditioned(Protocol):
    """Families of inputs to look at in place of those that the task draws, by name or as somebody made them up.

    Attributes:
        condition: what such a choice is called, as an argument and as a column, such as `family`.
        family_words: see `Attended`.
    """

    condition: str
    family_words: FamilyWords

    def named_inputs(self, given: Any) -> Mapping[str, Any]:
        """The families that are given, one or several, by name, each as `attention_choice` takes it."""
        ...

    def spelled_inputs(self, family: Any) -> str:
        """A name by which a family can be given again."""
        ...

    def attention_choice(self, family: Any) -> Mapping[str, Any]:
        """What a family chooses of `examples`."""
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
        """How positions lie, for those who draw them.

        `rows` and `cols` where they are the cells of a grid, row by row; `position_places`, row and column of each,
        where they lie on a grid otherwise; `position_words`, how a label is to be read.
        """
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


@dataclass(frozen=True)
class AverageMaps:
    """What single patterns of a layer's heads are compared with, of all samples under all conditions.

    Attributes:
        mean: the mean pattern, (head, query, key).
        leaning: the share of single patterns above it, cell by cell, less the share of those below, (head, query, key).
        n: samples.
    """

    mean: Tensor
    leaning: Tensor
    n: int


@runtime_checkable
class HeadClasses(Protocol):
    """Classes of heads, each with a score that is 0 for uniform attention and 1 for a perfect member.

    Attributes:
        kinds: kinds of classes, each with its classes.
        kind_words: of each kind, several of it, such as `families`, and what heads are looked at under, such as `random
            inputs`, or nothing.
        conditions: families of inputs that heads are looked at under, by name, with what each chooses of `examples`.
        places: of classes that a head has to keep to everywhere, the names of the places; see `place_scores`.
        unscored: classes that the task is too small to score, each with why, such as `in lists of 2 …`.
        causal: whether queries see no later keys.
        shown_words: what `shown` gives of a sample, with its axes, such as `tokens (pos,)`.
    """

    kinds: Mapping[str, Sequence[str]]
    kind_words: Mapping[str, tuple[str, str]]
    causal: bool
    shown_words: str

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """See above."""
        ...

    @property
    def places(self) -> Mapping[str, Sequence[str]]:
        """See above."""
        ...

    @property
    def unscored(self) -> Mapping[str, str]:
        """See above."""
        ...

    def layer_scores(
        self, patterns: Sequence[Tensor], inputs: Sequence[Tensor], average: AverageMaps
    ) -> Mapping[str, Tensor]:
        """Scores of a layer's heads by class, (sample, head).

        Args:
            patterns: under each condition, (sample, head, query, key).
            inputs: of the same samples under each condition, (sample, pos).
            average: of all samples under all conditions.
        """
        ...

    def place_scores(self, patterns: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """How far a layer's heads keep to a class at each of its `places`, (sample, head, place).

        A head that is shown to be below 0, so below uniform attention, at one of them is no member.

        Args:
            patterns: under each condition, (sample, head, query, key).
        """
        ...

    def shown(self, batch: Any) -> Sequence[Any]:
        """What each sample of a batch shows to one who makes up a head: an array a sample."""
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
class Classified(Protocol):
    """Classes that heads are sorted into."""

    def head_classes(self) -> HeadClasses:
        """The classes."""
        ...


@runtime_checkable
class ClassifiedUnder(Protocol):
    """Classes that heads are sorted into on inputs of one's own."""

    def head_classes_under(self, name: str, family: Any) -> HeadClasses:
        """The classes, scored on a family of `Conditioned` inputs as far as they can be."""
        ...


@runtime_checkable
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


@runtime_checkable
class Probed(Protocol):
    """What linear probes are to read off the residual stream."""

    def probe_targets(self, batch: Batch) -> ProbeTargets:
        """Targets of every sample."""
        ...
