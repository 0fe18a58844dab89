"""A mask drawn as a small grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from markupsafe import Markup

from mcinterp.report.numbers import listed, number
from mcinterp.report.palette import GRID, INK, MUTED, text_on
from mcinterp.report.parts import Picture, visible
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.task.masks import MaskLike, observed_mask

CELL = 30
SMALL = 34
"""Width or height of a drawing without numbers, the larger of the two, in pixels."""
OBSERVED = np.array((0x56, 0xB4, 0xE9))
WHITE = np.array((255, 255, 255))


def mask_picture(attention: Result, family: str) -> Picture:
    """The mask of a family of inputs, from a stored result of the attention pass."""
    observed = attention.arrays["observed"][list(attention.facts["masks"]).index(family)]
    return Picture(
        draw_mask(observed, family),
        describe_mask(observed),
        "Blue: observed; white: masked.",
        mask_title(family),
        draw_small(observed),
        # In a sequence the entries come first.
        np.flatnonzero(observed == 0).tolist(),
        "masked",
    )


def mask_name(attention: Result, mask: MaskLike) -> str:
    """The name in a stored result of the attention pass of a mask drawn by hand; '' where it is not among them."""
    observed = attention.arrays["observed"]
    drawn = observed_mask(mask, *observed.shape[1:]).numpy()
    found = (name for name, own in zip(attention.facts["masks"], observed, strict=True) if (own == drawn).all())
    return str(next(found, ""))


def mask_title(name: str) -> str:
    """A mask's name in words; names that somebody gave are their own."""
    kind, _, detail = name.partition(":")
    return _TITLES[kind](detail) if kind in _TITLES else name


def _lines(what: str) -> Callable[[str], str]:
    return lambda detail: f"{what}{'s' if ',' in detail else ''} {listed(detail.split(','))} masked"


def _block(detail: str) -> str:
    rows, cols = detail.split(",")
    return f"rows {rows} × columns {cols} masked".replace("-", "–")


def _masked_rows(detail: str) -> str:
    parts = detail.split(",")
    rows = listed([part.partition("@")[0] for part in parts])
    left = listed([part.replace("@", ",") for part in parts])
    return f"row{'s' if len(parts) > 1 else ''} {rows} masked but for {left}"


def _column_run(detail: str) -> str:
    run, comma, hole = detail.partition(",")
    column, _, rows = run.partition("@")
    rest = f", column {hole} in its first and last row" if comma else ""
    return f"column {column} observed in rows {rows.replace('-', '–')}{rest}"


_TITLES: dict[str, Callable[[str], str]] = {
    "random": lambda _: "random masks",
    "none": lambda _: "nothing masked",
    "rows": _lines("row"),
    "cols": _lines("column"),
    "block": _block,
    "checkerboard": lambda _: "checkerboard",
    "one-per-row": lambda _: "one observed entry a row",
    "masked-rows": _masked_rows,
    "column-run": _column_run,
    "drawn": lambda _: "drawn by hand",
}
"""By kind of mask (see `task.masks`), from its detail to words."""


def draw_small(observed: np.ndarray) -> Markup:
    """The mask without numbers, for a button that names it."""
    rows, cols = observed.shape
    cells = Markup().join(
        Markup('<rect x="{}" y="{}" width="1" height="1" fill="{}"/>').format(col, row, _fill(float(fraction)))
        for (row, col), fraction in np.ndenumerate(observed)
    )
    return Markup(
        '<svg class="mask-small" viewBox="0 0 {c} {r}" width="{w:.4g}" height="{h:.4g}" aria-hidden="true" '
        'stroke="{line}" stroke-width="{thin:.2g}">{cells}</svg>'
    ).format(
        c=cols,
        r=rows,
        w=SMALL * cols / max(rows, cols),
        h=SMALL * rows / max(rows, cols),
        line=MUTED,
        thin=max(rows, cols) / SMALL / 2,
        cells=cells,
    )


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
    fill = _fill(fraction)
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


def _fill(fraction: float) -> str:
    """The colour of an entry that is observed in a share of the samples."""
    red, green, blue = (int(channel) for channel in np.rint(WHITE + (OBSERVED - WHITE) * fraction))
    return f"#{red:02X}{green:02X}{blue:02X}"


def _axis(col: int, row: int, label: int) -> Markup:
    return Markup('<text x="{x}" y="{y}" fill="{ink}" class="axis">{label}</text>').format(
        x=(col + 1.5) * CELL, y=(row + 1.5) * CELL, ink=MUTED, label=label
    )
