"""What tasks of next tokens share: batches of tokens with weights, loss, scores, and what passes may ask of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.errors import InputError, nearest_name
from mcinterp.task.batch import Batch, ScoreKind, TaskBase
from mcinterp.task.inside import FamilyWords
from mcinterp.task.offers import AnswerMeasure, Comparable, Floats, SampleScore, Sums
from mcinterp.task.shown_tokens import ShownTokens
from mcinterp.task.token_heads import TokenHeadClasses

RANDOM, REPEATED = "random", "repeated"
"""Families of inputs: samples of the task, and random sequences that come twice."""


@dataclass(frozen=True)
class TokenBatch(Batch):
    """Sequences of tokens, and what comes next.

    Attributes:
        inputs: token ids, int64, (n, pos).
        targets: the token that comes next at each position, int64, (n, pos).
        weights: how much each position counts in loss and scores, float, (n, pos); 0 where it is not scored.
        truth: what the task knows of each sample, by name; the first axis of each tensor is the sample.
    """

    inputs: Int[Tensor, "n pos"]
    targets: Int[Tensor, "n pos"]
    weights: Float[Tensor, "n pos"]
    truth: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls, sequences: Tensor, weights: Tensor | None = None, truth: Mapping[str, Tensor] | None = None
    ) -> TokenBatch:
        """Ask for each token of sequences but the first, given all before it.

        Args:
            sequences: token ids, (n, pos + 1).
            weights: of the tokens that are asked for, (n, pos); 1 where left out.
            truth: what the task knows of each sample.

        Raises:
            InputError: if the sequences have no token to ask for.
        """
        if sequences.ndim != 2 or sequences.shape[1] < 2:
            raise InputError(f"sequences must have shape (n, pos + 1) with pos ≥ 1, got {tuple(sequences.shape)}")
        inputs, targets = sequences[:, :-1], sequences[:, 1:]
        weights = torch.ones(targets.shape, device=targets.device) if weights is None else weights
        return cls(inputs, targets, weights, truth or {})

    def part(self, samples: slice) -> TokenBatch:
        """Some of the samples."""
        return self._each(lambda tensor: tensor[samples])

    def rolled(self, places: int) -> TokenBatch:
        """The same samples, each so many places later; the last come first."""
        return self._each(lambda tensor: tensor.roll(places, 0))

    def to(self, device: torch.device) -> TokenBatch:
        """The same batch on another device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> TokenBatch:
        own = {name: change(getattr(self, name)) for name in ("inputs", "targets", "weights")}
        return replace(self, **own, truth={name: change(known) for name, known in self.truth.items()})


