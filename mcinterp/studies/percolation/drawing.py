"""Strings of a typed language, drawn all at once: which symbols, which tokens for them, and what of them is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from mcinterp.studies.percolation.config import SIGNS, LanguageConfig
from mcinterp.studies.percolation.grammar import CONTENT, SYMBOLS, strings
from mcinterp.studies.percolation.vocabulary import Vocabulary

END, PAD = (SIGNS.index(sign) for sign in ("END", "PAD"))
BLANK = len(SYMBOLS)
"""Stands in place of a symbol after the end of a string."""
PREPOSITIONS = (0.4, 0.3, 0.3)


@dataclass(frozen=True)
class Drawn:
    """Strings.

    Attributes:
        string: row of each among the strings of symbols, (n,).
        symbols: of each, then BLANK, (n, place).
        tokens: for these, then END, then PAD, (n, place + 1).
        entity: whose descriptors each has, numbered over all classes, (n,).
    """

    string: Int[Tensor, " n"]
    symbols: Int[Tensor, "n place"]
    tokens: Int[Tensor, "n place_and_end"]
    entity: Int[Tensor, " n"]


class Strings:
    """What strings are drawn from.

    Args:
        config: of the language.
        vocabulary: its tokens.
        pairs: descriptors of every entity, numbered over all classes.

    Attributes:
        law: the probability of every string of symbols, which sum to 1.
        symbols: of each of these, then BLANK, (string, place).
    """

    def __init__(self, config: LanguageConfig, vocabulary: Vocabulary, pairs: Int[Tensor, "entity degree"]) -> None:
        found = strings(config.length) if config.language == "full" else {"spd": 1.0}
        self.law = {string: share / sum(found.values()) for string, share in found.items()}
        rows = [[*map(SYMBOLS.index, one), *[BLANK] * (config.length - len(one))] for one in self.law]
        self.symbols = torch.tensor(rows)
        self._config, self._words, self._pairs = config, vocabulary, pairs
        self._shares = torch.tensor(list(self.law.values()), dtype=torch.float64)
        self._last_subject = torch.tensor([one.rindex("s") for one in self.law])
        halves = config.classes // 2
        self._classes = torch.tensor([halves if "r" in one else config.classes for one in self.law])

    def draw(self, n: int, generator: torch.Generator) -> Drawn:
        """Draw strings on the generator's device."""
        device = generator.device
        string = torch.multinomial(self._shares.to(device), n, replacement=True, generator=generator)
        symbols, subject = (table.to(device)[string] for table in (self.symbols, self._last_subject))
        uniform = torch.rand(n, symbols.shape[1] + 1, generator=generator, device=device, dtype=torch.float64)
        of_class = (uniform[:, -1] * self._classes.to(device)[string]).long()
        uniform = uniform[:, :-1].contiguous()
        tokens = self._tokens(symbols, of_class, uniform)
        entity = tokens.gather(1, subject[:, None])[:, 0] - self._words.entity
        own = self._pairs.to(device)[entity]
        described = self._words.descriptor + own.gather(1, (uniform * own.shape[1]).long())
        tokens = torch.where(symbols == SYMBOLS.index("d"), described, tokens)
        tokens = F.pad(torch.where(symbols == BLANK, PAD, tokens), (0, 1), value=PAD)
        ends = (symbols != BLANK).sum(1, keepdim=True)
        return Drawn(string, symbols, tokens.scatter(1, ends, END), entity)

    def _tokens(
        self, symbols: Int[Tensor, "n place"], of_class: Int[Tensor, " n"], uniform: Tensor
    ) -> Int[Tensor, "n place"]:
        """Tokens for all symbols but descriptors, of phrases of these classes."""
        words, known = self._words, symbols.clamp_max(BLANK - 1)
        first = words.first.to(symbols.device)[known, of_class[:, None]]
        tokens = first + (uniform * words.count.to(symbols.device)[known]).long()
        upto = torch.tensor(PREPOSITIONS, device=symbols.device, dtype=torch.float64).cumsum(0)[:-1]
        return torch.where(symbols == SYMBOLS.index("q"), first + torch.bucketize(uniform, upto), tokens)


def one_of_each(symbols: Int[Tensor, "n place"], generator: torch.Generator) -> Bool[Tensor, "n place"]:
    """One place each of the subjects, objects, relations and descriptors that strings have."""
    keys = torch.rand(symbols.shape, generator=generator, device=symbols.device)
    chosen = torch.zeros_like(symbols, dtype=torch.bool)
    for symbol in CONTENT:
        is_it = symbols == SYMBOLS.index(symbol)
        place = torch.where(is_it, keys, -1.0).argmax(1, keepdim=True)
        chosen |= is_it & torch.zeros_like(chosen).scatter(1, place, True)
    return chosen


def shuffled(
    tokens: Int[Tensor, "n some"], shown: Bool[Tensor, "n place"], generator: torch.Generator
) -> Int[Tensor, "n place"]:
    """The tokens that are shown in a random order, then PAD."""
    keys = torch.rand(shown.shape, generator=generator, device=shown.device)
    order = torch.where(shown, keys, 2.0).argsort(1)
    later = torch.arange(shown.shape[1], device=shown.device) >= shown.sum(1, keepdim=True)
    return torch.where(later, PAD, tokens.gather(1, order))
