"""LayerNorms of an encoder with a constant scale: then what embeddings send along the residual stream is linear."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mcinterp.model.blocks import Blocks, Norm


@dataclass(frozen=True)
class FrozenNorms:
    """LayerNorms with their scales fixed to what they are on average.

    A LayerNorm centres a vector, divides it by its standard deviation σ, multiplies it by weights and adds biases. Here
    σ² is replaced by its mean over samples and positions, and the biases are left out: they are part of `means`.
    (The mean of 1/σ would be that of a single vector near 0, such as a blank token's may be.)

    Attributes:
        norms: the embedding's, then both of each block, in the order in which the stream passes them.
        scales: 1/√(mean of σ²) of each.
        means: the input of each block averaged over samples and positions, each (d_model,).
    """

    norms: tuple[Norm, ...]
    scales: tuple[float, ...]
    means: tuple[Tensor, ...]

    @classmethod
    @torch.no_grad()
    def of(cls, blocks: Blocks, tokens: Tensor) -> FrozenNorms:
        """Measure scales and means on inputs (n, pos) of an encoder."""
        assert blocks.first is not None  # an encoder's
        pairs = ((block.attention_norm, block.mlp_norm) for block in blocks.blocks)
        norms = (blocks.first, *(norm for pair in pairs for norm in pair if norm is not None))
        variances = [0.0] * len(norms)
        means = [
            torch.zeros(len(blocks.first.weight), dtype=torch.float64, device=tokens.device) for _ in blocks.blocks
        ]
        for samples in blocks.parts(len(tokens)):
            own, share = tokens[samples], (samples.stop - samples.start) / len(tokens)
            resid, absent = blocks.first(embedded := blocks.embedded(own)), blocks.absent(own)
            variances[0] += share * _variance(embedded, norms[0])
            for layer, block in enumerate(blocks.blocks):
                means[layer] += share * resid.double().mean((0, 1))
                after = block.after_attention(resid, block.z(resid, absent))
                before_mlp_norm = block.with_mlp(block.attention_norm(after))
                variances[2 * layer + 1] += share * _variance(after, norms[2 * layer + 1])
                variances[2 * layer + 2] += share * _variance(before_mlp_norm, norms[2 * layer + 2])
                resid = norms[2 * layer + 2](before_mlp_norm)
        return cls(norms, tuple(variance**-0.5 for variance in variances), tuple(means))

    def read(self, layer: int, embedding: Tensor) -> Tensor:
        """What a sum of embeddings (…, d_model) adds to a block's input along the residual stream alone."""
        return self._through(range(2 * layer + 1), embedding)

    def written(self, layer: int, added: Tensor) -> Tensor:
        """What vectors that attention adds (…, d_model) become at the last block's output along the stream alone."""
        return self._through(range(2 * layer + 1, len(self.norms)), added)

    def _through(self, which: range, x: Tensor) -> Tensor:
        for index in which:
            x = (x - x.mean(-1, keepdim=True)) * self.scales[index] * self.norms[index].weight.double()
        return x


def _variance(x: Tensor, norm: Norm) -> float:
    """The mean of σ² over all vectors of x (…, d_model)."""
    return float(x.double().var(-1, unbiased=False).mean()) + norm.eps
