"""Scores that say how well a head's attention fits each class, from attention patterns and masks alone.

Every score is 0 for a head that attends uniformly and 1 for a perfect member. Most are built from `target_score`: the
attention that lands on a set of target keys, rescaled so that uniform attention gives 0 and all of it gives 1.

Families (Sec. 3.2.2 of arXiv 2410.22244), under random masks:

- row: on the other entries of the query's row; column: … of its column; identity: on the query itself.

A head of a family keeps to it everywhere: `family_scores_by_line` tells of the queries of every row and of every column
apart. A head that looks at the position before has most of its attention on the query's row, but none where rows begin.

Groups (App. L), under structured masks; *hit* is the score of queries at the masked entries of a masked row on the only
observed entry of that row:

- masked-row: hit · (1 − how concentrated the attention of queries in the other rows is, on whatever keys, compared with
  that of the queries of hit; see `concentration`): active only there.
- observed-copy: the smaller of hit and the identity score of observed entries.
- mask-ignore: the larger of two. Off-diagonals: the score on the observed other entries of the query's column, times
  one minus the ratio of attention per masked key to attention per observed key in that column (1 for a head that
  ignores the mask's holes completely, 0 for one that does not tell them apart). Collecting: the score of queries in
  unmasked rows on the observed entries of masked rows.
- longest-contiguous-column: under masks whose column with the longest observed run is not the one with the most
  observed entries, the fewest or the longest hole, nor complete, the score of queries outside that column on it; of
  every matrix the smallest over masks with the run in different columns, so that a head must follow it.
- input-processing: static, and structured beyond the families, see `static_scores`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FAMILIES = ("row", "column", "identity")
LONGEST_RUN = "longest-contiguous-column"
STATIC = "input-processing"
GROUPS = ("masked-row", "observed-copy", "mask-ignore", LONGEST_RUN, STATIC)
CLASSES = (*FAMILIES, *GROUPS)


@dataclass(frozen=True)
class MaskedPatterns:
    """Attention patterns of one batch under one structured mask.

    Attributes:
        patterns: (sample, head, query, key), heads of all layers in one axis.
        observed: bool, (rows, cols), the batch's mask.
    """

    patterns: Tensor
    observed: Tensor


def target_score(patterns: Tensor, target: Tensor, queries: Tensor | None = None) -> Tensor:
    """Attention on target keys, rescaled to 0 for uniform attention and 1 for all of it; averaged over queries.

    Args:
        patterns: (sample, head, query, key).
        target: bool, (query, key).
        queries: bool, (query,), which queries count; those without any target key, or with nothing else, never do.

    Returns:
        (sample, head); 0 where no query counts.
    """
    return target_scores(patterns, {"": (target, queries)})[""]


def target_scores(patterns: Tensor, wanted: Mapping[str, tuple[Tensor, Tensor | None]]) -> dict[str, Tensor]:
    """`target_score` of several pairs of target and queries, all by one product: each is linear in the patterns."""
    terms = [_linear_terms(target, queries) for target, queries in wanted.values()]
    weights = torch.stack([weight.flatten() for weight, _ in terms], dim=1).to(patterns)
    constants = torch.stack([constant for _, constant in terms]).to(patterns)
    return dict(zip(wanted, (patterns.flatten(2) @ weights - constants).unbind(-1), strict=True))


def _linear_terms(target: Tensor, queries: Tensor | None) -> tuple[Tensor, Tensor]:
    """A score's weight of each attention probability, (query, key), and what is subtracted; float64."""
    share = target.double().mean(-1)
    counts = (share > 0) & (share < 1)
    if queries is not None:
        counts &= queries
    # (mass − share) / (1 − share) of each query, averaged.
    scale = torch.where(counts, 1 / (1 - share).clamp_min(0.5 / len(share)), 0.0) / counts.sum().clamp_min(1)
    return target * scale[:, None], (share * scale).sum()


def family_scores(patterns: Tensor, rows: int, cols: int) -> dict[str, Tensor]:
    """Scores of the three families, each (sample, head), from patterns (sample, head, query, key)."""
    same_row, same_col, itself = relations(rows, cols)
    targets = {"row": same_row & ~itself, "column": same_col & ~itself, "identity": itself}
    return target_scores(patterns, {name: (target.to(patterns.device), None) for name, target in targets.items()})


