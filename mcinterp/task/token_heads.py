"""Scores that say how well a head's attention fits each class of next-token models, from patterns and tokens alone.

Every class names the keys that its members look at, for each query q, positions counted from 0:

- previous: the position before, q − 1; queries from 2 on, as the position before 1 is the first;
- first: position 0; queries from 2 on, likewise;
- current: the query's own position; queries from 1 on, as 0 sees nothing else;
- duplicate: earlier positions with the query's own token;
- induction: positions right after an earlier one with the query's own token (Olsson et al. 2022, In-context Learning
  and Induction Heads, arXiv 2209.11895).

A query's score is (mass − share) / (1 − share): the attention on these keys, rescaled by what uniform attention has on
them, their share of the q + 1 keys that the query sees. So 0 is a head that attends uniformly, 1 a perfect member, and
a head that avoids the keys is below 0. A head's score is the mean over the queries that have such keys, and others too.

Where a token comes often, chance alone puts its earlier positions everywhere; duplicate and induction are therefore
told apart on sequences of random tokens that come twice, `NextToken.repeated`. The others are scored on samples of the
task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mcinterp.errors import InputError, nearest_name
from mcinterp.task.batch import Batch
from mcinterp.task.inside import AverageMaps

MEASURED_ON = {
    "previous": "random",
    "first": "random",
    "current": "random",
    "duplicate": "repeated",
    "induction": "repeated",
}
"""Each class, and the family of `NextToken.inputs_for_attention` that it is scored on."""
CLASSES = tuple(MEASURED_ON)


def token_head_scores(patterns: Tensor, tokens: Tensor, classes: Sequence[str] = CLASSES) -> dict[str, Tensor]:
    """Every class's score of each head on each sample.

    Args:
        patterns: causal attention, (sample, head, query, key).
        tokens: the inputs that it belongs to, (sample, pos).
        classes: which; by default all, whatever inputs they are meant for.

    Returns:
        (sample, head) for each class; 0 where no query of the sample has a key to score.

    Raises:
        InputError: if patterns and tokens do not belong together, or a class is none.
    """
    n, n_pos = tokens.shape
    if patterns.ndim != 4 or (patterns.shape[0], *patterns.shape[2:]) != (n, n_pos, n_pos):
        raise InputError(
            f"patterns must have shape ({n}, head, {n_pos}, {n_pos}), as there are {n} samples of {n_pos} tokens, got "
            f"{tuple(patterns.shape)}"
        )
    for name in classes:
        if name not in MEASURED_ON:
            raise InputError(f"{name!r:.80} is no class of heads{nearest_name(name, CLASSES)}")
    return {name: _score(patterns, _keys(name, tokens), _first_query(name)) for name in classes}


def _keys(name: str, tokens: Tensor) -> Tensor:
    """The keys of a class, bool, (sample or 1, query, key)."""
    n_pos = tokens.shape[1]
    itself = torch.eye(n_pos, dtype=torch.bool, device=tokens.device)
    if name == "current":
        return itself[None]
    if name == "previous":
        return itself.roll(-1, 1).tril()[None]
    if name == "first":
        return itself[:1].expand(n_pos, -1)[None]
    duplicate = (tokens[:, :, None] == tokens[:, None]).tril(-1)
    # What follows an earlier position is at most the query's own.
    return duplicate if name == "duplicate" else duplicate.roll(1, 2)


def _first_query(name: str) -> int:
    """The first query that tells the class from others by position."""
    return {"previous": 2, "first": 2}.get(name, 1)


def _score(patterns: Tensor, keys: Tensor, first_query: int) -> Tensor:
    """The mean over queries of (mass − share) / (1 − share), (sample, head)."""
    seen = torch.arange(1, keys.shape[1] + 1, device=keys.device, dtype=torch.float64)
    share = keys.sum(-1) / seen
    counts = (share > 0) & (share < 1) & (seen > first_query)
    # Linear in the attention: a weight for each query and key, and what uniform attention gives.
    scale = torch.where(counts, 1 / (1 - share), 0.0) / counts.sum(-1, keepdim=True).clamp_min(1)
    weights = (keys * scale[..., None]).to(patterns.dtype)
    mass = patterns.flatten(2) @ weights.flatten(1)[..., None]
    return mass[..., 0] - (share * scale).sum(-1, keepdim=True).to(patterns.dtype)


class TokenHeadClasses:
    """The classes above as the head taxonomy asks for them: each head has at most one."""

    kinds: Mapping[str, Sequence[str]] = {"class": CLASSES}
    kind_words: Mapping[str, tuple[str, str]] = {"class": ("classes", "")}
    conditions: Mapping[str, Mapping[str, Any]] = {"random": {"family": "random"}, "repeated": {"family": "repeated"}}
    places: Mapping[str, Sequence[str]] = {}
    unscored: Mapping[str, str] = {}
    causal = True
    shown_words = "tokens (pos,)"

    def layer_scores(
        self, patterns: Sequence[Tensor], inputs: Sequence[Tensor], average: AverageMaps
    ) -> dict[str, Tensor]:
        """A layer's scores, each class on the family of inputs that it is measured on."""
        scores: dict[str, Tensor] = {}
        for family, own, tokens in zip(self.conditions, patterns, inputs, strict=True):
            scores |= token_head_scores(own, tokens, [name for name in CLASSES if MEASURED_ON[name] == family])
        return scores

    def place_scores(self, patterns: Sequence[Tensor]) -> dict[str, Tensor]:
        """None: places tell no more of these classes than their scores do."""
        return {}

    def shown(self, batch: Batch) -> list[NDArray[np.int64]]:
        """The tokens of every sample, (pos,)."""
        return list(batch.inputs.cpu().numpy())
