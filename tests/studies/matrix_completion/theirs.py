"""BERTs as other people train and save them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from mcinterp.studies.matrix_completion.encoder import MatrixEncoder

VOCABULARY, LENGTH, WIDTH = 60, 9, 16
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
    "attn_implementation": "eager",
}


def randomised(model: nn.Module) -> Any:
    """All parameters random, so that none hides behind its initial value; rows that stand for padding stay 0."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            empty = (~parameter.reshape(len(parameter), -1).any(1)) & (parameter.ndim == 2) & ("embeddings" in name)
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
            parameter[empty] = 0
    return model.eval()


def bert(**changed: Any) -> BertModel:
    return randomised(BertModel(BertConfig(**SHAPE | changed), add_pooling_layer=changed.pop("pooler", False)))


def read_out(bias: bool = True) -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(WIDTH, 1, bias=bias)


def tokens(least: int = 1) -> Tensor:
    ids = torch.randint(least, VOCABULARY, (6, LENGTH), generator=torch.Generator().manual_seed(0))
    ids[:, ::3] = 0
    return ids


@torch.no_grad()
def answers(network: nn.Module, head: nn.Linear, ids: Tensor) -> Tensor:
    return head(network(ids).last_hidden_state)[..., 0]


@torch.no_grad()
def furthest(model: MatrixEncoder, network: nn.Module, head: nn.Linear, least: int = 1) -> float:
    """Largest difference of the two networks' answers, which are of about 1."""
    ids = tokens(least)
    return float((model.complete(ids) - answers(network, head, ids)).abs().max())


def untyped(network: BertModel) -> BertModel:
    """The authors' BERT adds no token types: the same as stock BERT with zeros there."""
    with torch.no_grad():
        network.embeddings.token_type_embeddings.weight.zero_()
    return network


def authors_weights(network: BertModel, head: nn.Linear) -> dict[str, Tensor]:
    named = {f"_backbone.{name}": value for name, value in network.state_dict().items() if "token_type" not in name}
    return named | {f"read_out.{name}": value for name, value in head.state_dict().items()}


def authors_file(path: Path, steps: int = 3, **more: Any) -> tuple[BertModel, nn.Linear]:
    """A file as their training script writes it, after `steps` updates of the parts that inputs reach."""
    network, head = untyped(bert()), read_out()
    network.embeddings.token_type_embeddings.requires_grad_(False)
    optimiser = torch.optim.Adam([p for part in (network, head) for p in part.parameters() if p.requires_grad], 1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        head(network(tokens()).last_hidden_state).square().mean().backward()
        optimiser.step()
    stored = {"epoch": 3999, "model": authors_weights(network, head), "optim": optimiser.state_dict()}
    torch.save(stored | {"train_loss": 0.1, "eval_loss": 0.2, "vocab_size": VOCABULARY} | more, path)
    return network, head
