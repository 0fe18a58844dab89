"""Interventions on heads and positions, as context managers that remove their hooks and check that each one fired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens import HookedRootModule

from mcinterp.errors import InputError, nearest_name
from mcinterp.model.heads import HeadSet
from mcinterp.model.shapes import Pattern, Z

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Intervention:
    """What to change in a forward pass.

    Attributes:
        edits: for each hook point's name, the function from its activation to the changed one.
    """

    edits: Mapping[str, Edit]


@contextmanager
def intervene(model: HookedRootModule, *interventions: Intervention) -> Iterator[None]:
    """Apply interventions, in order, to the forward passes of any hooked model inside the `with` block.

    Raises:
        InputError: at the start for a hook point the model does not have; at the end if a hook never fired (no
            forward pass reached it).
    """
    fired: dict[str, bool] = {}
    hooks: list[tuple[str | Callable[..., bool], Callable[..., Tensor]]] = []
    for intervention in interventions:
        for name, edit in intervention.edits.items():
            if name not in model.hook_dict:
                raise InputError(f"the model has no hook point {name!r}{nearest_name(name, model.hook_dict)}")
            fired[name] = False
            hooks.append((name, _recording(edit, name, fired)))
    with model.hooks(fwd_hooks=hooks):
        yield
    silent = [name for name, did in fired.items() if not did]
    if silent:
        raise InputError(f"the hooks at {', '.join(silent)} never fired: no forward pass in the block reached them")


def _recording(edit: Edit, name: str, fired: dict[str, bool]) -> Callable[[Tensor, object], Tensor]:
    """The edit as a TransformerLens hook that notes that it ran."""

    def hook_function(activation: Tensor, hook: object) -> Tensor:
        fired[name] = True
        return edit(activation)

    return hook_function


def uniform_attention(n_positions: int, causal: bool = False) -> Float[Tensor, "query key"]:
    """The softmax probabilities of a head that looks at every key alike, or at every key not after it."""
    allowed = torch.ones(n_positions, n_positions)
    if causal:
        allowed = allowed.tril()
    return allowed / allowed.sum(-1, keepdim=True)


def uniform_pattern(heads: HeadSet, padding: Tensor | None = None, causal: bool = False) -> Intervention:
    """Replace the softmax probabilities of `heads` by equal ones: 1/n at every one of n keys, padding left out.

    Args:
        heads: which heads.
        padding: of the batch, as `Encoder.padding` gives it; None where no key is padding.
        causal: query q, counted from 0, has 1/(q + 1) at each key up to its own and nothing after it.
    """

    def edit(heads_of_layer: list[int]) -> Edit:
        def uniform(pattern: Pattern) -> Pattern:
            changed = pattern.clone()
            equal = uniform_attention(pattern.shape[-1], causal) if padding is None else padding.softmax(-1)
            changed[:, heads_of_layer] = equal.to(pattern)
            return changed

        return uniform

    return Intervention({f"blocks.{layer}.attn.hook_pattern": edit(own) for layer, own in heads.by_layer().items()})


def replaced_z(heads: HeadSet, source: Sequence[Tensor] | Mapping[int, Tensor]) -> Intervention:
    """Replace the outputs z of `heads`, before W_O, by those of `source`.

    Args:
        heads: which heads.
        source: for each layer, z of shape (batch or 1, pos, n_heads, d_head).
    """

    def edit(layer: int, heads_of_layer: list[int]) -> Edit:
        def replace(z: Z) -> Z:
            changed = z.clone()
            changed[:, :, heads_of_layer] = source[layer][:, :, heads_of_layer].to(z.device)
            return changed

        return replace

    return Intervention({f"blocks.{layer}.attn.hook_z": edit(layer, own) for layer, own in heads.by_layer().items()})


def permuted_positions(order: Sequence[int]) -> Intervention:
    """Give position p the positional embedding that belongs to position `order[p]`.

    Args:
        order: every position once.

    Raises:
        InputError: if it is not a permutation; in the forward pass, if it is one of another number of positions.
    """
    if sorted(order) != list(range(len(order))):
        raise InputError(f"a permutation must hold every position 0 … {len(order) - 1} once, got {list(order)!r:.80}")

    def permute(embedding: Tensor) -> Tensor:
        if embedding.shape[-2] != len(order):
            raise InputError(f"a permutation of {len(order)} positions does not fit {embedding.shape[-2]} of them")
        return embedding[..., list(order), :]

    return Intervention({"embed.hook_pos_embed": permute})
