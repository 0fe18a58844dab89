"""Masks by name, however they are given: by the names of `masks`, drawn by hand, or drawn and given a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.task.drawn import spelled
from mcinterp.studies.matrix_completion.task.masks import MASKS, MaskLike, observed_mask

RANDOM = "random"
"""Masks drawn anew for every matrix."""
DRAWN = "drawn"
"""What a mask drawn by hand is called that has no name: so, or with its number where there are several."""


def named_masks(given: Any, rows: int, cols: int) -> dict[str, MaskLike]:
    """One mask or several, each with its name.

    Args:
        given: a mask of `masks.observed_mask`, `random`, or several of these: in a list, or by name as in
            `{"mine": array}`.
        rows, cols: of the matrices.

    Raises:
        InputError: if there is none, one is no mask of this size, or two have the same name.
    """
    named: dict[str, MaskLike] = {}
    several = [pair for one in _several(given) for pair in _with_names(one)]
    unnamed = sum(name is None for name, _ in several)
    numbers = iter(range(1, unnamed + 1))
    for name, mask in several:
        own = name if name is not None else DRAWN if unnamed == 1 else f"{DRAWN} {next(numbers)}"
        if own in named:
            raise InputError(f"two masks are called {own!r:.80}; give each a name of its own")
        if not is_random(mask):
            observed_mask(mask, rows, cols)
        named[own] = mask
    if not named:
        raise InputError("at least one mask is needed, got none")
    return named


def is_random(mask: Any) -> bool:
    """Whether masks are drawn anew for every matrix."""
    return mask is None or (isinstance(mask, str) and mask.strip() == RANDOM)


def spelled_mask(mask: MaskLike, rows: int, cols: int) -> str:
    """A name by which the mask can be had again, such as `rows:1` or `drawn:11/01`."""
    if isinstance(mask, str):
        return mask.strip()
    return RANDOM if is_random(mask) else spelled(observed_mask(mask, rows, cols))


def _several(given: Any) -> list[Any]:
    """A list of masks as it is; any other mask alone."""
    if isinstance(given, str | Mapping) or given is None:
        return [given]
    if hasattr(given, "ndim"):  # an array, a tensor or a data frame
        return list(given) if given.ndim == 3 else [given]
    try:
        masks = list(given)
    except TypeError:
        return [given]
    return [given] if masks and all(map(_is_row, masks)) else masks


def _is_row(part: Any) -> bool:
    """Whether it is a row of a mask, not a mask."""
    try:
        return np.ndim(part) == 1
    except ValueError:  # rows of different lengths
        return False


def _with_names(mask: Any) -> Iterator[tuple[str | None, Any]]:
    """Masks with their names; a mask drawn by hand has none."""
    if isinstance(mask, Mapping):
        for name, own in mask.items():
            yield _name(name), own
    elif is_random(mask):
        yield RANDOM, RANDOM
    else:
        yield (mask.strip() if isinstance(mask, str) else None), mask


def _name(name: Any) -> str:
    """A name that somebody gave to a mask of theirs."""
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"a mask's name must be a text, got {name!r:.80}")
    if name.partition(":")[0].strip() in {RANDOM, *MASKS}:
        raise InputError(f"{name!r:.80} is the name of another mask; give yours a name of its own")
    return name.strip()
