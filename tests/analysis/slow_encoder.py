"""The models in numpy, sample by sample and head by head, written from their definitions: the passes' judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import erf, softmax

from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig

Edit = Callable[[int, int, np.ndarray], np.ndarray]


@dataclass
class Trace:
    output: np.ndarray
    patterns: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    z: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    resid: list[np.ndarray] = field(default_factory=list)
    logits: np.ndarray = field(default_factory=lambda: np.empty(0))


def unchanged(layer: int, head: int, value: np.ndarray) -> np.ndarray:
    return value


def run_slowly(
    checkpoint: Checkpoint, tokens: np.ndarray, edit_pattern: Edit = unchanged, edit_z: Edit = unchanged
) -> Trace:
    """One sample's tokens (pos,) through the encoder; edits get (layer, head, value) and return the value to use."""
    if checkpoint.config.model.architecture == "gpt":
        return run_gpt_slowly(checkpoint, tokens, edit_pattern, edit_z)
    weights = {name: w.double().numpy() for name, w in checkpoint.weights.items()}
    shape = checkpoint.config.model
    trace, edits = Trace(np.empty(0)), (edit_pattern, edit_z)
    x = weights["embed.embed.W_E"][tokens] + weights["embed.pos_embed.W_pos"]
    x = layer_norm(x + weights["embed.token_type_embed.W_token_type"][0], weights, "embed.ln")
    trace.resid.append(x)
    for layer in range(shape.n_layers):
        x = layer_norm(x + _attention(x, weights, layer, shape, trace, edits), weights, f"blocks.{layer}.ln1")
        x = layer_norm(x + _mlp(x, weights, layer), weights, f"blocks.{layer}.ln2")
        trace.resid.append(x)
    trace.output = (x @ weights["unembed.W_U"] + weights["unembed.b_U"])[:, 0]
    return trace


def run_gpt_slowly(
    checkpoint: Checkpoint, tokens: np.ndarray, edit_pattern: Edit = unchanged, edit_z: Edit = unchanged
) -> Trace:
    """The same of a GPT and a sequence's tokens; the outputs are the values of the most probable value tokens."""
    weights = {name: w.double().numpy() for name, w in checkpoint.weights.items()}
    task, trace = checkpoint.config.task, Trace(np.empty(0))
    x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: len(tokens)]
    trace.resid.append(x)
    for layer in range(checkpoint.config.model.n_layers):
        read = layer_norm(x, weights, f"blocks.{layer}.ln1")
        x = x + _attention(read, weights, layer, checkpoint.config.model, trace, (edit_pattern, edit_z), causal=True)
        x = x + _mlp(layer_norm(x, weights, f"blocks.{layer}.ln2"), weights, layer)
        trace.resid.append(x)
    trace.logits = layer_norm(x, weights, "ln_final") @ weights["unembed.W_U"] + weights["unembed.b_U"]
    # Position p predicts the token at p + 1: those of the entries begin behind the separator.
    predicts = trace.logits[task.n_entries : 2 * task.n_entries, 1 : task.n_values + 1]
    trace.output = task.v_min + predicts.argmax(-1) / 10**task.decimals
    return trace


def _attention(
    x: np.ndarray,
    weights: dict[str, np.ndarray],
    layer: int,
    shape: ModelConfig,
    trace: Trace,
    edits: tuple[Edit, Edit],
    causal: bool = False,
) -> np.ndarray:
    """What the heads of a layer add, head by head."""
    name, (edit_pattern, edit_z) = f"blocks.{layer}.attn.", edits
    out = weights[name + "b_O"].copy()
    for head in range(shape.n_heads):
        q, k, v = (x @ weights[f"{name}W_{n}"][head] + weights[f"{name}b_{n}"][head] for n in "QKV")
        scores = q @ k.T / np.sqrt(shape.d_head)
        if causal:
            scores[np.triu_indices(len(scores), 1)] = -np.inf
        pattern = edit_pattern(layer, head, softmax(scores, axis=-1))
        z = edit_z(layer, head, pattern @ v)
        trace.patterns[layer, head], trace.z[layer, head] = pattern, z
        out = out + z @ weights[name + "W_O"][head]
    return out


def _mlp(x: np.ndarray, weights: dict[str, np.ndarray], layer: int) -> np.ndarray:
    name = f"blocks.{layer}.mlp."
    hidden = x @ weights[name + "W_in"] + weights[name + "b_in"]
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
    return hidden @ weights[name + "W_out"] + weights[name + "b_out"]


def layer_norm(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    return centred / scale * weights[f"{name}.w"] + weights[f"{name}.b"]


def mse(outputs: list[np.ndarray], targets: np.ndarray, where: np.ndarray) -> float:
    """Mean squared error over the entries that `where` (n, pos) picks, all samples together."""
    errors = [(o - t)[w] ** 2 for o, t, w in zip(outputs, targets, where, strict=True)]
    return float(np.concatenate(errors).mean())
