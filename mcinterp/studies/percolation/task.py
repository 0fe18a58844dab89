"""The typed language as a task of next tokens: free strings, strings to unscramble, strings with given parts."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.studies.percolation.config import SIGNS, TASKS, LanguageConfig
from mcinterp.studies.percolation.drawing import BLANK, END, PAD, Strings, one_of_each, shuffled
from mcinterp.studies.percolation.grammar import CONTENT, SYMBOLS, WRONG, states_of, transitions
from mcinterp.studies.percolation.grammar import END as END_STATE
from mcinterp.studies.percolation.graph import said_pairs
from mcinterp.studies.percolation.vocabulary import Vocabulary
from mcinterp.task.batch import ScoreKind
from mcinterp.task.next_token import NextToken, TokenBatch

FREE, UNSCRAMBLE, CONDITIONAL = range(len(TASKS))
OUT = SIGNS.index("OUT")
FREQUENCY = (0.2, 0.4, 0.4)
"""Of each task, in the full language."""

ALL = {
    "grammar": "probability of tokens that the grammar allows, mean over the places of strings",
    "types": "probability of descriptors of the entity's class over that of all, in free strings; missing without any",
    "reach": "order parameter at the same places: 0 by chance, 1 where all of the probability of descriptors that the "
    "entity is never said to have is on those of its class",
}
OF_TASKS = {
    "unscrambled": "share of strings to unscramble whose tokens are all most probable, given those before",
    "unscrambled_tokens": "the same of their entities, relations and descriptors, token by token",
    "conditioned": "share of conditional strings whose given parts are all most probable at their places",
    "conditioned_tokens": "the same of these parts, token by token",
}


class TypedLanguage(NextToken):
    """Strings of a typed language, `task operands OUT string END`; loss and scores are over string and END.

    Task FREE has no operands; UNSCRAMBLE has all tokens of the string, in a random order; CONDITIONAL has one each of
    the subjects, objects, relations and descriptors that the string has. All subjects of a string are of one class, the
    objects of the class that belongs to it; a descriptor is one of those that the last subject before it has.

    Every batch knows of each sample its task (`truth["task"]`), its row among the strings of symbols (`"string"`), the
    entity whose descriptors it has, numbered over all classes (`"entity"`), and the places of the string that
    CONDITIONAL gives (`"asked"`).

    Attributes:
        vocabulary: the tokens.
        strings: what strings are drawn from, with their probabilities.
        pairs: descriptors of every entity, numbered over all classes, (entity, degree).
        never: which descriptors an entity is never said to have, (entity, descriptor).
        begin: position at which the first token of strings is predicted.
    """

    end_tokens = (END,)
    same_inputs = ("kind", "language", "graph", "classes", "entities", "descriptors", "relations", "share", "longest")

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__(config.d_vocab, config.n_positions)
        self.config, self.vocabulary, self.pairs = config, Vocabulary(config), said_pairs(config)
        own = {**ALL, **(OF_TASKS if config.language == "full" else {})}
        self.score_kinds = {**NextToken.score_kinds, **{name: ScoreKind(own[name], beside=True) for name in own}}
        self.strings = Strings(config, self.vocabulary, self.pairs)
        self.begin = config.operands + 1
        rows = [states_of(string) for string in self.strings.law]
        # Nothing is scored after the end.
        self._states = torch.tensor([[*row, *[END_STATE] * (config.length + 1 - len(row))] for row in rows])
        self._allowed = (transitions() != WRONG).float()
        self._is_category = F.one_hot(self.vocabulary.category).float()
        self.never = torch.ones(len(self.pairs), config.classes * config.descriptors, dtype=torch.bool)
        self.never.scatter_(1, self.pairs, False)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` samples, of tasks as frequent as they are."""
        if self.config.language == "pairs":
            return self.asked(torch.zeros(n, dtype=torch.long, device=generator.device), generator)
        frequency = torch.tensor(FREQUENCY, device=generator.device)
        return self.asked(torch.multinomial(frequency, n, replacement=True, generator=generator), generator)

    def asked(self, task: Int[Tensor, " n"], generator: torch.Generator) -> TokenBatch:
        """Draw a sample of each of these tasks."""
        drawn = self.strings.draw(len(task), generator)
        asked = one_of_each(drawn.symbols, generator)
        shown = (task[:, None] == UNSCRAMBLE) & (drawn.symbols != BLANK) | (task[:, None] == CONDITIONAL) & asked
        operands = shuffled(drawn.tokens, shown, generator)[:, : self.config.operands]
        signs = task[:, None], torch.full_like(task, OUT)[:, None]
        sequences = torch.cat([signs[0], operands, signs[1], drawn.tokens], 1)
        weights = F.pad((drawn.tokens != PAD).float(), (self.begin, 0))
        truth = {"task": task, "string": drawn.string, "entity": drawn.entity, "asked": asked}
        return TokenBatch.of(sequences, weights, truth)

    def scores(self, output: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Mapping[str, Tensor]:
        """Those of next tokens, then grammar, types, reach, and, in the full language, how the tasks are done."""
        found = dict(super().scores(output, batch))
        logits, truth = output[:, self.begin :], {name: each.to(output.device) for name, each in batch.truth.items()}
        found["grammar"] = self._grammar(logits, truth["string"], batch.weights[:, self.begin :])
        # A string's last place is its end, and never a descriptor's.
        described = self.strings.symbols.to(output.device)[truth["string"]] == SYMBOLS.index("d")
        sample, place = (described & (truth["task"] == FREE)[:, None]).nonzero(as_tuple=True)
        found |= self._of_descriptors(logits[sample, place], truth["entity"][sample])
        return found | self._tasks_done(logits, batch, truth) if self.config.language == "full" else found

    def _grammar(self, logits: Tensor, string: Tensor, weights: Tensor) -> Tensor:
        """Mean probability of what the automaton allows."""
        of_category = logits.softmax(-1) @ self._is_category.to(logits)
        allowed = self._allowed.to(logits)[self._states.to(logits.device)[string]]
        return ((of_category * allowed).sum(-1) * weights).sum() / weights.sum()

    def _of_descriptors(self, logits: Float[Tensor, "slot d_vocab"], entity: Int[Tensor, " slot"]) -> dict[str, Tensor]:
        """Means of types and reach over places of descriptors."""
        probabilities = self.of_descriptors(logits)
        own = self.of_own_class(probabilities, entity)
        return {"types": (own / probabilities.sum(-1)).mean(), "reach": self.reach(probabilities, entity).mean()}

    def of_descriptors(self, logits: Float[Tensor, "n d_vocab"]) -> Float[Tensor, "n descriptor"]:
        """Probabilities of all descriptors."""
        return logits.softmax(-1)[:, self.vocabulary.descriptor :]

    def of_own_class(self, of: Float[Tensor, "n descriptor"], entity: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The part of a number of each descriptor that is of descriptors of an entity's class."""
        classes = of.reshape(len(of), self.config.classes, self.config.descriptors).sum(-1)
        return classes.gather(1, entity[:, None] // self.config.entities)[:, 0]

    def reach(self, of: Float[Tensor, "n descriptor"], entity: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The order parameter: how far what was never said of an entity is of its class rather than of another.

        It is 0 where probability has nothing to do with classes, 1 where all of it is in the entity's own. Chance is
        not one in so many classes, as pairs that were said are missing from the own class.

        Args:
            of: probabilities of descriptors.
            entity: whose, numbered over all classes.
        """
        never = self.never.to(of.device)[entity].to(of.dtype)
        chance = self.of_own_class(never, entity) / never.sum(-1)
        own = self.of_own_class(of * never, entity) / (of * never).sum(-1)
        return (own - chance) / (1 - chance)

    def _tasks_done(self, logits: Tensor, batch: TokenBatch, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """How many strings, and tokens of content, would be written as they were."""
        right = logits.argmax(-1) == batch.targets[:, self.begin :]
        all_right = (right | (batch.weights[:, self.begin :] == 0)).all(1)
        right, asked = right[:, :-1], truth["asked"]
        symbols = self.strings.symbols.to(logits.device)[truth["string"]]
        content = torch.isin(symbols, torch.tensor([*map(SYMBOLS.index, CONTENT)], device=logits.device))
        unscramble, conditional = truth["task"] == UNSCRAMBLE, truth["task"] == CONDITIONAL
        return {
            "unscrambled": all_right[unscramble].float().mean(),
            "unscrambled_tokens": right[content & unscramble[:, None]].float().mean(),
            "conditioned": (right | ~asked).all(1)[conditional].float().mean(),
            "conditioned_tokens": right[asked & conditional[:, None]].float().mean(),
        }

    def queries(self) -> Int[Tensor, "entity pos"]:
        """A prompt for every entity, after which a descriptor has to come."""
        is_, entities = self.vocabulary.labels.index("is"), len(self.pairs)
        heads = torch.tensor([FREE, *[PAD] * self.config.operands, OUT]).expand(entities, -1)
        named = self.vocabulary.entity + torch.arange(entities)
        return torch.cat([heads, torch.stack([named, torch.full_like(named, is_)], 1)], 1)

    def token_labels(self) -> list[str]:
        """Signs and words by their names; relations, entities and descriptors by class and place in it."""
        return self.vocabulary.labels

    def position_labels(self) -> list[str]:
        """The task, operands, OUT, and the string."""
        operands, places = range(1, self.config.operands + 1), range(1, self.config.length + 1)
        return ["task", *(f"operand {at}" for at in operands), "OUT", *map(str, places)]

    def content_tokens(self) -> Tensor:
        """Everything but signs."""
        return torch.arange(len(SIGNS), self.d_vocab)
