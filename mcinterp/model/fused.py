"""Forward passes without hooks: those that training uses.

Same parameters and, to float32 rounding, the same numbers and gradients as the hooked forward; one matrix product for
Q, K and V, and batched products for attention, which at a few dozen positions beat a flash kernel on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mcinterp.model.encoder import MatrixEncoder
from mcinterp.model.gpt import MatrixGPT


def training_forward(model: MatrixEncoder | MatrixGPT) -> Callable[[Tensor], Tensor]:
    """The model's forward pass for training: from a batch's inputs to the output that its task scores."""
    if isinstance(model, MatrixGPT):
        return partial(fused_answer_logits, model)
    return partial(fused_complete, model)


def fused_complete(model: MatrixEncoder, tokens: Tensor) -> Tensor:
    """The answer at every position, as `MatrixEncoder.complete`: token ids (batch, pos) to values (batch, pos)."""
    embed, eps = model.embed, model.model_config.layer_norm_eps
    padding = 0 if model.model_config.mask_embedding == "zero" else None
    token = F.embedding(tokens, embed.embed.W_E, padding_idx=padding)
    position = embed.pos_embed.W_pos + embed.token_type_embed.W_token_type[0]
    resid = _layer_norm(token + position, embed.ln, eps)
    absent = model.padding(tokens)
    for block in model.blocks:
        resid = _layer_norm(resid + _attention(resid, block.attn, absent), block.ln1, eps)
        resid = _layer_norm(resid + _mlp(resid, block.mlp), block.ln2, eps)
    return (resid @ model.unembed.W_U + model.unembed.b_U)[..., 0]


def fused_answer_logits(model: MatrixGPT, tokens: Tensor) -> Tensor:
    """The logits that predict the entries: sequences (batch, pos) to (batch, entries, d_vocab)."""
    eps, padding = model.model_config.layer_norm_eps, 0 if model.model_config.mask_embedding == "zero" else None
    # Nothing is predicted from the last token, so that it need not be read.
    tokens = tokens[:, :-1]
    resid = F.embedding(tokens, model.embed.W_E, padding_idx=padding) + model.pos_embed.W_pos[: tokens.shape[1]]
    n_pos = tokens.shape[1]
    later = torch.full((n_pos, n_pos), -torch.inf, device=tokens.device).triu(1)
    for block in model.blocks:
        resid = resid + _attention(_layer_norm(resid, block.ln1, eps), block.attn, later)
        resid = resid + _mlp(_layer_norm(resid, block.ln2, eps), block.mlp)
    return _layer_norm(resid[:, -model.n_entries :], model.ln_final, eps) @ model.unembed.W_U + model.unembed.b_U


def _layer_norm(x: Tensor, norm: nn.Module, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], norm.w, norm.b, eps)  # type: ignore[arg-type]


def _mlp(resid: Tensor, mlp: nn.Module) -> Tensor:
    """The MLP's output (batch, pos, d_model)."""
    hidden = F.gelu(torch.addmm(mlp.b_in, resid.flatten(0, 1), mlp.W_in))  # type: ignore[arg-type]
    return torch.addmm(mlp.b_out, hidden, mlp.W_out).view_as(resid)  # type: ignore[arg-type]


def _attention(resid: Tensor, attn: nn.Module, absent: Tensor | None) -> Tensor:
    """The attention block's output (batch, pos, d_model), bias included; `absent` is added to the scores."""
    n_batch, n_pos, d_model = resid.shape
    weight = torch.cat([attn.W_Q, attn.W_K, attn.W_V])  # type: ignore[list-item]
    bias = torch.cat([attn.b_Q, attn.b_K, attn.b_V])  # type: ignore[list-item]
    n_heads, d_head = weight.shape[0] // 3, weight.shape[2]
    qkv = torch.addmm(bias.flatten(), resid.flatten(0, 1), weight.transpose(0, 1).reshape(d_model, -1))
    q, k, v = qkv.view(n_batch, n_pos, 3, n_heads, d_head).permute(2, 0, 3, 1, 4)
    scores = (q * d_head**-0.5) @ k.transpose(-1, -2)
    pattern = (scores if absent is None else scores + absent).softmax(-1)
    z = (pattern @ v).transpose(1, 2).reshape(n_batch * n_pos, -1)
    return torch.addmm(attn.b_O, z, attn.W_O.reshape(-1, d_model)).view_as(resid)  # type: ignore[arg-type, operator]
