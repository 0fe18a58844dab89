"""Forward passes without hooks: those that training uses.

Same parameters and, to float32 rounding, the same numbers and gradients as the hooked forward. One product for Q, K
and V; attention in batched products with a backward pass written by hand, which at a few dozen positions beat a flash
kernel on a CPU: autograd's copies Q, K and V and each of their gradients once more, and multiplies patterns by what is
a few numbers wide, for which the library has no fast kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mcinterp.model.causal import CausalTransformer
from mcinterp.model.encoder import Encoder, PaddedEmbed
from mcinterp.model.plain import PlainModel
from mcinterp.model.rotary import turned
from mcinterp.model.shapes import Absent, Answers, Resid, Tokens, Turns, Z


def training_forward(model: Encoder | CausalTransformer | PlainModel) -> Callable[[Tensor], Tensor]:
    """The model's forward pass for training: from a batch's inputs to the output that its task scores."""
    if isinstance(model, CausalTransformer):
        return partial(fused_answer_logits, model)
    if isinstance(model, Encoder):
        return partial(fused_complete, model)
    return model


def fused_complete(model: Encoder, tokens: Tokens) -> Answers:
    """The answer at every position, as `Encoder.complete`."""
    embed, eps = model.embed, model.model_config.layer_norm_eps
    padding = 0 if isinstance(embed.embed, PaddedEmbed) else None
    token = F.embedding(tokens, embed.embed.W_E, padding_idx=padding)
    position = embed.pos_embed.W_pos + embed.token_type_embed.W_token_type[0]
    resid = _layer_norm(token + position, embed.ln, eps)
    absent = model.padding(tokens)
    for block in model.blocks:
        resid = _layer_norm(resid + _attention(resid, block.attn, absent), block.ln1, eps)
        resid = _layer_norm(resid + _mlp(resid, block.mlp), block.ln2, eps)
    return (resid @ model.unembed.W_U + model.unembed.b_U)[..., 0]


def fused_answer_logits(model: CausalTransformer, tokens: Tokens) -> Float[Tensor, "batch read d_vocab"]:
    """The logits of the next token at the positions that the model is read at."""
    eps, padding = model.cfg.eps, 0 if isinstance(model.embed, PaddedEmbed) else None
    # Nothing is read from what comes later, so that it need not be run.
    tokens = tokens[:, : model.read_positions.stop]
    resid, n_pos = F.embedding(tokens, model.embed.W_E, padding_idx=padding), tokens.shape[1]
    turns = None if model.rotary is None else model.rotary[:, :n_pos]
    if turns is None:
        resid = resid + model.pos_embed.W_pos[:n_pos]
    later = torch.full((n_pos, n_pos), -torch.inf, device=tokens.device).triu(1)
    for block in model.blocks:
        resid = resid + _attention(_layer_norm(resid, block.ln1, eps), block.attn, later, turns)
        if not model.cfg.attn_only:
            resid = resid + _mlp(_layer_norm(resid, block.ln2, eps), block.mlp)
    resid = _layer_norm(resid[:, model.read_positions], model.ln_final, eps)
    return resid @ model.unembed.W_U + model.unembed.b_U


def _layer_norm(x: Resid, norm: nn.Module, eps: float) -> Resid:
    return F.layer_norm(x, x.shape[-1:], norm.w, norm.b, eps)  # type: ignore[arg-type]


def _mlp(resid: Resid, mlp: nn.Module) -> Resid:
    """The MLP's output."""
    hidden = F.gelu(torch.addmm(mlp.b_in, resid.flatten(0, 1), mlp.W_in))  # type: ignore[arg-type]
    return torch.addmm(mlp.b_out, hidden, mlp.W_out).view_as(resid)  # type: ignore[arg-type]


def _attention(resid: Resid, attn: nn.Module, absent: Absent | None, turns: Turns | None = None) -> Resid:
    """The attention block's output, bias included."""
    n_batch, n_pos, d_model = resid.shape
    n_heads, _, d_head = attn.W_Q.shape
    # The scale of the scores is applied to the weights of Q, of which there are fewest numbers.
    weight = torch.cat([attn.W_Q * d_head**-0.5, attn.W_K, attn.W_V])  # type: ignore[list-item]
    bias = torch.cat([attn.b_Q * d_head**-0.5, attn.b_K, attn.b_V])  # type: ignore[list-item]
    qkv = torch.addmm(bias.flatten(), resid.flatten(0, 1), weight.transpose(0, 1).reshape(d_model, -1))
    z = _Attend.apply(qkv.view(n_batch, n_pos, 3, n_heads, d_head), absent, turns)
    return torch.addmm(attn.b_O, z.flatten(0, 1).flatten(1), attn.W_O.reshape(-1, d_model)).view_as(resid)  # type: ignore[arg-type, operator]


class _Attend(torch.autograd.Function):
    """From Q (with the scale of the scores), K and V to z; `absent` and `turns` get no gradient."""

    @staticmethod
    def forward(
        ctx: Any, qkv: Float[Tensor, "batch pos 3 head d_head"], absent: Absent | None, turns: Turns | None
    ) -> Z:
        n_batch, n_pos, _, n_heads, d_head = qkv.shape
        by_head = qkv.permute(2, 0, 3, 1, 4).reshape(3, -1, n_pos, d_head)
        q, k, v = by_head
        if turns is not None:
            q, k = turned(by_head[:2], turns)
        scores = torch.bmm(q, k.mT)
        if absent is not None:
            scores.view(n_batch, n_heads, n_pos, n_pos).add_(absent)
        # Autocast has a softmax in float32 on a GPU and in the scores' precision on a CPU; products want their own.
        pattern = scores.softmax(-1).to(scores.dtype)
        ctx.save_for_backward(q, k, v, pattern, turns)
        z = _product(pattern, v)
        return z.unflatten(0, (n_batch, n_heads)).transpose(1, 2).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_z: Z) -> tuple[Float[Tensor, "batch pos 3 head d_head"], None, None]:
        q, k, v, pattern, turns = ctx.saved_tensors
        n_batch, n_pos, n_heads, d_head = grad_z.shape
        grad_z = grad_z.transpose(1, 2).reshape(-1, n_pos, d_head)
        grad_pattern = torch.bmm(grad_z, v.mT)
        grad_scores = torch._softmax_backward_data(grad_pattern, pattern, -1, pattern.dtype)
        grads = [_product(grad_scores, k), _product(grad_scores.mT, q), _product(pattern.mT, grad_z)]
        if turns is not None:
            # A turn's transpose is the turn back, by the same cosines and the negative sines.
            back = torch.stack([turns[0], -turns[1]])
            grads[:2] = [turned(each, back) for each in grads[:2]]
        grad = grad_z.new_empty(n_batch, n_pos, 3, n_heads, d_head)
        for i, each in enumerate(grads):
            grad[:, :, i] = each.unflatten(0, (n_batch, n_heads)).transpose(1, 2)
        return grad, None, None


def _product(
    pattern: Float[Tensor, "heads pos pos"], x: Float[Tensor, "heads pos d_head"]
) -> Float[Tensor, "heads pos d_head"]:
    """Their product, turned over where heads are narrow, which the library multiplies several times as fast."""
    return torch.bmm(pattern, x) if x.shape[-1] > 8 else torch.bmm(x.mT, pattern.mT).mT
