"""A run's checkpoints as other people would have saved them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch

from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.convert import to_bert

TRAIN_YAML = """
model: {{num_hidden_layers: {n_layers}, num_attention_heads: {n_heads}, intermediate_size: {d_mlp},
        hidden_size: {d_model}, position_embedding_type: "absolute", hidden_dropout_prob: 0.0, use_cache: False}}
data: {{domain: "real", m: {rows}, n: {cols}, min_val: -1.0, max_val: 1.0, min_vocab: {v_min:.0f},
       max_vocab: {v_max:.0f}, train_rank: {rank}, test_rank: {rank}, prec: {decimals}, train_p_mask: {p_mask},
       test_p_mask: {p_mask}}}
train: {{epochs: 40, num_train: 8, num_eval: 64, lr: 0.001, save_ckpt: True, save_freq: 1000}}
wandb: {{log: True}}
"""


def authors(checkpoint: Checkpoint, folder: Path) -> None:
    """`.tar` files with 512 positions, no token types, an epoch, and the configuration beside them."""
    bert, read_out = to_bert(checkpoint.model)
    named = {f"_backbone.{name}": value for name, value in bert.state_dict().items() if "token_type" not in name}
    table = named["_backbone.embeddings.position_embeddings.weight"]
    untrained = 0.02 * torch.randn(512 - len(table), table.shape[1])
    named["_backbone.embeddings.position_embeddings.weight"] = torch.cat([table, untrained])
    named |= {f"read_out.{name}": value for name, value in read_out.state_dict().items()}
    stored = {"epoch": checkpoint.step - 1, "model": named, "train_loss": 0.5, "vocab_size": bert.config.vocab_size}
    torch.save(stored, folder / f"grok{checkpoint.step:05d}.tar")
    fields = {**checkpoint.config.task.model_dump(), **checkpoint.config.model.model_dump()}
    (folder / "train.yaml").write_text(TRAIN_YAML.format(**fields))


def hugging_face(checkpoint: Checkpoint, folder: Path) -> None:
    """A folder a checkpoint, with `config.json` and the read-out beside it."""
    bert, read_out = to_bert(checkpoint.model)
    bert.save_pretrained(folder / f"checkpoint-{checkpoint.step}")
    safetensors.torch.save_file(
        read_out.state_dict(), folder / f"checkpoint-{checkpoint.step}" / "read_out.safetensors"
    )


def hooked(checkpoint: Checkpoint, folder: Path) -> None:
    """TransformerLens's state dictionary, with its buffers and the heads that it has for pre-training."""
    width = checkpoint.config.model.d_model
    heads = {"mlm_head.W": torch.randn(width, width), "nsp_head.b": torch.zeros(2), "pooler.W": torch.eye(width)}
    torch.save(dict(checkpoint.model.state_dict()) | heads, folder / f"{checkpoint.step}.pt")


def own_names(checkpoint: Checkpoint, folder: Path) -> None:
    """safetensors by the names that a run has here."""
    safetensors.torch.save_file(dict(checkpoint.weights), folder / f"weights_{checkpoint.step}.safetensors")


LAYOUTS: dict[str, Callable[[Checkpoint, Path], None]] = {
    "authors": authors,
    "hugging_face": hugging_face,
    "hooked": hooked,
    "own_names": own_names,
}


def exported(run: Run, layout: str, folder: Path) -> Path:
    """All checkpoints of a run but the untrained one, which has none of the authors' epochs."""
    folder.mkdir(parents=True)
    for step in run.steps[1:]:
        LAYOUTS[layout](run.checkpoint(step), folder)
    return folder
