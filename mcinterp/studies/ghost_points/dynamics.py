"""The one-dimensional system ẋ = r + x² that has to switch on at a set time, and the training of its r.

From x(0) = 0 the state is x(t) = √r · tan(√r t), which leaves every bound at the switch time t* = π/(2√r). At x = 0 the
velocity is lowest, r: for small r > 0 it has no root there, only the *ghost* of one, which holds the state.

The output has to switch at T and is watched until 2T. The loss is |T − t*|/T; where the output does not switch while it
is watched, for r < π²/(16 T²), it is 1 whatever r is, so that nothing can be learned: the no-learning zone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Rate = Floats | float


def optimum(target: ArrayLike) -> Floats:
    """The r that switches at the target time T: π²/(4 T²)."""
    return np.pi**2 / 4 / np.asarray(target, dtype=np.float64) ** 2


def zone_edge(target: ArrayLike) -> Floats:
    """The lowest r from which anything is learned, which switches at 2T: a quarter of the optimum."""
    return optimum(target) / 4


def critical_rate(target: ArrayLike) -> Floats:
    """The learning rate above which a single update can lead into the no-learning zone: 3π⁴/(32 T⁵).

    An update from above the optimum leads to r − η (π/4) r^(−3/2). That grows with r, so that among all r above the
    optimum π²/(4T²) one at the optimum itself would land lowest. The step there is η (π/4) (2T/π)³ = 2ηT³/π², and the
    zone begins ¾ · π²/(4T²) further down; the step is as long as that at η = 3π⁴/(32 T⁵). From between the zone and
    the optimum updates only lead up.
    """
    return 3 * np.pi**4 / 32 / np.asarray(target, dtype=np.float64) ** 5


def switch_time(r: ArrayLike) -> Floats:
    """t* = π/(2√r); infinite for r ≤ 0, where the state comes to rest at −√−r."""
    r = np.asarray(r, dtype=np.float64)
    return np.where(r > 0, np.pi / (2 * np.sqrt(np.where(r > 0, r, 1.0))), np.inf)


def loss(r: ArrayLike, target: ArrayLike) -> Floats:
    """|T − t*|/T, and 1 where the output has not switched by 2T."""
    time, target = switch_time(r), np.asarray(target, dtype=np.float64)
    seen = time <= 2 * target
    return np.where(seen, np.abs(target - np.where(seen, time, 0.0)) / target, 1.0)


def gradient(r: ArrayLike, target: ArrayLike) -> Floats:
    """T times the derivative of the loss by r: (π/4) r^(−3/2) above the optimum, minus that below it, 0 in the zone."""
    time, target = switch_time(r), np.asarray(target, dtype=np.float64)
    time = np.where(time <= 2 * target, time, 0.0)
    # r^(−3/2) is (2 t*/π)³; a time of 0 stands for no gradient.
    return np.sign(target - time) * (2 / np.pi**2) * (time * time * time)


def trained(r: ArrayLike, rate: Rate, target: ArrayLike, epochs: int) -> Floats:
    """The r after so many updates r − rate · gradient; starts, rates and targets are broadcast against each other."""
    r = np.array(np.broadcast_arrays(r, rate, target)[0], dtype=np.float64)
    for _ in range(epochs):
        r = r - rate * gradient(r, target)
    return r


def path(r: ArrayLike, rate: Rate, target: ArrayLike, epochs: int) -> Floats:
    """The same with every r on the way; shape (epochs + 1, …)."""
    r = np.array(np.broadcast_arrays(r, rate, target)[0], dtype=np.float64)
    way = np.empty((epochs + 1, *r.shape))
    way[0] = r
    for epoch in range(epochs):
        way[epoch + 1] = way[epoch] - rate * gradient(way[epoch], target)
    return way


def epochs_between(start: ArrayLike, end: ArrayLike, rate: ArrayLike) -> Floats:
    """Epochs from one r above the optimum down to another, for small updates.

    The updates then follow dr/dk = −η (π/4) r^(−3/2), whose solution is r^(5/2) = r₀^(5/2) − (5π/8) η k.
    """
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    return 8 * (start**2.5 - end**2.5) / (5 * np.pi * np.asarray(rate, dtype=np.float64))


def r_of_loss(value: ArrayLike, target: ArrayLike) -> Floats:
    """The r above the optimum at which the loss has this value below 1: t* = (1 − value) T."""
    return optimum(target) / (1 - np.asarray(value, dtype=np.float64)) ** 2
