"""The encoder in numpy, sample by sample and head by head, written from its definition: the passes' judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import erf, softmax

from mcinterp.runs import Checkpoint

Edit = Callable[[int, int, np.ndarray], np.ndarray]


@dataclass
class Trace:
    output: np.ndarray
    patterns: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    z: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    resid: list[np.ndarray] = field(default_factory=list)


def unchanged(layer: int, head: int, value: np.ndarray) -> np.ndarray:
    return value


def run_slowly(
    checkpoint: Checkpoint, tokens: np.ndarray, edit_pattern: Edit = unchanged, edit_z: Edit = unchanged
) -> Trace:
    """One sample's tokens (pos,) through the encoder; edits get (layer, head, value) and return the value to use."""
    weights = {name: w.double().numpy() for name, w in checkpoint.weights.items()}
    shape = checkpoint.config.model
    trace = Trace(np.empty(0))
    x = weights["embed.embed.W_E"][tokens] + weights["embed.pos_embed.W_pos"]
    x = layer_norm(x + weights["embed.token_type_embed.W_token_type"][0], weights, "embed.ln")
    trace.resid.append(x)
    for layer in range(shape.n_layers):
        block = f"blocks.{layer}."
        attn_out = weights[block + "attn.b_O"].copy()
        for head in range(shape.n_heads):
            q, k, v = (x @ weights[f"{block}attn.W_{n}"][head] + weights[f"{block}attn.b_{n}"][head] for n in "QKV")
            pattern = edit_pattern(layer, head, softmax(q @ k.T / np.sqrt(shape.d_head), axis=-1))
            z = edit_z(layer, head, pattern @ v)
            trace.patterns[layer, head], trace.z[layer, head] = pattern, z
            attn_out = attn_out + z @ weights[f"{block}attn.W_O"][head]
        x = layer_norm(x + attn_out, weights, block + "ln1")
        hidden = x @ weights[block + "mlp.W_in"] + weights[block + "mlp.b_in"]
        hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
        x = layer_norm(x + hidden @ weights[block + "mlp.W_out"] + weights[block + "mlp.b_out"], weights, block + "ln2")
        trace.resid.append(x)
    trace.output = (x @ weights["unembed.W_U"] + weights["unembed.b_U"])[:, 0]
    return trace


def layer_norm(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    return centred / scale * weights[f"{name}.w"] + weights[f"{name}.b"]


def mse(outputs: list[np.ndarray], targets: np.ndarray, where: np.ndarray) -> float:
    """Mean squared error over the entries that `where` (n, pos) picks, all samples together."""
    errors = [(o - t)[w] ** 2 for o, t, w in zip(outputs, targets, where, strict=True)]
    return float(np.concatenate(errors).mean())
