"""Blocks without hooks for inference: attention, the heads' outputs and the rest of a block, one at a time.

Same parameters and, to float32 rounding, the same numbers as the hooked forward. Weights are laid out once for a model
that is run many times; they are copies, so that a model whose weights change needs new blocks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.model.causal import CausalTransformer
from mcinterp.model.encoder import Encoder
from mcinterp.model.rotary import turned
from mcinterp.model.shapes import Absent, Answers, ByHead, Pattern, Resid, Tokens, Turns, Z

BYTES = {"cpu": 2**24, "cuda": 2**31}
"""Activations held at a time: what fits a processor's cache, or keeps a GPU busy."""


@dataclass(frozen=True)
class Norm:
    """LayerNorm."""

    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Block:
    """One layer.

    Attributes:
        pre_norm: whether LayerNorms stand before attention and MLP (a causal transformer's), not after the sums (an
            encoder's).
        attention_norm: the first LayerNorm.
        mlp_norm: the second; None in a block of attention alone.
        qkv: W_Q (by √d_head), W_K, W_V.
        qkv_bias: theirs.
        w_out: W_O.
        b_out: b_O.
        mlp: W_in, b_in, W_out, b_out; None in a block of attention alone.
        turns: what queries and keys of each position are turned by; None where positions are learned.
    """

    pre_norm: bool
    attention_norm: Norm
    mlp_norm: Norm | None
    qkv: Float[Tensor, "d_model 3 head d_head"]
    qkv_bias: Float[Tensor, "3 head d_head"]
    w_out: Float[Tensor, "head d_head d_model"]
    b_out: Float[Tensor, " d_model"]
    mlp: tuple[Tensor, Tensor, Tensor, Tensor] | None
    turns: Turns | None = None

    @property
    def n_heads(self) -> int:
        """Heads of the layer."""
        return self.w_out.shape[0]

    def attended(self, resid: Resid) -> Resid:
        """What Q, K and V are made of, from the block's input."""
        return self.attention_norm(resid) if self.pre_norm else resid

    def pattern_and_v(
        self, attended: Resid, absent: Absent | None, heads: Sequence[int] | None = None
    ) -> tuple[Pattern, ByHead]:
        """Softmax probabilities and v, of some or all heads."""
        q, k, v = self.queries_keys_values(attended, heads)
        if self.turns is not None:
            here = self.turns[:, : attended.shape[1]]
            q, k = turned(q, here), turned(k, here)
        scores = q @ k.transpose(-1, -2)
        return (scores if absent is None else scores.add_(absent)).softmax(-1), v

    def queries_keys_values(
        self, attended: Resid, heads: Sequence[int] | None = None
    ) -> Float[Tensor, "3 batch head pos d_head"]:
        """Of some or all heads, q (by √d_head), k and v before positions turn them."""
        n_batch, n_pos, d_model = attended.shape
        weight, bias = self.qkv, self.qkv_bias
        if heads is not None:
            weight, bias = weight[:, :, heads], bias[:, heads]
        flat = torch.addmm(bias.flatten(), attended.flatten(0, 1), weight.reshape(d_model, -1))
        return flat.view(n_batch, n_pos, *bias.shape).permute(2, 0, 3, 1, 4)

    def z(self, attended: Resid, absent: Absent | None, heads: Sequence[int] | None = None) -> Z:
        """Outputs before W_O of some or all heads."""
        pattern, v = self.pattern_and_v(attended, absent, heads)
        return (pattern @ v).transpose(1, 2)

    def z_of_equal_attention(self, seen: Resid, heads: Sequence[int]) -> Z:
        """The same of heads that attend alike to every key they may see: the mean of v is made of the mean input.

        Args:
            seen: what attention reads averaged over the keys that each query may see, (batch, pos or 1, d_model).
            heads: which.
        """
        weight, bias = self.qkv[:, 2, heads], self.qkv_bias[2, heads]
        return (seen @ weight.flatten(1) + bias.flatten()).unflatten(-1, bias.shape)

    def after_attention(self, resid: Resid, z: Z) -> Resid:
        """The block's input plus what attention adds to it."""
        out = torch.addmm(self.b_out, z.reshape(-1, z.shape[2] * z.shape[3]), self.w_out.flatten(0, 1))
        return out.view_as(resid).add_(resid)

    def after_change(self, after_attention: Resid, change: Z, heads: Sequence[int]) -> Resid:
        """`after_attention` when z of `heads` changes by `change`."""
        moved = change.reshape(-1, change.shape[2] * change.shape[3]) @ self.w_out[heads].flatten(0, 1)
        return moved.view_as(after_attention).add_(after_attention)

    def output(self, after_attention: Resid) -> Resid:
        """The block's output, from `after_attention`."""
        if self.mlp_norm is None:
            return after_attention
        if self.pre_norm:
            return self._mlp(self.mlp_norm(after_attention)).add_(after_attention)
        return self.mlp_norm(self.with_mlp(self.attention_norm(after_attention)))

    def with_mlp(self, normalised: Resid) -> Resid:
        """What the MLP makes of its input added to that input."""
        return self._mlp(normalised).add_(normalised)

    def _mlp(self, x: Resid) -> Resid:
        assert self.mlp is not None  # as there is a LayerNorm before or after it
        w_in, b_in, w_out, b_out = self.mlp
        hidden = F.gelu(torch.addmm(b_in, x.flatten(0, 1), w_in))
        return torch.addmm(b_out, hidden, w_out).view_as(x)


