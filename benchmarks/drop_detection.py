"""How often the detector of drops is right: false alarms by kind of curve, and drops found and placed.

    python benchmarks/drop_detection.py --curves 200 --seed 1000

Every curve has its own parameters, drawn by the seed, and multiplicative noise. Kinds marked * were not looked at while
the constants were chosen (the seeds looked at were 1, 3, 8 and 10). Intervals are exact binomial ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.stats import binomtest

from mcinterp.training.transition import Transition, find_transitions

Rng = np.random.Generator
NOISES = (0.05, 0.3)
POINTS = (60, 200, 2000, 16000)


def _walk(t: np.ndarray, r: Rng, noise: float) -> np.ndarray:
    return np.cumsum(noise * r.standard_normal(len(t)))


def _walk_of_width(t: np.ndarray, r: Rng, noise: float) -> np.ndarray:
    return np.cumsum(r.standard_normal(len(t))) * r.uniform(0.5, 3) / np.sqrt(len(t)) + noise * r.standard_normal(
        len(t)
    )


def _red(t: np.ndarray, r: Rng, noise: float) -> np.ndarray:
    kept = np.exp(-1 / (r.uniform(0.01, 0.1) * len(t)))
    values = lfilter([np.sqrt(1 - kept**2)], [1, -kept], r.standard_normal(len(t)))
    return values * r.uniform(0.2, 1) + noise * r.standard_normal(len(t))


def _noisy(curve: Callable[[np.ndarray, Rng], np.ndarray]) -> Callable[[np.ndarray, Rng, float], np.ndarray]:
    return lambda t, r, noise: curve(t, r) + noise * r.standard_normal(len(t))


def _dip(t: np.ndarray, r: Rng) -> np.ndarray:
    start = r.uniform(0.1, 0.7)
    return -r.uniform(0.5, 2.3) * ((t > start) & (t < start + r.uniform(0.05, 0.15)))


def _return(t: np.ndarray, r: Rng) -> np.ndarray:
    start = r.uniform(0.1, 0.5)
    return -r.uniform(0.7, 2.3) * ((t > start) & (t < start + r.uniform(0.1, 0.4)))


def _long_decline(t: np.ndarray, r: Rng) -> np.ndarray:
    start = r.uniform(0, 0.4)
    return -r.uniform(0.7, 3) * np.clip((t - start) / 0.6, 0, 1)


WITHOUT = {
    "flat": _noisy(lambda t, r: 0 * t),
    "power law": _noisy(lambda t, r: -r.uniform(0.2, 1.5) * np.log(t + r.choice([0, 0.003, 0.03]))),
    "exponential": _noisy(lambda t, r: np.log(r.choice([0, 0.01, 0.1]) + np.exp(-t / r.uniform(0.05, 1)))),
    "linear": _noisy(lambda t, r: np.log(1 - r.uniform(0.3, 0.99) * t)),
    "dip that recovers": _noisy(_dip),
    "drop and return": _noisy(_return),
    "oscillation": _noisy(lambda t, r: r.uniform(0.2, 1.2) * np.sin(2 * np.pi * (r.uniform(1, 8) * t + r.uniform()))),
    "logarithmic oscillation": _noisy(
        lambda t, r: r.uniform(0.2, 1.2) * np.sin(np.pi * r.uniform(1, 5) * np.log10(1 + t * 10 ** r.uniform(1, 3)))
    ),
    "random walk, the noise a step": _walk,
    "random walk, 0.5 to 3 in all": _walk_of_width,
    "decline over 60 %*": _noisy(_long_decline),
    "half a cosine*": _noisy(lambda t, r: np.log(0.5 + r.uniform(0.2, 0.48) * np.cos(np.pi * t))),
    "stretched exponential*": _noisy(lambda t, r: -r.uniform(1, 4) * t ** r.uniform(0.3, 1)),
    "hyperbola*": _noisy(lambda t, r: -np.log(t + r.uniform(0.02, 0.5))),
    "rising*": _noisy(lambda t, r: r.uniform(0.3, 2) * t),
    "red noise*": _red,
}


@dataclass(frozen=True)
class Steps:
    """Sudden drops: logarithms of the levels after each, how long a fall takes, and what else the curve does.

    Attributes:
        levels: after each drop, of the level before all.
        widest: a fall's longest duration, as a share of the axis.
        sag: how far the plateau has declined where the first drop starts, in logarithms.
        initial: height of a fall in the first hundredth of the axis, likewise.
        geometric: whether the points are spaced evenly in their logarithm, over four decades.
    """

    levels: tuple[float, ...] = (0.1,)
    widest: float = 0.02
    sag: float = 0.0
    initial: float = 0.0
    geometric: bool = False

    def drawn(self, t: np.ndarray, r: Rng) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """Logarithm of a curve over t from 0 to 1, and start and end of each drop."""
        n = len(self.levels)
        wide = 0.47 if n == 1 else 0.1
        starts = [(i + 1) / (n + 1) + r.uniform(-wide, wide) for i in range(n)]
        ends = [start + r.uniform(0, self.widest) for start in starts]
        z, above = -self.sag * np.minimum(t, starts[0]) / starts[0] + self.initial * np.exp(-t / 0.003), 0.0
        for level, start, end in zip(self.levels, starts, ends, strict=True):
            z = z + (np.log(level) - above) * np.clip((t - start) / (end - start), 0, 1)
            above = np.log(level)
        return z, list(zip(starts, ends, strict=True))


WITH = {
    "to 10 %": Steps(),
    "to 26 %": Steps((0.26,)),
    "to 50 %": Steps((0.5,)),
    "to 75 %": Steps((0.75,)),
    "to 75 %, then to 26 %": Steps((0.75, 0.26)),
    "to 30 %, then to 10 %, then to 2 %*": Steps((0.3, 0.1, 0.02)),
    "to 10 %, plateau sagging by 40 %": Steps(sag=0.5),
    "to 10 %, after an initial fall*": Steps(initial=1.2),
    "to 10 %, taking up to 5 %*": Steps(widest=0.05),
}
LOGARITHMIC = {
    "to 10 %, geometric": Steps(geometric=True),
    "to 75 %, then to 26 %, geometric*": Steps((0.75, 0.26), geometric=True),
}


def axis(n: int, geometric: bool) -> tuple[np.ndarray, np.ndarray]:
    """Places of n points, and their share of the (logarithmic) axis."""
    share = (np.arange(n) + 1) / n
    return (10 ** (4 * share), share) if geometric else (np.arange(n) + 1.0, share)


def errors(found: list[Transition], drops: list[tuple[float, float]], x: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Of start, steepest and end, as shares of the axis; (drops, 3)."""
    places = np.array([(drop.start, drop.steepest, drop.end) for drop in found])
    return np.interp(places, x, share) - np.array([(start, (start + end) / 2, end) for start, end in drops])


