"""A fall of a curve, and whether it stands out from what the curve does besides falling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcinterp.training.levels import Curve, Floats

OUTSTANDING = 5.5
"""A drop is so many times as large as what the rest of the curve wanders by (root mean square) over as long a time."""
COMPARED = 1 / 20
"""Changes are taken between means over at most this fraction of all stretches."""


@dataclass(frozen=True)
class Fall:
    """A fall from a plateau; places are indices of the curve's stretches.

    Attributes:
        first: of the plateau.
        start: last of the plateau.
        end: first on the level after the fall.
        last: of the flat stretch at that level.
        steepest: place on the axis where it falls fastest.
        level: logarithm of the plateau's.
        after: logarithm of the level after it.
        length: of the plateau, in units of the axis.
        duration: from start to end, likewise.
    """

    first: int
    start: int
    end: int
    last: int
    steepest: float
    level: float
    after: float
    length: float
    duration: float

    @property
    def relative(self) -> float:
        """Duration in lengths of the plateau."""
        return self.duration / self.length


def besides(curve: Curve, falls: list[Fall]) -> Floats:
    """Logarithms of the curve without these falls: what lies between their ends left out, and what follows lifted."""
    logs, kept = curve.logs.copy(), np.ones(len(curve), dtype=bool)
    for fall in falls:
        logs[fall.end :] += fall.level - fall.after
        kept[fall.start + 1 : fall.end] = False
    return logs[kept]


def stands_out(fall: Fall, curve: Curve, rest: Floats) -> bool:
    """Whether a fall is much larger than the rest of the curve's changes: a random walk changes all the time."""
    most = max(4, int(COMPARED * len(curve)))
    count, gap = min(fall.start - fall.first + 1, fall.last - fall.end + 1, most), min(fall.end - fall.start, most)
    means = np.convolve(rest, np.ones(count) / count, "valid")
    apart = count + gap - 1
    changes = means[apart:] - means[: len(means) - apart]
    typical = max(_wandering(changes, apart), curve.noise * np.sqrt(2 / count))
    # Those of a walk grow with the root of the time between the means.
    typical *= np.sqrt((fall.end - fall.start + 2 * count / 3) / (gap + 2 * count / 3))
    before, after = curve.logs[fall.start - count + 1 : fall.start + 1], curve.logs[fall.end : fall.end + count]
    return bool(before.mean() - after.mean() >= OUTSTANDING * typical)


def _wandering(changes: Floats, apart: int) -> float:
    """Root mean square of a curve's changes but for what it goes on doing, as a slow decline does after a drop."""
    turns = changes[apart:] - changes[:-apart]
    return float(np.sqrt((turns**2 if len(turns) else 2 * changes**2).mean() / 2))
