"""Weights to and from a Hugging Face `BertModel` with a linear read-out, and from files and folders that hold them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mcinterp.errors import CheckpointError
from mcinterp.model.plain import load_weights
from mcinterp.runs.foreign import Foreign, open_foreign
from mcinterp.studies.matrix_completion.bert_config import facts, n_layers
from mcinterp.studies.matrix_completion.bert_names import (
    POSITION,
    TOKEN_TYPE,
    WORD,
    bert_and_rest,
    bert_weights,
    encoder_weights,
    entry,
    listed,
    read_out_of,
    used,
)
from mcinterp.studies.matrix_completion.config import ModelConfig
from mcinterp.studies.matrix_completion.encoder import MatrixEncoder
from mcinterp.studies.matrix_completion.trained_positions import check_positions, second_moments

if TYPE_CHECKING:
    from transformers import BertConfig, BertModel

SOURCE = "BERT weights"
"""What sentences call them."""

log = logging.getLogger(__name__)


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
    bert: BertModel | Mapping[str, Tensor],
    read_out: nn.Linear | Mapping[str, Tensor] | None = None,
    n_heads: int | None = None,
    n_positions: int | None = None,
    eps: float | None = None,
    pad_token: int | None = None,
    config: BertConfig | Mapping[str, Any] | None = None,
) -> MatrixEncoder:
    """A `MatrixEncoder` that answers as a `BertModel` and its read-out do.

    What wrappers put into names (`module.`, `_orig_mod.`) and prefixes (`bert.`, `_backbone.`) are taken away; weights
    of float64, float16 and bfloat16 become float32; token types that there are not, as in the authors' BERT, and a bias
    that the read-out has not are 0; pooler and pre-training heads are left out. A warning names what was.

    Args:
        bert: the model, whose configuration is then checked, or its `state_dict()`, which may hold the read-out too.
        read_out: `nn.Linear(d_model, 1)` or its `state_dict()`; None if `bert` holds it.
        n_heads: heads a layer, which weights do not tell; may be left out with a configuration.
        n_positions: sequence length, rows × columns; further position embeddings are dropped. None: all of them.
        eps: epsilon of the LayerNorms; None: the configuration's, without one BERT's 1e-12.
        pad_token: the token that marks padding, if the model had one, which weights do not tell either.
        config: a state dictionary's `BertConfig`, or its `config.json` as a mapping: every field is checked.

    Raises:
        CheckpointError: naming the first parameter that is missing, unknown or of another shape, or the first field of
            the configuration that an encoder has otherwise; or if `pad_token` is not in the vocabulary.
    """
    own = None if isinstance(bert, Mapping) else bert.config
    weights = bert if isinstance(bert, Mapping) else bert.state_dict()
    given = read_out.state_dict() if isinstance(read_out, nn.Module) else read_out
    model, notes = network(weights, given, n_heads, n_positions, eps, own if config is None else config, pad_token)
    return _told(model, notes, SOURCE)


def load_bert(
    path: Path | str,
    n_heads: int | None = None,
    n_positions: int | None = None,
    eps: float | None = None,
    read_out: nn.Linear | Mapping[str, Tensor] | None = None,
) -> MatrixEncoder:
    """Open a BERT with a read-out from a file or folder, as `from_bert` does.

    Args:
        path: a file of torch or safetensors that holds a state dictionary, by itself or under `model`, `state_dict` or
            `model_state_dict`; or a folder as Hugging Face saves it, sharded or not, whose `config.json` is checked. A
            folder may have the read-out beside the network, as `read_out.safetensors` or `read_out.pt`.
        n_heads: heads a layer; may be left out where there is a `config.json`.
        n_positions: sequence length, rows × columns. None: all positions that there are.
        eps: epsilon of the LayerNorms; None: that of `config.json`, without one BERT's 1e-12.
        read_out: `nn.Linear(d_model, 1)` or its `state_dict()`, where `path` does not hold it.

    Nothing in a file is executed. Raises what `from_bert` does, and `CheckpointError` if a file cannot be read.
    """
    given = read_out.state_dict() if isinstance(read_out, nn.Module) else read_out
    return _opened(open_foreign(path), given, n_heads, n_positions, eps)


def load_tf_matcomp(
    path: Path | str,
    n_heads: int | None = None,
    n_positions: int | None = None,
    eps: float | None = None,
    step: int | None = None,
) -> tuple[MatrixEncoder, int]:
    """Open a checkpoint of the authors' code: `{"epoch", "model": {"_backbone.…", "read_out.…"}, "vocab_size", …}`.

    Anything that `load_bert` opens is opened, with its step. Only tensors and plain numbers are read
    (`weights_only=True`); nothing in the file is executed, and the file is mapped, so that it takes no more memory than
    it is long. Files of torch before 1.6, which cannot be mapped, are refused.

    Returns:
        the model, and the step the file was saved at: `step` if it is given, else `epoch` + 1, else what the file's
        `step`, or its name, says.

    Raises:
        CheckpointError: if the file cannot be read or is laid out otherwise, or if nothing tells its step.
    """
    foreign = open_foreign(path)
    found = foreign.step if step is None else step
    if found is None:
        raise CheckpointError(
            f"{path} must hold 'epoch' and 'model', as tf-matcomp saves them; neither it nor its name tells a step: "
            "say step"
        )
    return _opened(foreign, None, n_heads, n_positions, eps), found


def network_of(
    foreign: Foreign,
    read_out: Mapping[str, Tensor] | None,
    n_heads: int | None,
    n_positions: int | None,
    eps: float | None,
    pad_token: int | None = None,
) -> tuple[MatrixEncoder, list[str]]:
    """The network of weights that were opened, as `network` makes it; what was saved beside them is looked at too."""
    table = next((name for name in foreign.weights if name.endswith(POSITION)), "")
    moments = second_moments(foreign.record, list(foreign.weights), table)
    return network(foreign.weights, read_out, n_heads, n_positions, eps, foreign.config, pad_token, moments)


def network(
    weights: Mapping[str, Tensor],
    read_out: Mapping[str, Tensor] | None,
    n_heads: int | None,
    n_positions: int | None,
    eps: float | None,
    config: BertConfig | Mapping[str, Any] | None,
    pad_token: int | None = None,
    moments: Tensor | None = None,
) -> tuple[MatrixEncoder, list[str]]:
    """As `from_bert`, from weights alone, with what there is to say of it; `moments` as `check_positions` has them."""
    bert, rest = bert_and_rest(weights)
    bert, left_out = used(bert, SOURCE)
    word = entry(bert, WORD)
    if read_out is None:
        read_out, others = read_out_of(rest, word.shape[1], SOURCE)
        left_out += others
    known = facts(config, bert, n_heads, eps, SOURCE)
    n_positions = len(entry(bert, POSITION)) if n_positions is None else n_positions
    check_positions(entry(bert, POSITION), n_positions, moments, SOURCE)
    d_mlp = len(entry(bert, "encoder.layer.0.intermediate.dense.bias"))
    shape = {"n_layers": n_layers(bert), "n_heads": known.n_heads, "d_mlp": d_mlp}
    model = empty_model(shape, word, n_positions, known.eps, pad_token, bert.values())
    translated = encoder_weights(bert, read_out, model.cfg.n_layers, known.n_heads, n_positions)
    load_weights(model, translated, source=SOURCE)
    missing = [TOKEN_TYPE] if TOKEN_TYPE not in bert else []
    missing += ["the read-out's bias"] if "bias" not in read_out else []
    return model, [*known.notes, *notes_of(left_out, missing)]


def notes_of(left_out: list[str], missing: list[str]) -> list[str]:
    """What was left out, and what was taken for 0, a sentence each."""
    told = [f"left out, as answers do not come through them: {listed(left_out, most=8)}"] if left_out else []
    return told + ([f"not there, and taken for 0: {listed(missing)}"] if missing else [])


def empty_model(
    shape: Mapping[str, int],
    word: Tensor,
    n_positions: int,
    eps: float,
    pad_token: int | None,
    weights: Iterable[object],
) -> MatrixEncoder:
    """A model of the weights' shape, once they are known to be as many as it takes.

    Args:
        shape: `n_layers`, `n_heads` and `d_mlp`.
        word: token embeddings, (d_vocab, d_model).
        n_positions: sequence length.
        eps: epsilon of the LayerNorms.
        pad_token: as `from_bert` has it.
        weights: all that there are.

    Raises:
        CheckpointError: if they are no model.
    """
    if shape["n_heads"] < 1 or word.shape[1] % shape["n_heads"]:
        raise CheckpointError(f"{WORD}: {word.shape[1]} features cannot be split into {shape['n_heads']} heads")
    try:
        learned = "learned" if bool(word[0].any()) else "zero"
        fields = {**shape, "d_model": word.shape[1], "layer_norm_eps": eps, "mask_embedding": learned}
        config = ModelConfig.model_validate(fields)
    except (ValueError, IndexError):
        described = f"{shape['n_layers']} layers, {tuple(word.shape)} and {shape['d_mlp']}"
        raise CheckpointError(f"{SOURCE} of {described} are no model") from None
    given = sum(weight.numel() * 4 for weight in weights if isinstance(weight, Tensor))
    if given < (least := config.least_bytes()):
        raise CheckpointError(f"{SOURCE} hold {given:,} bytes; a model of their shape takes at least {least:,}")
    if pad_token is not None and not 0 <= pad_token < len(word):
        raise CheckpointError(f"pad_token {pad_token} is not one of the {len(word)} tokens of the {SOURCE}")
    return MatrixEncoder(config, d_vocab=len(word), n_positions=n_positions, pad_token=pad_token)


def _opened(
    foreign: Foreign,
    read_out: Mapping[str, Tensor] | None,
    n_heads: int | None,
    n_positions: int | None,
    eps: float | None,
) -> MatrixEncoder:
    model, notes = network_of(foreign, read_out, n_heads, n_positions, eps)
    return _told(model, notes, str(foreign.source))


def _told(model: MatrixEncoder, notes: list[str], source: str) -> MatrixEncoder:
    for sentence in notes:
        log.warning(f"{source}: {sentence}")
    return model