def interval(count: int, n: int) -> str:
    """A share in percent, with its exact binomial interval."""
    low, high = binomtest(count, n).proportion_ci(method="exact")
    return f"{100 * count / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def alarms(name: str, noise: float, points: int, curves: int, seed: int) -> str:
    """A row of the table of curves without a drop."""
    x, share = axis(points, False)
    count = 0
    for i in range(curves):
        r = np.random.default_rng([seed, i, points, round(100 * noise)])
        z = np.clip(WITHOUT[name](share, r, noise), -600, 600)
        count += bool(find_transitions(x, np.exp(z)))
    return f"| {name} | {100 * noise:.0f} % | {points} | {interval(count, curves)} |"


def detections(name: str, steps: Steps, noise: float, points: int, curves: int, seed: int) -> str:
    """A row of the table of drops."""
    x, share = axis(points, steps.geometric)
    whole, off = 0, []
    for i in range(curves):
        r = np.random.default_rng([seed, i, points, round(100 * noise)])
        z, drops = steps.drawn(share, r)
        found = find_transitions(x, np.exp(z + noise * r.standard_normal(points)))
        if len(found) == len(drops):
            whole += 1
            off.append(np.abs(errors(found, drops, x, share)).max(axis=0))
    near = sum((np.array(off) <= 0.03).all(axis=1)) if off else 0
    worst = np.quantile(np.array(off), 0.98, axis=0) * 100 if off else np.full(3, np.nan)
    placed = " | ".join(f"{value:.1f}" for value in worst)
    row = f"| {name} | {100 * noise:.0f} % | {points} | {interval(whole, curves)}"
    return f"{row} | {interval(int(near), curves)} | {placed} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", type=int, default=200, help="of every kind, noise and number of points")
    parser.add_argument("--seed", type=int, default=1000)
    options = parser.parse_args()
    print(f"{options.curves} curves a row, seed {options.seed}\n")
    print("| without a drop | noise | points | false alarms, % |\n|---|---|---|---|")
    for name in WITHOUT:
        for noise in NOISES:
            for points in POINTS:
                print(alarms(name, noise, points, options.curves, options.seed), flush=True)
    print("\n| drops | noise | points | all found and no other, % | and all within 3 %, % | start | steepest | end |")
    print("|---|---|---|---|---|---|---|---|")
    for name, steps in WITH.items():
        for noise in NOISES:
            for points in POINTS:
                print(detections(name, steps, noise, points, options.curves, options.seed), flush=True)
    for name, steps in LOGARITHMIC.items():
        for noise in NOISES:
            print(detections(name, steps, noise, 40, options.curves, options.seed), flush=True)


if __name__ == "__main__":
    main()