def family_scores_by_line(patterns: Tensor, rows: int, cols: int) -> dict[str, Tensor]:
    """How far the queries of each row, then of each column, keep to their family's keys, (sample, head, line).

    The query itself counts as of its row, and of its column: who looks at one entry of the column from everywhere is of
    the family, though the query at that entry looks at itself.
    """
    same_row, same_col, itself = relations(rows, cols)
    targets = {"row": same_row, "column": same_col, "identity": itself}
    lines = [*same_row[::cols], *same_col[:cols]]
    on = patterns.device
    wanted = {f"{name} {at}": (targets[name].to(on), line.to(on)) for name in FAMILIES for at, line in enumerate(lines)}
    found = target_scores(patterns, wanted)
    return {name: torch.stack([found[f"{name} {at}"] for at in range(len(lines))], dim=-1) for name in FAMILIES}


def masked_row_scores(masked_rows: Sequence[MaskedPatterns]) -> dict[str, Tensor]:
    """Scores of masked-row, observed-copy and mask-ignore, each (sample, head), averaged over masks.

    Args:
        masked_rows: patterns under masks with rows masked but for one entry.
    """
    by_mask = [_masked_row_scores(entry) for entry in masked_rows]
    return {name: torch.stack([one[name] for one in by_mask]).mean(0) for name in by_mask[0]}


def longest_run_score(column_runs: Mapping[int, MaskedPatterns]) -> Tensor:
    """The score of the longest run that the head follows least, (sample, head).

    Args:
        column_runs: for each column that holds the longest run, the patterns under such a mask; at least one.
    """
    scores = []
    for column, entry in column_runs.items():
        rows, cols = entry.observed.shape
        in_column = (torch.arange(rows * cols, device=entry.patterns.device) % cols) == column
        scores.append(target_score(entry.patterns, in_column.expand(rows * cols, -1), ~in_column))
    return torch.stack(scores).amin(0).clamp_min(0)


def _masked_row_scores(entry: MaskedPatterns) -> dict[str, Tensor]:
    patterns, observed = entry.patterns, entry.observed.to(entry.patterns.device)
    rows, cols = observed.shape
    same_row, same_col, itself = (relation.to(patterns.device) for relation in relations(rows, cols))
    in_masked_row = (observed.sum(1) == 1).repeat_interleave(cols)
    seen = observed.flatten()
    found = target_scores(
        patterns,
        {
            "hit": (same_row & seen, in_masked_row & ~seen),
            "off-diagonal": (same_col & ~itself & seen, None),
            "collecting": ((seen & in_masked_row).expand_as(itself), ~in_masked_row),
            "copy": (itself, seen),
        },
    )
    hit = found["hit"].clamp_min(0)
    inside = concentration(patterns, in_masked_row & ~seen).clamp_min(torch.finfo(patterns.dtype).tiny)
    elsewhere = (concentration(patterns, ~in_masked_row) / inside).clamp_max(1)
    follows = 1 - _masked_to_observed(patterns, same_col & ~itself, seen)
    off_diagonal = found["off-diagonal"].clamp_min(0) * follows
    return {
        "masked-row": hit * (1 - elsewhere),
        "observed-copy": torch.minimum(hit, found["copy"]).clamp_min(0),
        "mask-ignore": torch.maximum(off_diagonal, found["collecting"]).clamp_min(0),
    }


def _masked_to_observed(patterns: Tensor, target: Tensor, seen: Tensor) -> Tensor:
    """Attention per masked target key over attention per observed one, at most 1; (sample, head)."""
    keys = torch.stack([target & ~seen, target & seen]).to(patterns.dtype).flatten(1)
    masked, observed = (patterns.flatten(2) @ (keys / keys.sum(1, keepdim=True).clamp_min(1)).T).unbind(-1)
    return (masked / observed.clamp_min(torch.finfo(patterns.dtype).tiny)).clamp_max(1)


def concentration(patterns: Tensor, queries: Tensor) -> Tensor:
    """How far attention is from uniform, total variation rescaled to reach 1; averaged over queries.

    It is the score of the keys, whichever they are, that have the most attention above uniform.

    Args:
        patterns: (sample, head, query, key).
        queries: bool, (query,), which queries count.

    Returns:
        (sample, head); 0 where no query counts.
    """
    n_pos = patterns.shape[-1]
    apart = (patterns[:, :, queries] - 1 / n_pos).abs_().sum((-2, -1)) / 2
    return apart / (max(int(queries.sum()), 1) * max(1 - 1 / n_pos, 1 / n_pos))


def relations(rows: int, cols: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which pairs of positions share a row, share a column, are the same: each bool (query, key)."""
    position = torch.arange(rows * cols)
    row, col = position // cols, position % cols
    return row[:, None] == row, col[:, None] == col, position[:, None] == position
