"""What mcinterp's models are and do, by name, whichever TransformerLens they stand on.

As a program, `python lens_models.py FILE`, the same on mcinterp's own base, as if TransformerLens had none.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

D_VOCAB, N_POS, PAD = 11, 9, 10


def sequences(n_pos: int = N_POS, n: int = 4, seed: int = 0, d_vocab: int = D_VOCAB) -> Tensor:
    return torch.randint(d_vocab, (n, n_pos), generator=torch.Generator().manual_seed(seed))


def everything() -> dict[str, Tensor]:
    """Initial weights, activations and gradients of each model, what one generates, and a head's ablation."""
    from mcinterp.config.transformer import BlocksConfig, TransformerConfig
    from mcinterp.model import CausalTransformer, Encoder, HeadSet, intervene
    from mcinterp.model.interventions import uniform_pattern
    from mcinterp.studies.matrix_completion.config import ModelConfig
    from mcinterp.studies.matrix_completion.gpt import MatrixGPT

    shape = {"n_layers": 2, "n_heads": 2, "d_model": 12, "d_mlp": 20, "init_std": 0.4}
    blocks = BlocksConfig(architecture="encoder", **shape)
    values = torch.tensor([torch.nan, *range(9), torch.nan])
    gpt = MatrixGPT(ModelConfig(architecture="gpt", **shape), values, 4, seed=5)
    models = {
        "padded": Encoder(blocks, D_VOCAB, N_POS, seed=1, pad_token=PAD, zero_embedding=True),
        "tied": CausalTransformer(TransformerConfig(tied=True, positions="rotary", **shape), D_VOCAB, N_POS, seed=3),
        "alone": CausalTransformer(TransformerConfig(attention_only=True, **shape), D_VOCAB, N_POS, seed=4),
        "gpt": gpt,
    }
    found = {"generated": gpt.generate_greedily(sequences(5))}
    for name, model in models.items():
        output, cache = model.run_with_cache(sequences())
        found |= {f"{name} weight {key}": weight for key, weight in model.weights().items()}
        found |= {f"{name} activation {key}": activation for key, activation in cache.items()}
        F.cross_entropy(output.flatten(), torch.ones_like(output).flatten() / output.numel()).backward()
        trained = {key: each.grad for key, each in model.named_parameters() if each.grad is not None}
        found |= {f"{name} gradient {key}": gradient for key, gradient in trained.items()}
        with intervene(model, uniform_pattern(HeadSet.parse("L0H1", 2, 2), model.padding(sequences()))):
            found[f"{name} ablated"] = model.complete(sequences())
    return {name: tensor.detach() for name, tensor in found.items()}


if __name__ == "__main__":
    import transformer_lens

    vars(transformer_lens).pop("HookedEncoder", None)
    from mcinterp.model.encoder import Encoder

    assert Encoder.__mro__[1].__module__ == "mcinterp.model.lens.encoder"
    torch.save(everything(), Path(sys.argv[1]))
