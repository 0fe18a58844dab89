"""Scores that say how well a head's attention fits each class, from attention patterns and masks alone.

Every score is 0 for a head that attends uniformly and 1 for a perfect member. Most are built from `target_score`: the
attention that lands on a set of target keys, rescaled so that uniform attention gives 0 and all of it gives 1.

Families (Sec. 3.2.2 of arXiv 2410.22244), under random masks:

- row: on the other entries of the query's row; column: … of its column; identity: on the query itself.

Groups (App. L), under structured masks; *hit* is the score of queries at the masked entries of a masked row on the only
observed entry of that row:

- masked-row: hit · (1 − the larger of the row and identity scores of queries in the other rows): active only there.
- observed-copy: the smaller of hit and the identity score of observed entries.
- mask-ignore: the larger of two. Off-diagonals: the score on the observed other entries of the query's column, times
  one minus the ratio of attention per masked key to attention per observed key in that column (1 for a head that
  ignores the mask's holes completely, 0 for one that does not tell them apart). Collecting: the score of queries in
  unmasked rows on the observed entries of masked rows.
- longest-contiguous-column: under masks whose longest observed run fills one column, the score of queries outside that
  column on it; the smallest over masks with the run in different columns, so that a head must follow it.
- input-processing: how much further the head's average map is from uniform than its single maps, over samples and
  masks, are from that average (total variation, rescaled to reach 1): static, and structured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

FAMILIES = ("row", "column", "identity")
LONGEST_RUN = "longest-contiguous-column"
GROUPS = ("masked-row", "observed-copy", "mask-ignore", LONGEST_RUN, "input-processing")
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
    same_row, same_col, itself = _relations(rows, cols)
    targets = {"row": same_row & ~itself, "column": same_col & ~itself, "identity": itself}
    return target_scores(patterns, {name: (target.to(patterns.device), None) for name, target in targets.items()})


def group_scores(
    masked_rows: list[MaskedPatterns], column_runs: Mapping[int, MaskedPatterns], random: Tensor
) -> dict[str, Tensor]:
    """Scores of the five groups, each (sample, head).

    Args:
        masked_rows: patterns under masks with rows masked but for one entry; scores are averaged over them.
        column_runs: for each column that holds the longest run, the patterns under such a mask; may be empty.
        random: patterns under random masks, (sample, head, query, key).
    """
    under_each_mask = [random, *(entry.patterns for entry in (*masked_rows, *column_runs.values()))]
    average = torch.stack([patterns.mean(0) for patterns in under_each_mask]).mean(0)
    scores = group_scores_by_run(masked_rows, column_runs, random, average)
    return {**scores, LONGEST_RUN: of_worst_run(scores[LONGEST_RUN])}


def group_scores_by_run(
    masked_rows: list[MaskedPatterns], column_runs: Mapping[int, MaskedPatterns], random: Tensor, average: Tensor
) -> dict[str, Tensor]:
    """The same of some of the matrices: what is left to do needs all of them.

    Args:
        masked_rows: as in `group_scores`.
        column_runs: the same.
        random: the same.
        average: mean pattern of all matrices under all masks, (head, query, key).

    Returns:
        (sample, head) for every group, but for the longest run (sample, head, column of the run), for `of_worst_run`.
    """
    by_mask = [_masked_row_scores(entry) for entry in masked_rows]
    scores = {name: torch.stack([one[name] for one in by_mask]).mean(0) for name in by_mask[0]}
    scores[LONGEST_RUN] = _run_scores(column_runs, like=scores["masked-row"])
    under_each_mask = [random, *(entry.patterns for entry in (*masked_rows, *column_runs.values()))]
    scores["input-processing"] = _static_score(under_each_mask, average)
    return scores


def of_worst_run(scores: Tensor) -> Tensor:
    """Each head's scores (sample, head) of the run that it follows least, from (sample, head, column of the run)."""
    worst = scores.mean(0).argmin(-1)
    return scores[:, torch.arange(len(worst), device=worst.device), worst].clamp_min(0)


def _masked_row_scores(entry: MaskedPatterns) -> dict[str, Tensor]:
    patterns, observed = entry.patterns, entry.observed.to(entry.patterns.device)
    rows, cols = observed.shape
    same_row, same_col, itself = (relation.to(patterns.device) for relation in _relations(rows, cols))
    in_masked_row = (observed.sum(1) == 1).repeat_interleave(cols)
    seen = observed.flatten()
    found = target_scores(
        patterns,
        {
            "hit": (same_row & seen, in_masked_row & ~seen),
            "row elsewhere": (same_row & ~itself, ~in_masked_row),
            "self elsewhere": (itself, ~in_masked_row),
            "off-diagonal": (same_col & ~itself & seen, None),
            "collecting": ((seen & in_masked_row).expand_as(itself), ~in_masked_row),
            "copy": (itself, seen),
        },
    )
    hit = found["hit"].clamp_min(0)
    busy_elsewhere = torch.maximum(found["row elsewhere"], found["self elsewhere"]).clamp(0, 1)
    follows = 1 - _masked_to_observed(patterns, same_col & ~itself, seen)
    off_diagonal = found["off-diagonal"].clamp_min(0) * follows
    return {
        "masked-row": hit * (1 - busy_elsewhere),
        "observed-copy": torch.minimum(hit, found["copy"]).clamp_min(0),
        "mask-ignore": torch.maximum(off_diagonal, found["collecting"]).clamp_min(0),
    }


def _masked_to_observed(patterns: Tensor, target: Tensor, seen: Tensor) -> Tensor:
    """Attention per masked target key over attention per observed one, at most 1; (sample, head)."""
    keys = torch.stack([target & ~seen, target & seen]).to(patterns.dtype).flatten(1)
    masked, observed = (patterns.flatten(2) @ (keys / keys.sum(1, keepdim=True).clamp_min(1)).T).unbind(-1)
    return (masked / observed.clamp_min(torch.finfo(patterns.dtype).tiny)).clamp_max(1)


def _run_scores(column_runs: Mapping[int, MaskedPatterns], like: Tensor) -> Tensor:
    if not column_runs:
        return torch.zeros_like(like)[..., None]
    scores = []
    for column, entry in column_runs.items():
        rows, cols = entry.observed.shape
        in_column = (torch.arange(rows * cols, device=like.device) % cols) == column
        target = in_column.expand(rows * cols, -1)
        scores.append(target_score(entry.patterns, target, ~in_column))
    return torch.stack(scores, dim=-1)


def _static_score(under_each_mask: list[Tensor], average: Tensor) -> Tensor:
    n_pos = average.shape[-1]
    structure = (average - 1 / n_pos).abs().sum(-1).mean(-1) / 2
    # Mask by mask: the differences of all of them at once would be the largest array of the pass.
    distances = [(patterns - average).abs_().sum((-2, -1)) / (2 * n_pos) for patterns in under_each_mask]
    return ((structure - torch.stack(distances).mean(0)) / (1 - 1 / n_pos)).clamp_min(0)


def _relations(rows: int, cols: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which pairs of positions share a row, share a column, are the same: each bool (query, key)."""
    position = torch.arange(rows * cols)
    row, col = position // cols, position % cols
    return row[:, None] == row, col[:, None] == col, position[:, None] == position
