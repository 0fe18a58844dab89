"""The classes that heads of a matrix-completing encoder are sorted into, as the taxonomy asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mcinterp.studies.matrix_completion.head_scores import (
    FAMILIES,
    GROUPS,
    LONGEST_RUN,
    MaskedPatterns,
    family_scores,
    group_scores_by_run,
    of_worst_run,
)
from mcinterp.studies.matrix_completion.task.masks import observed_mask
from mcinterp.studies.matrix_completion.task.structured import column_run_masks, masked_row_masks


class MatrixHeadClasses:
    """Families under random masks and groups under structured ones; the scores are defined in `head_scores`.

    Args:
        rows, cols: of the matrices.
    """

    kinds: Mapping[str, Sequence[str]] = {"family": FAMILIES, "group": GROUPS}
    kind_words: Mapping[str, tuple[str, str]] = {
        "family": ("families", "random masks"),
        "group": ("groups", "structured masks"),
    }

    def __init__(self, rows: int, cols: int) -> None:
        self.rows, self.cols = rows, cols
        self._masks: list[str | None] = [None, *masked_row_masks(rows, cols), *column_run_masks(rows, cols)]

    @property
    def conditions(self) -> dict[str, Mapping[str, Any]]:
        """Random masks and the structured ones, by name, with what each chooses of `examples`."""
        return {mask or "random": {"mask": mask} for mask in self._masks}

    def layer_scores(self, patterns: Sequence[Tensor], inputs: Sequence[Tensor], average: Tensor) -> dict[str, Tensor]:
        """One layer's scores from its patterns under each condition; the inputs are told by the masks."""
        random = patterns[0]
        under = {
            mask: MaskedPatterns(own, observed_mask(mask, self.rows, self.cols))
            for mask, own in zip(self._masks, patterns, strict=True)
            if mask is not None
        }
        masked_rows = [under[mask] for mask in masked_row_masks(self.rows, self.cols)]
        runs = {
            int(mask.removeprefix("column-run:").partition("@")[0]): under[mask]
            for mask in column_run_masks(self.rows, self.cols)
        }
        families = family_scores(random, self.rows, self.cols)
        return families | group_scores_by_run(masked_rows, runs, random, average)

    def of_all(self, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each class's scores (sample, head), the longest run's being those of the run that a head follows least."""
        return {**scores, LONGEST_RUN: of_worst_run(scores[LONGEST_RUN])}