class Blocks:
    """A model's blocks with what comes before and after them.

    Args:
        model: its weights are copied as they are now.
    """

    def __init__(self, model: Encoder | CausalTransformer) -> None:
        self.model = model
        self.causal = isinstance(model, CausalTransformer)
        turns = model.rotary if isinstance(model, CausalTransformer) else None
        self.blocks = [_block(block, self.causal, model.model_config.layer_norm_eps, turns) for block in model.blocks]
        self.first, self.last = self._outer_norms()
        self.token, self.position = self._embeddings()

    def _outer_norms(self) -> tuple[Norm | None, Norm | None]:
        """The LayerNorm before the first block, of an encoder, and after the last, of a causal transformer."""
        eps = self.model.model_config.layer_norm_eps
        if isinstance(self.model, CausalTransformer):
            return None, _norm(self.model.ln_final, eps)
        return _norm(self.model.embed.ln, eps), None

    def _embeddings(self) -> tuple[Float[Tensor, "d_vocab d_model"], Float[Tensor, "pos d_model"] | None]:
        """Of tokens and of positions, the latter with an encoder's token type, or None where they are rotary."""
        model = self.model
        if isinstance(model, CausalTransformer):
            return model.embed.W_E.detach(), None if model.rotary is not None else model.pos_embed.W_pos.detach()
        embed = model.embed
        return embed.embed.W_E.detach(), (embed.pos_embed.W_pos + embed.token_type_embed.W_token_type[0]).detach()

    def with_positions(self, order: Sequence[int]) -> Blocks:
        """The same, but position p has the embedding, or the turn, that belongs to position `order[p]`."""
        changed, order = copy.copy(self), list(order)
        if self.position is not None:
            changed.position = self.position[order]
        changed.blocks = [replace(b, turns=None if b.turns is None else b.turns[:, order]) for b in self.blocks]
        return changed

    def parts(self, n: int, kept: int = 0) -> Iterator[slice]:
        """Which of n samples go through together: as many as fit the memory meant for activations.

        Args:
            n: samples.
            kept: numbers a position that are kept besides what a pass needs.
        """
        size = self.at_once(kept)
        return (slice(start, min(start + size, n)) for start in range(0, n, size))

    def at_once(self, kept: int = 0) -> int:
        """How many samples that is, at least one."""
        shape, n_pos = self.model.model_config, self.model.n_positions
        running = 8 * shape.d_model + 2 * shape.d_mlp + 3 * shape.n_heads * n_pos
        return max(1, BYTES[self.token.device.type] // (4 * n_pos * (running + kept)))

    def needed(self, tokens: Tokens) -> Int[Tensor, "batch needed"]:
        """The inputs without those after the last position that is read, which a causal transformer need not run."""
        return tokens[:, : self.model.read_positions.stop]

    def embed(self, tokens: Tokens) -> Resid:
        """The first block's input, from the model's inputs or the first of them."""
        resid = self.embedded(tokens)
        return self.first(resid) if self.first else resid

    def embedded(self, tokens: Tokens) -> Resid:
        """The sum of the embeddings."""
        token = F.embedding(tokens, self.token)
        return token if self.position is None else token + self.position[: tokens.shape[1]]

    def absent(self, tokens: Tokens) -> Absent | None:
        """What is added to attention scores; None where every key is seen."""
        if not self.causal:
            return self.model.padding(tokens)
        n_pos = tokens.shape[1]
        return torch.full((n_pos, n_pos), -torch.inf, device=tokens.device).triu(1)

    def seen(self, attended: Resid, absent: Absent | None) -> Float[Tensor, "batch queries d_model"]:
        """The mean over the keys that each query may see; one for all queries where they may all see the same."""
        if absent is None:
            return attended.mean(1, keepdim=True)
        if self.causal:
            return attended.cumsum(1) / torch.arange(1, attended.shape[1] + 1, device=attended.device)[:, None]
        return absent[:, 0].softmax(-1) @ attended

    def to_read(self, after_attention: Resid) -> Float[Tensor, "batch read d_model"]:
        """The positions whose output in the last block an answer is read from, of a run on `needed` inputs."""
        return after_attention[:, self.model.read_positions]

    def outputs(self, resid: Resid) -> Float[Tensor, "batch pos output"]:
        """Read-outs, one number each, or logits, d_vocab of them, of the last block's output at `to_read`."""
        unembed = self.model.unembed
        return (self.last(resid) if self.last else resid) @ unembed.W_U + unembed.b_U

    def answers(self, outputs: Float[Tensor, "batch read output"]) -> Answers:
        """What the model makes of the outputs at `to_read`."""
        return self.model.answers(outputs)

    @torch.no_grad()
    def complete(self, tokens: Tokens) -> Answers:
        """The answers to the model's inputs, part by part."""
        answers = []
        for samples in self.parts(len(tokens)):
            *_, last = self.residual_stream(self.needed(tokens[samples]))
            answers.append(self.answers(self.outputs(self.to_read(last))))
        return torch.cat(answers)

    @torch.no_grad()
    def residual_stream(self, tokens: Tokens) -> Iterator[Resid]:
        """The residual stream after the embeddings and after each block."""
        resid, absent = self.embed(tokens), self.absent(tokens)
        yield resid
        for block in self.blocks:
            resid = block.output(block.after_attention(resid, block.z(block.attended(resid), absent)))
            yield resid

    @torch.no_grad()
    def patterns(self, tokens: Tokens) -> Iterator[Pattern]:
        """Softmax probabilities of each layer's heads."""
        resid, absent = self.embed(tokens), self.absent(tokens)
        for block in self.blocks[:-1]:
            # The next block's input first, so that between layers only it and the patterns are held.
            pattern, resid = self._through(block, resid, absent)
            yield pattern
        yield self.blocks[-1].pattern_and_v(self.blocks[-1].attended(resid), absent)[0]

    @staticmethod
    def _through(block: Block, resid: Resid, absent: Absent | None) -> tuple[Pattern, Resid]:
        pattern, v = block.pattern_and_v(block.attended(resid), absent)
        return pattern, block.output(block.after_attention(resid, (pattern @ v).transpose(1, 2)))


def _norm(norm: Any, eps: float) -> Norm:
    return Norm(norm.w.detach(), norm.b.detach(), eps)


@torch.no_grad()
def _block(block: Any, pre_norm: bool, eps: float, turns: Turns | None) -> Block:
    attn, mlp = block.attn, getattr(block, "mlp", None)
    scale = attn.W_Q.shape[-1] ** -0.5
    qkv = torch.stack([attn.W_Q * scale, attn.W_K, attn.W_V]).permute(2, 0, 1, 3).contiguous()
    bias = torch.stack([attn.b_Q * scale, attn.b_K, attn.b_V])
    return Block(
        pre_norm,
        _norm(block.ln1, eps),
        None if mlp is None else _norm(block.ln2, eps),
        qkv,
        bias,
        attn.W_O.detach(),
        attn.b_O.detach(),
        None if mlp is None else (mlp.W_in.detach(), mlp.b_in.detach(), mlp.W_out.detach(), mlp.b_out.detach()),
        turns,
    )
