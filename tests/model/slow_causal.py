"""A causal transformer in numpy, float64, one sequence, query and head at a time, after the published formulas."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mcinterp.model.causal import CausalTransformer

Floats = NDArray[np.float64]


def slow_logits(model: CausalTransformer, tokens: list[int]) -> Floats:
    """Logits of the next token at every position of one sequence, (pos, d_vocab)."""
    w = {name: weight.double().numpy() for name, weight in model.weights().items()}
    config = model.model_config
    resid = [w["embed.W_E"][token].copy() for token in tokens]
    if config.positions == "learned":
        resid = [x + w["pos_embed.W_pos"][position] for position, x in enumerate(resid)]
    for layer in range(config.n_layers):
        at = f"blocks.{layer}."
        read = [layer_norm(x, w[f"{at}ln1.w"], w[f"{at}ln1.b"], config.layer_norm_eps) for x in resid]
        added = attention({name.removeprefix(f"{at}attn."): each for name, each in w.items()}, read, config.positions)
        resid = [x + each for x, each in zip(resid, added, strict=True)]
        if not config.attention_only:
            read = [layer_norm(x, w[f"{at}ln2.w"], w[f"{at}ln2.b"], config.layer_norm_eps) for x in resid]
            hidden = [gelu(x @ w[f"{at}mlp.W_in"] + w[f"{at}mlp.b_in"]) for x in read]
            resid = [x + h @ w[f"{at}mlp.W_out"] + w[f"{at}mlp.b_out"] for x, h in zip(resid, hidden, strict=True)]
    final = [layer_norm(x, w["ln_final.w"], w["ln_final.b"], config.layer_norm_eps) for x in resid]
    unembedding = w["embed.W_E"].T if config.tied else w["unembed.W_U"]
    return np.stack([x @ unembedding for x in final])


def attention(w: dict[str, Floats], read: list[Floats], positions: str) -> list[Floats]:
    """What attention adds at every position."""
    n_heads, _, d_head = w["W_Q"].shape
    out = []
    for query in range(len(read)):
        total = w["b_O"].copy()
        for head in range(n_heads):
            q, *keys = (
                project(read[position], w[f"W_{kind}"][head], w[f"b_{kind}"][head], position, positions)
                for kind, position in [("Q", query), *(("K", key) for key in range(query + 1))]
            )
            scores = np.array([q @ key for key in keys]) / math.sqrt(d_head)
            pattern = np.exp(scores - scores.max())
            pattern /= pattern.sum()
            values = [read[key] @ w["W_V"][head] + w["b_V"][head] for key in range(query + 1)]
            z = sum(share * value for share, value in zip(pattern, values, strict=True))
            total += z @ w["W_O"][head]
        out.append(total)
    return out


def project(x: Floats, weight: Floats, bias: Floats, position: int, positions: str) -> Floats:
    """A query or key; with rotary positions its pairs, as complex numbers, times e^(i · position · speed)."""
    projected = x @ weight + bias
    if positions == "learned":
        return projected
    half = len(projected) // 2
    speeds = 10000.0 ** (-np.arange(half) / half)
    numbers = (projected[:half] + 1j * projected[half:]) * np.exp(1j * position * speeds)
    return np.concatenate([numbers.real, numbers.imag])


def layer_norm(x: Floats, weight: Floats, bias: Floats, eps: float) -> Floats:
    """Centred, divided by its standard deviation, times weights, plus biases."""
    centred = x - x.mean()
    return centred / np.sqrt((centred**2).mean() + eps) * weight + bias


def gelu(x: Floats) -> Floats:
    """x Φ(x)."""
    return np.array([each * 0.5 * (1 + math.erf(each / math.sqrt(2))) for each in x])
