"""What the head taxonomy measures of attention patterns, sample by sample: scores of classes, attention by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mcinterp.analysis.passes.position_blocks import block_attention
from mcinterp.analysis.sections import transformer
from mcinterp.analysis.statistics import Floats
from mcinterp.model.blocks import Blocks
from mcinterp.model.interventions import uniform_attention
from mcinterp.runs import Checkpoint
from mcinterp.task.inside import AverageMaps, HeadClasses

Groups = Mapping[str, Sequence[int]]
"""By what positions are grouped, and the group of each."""
PatternsOf = Callable[[slice], Iterator[Sequence[Tensor]]]
"""From some of the samples to their patterns, layer by layer, under each condition: (sample, head, query, key)."""
BYTES = 2**30
"""Memory meant for the patterns of a layer under all conditions. Where it is not enough, the model runs three times,
part by part: for the average pattern, for how single ones lie about it, and for the scores."""


@dataclass(frozen=True)
class Patterns:
    """Attention patterns of heads under every condition, in parts.

    Attributes:
        inputs: under each condition, of the same samples, (sample, pos).
        of: from some of the samples to their patterns.
        parts: the samples, in order.
    """

    inputs: Sequence[Tensor]
    of: PatternsOf
    parts: Sequence[slice]

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, classes: HeadClasses, samples: int, seed: int) -> Patterns:
        """The checkpoint's attention on the same samples under all conditions."""
        shape, n_pos = transformer(checkpoint.config), checkpoint.model.n_positions
        blocks = Blocks(checkpoint.model)
        inputs = [checkpoint.sample(samples, seed, **choice).inputs for choice in classes.conditions.values()]
        # Two layers' patterns, as one layer's are given up when the next one's are there, and the residual stream.
        one_condition = 4 * n_pos * (2 * shape.n_heads * n_pos + shape.d_model)
        size = max(1, BYTES // (len(inputs) * one_condition))

        def patterns_of(part: slice) -> Iterator[Sequence[Tensor]]:
            # All conditions side by side, so that all patterns of a layer are there together.
            return zip(*(blocks.patterns(each[part]) for each in inputs), strict=True)

        return cls(inputs, patterns_of, parts_of(samples, size))

    @classmethod
    def of_uniform_head(cls, inputs: Sequence[Tensor], causal: bool) -> Patterns:
        """One head that attends uniformly to what it may see, on the first of some samples."""
        uniform = uniform_attention(inputs[0].shape[1], causal)[None, None]
        return cls([own[:1].cpu() for own in inputs], lambda part: iter([[uniform] * len(inputs)]), [slice(0, 1)])

    @property
    def n(self) -> int:
        """Samples."""
        return self.parts[-1].stop


def parts_of(samples: int, size: int) -> list[slice]:
    """Samples in parts of a size, the last of what is left."""
    return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


@dataclass(frozen=True)
class Measured:
    """What is measured of heads, heads of all layers in one axis.

    Attributes:
        scores: by class, (sample, head).
        places: of classes that a head has to keep to everywhere, (sample, head, place).
        blocks: by what positions are grouped, under the first condition, (sample, head, group of query, group of key).
    """

    scores: Mapping[str, Floats]
    places: Mapping[str, Floats]
    blocks: Mapping[str, Floats]

    @classmethod
    def of(cls, patterns: Patterns, classes: HeadClasses, groups: Groups) -> Measured:
        """Measure, part by part."""
        averages = _averages(patterns) if len(patterns.parts) > 1 else None
        parts = [_measure_part(patterns, part, classes, groups, averages) for part in patterns.parts]
        return cls(*(_joined([part[at] for part in parts]) for at in range(3)))


def average_maps(under_each: Sequence[Tensor]) -> AverageMaps:
    """Of the patterns of a layer under each condition, all samples at once."""
    mean = _mean(under_each)
    return AverageMaps(mean, _mean(torch.sign(patterns - mean) for patterns in under_each), len(under_each[0]))


def _mean(under_each: Iterable[Tensor]) -> Tensor:
    return torch.stack([patterns.mean(0) for patterns in under_each]).mean(0)


def _averages(patterns: Patterns) -> list[AverageMaps]:
    """Each layer's average over all samples and conditions."""
    means = _over_parts(patterns, lambda layer, under_each: _mean(under_each))
    leanings = _over_parts(
        patterns, lambda layer, under_each: _mean(torch.sign(own - means[layer]) for own in under_each)
    )
    return [AverageMaps(mean, leaning, patterns.n) for mean, leaning in zip(means, leanings, strict=True)]


def _over_parts(patterns: Patterns, measure: Callable[[int, Sequence[Tensor]], Tensor]) -> list[Tensor]:
    """The mean over samples of what is measured of each layer's patterns, part by part."""
    shares = [
        [measure(layer, own) * ((part.stop - part.start) / patterns.n) for layer, own in enumerate(patterns.of(part))]
        for part in patterns.parts
    ]
    return [torch.stack(layer).sum(0) for layer in zip(*shares, strict=True)]


def _measure_part(
    patterns: Patterns,
    part: slice,
    classes: HeadClasses,
    groups: Groups,
    averages: Sequence[AverageMaps] | None,
) -> list[dict[str, Floats]]:
    """Scores, places and blocks of some of the samples."""
    inputs = [each[part] for each in patterns.inputs]
    by_layer = [
        (
            classes.layer_scores(own, inputs, averages[layer] if averages else average_maps(own)),
            classes.place_scores(own),
            {name: block_attention(own[0], group) for name, group in groups.items()},
        )
        for layer, own in enumerate(patterns.of(part))
    ]
    return [_heads_joined(measure) for measure in zip(*by_layer, strict=True)]


def _heads_joined(by_layer: Sequence[Mapping[str, Tensor]]) -> dict[str, Floats]:
    return {name: torch.cat([own[name] for own in by_layer], 1).double().cpu().numpy() for name in by_layer[0]}


def _joined(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
