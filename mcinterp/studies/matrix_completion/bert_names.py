"""What a `BertModel`'s weights are called, alone or inside other modules, and what a HookedEncoder calls the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from mcinterp.errors import CheckpointError

WORD = "embeddings.word_embeddings.weight"
POSITION = "embeddings.position_embeddings.weight"
TOKEN_TYPE = "embeddings.token_type_embeddings.weight"
CLASSIFIER, READ_OUT = "classifier", "read_out"
EMBEDDINGS = {
    "embed.embed.W_E": WORD,
    "embed.pos_embed.W_pos": POSITION,
    "embed.token_type_embed.W_token_type": TOKEN_TYPE,
    "embed.ln.w": "embeddings.LayerNorm.weight",
    "embed.ln.b": "embeddings.LayerNorm.bias",
}
BLOCK = {
    "attn.b_O": "attention.output.dense.bias",
    "ln1.w": "attention.output.LayerNorm.weight",
    "ln1.b": "attention.output.LayerNorm.bias",
    "mlp.b_in": "intermediate.dense.bias",
    "mlp.b_out": "output.dense.bias",
    "ln2.w": "output.LayerNorm.weight",
    "ln2.b": "output.LayerNorm.bias",
}
TRANSPOSED = {"mlp.W_in": "intermediate.dense.weight", "mlp.W_out": "output.dense.weight"}
PROJECTIONS = {"Q": "query", "K": "key", "V": "value"}
_WRAPPERS = {"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""What torch.compile and modules that spread training over devices put into names."""
_WITHOUT_EFFECT = ("pooler.", "embeddings.position_ids", "embeddings.token_type_ids", "cls.")
"""What answers do not come through: the pooler, numbers of positions, heads of pre-training."""


def bert_and_rest(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of the BERT that is somewhere among them, under its own names, and all others.

    Raises:
        CheckpointError: if there are several, or a name stands twice once what wrappers add is taken away.
    """
    plain = without_wrappers(weights)
    root = root_of(plain, WORD)
    root = _guessed_root(plain) if root is None else root
    bert = {name.removeprefix(root): weight for name, weight in plain.items() if name.startswith(root)}
    if not root:  # what stands beside a BERT that has no name of its own
        bert = {
            name: weight for name, weight in bert.items() if name.startswith(("embeddings.", "encoder.", "pooler."))
        }
    return bert, {name: weight for name, weight in plain.items() if name.removeprefix(root) not in bert}


def without_wrappers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by names without what wrappers put into them.

    Raises:
        CheckpointError: if a name stands twice then.
    """
    plain: dict[str, Tensor] = {}
    for name, weight in weights.items():
        short = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
        if short in plain:
            raise CheckpointError(f"the weights hold {short} twice; take the other copy out of the file")
        plain[short] = weight
    return plain


def root_of(weights: Mapping[str, Tensor], word: str) -> str | None:
    """What stands before the names of the one network whose token embeddings are called `word`; None without one.

    Raises:
        CheckpointError: if there are several.
    """
    roots = [name.removesuffix(word) for name in weights if name == word or name.endswith(f".{word}")]
    if len(roots) > 1:
        raise CheckpointError(f"the weights hold several BERTs, {listed(roots)}; keep one of them in the file")
    return roots[0] if roots else None


def used(bert: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], list[str]]:
    """Those of a BERT's weights that answers come through, and the names of those that are left out.

    Raises:
        CheckpointError: naming weights through which answers come in that network, and in no encoder here.
    """
    left_out = [name for name in bert if name.startswith(_WITHOUT_EFFECT)]
    unknown = [name for name in bert if name not in left_out and not _known(name)]
    if any(".crossattention." in name for name in unknown):
        raise CheckpointError(
            f"{source} hold {listed(unknown)}: this is a decoder with cross-attention, whose answers an encoder does "
            "not give; open one that was made with is_decoder=False and add_cross_attention=False"
        )
    if unknown:
        raise CheckpointError(
            f"{source} hold {listed(unknown)}, which a BERT has not; if answers do not come through them, leave "
            "them out"
        )
    return {name: weight for name, weight in bert.items() if name not in left_out}, left_out


def read_out_of(rest: Mapping[str, Tensor], width: int, source: str) -> tuple[dict[str, Tensor], list[str]]:
    """The read-out among weights that are not the BERT's, as `weight` and `bias`, and the names that are left out.

    It is what is called `read_out`, or the one linear map from `width` features to one number.

    Raises:
        CheckpointError: if there is none, or other weights through which answers might come.
    """
    maps = [name for name, weight in rest.items() if _is_read_out(name, weight, width)]
    roots = {name.rpartition(".")[0] for name in maps}
    named = {root for name in rest if (root := name.rpartition(".")[0]).split(".")[-1] == READ_OUT}
    if len(chosen := named or roots) != 1:
        there = f"several, {listed(chosen)}" if chosen else f"none among {listed(rest) or 'them'}"
        raise CheckpointError(
            f"{source} need a read-out, a linear map from {width} features to one number, and there is {there}; "
            f"name it {READ_OUT}.weight and {READ_OUT}.bias, or give it as read_out"
        )
    root = chosen.pop()
    read_out = {name.removeprefix(f"{root}."): rest[name] for name in rest if name.rpartition(".")[0] == root}
    others = [name for name in rest if name.rpartition(".")[0] != root]
    if unknown := [name for name in others if not name.startswith(_WITHOUT_EFFECT)]:
        raise CheckpointError(
            f"{source} hold {listed(unknown)} beside BERT and read-out; if answers do not come through them, leave "
            "them out, or give the read-out as read_out"
        )
    return read_out, others


