"""The classes that heads of a matrix-completing encoder are sorted into, as the taxonomy asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from mcinterp.studies.matrix_completion.head_scores import (
    FAMILIES,
    GROUPS,
    LONGEST_RUN,
    STATIC,
    MaskedPatterns,
    family_scores,
    family_scores_by_line,
    longest_run_score,
    masked_row_scores,
)
from mcinterp.studies.matrix_completion.static_scores import StaticScores
from mcinterp.studies.matrix_completion.task.batch import MatrixBatch
from mcinterp.studies.matrix_completion.task.masks import MaskLike, observed_mask
from mcinterp.studies.matrix_completion.task.named_masks import RANDOM, is_random
from mcinterp.studies.matrix_completion.task.structured import column_run_masks, masked_row_masks
from mcinterp.task.inside import AverageMaps


class MatrixHeadClasses:
    """Families under random masks and groups under structured ones; the scores are defined in `head_scores`.

    Under a mask of one's own, families are scored under that; and so are the groups of masked rows where it has a row
    masked but for one entry. Other groups need several masks, and are scored under the structured ones as always.

    Args:
        rows, cols: of the matrices.
        own: name and mask of one's own; random masks without it.
    """

    kinds: Mapping[str, Sequence[str]] = {"family": FAMILIES, "group": GROUPS}
    causal = False
    shown_words = "an observed mask (rows, cols)"

    def __init__(self, rows: int, cols: int, own: tuple[str, MaskLike] = (RANDOM, RANDOM)) -> None:
        self.rows, self.cols = rows, cols
        self._own, mask = own
        self._runs = column_run_masks(rows, cols)
        self._masked_rows = masked_row_masks(rows, cols)
        if not is_random(mask) and bool((observed_mask(mask, rows, cols).sum(1) == 1).any()):
            self._masked_rows = [self._own]
        structured = [*masked_row_masks(rows, cols), *self._runs.values()]
        self._masks: dict[str, MaskLike] = {self._own: mask, RANDOM: RANDOM, **{name: name for name in structured}}
        self._static = StaticScores(rows, cols)

    @property
    def kind_words(self) -> dict[str, tuple[str, str]]:
        """Families under random masks or one's own, groups under structured ones."""
        structured = f"the {self._own} mask and others" if self._own in self._masked_rows else "structured masks"
        under = "random masks" if self._own == RANDOM else f"the {self._own} mask"
        return {"family": ("families", under), "group": ("groups", structured)}

    @property
    def conditions(self) -> dict[str, Mapping[str, Any]]:
        """One's own mask, random masks and the structured ones, by name, with what each chooses of `examples`."""
        return {name: {"mask": None if is_random(mask) else mask} for name, mask in self._masks.items()}

    @property
    def places(self) -> dict[str, list[str]]:
        """A head of a family keeps to it at the queries of every row and of every column."""
        lines = [*(f"row {row}" for row in range(self.rows)), *(f"column {col}" for col in range(self.cols))]
        return dict.fromkeys(FAMILIES, lines)

    @property
    def unscored(self) -> dict[str, str]:
        """Groups that small matrices do not tell from other things, each with why."""
        size = f"in matrices of {self.rows} × {self.cols}"
        found = {}
        if not self._runs:
            found[LONGEST_RUN] = (
                f"{size} too few masks tell the column with the longest observed run from the one with the most "
                "observed entries"
            )
        if not self._static.most:
            found[STATIC] = f"{size} a static head is always of a family"
        return found

    def layer_scores(
        self, patterns: Sequence[Tensor], inputs: Sequence[Tensor], average: AverageMaps
    ) -> dict[str, Tensor]:
        """One layer's scores from its patterns under each condition; the inputs are told by the masks."""
        under = {
            name: MaskedPatterns(own, observed_mask(mask, self.rows, self.cols))
            for (name, mask), own in zip(self._masks.items(), patterns, strict=True)
            if not is_random(mask)
        }
        scores = family_scores(patterns[0], self.rows, self.cols)
        scores |= masked_row_scores([under[name] for name in self._masked_rows])
        if self._runs:
            scores[LONGEST_RUN] = longest_run_score({col: under[mask] for col, mask in self._runs.items()})
        if self._static.most:
            scores[STATIC] = self._static.of_samples(patterns, average)
        return scores

    def place_scores(self, patterns: Sequence[Tensor]) -> dict[str, Tensor]:
        """How far a layer's heads keep to a family at the queries of every row and column."""
        return family_scores_by_line(patterns[0], self.rows, self.cols)

    def shown(self, batch: MatrixBatch) -> list[np.ndarray]:
        """The mask of every matrix, (rows, cols), True where observed."""
        return list(batch.observed.cpu().numpy().reshape(-1, self.rows, self.cols))
