"""What a `BertConfig` says of a network that weights do not: whether an encoder answers the same, its heads and eps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from mcinterp.errors import CheckpointError
from mcinterp.studies.matrix_completion.bert_names import POSITION, TOKEN_TYPE, WORD, entry, listed

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

EPS = 1e-12
"""Of BERT's LayerNorms, unless its configuration says otherwise."""
_THE_SAME: Mapping[str, tuple[Any, str]] = {
    "model_type": ("bert", "an encoder here answers as a BERT does and no other"),
    "hidden_act": ("gelu", "an encoder here has the exact gelu; train one with hidden_act='gelu'"),
    "position_embedding_type": ("absolute", "an encoder here adds an embedding to each position"),
    "is_decoder": (False, "an encoder here sees all positions; open one that was made with is_decoder=False"),
    "add_cross_attention": (False, "an encoder here has none; open one that was made with add_cross_attention=False"),
    "is_encoder_decoder": (False, "an encoder here stands alone"),
    "pruned_heads": ({}, "an encoder here has all heads; open the weights from before they were pruned"),
}
"""Fields that decide how weights answer, with what an encoder here has, and what to do where a BERT has another."""
_ROBERTA = (
    "positions begin at {first}, as RoBERTa's do; give the weights without the first {first} rows of " + POSITION + ", "
    "and without the configuration, which is right where no input holds token {pad}"
)
_OF_WEIGHTS = {"num_attention_heads", "layer_norm_eps", "type_vocab_size"}
_WITHOUT_EFFECT = """
transformers_version architectures output_hidden_states output_attentions return_dict dtype torch_dtype id2label
label2id chunk_size_feed_forward problem_type hidden_dropout_prob attention_probs_dropout_prob initializer_range prefix
pad_token_id bos_token_id eos_token_id sep_token_id cls_token_id decoder_start_token_id use_cache classifier_dropout
num_labels tie_word_embeddings _name_or_path name_or_path gradient_checkpointing torchscript attn_implementation
finetuning_task _attn_implementation tokenizer_class use_bfloat16 task_specific_params tf_legacy_loss
cross_attention_hidden_size
"""
"""Fields that a network in evaluation answers the same with, whatever they are."""


@dataclass(frozen=True)
class Facts:
    """What weights do not tell.

    Attributes:
        n_heads: heads a layer.
        eps: epsilon of the LayerNorms.
        notes: fields that are not known here, as a sentence; () where there are none.
    """

    n_heads: int
    eps: float
    notes: tuple[str, ...] = ()


def facts(
    config: PreTrainedConfig | Mapping[str, Any] | None,
    bert: Mapping[str, Tensor],
    n_heads: int | None,
    eps: float | None,
    source: str,
) -> Facts:
    """Heads and epsilon of a BERT, once its configuration, if there is one, is known to be one that an encoder has.

    Raises:
        CheckpointError: naming the first field that an encoder has not, that the weights contradict, or that what was
            said contradicts; or if nothing tells the number of heads.
    """
    if config is None:
        _refuse_offset(bert, source)
        if n_heads is None:
            raise CheckpointError(
                f"{source} do not tell how many heads a layer has; say n_heads (model.n_heads=8, say, of a "
                "configuration), or give their config"
            )
        return Facts(n_heads, EPS if eps is None else eps)
    fields = dict(config if isinstance(config, Mapping) else config.to_dict())
    _refuse_another(fields, source)
    _check_shapes(fields, bert, source)
    known = _THE_SAME.keys() | set(_WITHOUT_EFFECT.split()) | _shapes(bert).keys() | _OF_WEIGHTS
    strange = fields.keys() - known
    notes = (f"fields of the configuration that are taken to be without effect: {listed(strange)}",) if strange else ()
    heads = _agreed("num_attention_heads", fields.get("num_attention_heads"), "n_heads", n_heads, source)
    epsilon = _agreed("layer_norm_eps", fields.get("layer_norm_eps", EPS), "eps", eps, source)
    return Facts(int(heads), float(epsilon), notes)


def _refuse_another(fields: Mapping[str, Any], source: str) -> None:
    """Refuse a network that answers otherwise with the same weights."""
    if fields.get("model_type") in ("roberta", "xlm-roberta", "camembert"):
        pad = fields.get("pad_token_id", 1)
        raise CheckpointError(f"{source} have model_type {fields['model_type']!r}: {_offset(pad)}")
    for name, (expected, cure) in _THE_SAME.items():
        if (found := fields.get(name, expected)) != expected:
            raise CheckpointError(f"{source} have {name} {found!r:.60}, expected {expected!r}: {cure}")


def _refuse_offset(bert: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights whose positions begin later, which is told by a position that never had an embedding."""
    empty = (~entry(bert, POSITION).any(1)).nonzero().flatten().tolist() if POSITION in bert else []
    if len(empty) == 1 and empty[0] <= 1:
        raise CheckpointError(f"{source} have 0 at position {empty[0]}: {_offset(empty[0])}")


def _offset(pad: int) -> str:
    return _ROBERTA.format(first=pad + 1, pad=pad)


def _check_shapes(fields: Mapping[str, Any], bert: Mapping[str, Tensor], source: str) -> None:
    for name, found in _shapes(bert).items():
        if fields.get(name, found) != found:
            raise CheckpointError(
                f"{source} have {name} {found}, their configuration says {fields[name]!r:.40}: the two do not belong "
                "together"
            )


def _shapes(bert: Mapping[str, Tensor]) -> dict[str, int]:
    """Fields that weights tell themselves."""
    told = {
        "vocab_size": len(entry(bert, WORD)),
        "hidden_size": entry(bert, WORD).shape[1],
        "num_hidden_layers": n_layers(bert),
        "intermediate_size": len(entry(bert, "encoder.layer.0.intermediate.dense.bias")),
        "max_position_embeddings": len(entry(bert, POSITION)),
    }
    # The authors' BERT has no token types, whatever its configuration says.
    return told | ({"type_vocab_size": len(entry(bert, TOKEN_TYPE))} if TOKEN_TYPE in bert else {})


def n_layers(bert: Mapping[str, Tensor]) -> int:
    """Layers that a BERT's weights have."""
    return len({name.split(".")[2] for name in bert if name.startswith("encoder.layer.")})


def _agreed(field: str, theirs: Any, name: str, said: Any, source: str) -> Any:
    """A number that the configuration has, that was said, or both if they are the same."""
    if theirs is None and said is None:
        raise CheckpointError(f"the configuration of {source} lacks {field}; say {name}")
    if theirs is not None and said is not None and theirs != said:
        raise CheckpointError(f"{source} have {field} {theirs}, and {name} {said} was said: leave {name} out")
    found = theirs if said is None else said
    if not isinstance(found, int | float) or isinstance(found, bool) or found <= 0:
        raise CheckpointError(f"{source} have {field} {json.dumps(found, default=str):.40}, expected a number above 0")
    return found
