"""Weights to and from a Hugging Face `BertModel` with a linear read-out, and from checkpoints of tf-matcomp."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mcinterp.errors import CheckpointError, reason
from mcinterp.model.plain import load_weights
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

if TYPE_CHECKING:
    from transformers import BertModel

LARGEST_PICKLE = 1 << 24
"""Bytes that names and shapes of an imported file may take."""
_EMBEDDINGS = {
    "embed.embed.W_E": "embeddings.word_embeddings.weight",
    "embed.pos_embed.W_pos": "embeddings.position_embeddings.weight",
    "embed.token_type_embed.W_token_type": "embeddings.token_type_embeddings.weight",
    "embed.ln.w": "embeddings.LayerNorm.weight",
    "embed.ln.b": "embeddings.LayerNorm.bias",
}
_BLOCK = {
    "attn.b_O": "attention.output.dense.bias",
    "ln1.w": "attention.output.LayerNorm.weight",
    "ln1.b": "attention.output.LayerNorm.bias",
    "mlp.b_in": "intermediate.dense.bias",
    "mlp.b_out": "output.dense.bias",
    "ln2.w": "output.LayerNorm.weight",
    "ln2.b": "output.LayerNorm.bias",
}
_TRANSPOSED = {"mlp.W_in": "intermediate.dense.weight", "mlp.W_out": "output.dense.weight"}
_PROJECTIONS = {"Q": "query", "K": "key", "V": "value"}


def to_bert(model: MatrixEncoder) -> tuple[BertModel, nn.Linear]:
    """The same network as a `BertModel` (no pooler) and a read-out; hidden states, attentions and outputs agree.

    A model with a padding token keeps it as the last of its vocabulary. A `BertModel` does not know it: give it
    `attention_mask=tokens != model.pad_token`; its answers then agree wherever there is an entry.
    """
    from transformers import BertConfig, BertModel

    config = model.model_config
    bert = BertModel(
        BertConfig(
            vocab_size=model.cfg.d_vocab,
            hidden_size=config.d_model,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.n_heads,
            intermediate_size=config.d_mlp,
            max_position_embeddings=model.n_positions,
            layer_norm_eps=config.layer_norm_eps,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            attn_implementation="eager",  # type: ignore[call-arg]
        ),
        add_pooling_layer=False,
    ).eval()
    weights = model.weights()
    bert.load_state_dict(bert_weights(weights, config.n_layers), strict=False)
    read_out = nn.Linear(config.d_model, 1)
    with torch.no_grad():
        read_out.weight.copy_(weights["unembed.W_U"].T)
        read_out.bias.copy_(weights["unembed.b_U"])
    return bert, read_out


def from_bert(
    bert: Mapping[str, Tensor],
    read_out: Mapping[str, Tensor],
    n_heads: int,
    n_positions: int,
    eps: float = 1e-12,
    pad_token: int | None = None,
) -> MatrixEncoder:
    """A `MatrixEncoder` from the state dictionaries of a `BertModel` and of its read-out.

    Args:
        bert: `BertModel.state_dict()`; a pooler, if there is one, is left out.
        read_out: `nn.Linear(d_model, 1).state_dict()`.
        n_heads: heads a layer, which weights do not tell.
        n_positions: sequence length; further position embeddings are dropped.
        eps: epsilon of the LayerNorms.
        pad_token: the token that marks padding, if the model had one, which weights do not tell either.

    Raises:
        CheckpointError: naming the first parameter that is missing or of another shape; or if `pad_token` is not in the
            vocabulary.
    """
    word = _entry(bert, _EMBEDDINGS["embed.embed.W_E"])
    n_layers = len({name.split(".")[2] for name in bert if name.startswith("encoder.layer.")})
    d_mlp = len(_entry(bert, "encoder.layer.0.intermediate.dense.bias"))
    _split(word.T, n_heads, _EMBEDDINGS["embed.embed.W_E"])
    try:
        config = ModelConfig(
            n_layers=n_layers,
            n_heads=n_heads,
            d_model=word.shape[1],
            d_mlp=d_mlp,
            layer_norm_eps=eps,
            mask_embedding="learned" if bool(word[0].any()) else "zero",
        )
    except (ValueError, IndexError):
        raise CheckpointError(
            f"BERT weights of {n_layers} layers, {tuple(word.shape)} and {d_mlp} are no model"
        ) from None
    given = sum(weight.numel() * 4 for weight in bert.values() if isinstance(weight, Tensor))
    if given < (least := config.least_bytes()):
        raise CheckpointError(f"BERT weights hold {given:,} bytes; a model of their shape takes at least {least:,}")
    if pad_token is not None and not 0 <= pad_token < len(word):
        raise CheckpointError(f"pad_token {pad_token} is not one of the {len(word)} tokens of the BERT weights")
    model = MatrixEncoder(config, d_vocab=len(word), n_positions=n_positions, pad_token=pad_token)
    load_weights(model, encoder_weights(bert, read_out, n_layers, n_heads, n_positions), source="BERT weights")
    return model


def load_tf_matcomp(path: Path | str, n_heads: int, n_positions: int) -> tuple[MatrixEncoder, int]:
    """Open a checkpoint of the authors' code: `{"epoch", "model": {"_backbone.…", "read_out.…"}, "vocab_size", …}`.

    Only tensors are read (`weights_only=True`); nothing in the file is executed, and the file is mapped, so that it
    takes no more memory than it is long. Files of torch before 1.6, which cannot be mapped, are refused.

    Returns:
        the model, and the step the file was saved at (`epoch` + 1).

    Raises:
        CheckpointError: if the file cannot be read or is laid out otherwise.
    """
    size = _checked_archive(Path(path))
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError:
        # torch's own message advises to load the file unsafely.
        raise CheckpointError(
            f"cannot read {path} as a file of tensors: it holds other things, left unopened"
        ) from None
    except Exception as error:  # torch raises many kinds for a file that is not its own
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"cannot read {path} as a file of tensors: {reason}") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("model"), dict) or "epoch" not in stored:
        raise CheckpointError(f"{path} must hold 'epoch' and 'model', as tf-matcomp saves them")
    if not isinstance(stored["epoch"], int):
        raise CheckpointError(f"{path}: 'epoch' is {stored['epoch']!r}, not a number")
    weights = {str(name): weight for name, weight in stored["model"].items()}
    _refuse_more_than(size, weights, str(path))
    bert = {name.removeprefix("_backbone."): w for name, w in weights.items() if name.startswith("_backbone.")}
    read_out = {name.removeprefix("read_out."): w for name, w in weights.items() if name.startswith("read_out.")}
    return from_bert(bert, read_out, n_heads, n_positions), stored["epoch"] + 1


def bert_weights(weights: Mapping[str, Tensor], n_layers: int) -> dict[str, Tensor]:
    """HookedEncoder's weights under the names and shapes of a `BertModel`."""
    bert = {theirs: weights[ours] for ours, theirs in _EMBEDDINGS.items()}
    for layer in range(n_layers):
        ours, theirs = f"blocks.{layer}.", f"encoder.layer.{layer}."
        bert |= {theirs + name: weights[ours + own] for own, name in _BLOCK.items()}
        bert |= {theirs + name: weights[ours + own].T for own, name in _TRANSPOSED.items()}
        for letter, word in _PROJECTIONS.items():
            weight = weights[f"{ours}attn.W_{letter}"]
            bert[f"{theirs}attention.self.{word}.weight"] = weight.transpose(1, 2).flatten(0, 1)
            bert[f"{theirs}attention.self.{word}.bias"] = weights[f"{ours}attn.b_{letter}"].flatten()
        bert[f"{theirs}attention.output.dense.weight"] = weights[f"{ours}attn.W_O"].flatten(0, 1).T
    return {name: weight.contiguous() for name, weight in bert.items()}


