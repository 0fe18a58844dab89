"""What a set of heads is compared with when it is ablated, and whether it stands out from that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb, inf, nan, prod

import numpy as np
from scipy import special

from mcinterp.analysis.statistics import Estimate, Floats, pooled_estimate
from mcinterp.model import Head, HeadSet

Group = tuple[Head, ...]


@dataclass(frozen=True)
class Controls:
    """The sets that a set of heads is compared with: as many heads in the same layers, none of them its own.

    Attributes:
        groups: for a single head all others of its layer; for a set all groups, or a draw of them.
        possible: how many groups there are.
        sizes: of each layer that the set has heads in: how many it has there, and how many it leaves.
        why_none: why there is no group; empty where there is one.
    """

    groups: tuple[HeadSet, ...]
    possible: int
    sizes: tuple[tuple[int, int], ...]
    why_none: str = ""

    @classmethod
    def of(cls, heads: HeadSet, n_heads: int, at_most: int, seed: int) -> Controls:
        """Those of a set in a model with `n_heads` heads a layer; more than `at_most` groups are drawn from."""
        layers = heads.by_layer()
        left = {layer: [head for head in range(n_heads) if head not in own] for layer, own in layers.items()}
        sizes = {layer: len(own) for layer, own in layers.items()}
        pairs = tuple((sizes[layer], len(left[layer])) for layer in layers)
        possible = prod(comb(others, own) for own, others in pairs)
        if not layers or not possible:
            return cls((), 0, pairs, _why_none(heads, pairs))
        every = len(heads) == 1 or possible <= at_most
        groups = _all_groups(sizes, left) if every else _drawn_groups(sizes, left, at_most, seed)
        return cls(tuple(HeadSet("control", group) for group in groups), possible, pairs)

    @property
    def of_one_head(self) -> bool:
        """Whether they are the other heads of a head's layer."""
        return [own for own, _ in self.sizes] == [1]

    def chance(self, value: float, controls: Floats) -> float:
        """How likely a set that is one like these is so far from their mean, by what the heads do, not by the samples.

        Let what heads add be drawn from one normal distribution a layer. Groups of `own` heads out of the `left` ones
        share heads with each other, and so lie closer together than a set beside them does: its squared error as a
        prediction from their mean is (left + own) / (left − own) times the variance over all of them, with the degrees
        of freedom of `left` heads. For one head that is the t interval of one more draw from a normal sample. Of
        several layers the largest factor and the fewest heads count; groups that were drawn add their own error.

        Args:
            value: of the set.
            controls: (control,), of the controls.

        Returns:
            a two-sided p-value; NaN where the controls have no spread that tells of another group's.
        """
        n, unseen = len(controls), 1 - len(controls) / self.possible
        if n < 2 or any(own >= left for own, left in self.sizes):
            return nan
        factor = max((left + own) / (left - own) for own, left in self.sizes) + unseen / n
        variance = np.var(controls, ddof=1) * (1 - 1 / self.possible)
        freedom = 1 / (1 / (min(left for _, left in self.sizes) - 1) + unseen / (n - 1))
        distance, error = abs(value - controls.mean()), np.sqrt(factor * variance)
        statistic = distance / error if error else inf if distance else 0.0
        return float(2 * special.stdtr(freedom, -statistic))


def _why_none(heads: HeadSet, sizes: Sequence[tuple[int, int]]) -> str:
    if not heads.heads:
        return "null control" if heads.name == "none" else "no head in this class"
    if not any(left for _, left in sizes):
        return "no control: no other group of that size"
    return "no control: every group of that size shares heads with it"


def _all_groups(sizes: Mapping[int, int], left: Mapping[int, Sequence[int]]) -> Iterator[Group]:
    by_layer = (
        [[Head(layer, head) for head in part] for part in combinations(left[layer], size)]
        for layer, size in sizes.items()
    )
    return (tuple(head for part in parts for head in part) for parts in product(*by_layer))


def _drawn_groups(
    sizes: Mapping[int, int], left: Mapping[int, Sequence[int]], count: int, seed: int
) -> Iterator[Group]:
    """So many different groups, each as likely as another."""
    generator = np.random.default_rng(seed)
    drawn: dict[Group, None] = {}
    while len(drawn) < count:
        group = (
            Head(layer, int(head))
            for layer, size in sizes.items()
            for head in sorted(generator.choice(left[layer], size, replace=False))
        )
        drawn[tuple(group)] = None
    return iter(drawn)


@dataclass(frozen=True)
class Beside:
    """What ablating a set does beside what ablating its controls does.

    Attributes:
        delta: change of the score by the set.
        controls: (control,), changes by its controls.
        excess: delta minus the mean of the controls', paired over samples; NaN without controls.
        p_value: that the set is one like its controls: the largest of the paired test that the excess is 0, which asks
            the samples, and of `Controls.chance` on two scales, which asks the heads; NaN where one cannot be told.
    """

    delta: Estimate
    controls: Floats
    excess: Estimate
    p_value: float

    @classmethod
    def of(cls, controls: Controls, own: Floats, others: Sequence[Floats], counts: Floats) -> Beside:
        """From changes of the score's sum over each sample, (n,), by the set and by each control, and its counts."""
        delta = pooled_estimate(own, counts)
        if not others:
            absent = np.asarray(nan)
            return cls(delta, np.empty(0), Estimate(absent, absent, absent, absent), nan)
        every = np.stack(others, axis=1)
        excess = pooled_estimate(own - every.mean(1), counts)
        values = pooled_estimate(every, counts).value
        chances = [controls.chance(float(scale(delta.value)), scale(values)) for scale in _scales(excess)]
        return cls(delta, values, excess, float(np.max([float(excess.p_value), *chances])))

    @property
    def above(self) -> bool:
        """Whether the set changes the score by more than every control."""
        return bool(len(self.controls) and self.delta.value > self.controls.max())

    @property
    def below(self) -> bool:
        """Whether the set changes the score by less than every control."""
        return bool(len(self.controls) and self.delta.value < self.controls.min())


def _scales(excess: Estimate) -> list[Callable[[Floats], Floats]]:
    """As it is, and logarithmic.

    Effects of heads are skewed, many small and few large, so that the largest of them would stand out of a normal
    distribution; their logarithms do not. Within the error of sampling, half the excess's interval, asinh is linear.
    """
    unit = float(excess.high - excess.low) / 2
    return [np.asarray, lambda x: np.arcsinh(np.asarray(x) / unit)] if unit > 0 else [np.asarray]
