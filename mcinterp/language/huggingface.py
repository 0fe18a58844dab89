"""A folder of Hugging Face's as a language model: read from the disk alone, as data.

Weights come from safetensors, or from pytorch_model.bin by a reader that makes nothing but tensors; the tokenizer from
tokenizer.json. No pickled tokenizer is opened, no code of the folder's is run, and nothing is looked for on a network.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.errors import CheckpointError
from mcinterp.language.decoding import DecodedModel
from mcinterp.language.spelling import NumberedTokens, Spelling, TokenizerFile

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
"""What makes a folder that of a model; how its tokens are spelled."""
FLOAT = 4
"""Bytes of a number."""


class HuggingFaceLanguage(DecodedModel):
    """A causal language model of the library transformers.

    Args:
        model: of a class that generates.
        name: what it is called.
        spelling: of its tokens; their numbers where left out.
        end_tokens: after any of them a text is over; those of the model's configuration where left out.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        name: str = "model",
        spelling: Spelling | None = None,
        end_tokens: frozenset[int] | None = None,
    ) -> None:
        config: Any = model.config.get_text_config()
        kept_bytes = 2 * int(config.num_hidden_layers) * int(config.hidden_size) * FLOAT
        d_vocab = int(config.vocab_size)
        ends = _end_tokens(model) if end_tokens is None else end_tokens
        longest = getattr(config, "max_position_embeddings", None)
        spelling = spelling or NumberedTokens(d_vocab)
        super().__init__(name, spelling, d_vocab, ends, longest, kept_bytes, model.device)
        module: Any = model
        self._model = module.eval()
        self.n_layers, self.d_model = int(config.num_hidden_layers), int(config.hidden_size)
        self.n_parameters = int(model.num_parameters())
        begin = getattr(config, "bos_token_id", None)
        self.begin_token = None if begin is None or not 0 <= begin < d_vocab else int(begin)
        # Renamed in transformers 5.
        named = inspect.signature(model.forward).parameters
        self._kept_name = "cache" if "cache" in named else "past_key_values"

    @torch.no_grad()
    def states(
        self, tokens: Int[Tensor, "n pos"], wanted: Sequence[int]
    ) -> tuple[list[Float[Tensor, "n pos d_model"]], Float[Tensor, "n pos wanted"]]:
        """See `StateModel.states`; the last is what the unembedding reads, normalised where the library does so."""
        output = self._model(input_ids=tokens, output_hidden_states=True, use_cache=False)
        return list(output.hidden_states), output.logits.softmax(-1)[..., list(wanted)]

    def _advanced(self, tokens: Tensor, kept: Any) -> tuple[Tensor, Any]:
        output = self._model(input_ids=tokens, use_cache=True, **{self._kept_name: kept})
        return output.logits[:, -1, : self._d_vocab], output[self._kept_name]


def is_folder(path: Path) -> bool:
    """Whether a folder is a model of Hugging Face's: whether it says of which type."""
    try:
        return "model_type" in json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def open_folder(path: Path, device: torch.device) -> HuggingFaceLanguage:
    """The causal language model in a folder, in float32.

    Args:
        path: holds config.json, model.safetensors or pytorch_model.bin, and tokenizer.json; without the last, tokens
            are spelled by their numbers.
        device: where it runs.

    Raises:
        CheckpointError: if it is no such model, its files are damaged, or it needs code of its own.
    """
    model, missing = _loaded(path)
    if missing:
        raise CheckpointError(f"{path} lacks the weights {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}")
    spelling = TokenizerFile(path / TOKENIZER) if (path / TOKENIZER).is_file() else None
    return HuggingFaceLanguage(model.requires_grad_(False).to(device), path.resolve().name, spelling)


def _loaded(path: Path) -> tuple[Any, list[str]]:
    """The model, and the names of weights that the folder does not have, which are random then.

    Raises:
        CheckpointError: if it does not open.
    """
    import transformers

    library: Any = transformers
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    try:
        model, found = library.AutoModelForCausalLM.from_pretrained(
            str(path),
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # whatever the library meets in a folder that is no model
        why = " ".join(str(error).split()).partition(". ")[0]
        raise CheckpointError(f"{path} cannot be opened as a causal language model: {why:.300}") from None
    return model, sorted(found["missing_keys"])


def _end_tokens(model: PreTrainedModel) -> frozenset[int]:
    """The tokens that the configuration of generation, or of the model, says end a text."""
    for config in (getattr(model, "generation_config", None), model.config):
        ends = getattr(config, "eos_token_id", None)
        if ends is not None:
            return frozenset(ends if isinstance(ends, list) else [int(ends)])
    return frozenset()