class NextToken(ShownTokens, TaskBase[TokenBatch]):
    """A task of next tokens; one of its own kind has to write no more than `draw`.

    The model's output is the logits of the next token at every position, (n, pos, d_vocab). Loss and scores are means
    over all positions of the batch, each weighted by `TokenBatch.weights`; NaN where all weights are 0.

    Args:
        d_vocab: number of tokens, whose ids are 0 … d_vocab − 1.
        n_positions: length of every input.

    Attributes:
        end_tokens: after any of them a text is over; none where texts have no end.
    """

    end_tokens: Sequence[int] = ()
    score_kinds: Mapping[str, ScoreKind] = {
        "cross_entropy": ScoreKind("cross-entropy of the next token, nats"),
        "accuracy": ScoreKind("share of positions whose most probable token is right", beside=True),
    }
    progress_score = "cross_entropy"
    loss_name = "cross-entropy (nats)"
    sample_score_kinds: Mapping[str, SampleScore] = {
        "cross_entropy": SampleScore(
            "cross-entropy of the next token, nats", words="cross-entropy", where="next tokens"
        ),
        "accuracy": SampleScore(
            "share of positions whose most probable token is right", whole=True, words="accuracy", where="next tokens"
        ),
    }
    score_unit = "score"
    unit_words = ("score", "cross-entropy (nats)")
    zero_words = "giving all tokens the same probability"
    zero_sentence = "the cross-entropy of equal probabilities"
    sample_names = ("sequence", "sequences")
    counterpart_names = ("X", "X′")
    same_inputs: tuple[str, ...] = ("kind",)
    """Fields of the configuration that two models must share; a task whose inputs depend on more names it."""
    condition = "family"
    family_words = FamilyWords()
    key_name = "first_mass"
    key_words = "first positions"
    key_meaning = "attention on the first position"
    shown_axes: Mapping[str, tuple[str, ...]] = {}
    answer_measure_kinds: Mapping[str, AnswerMeasure] = {
        "certainty": AnswerMeasure(
            "probability of the most probable next token, averaged over scored positions",
            "how certain the model is of its next token",
            "probability",
        )
    }

    def __init__(self, d_vocab: int, n_positions: int) -> None:
        self.d_vocab = d_vocab
        self.n_positions = n_positions

    @abstractmethod
    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` fresh samples on the generator's device; the same generator state gives the same batch."""

    def examples(self, n: int, generator: torch.Generator, family: str = RANDOM) -> TokenBatch:
        """As `draw`, or of another family of `inputs_for_attention`.

        Raises:
            InputError: for a family that there is none of.
        """
        families = {RANDOM: self.draw, REPEATED: self.repeated}
        if family not in families:
            raise InputError(f"{family!r:.80} is no family of inputs{nearest_name(family, families)}")
        return families[family](n, generator)

    def loss(self, output: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Float[Tensor, ""]:
        """Weighted mean of the cross-entropy."""
        return (cross_entropies(output, batch) * batch.weights).sum() / batch.weights.sum()

    def scores(self, output: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Mapping[str, Tensor]:
        """Weighted means of cross-entropy and accuracy."""
        total = batch.weights.sum()
        return {name: (score * batch.weights).sum() / total for name, score in self._by_position(output, batch).items()}

    def sample_scores(self, answers: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Sums:
        """The same of each sample as sums and counts, in float64; the first score is the main one."""
        weights = batch.weights.double()
        counts = weights.sum(1).cpu().numpy()
        return {
            name: ((score.double() * weights).sum(1).cpu().numpy(), counts)
            for name, score in self._by_position(answers, batch).items()
        }

    def _by_position(
        self, output: Float[Tensor, "n pos d_vocab"], batch: TokenBatch
    ) -> dict[str, Float[Tensor, "n pos"]]:
        """Every score at every position."""
        right = (output.argmax(-1) == batch.targets).to(output.dtype)
        return {"cross_entropy": cross_entropies(output, batch), "accuracy": right}

    def to(self, batch: TokenBatch, device: torch.device) -> TokenBatch:
        """The same batch on another device."""
        return batch.to(device)

    def content_tokens(self) -> Tensor:
        """The tokens that random sequences are made of, (tokens,); a task with separators leaves them out."""
        return torch.arange(self.d_vocab)

    def inputs_for_attention(self) -> list[str]:
        """Families of inputs to look at attention under.

        'random' are samples of the task. 'repeated' are random sequences that come twice, of which the second time is
        scored: what a model knows of them it has looked up.
        """
        return [RANDOM, REPEATED]

    def named_inputs(self, given: str | Sequence[str]) -> dict[str, str]:
        """One family of `inputs_for_attention` or several, by name."""
        return {name: name for name in ([given] if isinstance(given, str) else given)}

    def spelled_inputs(self, family: str) -> str:
        """A family's name."""
        return family

    def attention_choice(self, family: str) -> Mapping[str, Any]:
        """What a family chooses of `examples`."""
        return {"family": family}

    def attended_keys(self, batch: TokenBatch) -> Tensor:
        """The first position of each sequence."""
        keys = torch.zeros_like(batch.inputs, dtype=torch.bool)
        keys[:, 0] = True
        return keys

    def shown_beside(self, batch: TokenBatch) -> Mapping[str, Floats]:
        """Nothing."""
        return {}

    def zero_answers(self, batch: TokenBatch) -> Float[Tensor, "n pos d_vocab"]:
        """Equal probabilities of all tokens."""
        return torch.zeros(*batch.inputs.shape, self.d_vocab, device=batch.inputs.device)

    def counterpart(self, batch: TokenBatch) -> TokenBatch:
        """For each sequence the one half a batch before it, which knows nothing of it.

        Not the one beside it: that is what the control of patching, another sample, takes its heads' outputs from. In
        batches of fewer than four sequences there is no other, and the control is no control.
        """
        return batch.rolled(len(batch) // 2)

    def traced(self, batch: TokenBatch) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """The last position of each sequence that is scored (the last one where none is), and its next token."""
        scored = batch.weights > 0
        scored[~scored.any(1), -1] = True
        last = scored.cumsum(1).argmax(1)
        return last, batch.targets.gather(1, last[:, None])[:, 0]

    def comparable_answers(self, answers: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Comparable:
        """The log-probabilities of the true next tokens, which at best are 0."""
        right = -cross_entropies(answers, batch).double().cpu().numpy()
        weights = batch.weights.double().cpu().numpy()
        return Comparable(right, np.zeros_like(right), {"cross_entropy": weights})

    def answer_measures(self, answers: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Sums:
        """How certain the model is of its next token."""
        weights = batch.weights.double().cpu().numpy()
        largest = answers.softmax(-1).amax(-1).double().cpu().numpy()
        return {"certainty": ((largest * weights).sum(1), weights.sum(1))}

    def head_classes(self) -> TokenHeadClasses:
        """Previous, first, current, duplicate token and induction."""
        return TokenHeadClasses()

    def repeated(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Random sequences that come twice; where the number of positions is even, the first token comes once more.

        No token comes a second time in a sequence before all others of `content_tokens` have come. Scored are the
        tokens that follow one seen before: those of the second time but the first of them, and what comes after.

        Raises:
            InputError: if there are too few positions.
        """
        once = (self.n_positions + 1) // 2
        if once < 2:
            raise InputError(f"repeated: a sequence that comes twice takes 3 positions or more, got {self.n_positions}")
        tokens = self.content_tokens().to(generator.device)
        rounds = -(-once // len(tokens))
        order = torch.rand(n, rounds, len(tokens), generator=generator, device=generator.device).argsort(-1)
        sequence = tokens[order].flatten(1)[:, :once]
        weights = torch.ones(n, self.n_positions, device=generator.device)
        weights[:, :once] = 0.0
        return TokenBatch.of(torch.cat([sequence] * 3, 1)[:, : self.n_positions + 1], weights)

    def position_facts(self) -> Mapping[str, Any]:
        """Positions lie in a line."""
        return {}

    def position_labels(self) -> list[str]:
        """What each position is called: its number, from 0."""
        return [str(position) for position in range(self.n_positions)]

    def token_labels(self) -> list[str]:
        """What each token is called: its id."""
        return [str(token) for token in range(self.d_vocab)]

    def decode(self, tokens: Sequence[int] | Tensor) -> str:
        """The names of a sequence's tokens, separated by spaces.

        Raises:
            InputError: for a token that the vocabulary does not have.
        """
        labels, ids = self.token_labels(), [int(token) for token in tokens]
        unknown = next((token for token in ids if not 0 <= token < len(labels)), None)
        if unknown is not None:
            raise InputError(f"decode: tokens are 0 … {len(labels) - 1}, got {unknown}")
        return " ".join(labels[token] for token in ids)


def cross_entropies(output: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Float[Tensor, "n pos"]:
    """The cross-entropy of the next token at every position, nats."""
    each = F.cross_entropy(output.flatten(0, 1), batch.targets.flatten(), reduction="none")
    return each.view_as(batch.weights)
