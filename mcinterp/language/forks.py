"""Sample what a model may write from every position of a text, along every branch that is likely enough.

The protocol is that of Forking Paths in Neural Text Generation (arXiv 2412.07961): the text is what the model most
probably writes; at each position its own token and every other of enough probability is followed by so many samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mcinterp.errors import InputError
from mcinterp.language.branches import LEAST, branches_of, tempered
from mcinterp.language.model import LanguageModel
from mcinterp.language.stored import (
    Branch,
    ForkPosition,
    ForkSamples,
    drop_half_line,
    is_stored,
    load_samples,
    store_position,
    store_text,
)

AT_A_TIME = 64
"""Positions whose next tokens are asked for together."""


@dataclass(frozen=True)
class ForkSettings:
    """How a text is sampled.

    Attributes:
        samples: continuations of each branch.
        length: most tokens of the text itself.
        limit: most tokens of a continuation.
        least: tokens with a larger probability are branches.
        temperature: at which is sampled; branches have their probabilities at it.
        seed: of the samples.
    """

    samples: int = 30
    length: int = 100
    limit: int = 200
    least: float = LEAST
    temperature: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class ForkPlan:
    """What is going to be sampled.

    Attributes:
        model: what writes.
        prompt: what comes before the text.
        start: its tokens.
        tokens: of the text.
        followed: tokens of the branches at each position.
        probabilities: of them.
        entropies: of the next token at each position, nats.
        settings: how.
    """

    model: LanguageModel
    prompt: str
    start: tuple[int, ...]
    tokens: tuple[int, ...]
    followed: tuple[tuple[int, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]
    entropies: tuple[float, ...]
    settings: ForkSettings

    @property
    def n_samples(self) -> int:
        """Continuations in all."""
        return self.settings.samples * sum(map(len, self.followed))

    @property
    def n_tokens(self) -> int:
        """Tokens that they take at most."""
        ended = [sum(token not in self.model.end_tokens for token in tokens) for tokens in self.followed]
        return self.settings.samples * sum(n * self.room(at) for at, n in enumerate(ended))

    def prefix(self, position: int) -> list[int]:
        """The tokens before a position, those of the prompt among them."""
        return [*self.start, *self.tokens[:position]]

    def room(self, position: int) -> int:
        """Most tokens that may come after a branch."""
        longest = self.model.n_positions
        own = math.inf if longest is None else longest - (len(self.start) + position)
        return int(min(self.settings.limit, max(own, 0)))

    @property
    def text(self) -> ForkSamples:
        """The text without samples."""
        spelled = [_added(self.model, self.prefix(at), [token]) for at, token in enumerate(self.tokens)]
        settings = {"model": self.model.name, **asdict(self.settings), "ids": list(self.tokens)}
        return ForkSamples(self.prompt, tuple(spelled), (), settings)


def plan_forks(model: LanguageModel, prompt: str, settings: ForkSettings) -> ForkPlan:
    """Write the text, and find its branches.

    Raises:
        InputError: for a prompt that the model cannot read, or after which it has no room.
    """
    start = tuple(model.read(prompt))
    room = settings.length
    if model.n_positions is not None:
        # The last token need not fit.
        room = min(room, model.n_positions - len(start) + 1)
    if room < 1:
        raise InputError(f"the prompt has {len(start)} tokens, and the model room for {model.n_positions} in all")
    tokens = tuple(model.sample([start], room, 0.0, torch.Generator())[0])
    followed, probabilities, entropies = zip(*_branches(model, start, tokens, settings), strict=True)
    return ForkPlan(model, prompt, start, tokens, followed, probabilities, entropies, settings)


def _branches(
    model: LanguageModel, start: tuple[int, ...], tokens: tuple[int, ...], settings: ForkSettings
) -> Iterator[tuple[tuple[int, ...], tuple[float, ...], float]]:
    for begin in range(0, len(tokens), AT_A_TIME):
        part = range(begin, min(begin + AT_A_TIME, len(tokens)))
        chances = model.next_probabilities([[*start, *tokens[:at]] for at in part])
        for at, chance in zip(part, tempered(chances, settings.temperature), strict=True):
            followed, _ = branches_of(chance, tokens[at], settings.least)
            entropy = -float(np.sum(chance * np.log(np.maximum(chance, 1e-300))))
            yield tuple(followed.tolist()), tuple(chance[followed].tolist()), entropy


def sample_forks(plan: ForkPlan, folder: Path, done: Callable[[int], None] = lambda n: None) -> ForkSamples:
    """Sample what is missing in a folder, a position at a time, so that what is done stands.

    Args:
        plan: what is sampled; positions have seeds of their own, so that one that goes on gives the same samples.
        folder: of stored samples, new or begun with the same plan.
        done: told how many samples are there, whenever there are more.

    Raises:
        InputError: if the folder holds samples of another text or with other settings.
    """
    text = plan.text
    if is_stored(folder):
        drop_half_line(folder)
        _check_same(replace(load_samples(folder), positions=()), text, folder)
    else:
        store_text(folder, text)
    there = {each.position for each in load_samples(folder).positions}
    n_done = sum(len(plan.followed[at]) for at in there) * plan.settings.samples
    done(n_done)
    for position in range(len(plan.tokens)):
        if position not in there:
            store_position(folder, _sampled(plan, position))
            n_done += len(plan.followed[position]) * plan.settings.samples
            done(n_done)
    return load_samples(folder)


def _check_same(stored: ForkSamples, text: ForkSamples, folder: Path) -> None:
    if stored == text:
        return
    names = ("prompt", "tokens")
    other = [name for name in names if getattr(stored, name) != getattr(text, name)]
    other += [name for name, value in text.settings.items() if stored.settings.get(name) != value and name != "ids"]
    raise InputError(
        f"{folder} holds samples that differ in {', '.join(other) or 'their settings'}: give another --out, or take "
        "the folder away"
    )


def _sampled(plan: ForkPlan, position: int) -> ForkPosition:
    """All branches of a position."""
    generator = torch.Generator().manual_seed(_seed(plan.settings.seed, position))
    followed, n = plan.followed[position], plan.settings.samples
    prefix, room = plan.prefix(position), plan.room(position)
    going_on = [token for token in followed if token not in plan.model.end_tokens and room]
    written: Sequence[list[int]] = []
    if going_on:
        prefixes = [[*prefix, token] for token in going_on for _ in range(n)]
        written = plan.model.sample(prefixes, room, plan.settings.temperature, generator)
    branches = []
    for token, probability in zip(followed, plan.probabilities[position], strict=True):
        at = going_on.index(token) * n if token in going_on else None
        own = [[]] * n if at is None else written[at : at + n]
        texts = tuple(_added(plan.model, [*prefix, token], more) for more in own)
        spelled = _added(plan.model, prefix, [token])
        branches.append(Branch(spelled, probability, texts, token == plan.tokens[position]))
    return ForkPosition(position, tuple(branches), plan.entropies[position])


def _seed(seed: int, position: int) -> int:
    """Of a position: far from those of other positions and seeds."""
    state: Any = np.random.SeedSequence([seed, position]).generate_state(1, np.uint64)
    return int(state[0] >> 1)


def _added(model: LanguageModel, before: Sequence[int], tokens: Sequence[int]) -> str:
    """What tokens add to the text before them; their own text where they change how that is spelled."""
    if not tokens:
        return ""
    earlier, whole = model.spell(before), model.spell([*before, *tokens])
    return whole.removeprefix(earlier) if whole.startswith(earlier) else model.spell(tokens)