def bert_weights(weights: Mapping[str, Tensor], n_layers: int) -> dict[str, Tensor]:
    """HookedEncoder's weights under the names and shapes of a `BertModel`."""
    bert = {theirs: weights[ours] for ours, theirs in EMBEDDINGS.items()}
    for layer in range(n_layers):
        ours, theirs = f"blocks.{layer}.", f"encoder.layer.{layer}."
        bert |= {theirs + name: weights[ours + own] for own, name in BLOCK.items()}
        bert |= {theirs + name: weights[ours + own].T for own, name in TRANSPOSED.items()}
        for letter, word in PROJECTIONS.items():
            weight = weights[f"{ours}attn.W_{letter}"]
            bert[f"{theirs}attention.self.{word}.weight"] = weight.transpose(1, 2).flatten(0, 1)
            bert[f"{theirs}attention.self.{word}.bias"] = weights[f"{ours}attn.b_{letter}"].flatten()
        bert[f"{theirs}attention.output.dense.weight"] = weights[f"{ours}attn.W_O"].flatten(0, 1).T
    return {name: weight.contiguous() for name, weight in bert.items()}


def encoder_weights(
    bert: Mapping[str, Tensor], read_out: Mapping[str, Tensor], n_layers: int, n_heads: int, n_positions: int
) -> dict[str, Tensor]:
    """A `BertModel`'s weights and a read-out's under the names and shapes of a HookedEncoder, float32."""
    width = entry(bert, WORD).shape[1]
    # A HookedEncoder has two types, of which 0 alone is asked for; a BERT without types answers as if that were 0.
    types = entry(bert, TOKEN_TYPE)[:2] if TOKEN_TYPE in bert else torch.zeros(2, width)
    padded = torch.nn.functional.pad(types, (0, 0, 0, 2 - len(types)))
    weights = {ours: entry({**bert, TOKEN_TYPE: padded}, theirs) for ours, theirs in EMBEDDINGS.items()}
    weights["embed.pos_embed.W_pos"] = weights["embed.pos_embed.W_pos"][:n_positions]
    for layer in range(n_layers):
        ours, theirs = f"blocks.{layer}.", f"encoder.layer.{layer}."
        weights |= {ours + own: entry(bert, theirs + name) for own, name in BLOCK.items()}
        weights |= {ours + own: entry(bert, theirs + name).T for own, name in TRANSPOSED.items()}
        for letter, word in PROJECTIONS.items():
            name = f"{theirs}attention.self.{word}."
            weight, bias = entry(bert, f"{name}weight"), entry(bert, f"{name}bias")
            weights[f"{ours}attn.W_{letter}"] = _split(weight, n_heads, f"{name}weight").transpose(1, 2)
            weights[f"{ours}attn.b_{letter}"] = _split(bias, n_heads, f"{name}bias")
        name = f"{theirs}attention.output.dense.weight"
        weights[f"{ours}attn.W_O"] = _split(entry(bert, name).T, n_heads, name)
    weights["unembed.W_U"] = entry(read_out, "weight", source="read-out").T
    weights["unembed.b_U"] = entry(read_out, "bias", source="read-out") if "bias" in read_out else torch.zeros(1)
    return {name: weight.detach().float().contiguous() for name, weight in weights.items()}


def entry(weights: Mapping[str, Tensor], name: str, source: str = "BERT") -> Tensor:
    """One tensor, with the axes that a parameter of its name has."""
    if name not in weights:
        raise CheckpointError(f"{source} weights lack {name}")
    weight = weights[name]
    if not isinstance(weight, Tensor):
        raise CheckpointError(f"{source} {name} is not a tensor but {type(weight).__name__}")
    n_axes = 1 if name.endswith("bias") or "LayerNorm" in name else 2
    if weight.ndim != n_axes:
        raise CheckpointError(f"{source} {name} has {weight.ndim} axes, expected {n_axes}")
    if not weight.dtype.is_floating_point:
        raise CheckpointError(f"{source} {name} is {weight.dtype}, expected float32, float64, float16 or bfloat16")
    return weight


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(f"{name or 'one without a prefix':.80}" for name in every[:most]) + more


def _known(name: str) -> bool:
    """Whether answers come through a weight of this name in a plain BERT."""
    if not name.startswith("encoder.layer."):
        return name in EMBEDDINGS.values()
    own = name.split(".", 3)[-1]
    attention = [f"attention.self.{word}.{kind}" for word in PROJECTIONS.values() for kind in ("weight", "bias")]
    return own in (*BLOCK.values(), *TRANSPOSED.values(), *attention, "attention.output.dense.weight")


def _guessed_root(plain: Mapping[str, Tensor]) -> str:
    """Where a BERT without token embeddings would be, so that what it lacks is told by its name."""
    return next((name.partition("encoder.layer.")[0] for name in plain if "encoder.layer." in name), "")


def _is_read_out(name: str, weight: object, width: int) -> bool:
    return name.endswith("weight") and isinstance(weight, Tensor) and weight.shape == (1, width)


def _split(weight: Tensor, n_heads: int, name: str) -> Tensor:
    """Split the first axis by heads."""
    if len(weight) % n_heads:
        raise CheckpointError(f"{name}: {len(weight)} features cannot be split into {n_heads} heads")
    return weight.unflatten(0, (n_heads, -1))