def encoder_weights(
    bert: Mapping[str, Tensor], read_out: Mapping[str, Tensor], n_layers: int, n_heads: int, n_positions: int
) -> dict[str, Tensor]:
    """A `BertModel`'s weights and a read-out's under the names and shapes of a HookedEncoder."""
    weights = {ours: _entry(bert, theirs) for ours, theirs in _EMBEDDINGS.items()}
    weights["embed.pos_embed.W_pos"] = weights["embed.pos_embed.W_pos"][:n_positions]
    for layer in range(n_layers):
        ours, theirs = f"blocks.{layer}.", f"encoder.layer.{layer}."
        weights |= {ours + own: _entry(bert, theirs + name) for own, name in _BLOCK.items()}
        weights |= {ours + own: _entry(bert, theirs + name).T for own, name in _TRANSPOSED.items()}
        for letter, word in _PROJECTIONS.items():
            name = f"{theirs}attention.self.{word}."
            weight, bias = _entry(bert, f"{name}weight"), _entry(bert, f"{name}bias")
            weights[f"{ours}attn.W_{letter}"] = _split(weight, n_heads, f"{name}weight").transpose(1, 2)
            weights[f"{ours}attn.b_{letter}"] = _split(bias, n_heads, f"{name}bias")
        name = f"{theirs}attention.output.dense.weight"
        weights[f"{ours}attn.W_O"] = _split(_entry(bert, name).T, n_heads, name)
    weights["unembed.W_U"] = _entry(read_out, "weight", source="read-out").T
    weights["unembed.b_U"] = _entry(read_out, "bias", source="read-out")
    return {name: weight.detach().contiguous() for name, weight in weights.items()}


