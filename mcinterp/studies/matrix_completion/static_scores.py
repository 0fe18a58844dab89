"""How static a head is, beyond what the families of heads explain of its average map.

App. L of arXiv 2410.22244 calls heads input-processing that fall in no other category and are "mostly static across
different mask / input variations". So the score is how far the head's average map is from what families explain of it,
less how far its single maps are, over samples and masks, from that average; both are total variation, averaged over
queries. What families explain is the map with the same attention of every query on itself, on the rest of its row, on
the rest of its column and on everything else, spread evenly over the keys of each. A head that looks at its row, its
column or itself, or at some of each, is explained by that, however static it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mcinterp.studies.matrix_completion.head_scores import relations
from mcinterp.task.inside import AverageMaps


class StaticScores:
    """The score in matrices of one size.

    Args:
        rows, cols: of the matrices.

    Attributes:
        most: how far a map can be from what families explain of it, 0 where they explain every map.
    """

    def __init__(self, rows: int, cols: int) -> None:
        same_row, same_col, itself = relations(rows, cols)
        kinds = torch.stack([itself, same_row & ~itself, same_col & ~itself, ~(same_row | same_col)])
        sizes = kinds[:, 0].sum(-1)
        self._keys = kinds[sizes > 0].float()
        self.most = 1 - 1 / int(sizes.max())

    def of_samples(self, under_each: Sequence[Tensor], average: AverageMaps) -> Tensor:
        """What each sample adds to the score, (sample, head); their mean is the score.

        The average is of the same samples, so each of them moves it. To first order (the infinitesimal jackknife) the
        score changes by its slope in the average times the sample's distance from it; with this added, the values
        spread as the score does. Maps are a little nearer to an average that they are in than to the true one, by half
        of what they come nearer to it than to the average of all others; that is given back.

        Args:
            under_each: patterns (sample, head, query, key) under every mask.
            average: of all samples under all masks.
        """
        unexplained = average.mean - self._explained(average.mean)
        away = torch.sign(unexplained)
        slope = away - self._explained(away) + average.leaning
        own = sum(under_each[1:], under_each[0]) / len(under_each) - average.mean
        scores = unexplained.abs().sum((-2, -1)) + (own * slope).sum((-2, -1))
        for patterns in under_each:
            # Mask by mask: the differences of all of them at once would be the largest array of the pass.
            apart = patterns - average.mean
            distance = apart.abs().sum((-2, -1)) + (apart.sign_().mul_(own)).sum((-2, -1)) / (2 * average.n)
            scores -= distance / len(under_each)
        return scores / (2 * own.shape[-1] * self.most)

    def _explained(self, maps: Tensor) -> Tensor:
        """What families explain of maps (head, query, key)."""
        keys = self._keys.to(maps)
        on_each = torch.einsum("hqk,rqk->hrq", maps, keys / keys.sum(-1, keepdim=True).clamp_min(1))
        return torch.einsum("hrq,rqk->hqk", on_each, keys)
