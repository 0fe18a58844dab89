"""Checkpoints that other people saved, read as an encoder for a task: BERTs, and HookedEncoders by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mcinterp.errors import CheckpointError
from mcinterp.model.plain import load_weights
from mcinterp.runs.foreign import Foreign
from mcinterp.studies.matrix_completion.bert_config import EPS
from mcinterp.studies.matrix_completion.bert_names import listed, read_out_of, root_of, without_wrappers
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.convert import empty_model, network_of, notes_of
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.trained_positions import check_positions, second_moments

SOURCE = "HookedEncoder weights"
WORD, POSITION, TOKEN_TYPE = "embed.embed.W_E", "embed.pos_embed.W_pos", "embed.token_type_embed.W_token_type"
_QUERY, _HIDDEN = "blocks.0.attn.W_Q", "blocks.0.mlp.W_in"
_HEADS = ("mlm_head.", "nsp_head.", "pooler.")
"""What TransformerLens's HookedEncoder has besides, for pre-training."""
_BUFFERS = (".attn.mask", ".attn.IGNORE")


def read(foreign: Foreign, task: TaskConfig, said: Mapping[str, Any]) -> tuple[MatrixEncoder, list[str]]:
    """The encoder of weights that were opened, for a task, and what there is to say of it.

    Args:
        foreign: what was opened.
        task: that the weights were trained on, which gives the number of positions and of tokens.
        said: fields of the model that were said, of which `n_heads` and `layer_norm_eps` are used where nothing else
            tells them.

    Raises:
        CheckpointError: as `from_bert` does, or if the weights have another number of tokens than the task.
    """
    plain = without_wrappers(foreign.weights)
    root = root_of(plain, WORD)
    heads, eps = said.get("n_heads"), said.get("layer_norm_eps")
    if root is None:
        model, notes = network_of(foreign, None, heads, task.n_positions, eps, task.pad_token)
    else:
        moments = second_moments(foreign.record, list(plain), f"{root}{POSITION}")
        check_positions(_parameter(plain, f"{root}{POSITION}"), task.n_positions, moments, SOURCE)
        model, notes = _hooked(plain, root, task, eps)
    if model.cfg.d_vocab != task.d_vocab:
        raise CheckpointError(
            f"the weights have {model.cfg.d_vocab:,} tokens, the task {task.d_vocab:,} (MASK, and values from "
            f"{task.v_min:g} to {task.v_max:g} in steps of {10.0**-task.decimals:g}); say task.v_min, task.v_max and "
            "task.decimals"
        )
    return model, notes


def _hooked(
    plain: Mapping[str, Tensor], root: str, task: TaskConfig, eps: float | None
) -> tuple[MatrixEncoder, list[str]]:
    """A HookedEncoder, alone or inside another module that has the read-out."""
    own = {name.removeprefix(root): weight for name, weight in plain.items() if root and name.startswith(root)}
    own = own or dict(plain)
    rest = {name: weight for name, weight in plain.items() if root and not name.startswith(root)}
    left_out = [name for name in own if name.startswith(_HEADS)]
    weights = {name: own[name] for name in own if name not in left_out and not name.endswith(_BUFFERS)}
    if rest:
        left_out += [name for name in weights if name.startswith("unembed.")]
        read_out, others = read_out_of(rest, _parameter(weights, WORD).shape[1], SOURCE)
        left_out += others
        weights |= {"unembed.W_U": read_out["weight"].T, "unembed.b_U": read_out.get("bias", torch.zeros(1))}
    missing = [name for name in (TOKEN_TYPE, "unembed.b_U") if name not in weights]
    n_heads, width, _ = _parameter(weights, _QUERY, n_axes=3).shape
    weights = {TOKEN_TYPE: torch.zeros(2, width), "unembed.b_U": torch.zeros(1), **weights}
    model = _empty(weights, n_heads, task, EPS if eps is None else eps)
    _refuse_unknown(weights, model)
    weights[POSITION] = weights[POSITION][: task.n_positions]
    load_weights(model, {name: weight.detach().float().contiguous() for name, weight in weights.items()}, SOURCE)
    notes = notes_of(left_out, missing)
    if eps is None:
        notes += [f"nothing tells the epsilon of the LayerNorms, {EPS:g} is taken; TransformerLens's own is 1e-05"]
    return model, notes


def _empty(weights: Mapping[str, Tensor], n_heads: int, task: TaskConfig, eps: float) -> MatrixEncoder:
    layers = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
    shape = {"n_layers": len(layers), "n_heads": n_heads, "d_mlp": _parameter(weights, _HIDDEN).shape[1]}
    return empty_model(shape, _parameter(weights, WORD), task.n_positions, eps, task.pad_token, weights.values())


def _refuse_unknown(weights: Mapping[str, Tensor], model: MatrixEncoder) -> None:
    if unknown := weights.keys() - dict(model.named_parameters()).keys():
        raise CheckpointError(
            f"{SOURCE} hold {listed(unknown)}, which an encoder here has not; if answers do not come through them, "
            "leave them out"
        )


def _parameter(weights: Mapping[str, Tensor], name: str, n_axes: int = 2) -> Tensor:
    found = weights.get(name)
    if not isinstance(found, Tensor) or found.ndim != n_axes or not found.dtype.is_floating_point:
        what = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else "no tensor"
        raise CheckpointError(f"{SOURCE}: {name} is {what}, expected {n_axes} axes of floating point")
    return found