def _checked_archive(path: Path) -> int:
    """Bytes of a file as torch writes it: a zip archive with nothing packed, so that it cannot grow when read."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
            pickles = [entry for entry in archive.infolist() if entry.filename.endswith(".pkl")]
            large = packed or sum(entry.file_size for entry in pickles) > LARGEST_PICKLE
            # The one thing that torch lets a file make of any size without holding it.
            strange = large or any(b"bytearray" in archive.read(entry) for entry in pickles)
        size = path.stat().st_size
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, NotImplementedError) as error:
        raise CheckpointError(f"cannot read {path} as a file of tensors: {reason(error)}") from None
    if strange:
        raise CheckpointError(f"cannot read {path} as a file of tensors: it holds other things, left unopened")
    return size


def _refuse_more_than(size: int, weights: Mapping[str, Any], source: str) -> None:
    """Refuse tensors that claim more numbers than their file holds, by views that repeat or share them."""
    tensors = [weight for weight in weights.values() if isinstance(weight, Tensor)]
    if any(tensor.layout is not torch.strided or tensor.device.type != "cpu" for tensor in tensors):
        raise CheckpointError(f"{source} holds tensors that are not plain numbers")
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if claimed > size:
        raise CheckpointError(f"{source} claims {claimed:,} bytes of numbers in a file of {size:,}")


def _entry(weights: Mapping[str, Tensor], name: str, source: str = "BERT") -> Tensor:
    """One tensor, with the axes that a parameter of its name has."""
    if name not in weights:
        raise CheckpointError(f"{source} weights lack {name}")
    weight = weights[name]
    if not isinstance(weight, Tensor):
        raise CheckpointError(f"{source} {name} is not a tensor but {type(weight).__name__}")
    n_axes = 1 if name.endswith("bias") or "LayerNorm" in name else 2
    if weight.ndim != n_axes:
        raise CheckpointError(f"{source} {name} has {weight.ndim} axes, expected {n_axes}")
    return weight


def _split(weight: Tensor, n_heads: int, name: str) -> Tensor:
    """Split the first axis by heads."""
    if len(weight) % n_heads:
        raise CheckpointError(f"{name}: {len(weight)} features cannot be split into {n_heads} heads")
    return weight.unflatten(0, (n_heads, -1))
