"""How often verdicts on ablations are false, and how often a head that matters is found.

python benchmarks/ablation_verdicts.py [PAGES]. Every page has two layers of 8 heads, each ablated alone by four
methods, and three sets of heads, on 512 samples. What a head adds to a sample's error is a scale of the sample,
lognormal with a skewness of 6.2, times the head's effect plus noise: one part that all share, one of the head, and one
of head and method. What a set does is the sum of what its heads do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mcinterp.analysis.passes.ablation_controls import Beside, Controls
from mcinterp.analysis.passes.ablation_verdicts import verdicts
from mcinterp.analysis.statistics import share_estimate
from mcinterp.model import HeadSet

METHODS, LAYERS, HEADS, SAMPLES = 4, 2, 8, 512
CLEAN, BIG, SPECIAL = 10.0, 10.0, (1, 3)
SETS = [HeadSet.parse(name, LAYERS, HEADS) for name in ("L0H0,L0H5", "L1H3,L1H4,L1H6", "L0H1,L0H2,L1H7")]
SINGLES = [HeadSet.parse(f"L{layer}H{head}", LAYERS, HEADS) for layer in range(LAYERS) for head in range(HEADS)]
CONTROLS = [(heads, Controls.of(heads, HEADS, 20, seed=0)) for heads in (*SETS, *SINGLES)]
Floats = NDArray[np.float64]
Effects = Callable[[np.random.Generator], Floats]
"""Draws the effects of a page, (method, layer, head), where the mean effect is 1."""


def same(generator: np.random.Generator) -> Floats:
    """Every head does the same."""
    return np.ones((METHODS, LAYERS, HEADS))


def normal(generator: np.random.Generator, spread: float) -> Floats:
    """Effects from a normal distribution with a mean of 1, of a head under several methods correlated by 0.64."""
    head, own = generator.normal(size=(1, LAYERS, HEADS)), generator.normal(size=(METHODS, LAYERS, HEADS))
    return 1 + spread * (0.8 * head + 0.6 * own)


def exponential(generator: np.random.Generator, mean: float) -> Floats:
    """Many small effects and a few large ones; a fifth apart from method to method."""
    apart = np.exp(0.2 * generator.normal(size=(METHODS, LAYERS, HEADS)))
    return mean * generator.exponential(size=(1, LAYERS, HEADS)) * apart


def one_is_big(generator: np.random.Generator, spread: float, others: float = 1.0) -> Floats:
    """One head does ten times what the others do, whose effects are spread by so many times their mean."""
    effects = others * np.abs(1 + spread * generator.normal(size=(1, LAYERS, HEADS)))
    effects = np.repeat(effects, METHODS, axis=0)
    effects[:, *SPECIAL] = BIG
    return effects


def lognormal(generator: np.random.Generator) -> Floats:
    """The same with a longer tail: the standard deviation of the logarithm is 1."""
    apart = np.exp(0.2 * generator.normal(size=(METHODS, LAYERS, HEADS)))
    return generator.lognormal(0.0, 1.0, (1, LAYERS, HEADS)) * apart


NULLS: Mapping[str, Effects] = {
    "all heads the same": same,
    "normal, spread 0.3 of the mean": partial(normal, spread=0.3),
    "normal, spread 3 times the mean": partial(normal, spread=3.0),
    "exponential, mean 1": partial(exponential, mean=1.0),
    "exponential, mean 5": partial(exponential, mean=5.0),
    "lognormal": lognormal,
}
ALTERNATIVES: Mapping[str, Effects] = {
    **{
        f"10 times the others, spread {spread:g} of their mean": partial(one_is_big, spread=spread)
        for spread in (0, 0.25, 0.5, 0.75)
    },
    "the others do nothing": partial(one_is_big, spread=0.0, others=0.0),
}


def changes(generator: np.random.Generator, effects: Floats) -> Floats:
    """What each sample's error changes by, (method, layer, head, sample)."""
    shape = np.array([METHODS, LAYERS, HEADS, SAMPLES])
    scale = generator.lognormal(-0.5, 1.0, SAMPLES)
    shared, of_head, own = (
        generator.normal(size=np.where(np.array(varies), shape, 1))
        for varies in ((0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 1, 1))
    )
    return scale * (effects[..., None] + 1.5 * shared + 1.8 * of_head + 1.8 * own)


def page(generator: np.random.Generator, draw: Effects) -> list[tuple[HeadSet, str]]:
    """Every set of a page with its verdict."""
    changed, counts = changes(generator, draw(generator)), np.ones(SAMPLES)
    cases = [(heads, controls, method) for method in changed for heads, controls in CONTROLS]
    beside = [
        (controls, Beside.of(controls, _of(method, heads), [_of(method, group) for group in controls.groups], counts))
        for heads, controls, method in cases
    ]
    return [(case[0], verdict.words) for case, verdict in zip(cases, verdicts(beside, CLEAN), strict=True)]


def _of(method: Floats, heads: HeadSet) -> Floats:
    return np.sum([method[head.layer, head.head] for head in heads], axis=0)


def told(words: str) -> bool:
    """Whether a verdict says that a set stands out."""
    return "every control" in words


def false_pages(draw: Effects, pages: int, seed: int) -> int:
    """Of so many pages on which no head is special, those with any verdict that one, or a set, stands out."""
    generator = np.random.default_rng(seed)
    return sum(any(told(words) for _, words in page(generator, draw)) for _ in range(pages))


def found(draw: Effects, pages: int, seed: int) -> tuple[float, float]:
    """Of the special head's ablations the share in which it is found, and the mean share of a page's false verdicts."""
    generator, hits, false = np.random.default_rng(seed), 0, 0.0
    for _ in range(pages):
        outstanding = [heads.heads for heads, words in page(generator, draw) if told(words)]
        hits += outstanding.count((SPECIAL,))
        false += sum(SPECIAL not in heads for heads in outstanding) / max(1, len(outstanding))
    return hits / (pages * METHODS), false / pages


def nulls(pages: int, seed: int = 0) -> Iterator[str]:
    """The table of pages on which no head is special, row by row."""
    yield f"| effects of heads | of {pages} pages, with a false verdict |\n|---|---|"
    for name, draw in NULLS.items():
        yield f"| {name} | {_share(false_pages(draw, pages, seed), pages)} |"


def special(pages: int, seed: int = 0) -> Iterator[str]:
    """The table of pages on which one head is, row by row."""
    yield "| one head does | it is found | of a page's verdicts are false |\n|---|---|---|"
    for name, draw in ALTERNATIVES.items():
        hits, false = found(draw, pages, seed)
        yield f"| {name} | {100 * hits:.1f} % | {100 * false:.1f} % |"


def _share(count: int, n: int) -> str:
    share = share_estimate(count, n)
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}] %"


if __name__ == "__main__":
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for line in chain(nulls(pages), [""], special(pages)):
        print(line, flush=True)
