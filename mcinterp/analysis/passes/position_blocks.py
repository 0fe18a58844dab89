"""How heads attend from groups of positions to groups of positions, block by block: structure that no class names.

The attention of a block is what the queries of one group have on all keys of another, averaged over the queries. With
rows and columns as groups, it shows heads that favour or avoid whole ones. A block is *favoured* where it has more than
`FACTOR` times what uniform attention has, and more than any block of an untrained model's heads; *avoided*, where it
has less than one part in `FACTOR`, and less than any such block. Either has to be shown: a t test over samples has to
reject the bound, at 5 % over all blocks of a head and a grouping together (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.statistics import CONFIDENCE, Floats, interval_columns, mean_estimate

FACTOR = 2.0
"""Twice or half of what uniform attention has is a block that is spoken of."""
NO_BLOCK = "none"

BLOCK_COLUMNS = {
    "head": "layer and head, from 0",
    "grouping": "by what positions are grouped",
    **interval_columns("own", "attention of queries on the keys of their own group"),
    "own_uniform": "control: the same of a head that attends uniformly",
    "own_untrained_max": "control: the largest of an untrained model's heads",
    "favoured": "groups of queries → groups of keys with more than favoured_above times what uniform "
    "attention has, or none",
    "avoided": "groups of queries → groups of keys with less than avoided_below times what uniform attention "
    "has, or none",
    "n_favoured": "blocks that are favoured",
    "n_avoided": "blocks that are avoided",
    "favoured_above": "2, or the most that any block of an untrained model's heads has, as a multiple of uniform "
    "attention",
    "avoided_below": "0.5, or the least that any such block has",
    "n": "samples of the first family of inputs",
    "seed": "seed of the batch",
}


def block_attention(patterns: Tensor, group: Sequence[int]) -> Tensor:
    """Attention by block, (sample, head, group of query, group of key).

    Args:
        patterns: (sample, head, query, key).
        group: of every position, from 0.
    """
    member = torch.nn.functional.one_hot(torch.as_tensor(group)).to(patterns)
    return torch.einsum("nhqk,qi,kj->nhij", patterns, member / member.sum(0), member)


def block_rows(
    heads: Sequence[str],
    grouping: str,
    blocks: Floats,
    uniform: Floats,
    untrained: Floats | None,
    about: Mapping[str, int],
) -> list[dict[str, Any]]:
    """A row of the table for each head.

    Args:
        heads: names.
        grouping: by what positions are grouped.
        blocks: (sample, head, group of query, group of key).
        uniform: of a head that attends uniformly, (group of query, group of key).
        untrained: as `blocks`, of an untrained model; None where there is none.
        about: number of samples and seed.
    """
    least, most = _bounds(uniform, untrained)
    favoured = _shown(blocks - most * uniform, above=True)
    avoided = _shown(blocks - least * uniform, above=False) & (uniform > 0)
    own = mean_estimate(_own(blocks))
    return [
        {
            "head": head,
            "grouping": grouping,
            **own.columns("own", index),
            "own_uniform": float(_own(uniform)),
            "own_untrained_max": np.nan if untrained is None else float(_own(untrained).mean(0).max()),
            "favoured": described(favoured[index]),
            "avoided": described(avoided[index]),
            "n_favoured": int(favoured[index].sum()),
            "n_avoided": int(avoided[index].sum()),
            "favoured_above": most,
            "avoided_below": least,
            **about,
        }
        for index, head in enumerate(heads)
    ]


def described(blocks: np.ndarray) -> str:
    """Blocks in words: groups of queries with the same groups of keys together, such as `0, 2 → 1, 4 · 3 → 1`; or none.

    Args:
        blocks: bool, (group of query, group of key).
    """
    queries: dict[tuple[int, ...], list[int]] = {}
    for query, keys in enumerate(blocks):
        if keys.any():
            queries.setdefault(tuple(np.flatnonzero(keys).tolist()), []).append(query)
    return " · ".join(f"{_listed(own)} → {_listed(keys)}" for keys, own in queries.items()) or NO_BLOCK


def _listed(groups: Sequence[int]) -> str:
    return ", ".join(map(str, groups))


def _own(blocks: Floats) -> Floats:
    """Attention of queries on their own group, averaged over groups."""
    return np.asarray(blocks.diagonal(axis1=-2, axis2=-1).mean(-1))


def _bounds(uniform: Floats, untrained: Floats | None) -> tuple[float, float]:
    """What a block has to lie below or above, as multiples of uniform attention."""
    if untrained is None:
        return 1 / FACTOR, FACTOR
    ratios = untrained.mean(0)[:, uniform > 0] / uniform[uniform > 0]
    return min(1 / FACTOR, float(ratios.min())), max(FACTOR, float(ratios.max()))


def _shown(differences: Floats, above: bool) -> np.ndarray:
    """Which blocks are shown to differ from a bound in the given direction, (head, group of query, group of key)."""
    found = mean_estimate(differences)
    level = (1 - CONFIDENCE) / (differences.shape[-1] * differences.shape[-2])
    return np.asarray(((found.value > 0) == above) & (found.p_value < level))
