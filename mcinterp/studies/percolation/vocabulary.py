"""The tokens of a typed language: which there are, what each is to the grammar, and of which class."""

from __future__ import annotations

import torch
from torch import Tensor

from mcinterp.studies.percolation.config import DESCRIBING, JOINING, RELATING, SIGNS, WORDS, LanguageConfig
from mcinterp.studies.percolation.grammar import CATEGORIES, SYMBOLS


class Vocabulary:
    """Signs, then words, relations, entities and descriptors, each of these class by class.

    Attributes:
        labels: of all tokens.
        relation, entity, descriptor: the first token of each.
        category: of each token, an index of `CATEGORIES`, or one more for no part of strings, (d_vocab,).
        of_class: class of each entity and descriptor, and of the subjects of each relation; −1 of others, (d_vocab,).
        first: the first token that a symbol stands for in a phrase of a class, int64, (symbol, class).
        count: how many tokens it stands for from there on, (symbol,).
    """

    def __init__(self, config: LanguageConfig) -> None:
        halves, classes = config.classes // 2, config.classes
        sizes = {"r": (halves, config.relations), "e": (classes, config.entities), "d": (classes, config.descriptors)}
        self.relation = len(SIGNS) + len(WORDS)
        self.entity = self.relation + halves * config.relations
        self.descriptor = self.entity + classes * config.entities
        named = [f"{kind}{of}.{at}" for kind, (groups, n) in sizes.items() for of in range(groups) for at in range(n)]
        self.labels = [*SIGNS, *WORDS, *named]
        kinds = [label[0] for label in named]
        words = "p" * len(DESCRIBING) + "q" * len(RELATING) + "c" * len(JOINING)
        signs = [CATEGORIES.index(".") if sign == "END" else len(CATEGORIES) for sign in SIGNS]
        self.category = torch.tensor([*signs, *map(CATEGORIES.index, [*words, *kinds])])
        none = [-1] * self.relation
        self.of_class = torch.tensor([*none, *(int(label[1:].partition(".")[0]) for label in named)])
        self.first, self.count = self._symbols(config)

    def _symbols(self, config: LanguageConfig) -> tuple[Tensor, Tensor]:
        """Where the tokens of every symbol begin by class, and how many there are."""
        classes, halves = torch.arange(config.classes), config.classes // 2
        words = len(SIGNS)
        firsts = {
            "s": self.entity + classes * config.entities,
            "r": self.relation + classes % halves * config.relations,
            "q": torch.full_like(classes, words + len(DESCRIBING)),
            "o": self.entity + (classes + halves) % config.classes * config.entities,
            "p": torch.full_like(classes, words),
            "d": self.descriptor + classes * config.descriptors,
            "c": torch.full_like(classes, words + len(DESCRIBING) + len(RELATING)),
        }
        verbs = len(DESCRIBING) if config.language == "full" else 1
        counts = {"s": config.entities, "r": config.relations, "q": len(RELATING), "o": config.entities, "p": verbs}
        counts |= {"d": config.descriptors, "c": len(JOINING)}
        return torch.stack([firsts[symbol] for symbol in SYMBOLS]), torch.tensor([counts[each] for each in SYMBOLS])
