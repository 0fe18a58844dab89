"""Small language models of random weights: a folder of Hugging Face's, a HookedTransformer, one of this package's."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import GPT2Config, GPT2LMHeadModel

from mcinterp.config.transformer import TransformerConfig
from mcinterp.model import CausalTransformer

TEXT = "the answer is yes, the answer is no, I think that it may be so. Yes or no?"
END = 0


def gpt2(n_positions: int = 40) -> GPT2LMHeadModel:
    """A GPT-2 whose every token may come, with more or less probability."""
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=300, n_positions=n_positions, n_embd=16, n_layer=2, n_head=2, eos_token_id=END, bos_token_id=END
    )
    config.initializer_range = 0.6
    return GPT2LMHeadModel(config).eval()


def tokenizer_file(path: Path) -> None:
    """Bytes and what is frequent in a sentence, 300 tokens at most."""
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder

    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    letters = ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [TEXT] * 5,
        BpeTrainer(vocab_size=300, special_tokens=["<end>"], initial_alphabet=letters, show_progress=False),
    )
    tokenizer.save(str(path))


def folder(path: Path) -> Path:
    """A folder of config.json, generation_config.json, model.safetensors and tokenizer.json."""
    gpt2().save_pretrained(path)
    tokenizer_file(path / "tokenizer.json")
    return path


def causal(positions: str = "learned", d_vocab: int = 7, n_positions: int = 9) -> CausalTransformer:
    """A transformer of this package's."""
    shape = {"n_layers": 2, "n_heads": 2, "d_model": 12, "d_mlp": 20, "init_std": 0.8}
    return CausalTransformer(TransformerConfig(positions=positions, **shape), d_vocab, n_positions, seed=2)


def changed_config(path: Path, **values: object) -> None:
    """Write other values into a folder's config.json."""
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | values))
