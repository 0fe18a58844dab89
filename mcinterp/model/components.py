"""Components of a transformer as named sets of parameters: the one definition that switching and retraining share.

    attention-qkv  W_Q, b_Q, W_K, b_K, W_V, b_V of every layer
    attention      the same with W_O and b_O
    mlp            W_in, b_in, W_out, b_out of every layer
    tokens         the token embedding
    positions      the positional embedding
    layer-norms    weight and bias of every LayerNorm, that of the embeddings among them
    read-out       the unembedding
    mlp:1          one layer of a component that has layers
    layer:1        a whole block

`mlp+read-out` is a union, `everything-but:attention+mlp` the complement of one, `everything` and `none` are what they
say. `PARTS` are disjoint and hold every trained parameter. The token-type embedding is in no component: it is never
trained, so that it belongs to a model as its shape does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from mcinterp.errors import InputError, nearest_name

_PATTERNS = {
    "attention-qkv": r"blocks\.(\d+)\.attn\.[Wb]_[QKV]",
    "attention": r"blocks\.(\d+)\.attn\.[Wb]_[QKVO]",
    "mlp": r"blocks\.(\d+)\.mlp\.[Wb]_(?:in|out)",
    "tokens": r"(?:embed\.)?embed\.W_E",
    "positions": r"(?:embed\.)?pos_embed\.W_pos",
    "layer-norms": r"(?:embed\.ln|ln_final|blocks\.(\d+)\.ln[12])\.[wb]",
    "read-out": r"unembed\.[Wb]_U",
    "layer": r"blocks\.(\d+)\..+",
}
_BY_HEAD = r"blocks\.(\d+)\.attn\.(?:[Wb]_[QKV]|W_O)"
"""Parameters whose first axis is the head."""
PARTS = ("attention", "mlp", "tokens", "positions", "layer-norms", "read-out")
"""Components that share no parameter and leave none out."""
RETRAINED = ("attention", "mlp", "positions", "tokens")
"""The components of Fig. 8 of arXiv 2410.22244, which are retrained where none is named."""
COMPLEMENT = "everything-but:"
_NAMES = ("attention-qkv", *PARTS)


@dataclass(frozen=True)
class Component:
    """A named set of parameters.

    Attributes:
        name: as it is written, the parts of a union in alphabetical order.
        parameters: HookedEncoder's names, in the model's order.
    """

    name: str
    parameters: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, parameters: Iterable[str]) -> Component:
        """Read a component, as the module's head describes them.

        Args:
            text: what to read.
            parameters: names of the model's parameters.

        Raises:
            InputError: for a name that is none of these, or a layer that the model does not have.
        """
        text, known = text.strip(), list(parameters)
        everything = [name for name in known if any(_matches(part, name) for part in PARTS)]
        if text in ("none", "everything"):
            return cls(text, tuple(everything) if text == "everything" else ())
        names = sorted({part.strip() for part in text.removeprefix(COMPLEMENT).split("+")})
        chosen = {name for part in names for name in _parameters_of(part, known)}
        if not text.startswith(COMPLEMENT):
            return cls("+".join(names), tuple(name for name in known if name in chosen))
        return cls(COMPLEMENT + "+".join(names), tuple(name for name in everything if name not in chosen))

    def __str__(self) -> str:
        return self.name


def transplant(donor: Mapping[str, Tensor], recipient: Mapping[str, Tensor], component: Component) -> dict[str, Tensor]:
    """The recipient's weights with a component's taken from the donor; neither is changed.

    Args:
        donor: weights by name; only the component's are read.
        recipient: weights by name.
        component: which to take.

    Raises:
        InputError: naming the parameter, if one of them lacks it or has it in another shape.
    """
    for name in component.parameters:
        shapes = [tuple(weights[name].shape) if name in weights else "absent" for weights in (donor, recipient)]
        if shapes[0] != shapes[1] or "absent" in shapes:
            raise InputError(f"{component.name} cannot be switched: {name} is {shapes[0]} here and {shapes[1]} there")
    return {**recipient, **{name: donor[name] for name in component.parameters}}


def reorder_heads(weights: Mapping[str, Tensor], orders: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """The same model with the heads of each layer in another order: it answers as before, but for rounding.

    Args:
        weights: by name; not changed.
        orders: for each layer, which of its heads comes first, second, …
    """
    changed = {}
    for name, weight in weights.items():
        match = re.fullmatch(_BY_HEAD, name)
        changed[name] = weight[list(orders[int(match[1])])].contiguous() if match else weight
    return changed


def _parameters_of(part: str, known: list[str]) -> list[str]:
    """The parameters of `mlp` or of `mlp:1`."""
    name, colon, layer = part.partition(":")
    if name not in _PATTERNS:
        raise InputError(
            f"{part!r:.80} is no component{nearest_name(name, [*_NAMES, 'everything', 'layer:0', 'none'])}"
        )
    if not colon and name != "layer":
        return [parameter for parameter in known if _matches(name, parameter)]
    layers = {match[1] for parameter in known if (match := _matches(name, parameter)) and match.re.groups}
    if not layers - {None}:
        raise InputError(f"{part!r:.80} names no component: {name} has no layers")
    if layer not in layers:
        last = max(int(number) for number in layers if number)
        raise InputError(f"{part!r:.80} names no layer of this model; layers are {name}:0 … {name}:{last}")
    return [parameter for parameter in known if (match := _matches(name, parameter)) and match[1] == layer]


def _matches(name: str, parameter: str) -> re.Match[str] | None:
    return re.fullmatch(_PATTERNS[name], parameter)
