"""What encoders and causal transformers share: caches, moving, and the weights of all layers at once."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from transformer_lens import ActivationCache, FactoredMatrix, HookedRootModule
from transformer_lens.utilities.devices import move_to_and_update_config

from mcinterp.model.lens.config import HookedTransformerConfig


def weight(parameter: str) -> Any:
    """A property: one of the model's parameters."""
    return property(attrgetter(parameter), doc=f"`{parameter}`.")


def _of_layers(parameter: str) -> Any:
    """A property: a parameter of every block, stacked with the layer first."""

    def stacked(model: Any) -> Tensor:
        return torch.stack([attrgetter(parameter)(block) for block in model.blocks])

    return property(stacked, doc=f"`{parameter}` of every block, the layer first.")


class HookedModel(HookedRootModule):
    """A model of blocks with hook points. `W_Q`, `b_in` and the like are the weights of all layers."""

    cfg: HookedTransformerConfig
    W_E: Any
    W_pos: Any
    W_U, b_U = weight("unembed.W_U"), weight("unembed.b_U")  # noqa: N815
    W_Q, W_K, W_V, W_O = map(_of_layers, ("attn.W_Q", "attn.W_K", "attn.W_V", "attn.W_O"))
    b_Q, b_K, b_V, b_O = map(_of_layers, ("attn.b_Q", "attn.b_K", "attn.b_V", "attn.b_O"))  # noqa: N815
    W_in, W_out, b_in, b_out = map(_of_layers, ("mlp.W_in", "mlp.W_out", "mlp.b_in", "mlp.b_out"))

    def run_with_cache(
        self, *model_args: Any, return_cache_object: bool = True, remove_batch_dim: bool = False, **kwargs: Any
    ) -> tuple[Any, Any]:
        """The output and every activation that a hook point sees, by its name.

        Args:
            model_args: of `forward`.
            return_cache_object: whether activations come in an `ActivationCache`; a dictionary otherwise.
            remove_batch_dim: whether the one sample of a batch loses its axis.
            kwargs: of `HookedRootModule.run_with_cache` and of `forward`.
        """
        out, cache = super().run_with_cache(*model_args, remove_batch_dim=remove_batch_dim, **kwargs)
        return out, ActivationCache(cache, self, not remove_batch_dim) if return_cache_object else cache

    def to(self, device_or_dtype: torch.device | str | torch.dtype, print_details: bool = True) -> Any:  # type: ignore[override]
        """Move to a device or to numbers of another length, and say so."""
        return move_to_and_update_config(self, device_or_dtype, print_details)

    def cpu(self) -> Any:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self, device: int | torch.device | None = None) -> Any:
        """Move to a GPU, the current one where none is named."""
        return self.to(f"cuda:{device}" if isinstance(device, int) else device or "cuda")

    @property
    def W_E_pos(self) -> Tensor:  # noqa: N802
        """Embeddings of tokens, then of positions, (d_vocab + n_ctx, d_model)."""
        return torch.cat([self.W_E, self.W_pos])

    @property
    def QK(self) -> FactoredMatrix:  # noqa: N802
        """W_Q W_Kᵀ of every layer and head."""
        return FactoredMatrix(self.W_Q, self.W_K.mT)

    @property
    def OV(self) -> FactoredMatrix:  # noqa: N802
        """W_V W_O of every layer and head."""
        return FactoredMatrix(self.W_V, self.W_O)

    def all_head_labels(self) -> list[str]:
        """The names of all heads: `L0H0`, `L0H1` and so on."""
        return [f"L{layer}H{head}" for layer in range(self.cfg.n_layers) for head in range(self.cfg.n_heads)]
