"""A mask drawn as a small grid."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from mcinterp.report.numbers import number
from mcinterp.report.palette import GRID, INK, MUTED, text_on
from mcinterp.report.parts import Picture, visible
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.task.masks import MaskLike, observed_mask

CELL = 30
OBSERVED = np.array((0x56, 0xB4, 0xE9))
WHITE = np.array((255, 255, 255))


def mask_picture(attention: Result, family: str) -> Picture:
    """The mask of a family of inputs, from a stored result of the attention pass."""
    observed = attention.arrays["observed"][list(attention.facts["masks"]).index(family)]
    return Picture(draw_mask(observed, family), describe_mask(observed), "Blue: observed; white: masked.")


def mask_name(attention: Result, mask: MaskLike) -> str:
    """The name in a stored result of the attention pass of a mask drawn by hand; '' where it is not among them."""
    observed = attention.arrays["observed"]
    drawn = observed_mask(mask, *observed.shape[1:]).numpy()
    found = (name for name, own in zip(attention.facts["masks"], observed, strict=True) if (own == drawn).all())
    return str(next(found, ""))


def draw_mask(observed: np.ndarray, name: str) -> Markup:
    """A grid of (rows × cols) cells: blue where observed, white where masked, the fraction written in between.

    Args:
        observed: fraction of samples in which each entry is observed, shape (rows, cols).
        name: the mask.
    """
    rows, cols = observed.shape
    cells = Markup().join(_cell(row, col, float(observed[row, col])) for row in range(rows) for col in range(cols))
    heads = Markup().join([_axis(col, -1, col) for col in range(cols)] + [_axis(-1, row, row) for row in range(rows)])
    width, height = (cols + 1) * CELL, (rows + 1) * CELL
    return Markup(
        '<svg class="mask-grid" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{label}">'
        "{heads}{cells}</svg>"
    ).format(w=width, h=height, label=visible(f"mask {name}: {describe_mask(observed)}"), heads=heads, cells=cells)


def describe_mask(observed: np.ndarray) -> str:
    """The mask in words."""
    if not np.isin(observed, (0, 1)).all():
        return (
            f"each entry is observed in {number(float(observed.mean()), 2)} of the samples on average "
            f"({number(float(observed.min()), 2)} to {number(float(observed.max()), 2)})"
        )
    masked = np.argwhere(observed == 0)
    return f"{len(masked)} of {observed.size} entries masked, the same in every sample"


def _cell(row: int, col: int, fraction: float) -> Markup:
    red, green, blue = (int(channel) for channel in np.rint(WHITE + (OBSERVED - WHITE) * fraction))
    fill = f"#{red:02X}{green:02X}{blue:02X}"
    label = {0.0: "·", 1.0: ""}.get(fraction, f"{fraction:.2f}".removeprefix("0"))
    state = {0.0: "masked", 1.0: "observed"}.get(fraction, f"observed in {fraction:.3f} of the samples")
    return Markup(
        '<g><title>{row},{col}: {state}</title><rect x="{x}" y="{y}" width="{s}" height="{s}" fill="{fill}" '
        'stroke="{stroke}"/><text x="{tx}" y="{ty}" fill="{ink}">{label}</text></g>'
    ).format(
        row=row,
        col=col,
        state=state,
        x=(col + 1) * CELL,
        y=(row + 1) * CELL,
        s=CELL,
        fill=fill,
        stroke=INK if fraction == 0 else GRID,
        tx=(col + 1.5) * CELL,
        ty=(row + 1.5) * CELL,
        ink=text_on(fill),
        label=label,
    )


def _axis(col: int, row: int, label: int) -> Markup:
    return Markup('<text x="{x}" y="{y}" fill="{ink}" class="axis">{label}</text>').format(
        x=(col + 1.5) * CELL, y=(row + 1.5) * CELL, ink=MUTED, label=label
    )
