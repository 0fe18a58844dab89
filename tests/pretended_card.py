"""A CUDA device that is none: tensors that say they are on one, and are refused what a card refuses.

Numbers are computed on the CPU. What is held to a card's rules is where tensors are (two devices are not mixed, and
NumPy sees none of a card) and, under autocast, of what kind they are. Kernels, streams, graphs and speed are not
pretended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

CARD = torch.device("cuda", 0)
MOVES = ("_to_copy", "copy_")
"""Operations that may see both devices."""
INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_")
"""Operations whose indices may be on the CPU."""
IN_BF16 = ("addmm", "baddbmm", "bmm", "linear", "matmul", "__matmul__", "__rmatmul__", "mm")
IN_FLOAT32 = ("softmax", "log_softmax", "layer_norm", "exp", "log", "pow", "sum", "cross_entropy")
"""Of PyTorch's lists of what autocast computes on a CUDA device in either precision, those that models here use."""


class OnCard(Tensor):
    """A tensor that says it is on the card."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCard:
        with _disable_current_modes():
            # Without memory of its own, and dispatched as what is on a card.
            shaped = torch.empty_strided(held.shape, held.stride(), dtype=held.dtype, device="meta")
            made = Tensor._make_subclass(cls, shaped, False, device_for_backend_keys=CARD)
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CARD

    # Torch would make tensors of lists where it thinks that this one is, where they have no numbers.
    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(_indices(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_indices(index), value)

    def tolist(self) -> Any:
        return self.held.tolist()

    def __repr__(self, **_: Any) -> str:
        return f"OnCard({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class CardGenerator(torch.Generator):
    """A CPU's generator that says it is the card's."""

    def __new__(cls, device: Any = "cpu") -> torch.Generator:
        return super().__new__(cls if torch.device(device).type == "cuda" else torch._C.Generator)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CARD


class Card(TorchDispatchMode):
    """Makes what is asked for on a CUDA device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class CardAutocast(TorchFunctionMode):
    """What `torch.autocast("cuda")` does, which asks torch itself where a tensor is."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = _autocast_kind(getattr(func, "__name__", ""))
        if kind is not None and any(isinstance(value, OnCard) for value in tree_leaves(args)):
            args = tree_map(lambda value: value.to(kind) if _is_number(value) else value, args)
        return func(*args, **(kwargs or {}))


def _autocast_kind(name: str) -> torch.dtype | None:
    if not torch.is_autocast_enabled("cuda"):
        return None
    return torch.bfloat16 if name in IN_BF16 else torch.float32 if name in IN_FLOAT32 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, OnCard) and value.dtype in (torch.float32, torch.bfloat16)


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What an operation gives, on the device that a card's would be on."""
    name, given = func.overloadpacket.__name__, tree_leaves((args, kwargs))
    asked = next((value for value in given if isinstance(value, torch.device)), None)
    on_card = any(isinstance(value, OnCard) for value in given)
    if on_card and name not in MOVES:
        among = tree_leaves(args[0]) if name in INDEXED else given
        if any(isinstance(each, Tensor) and not isinstance(each, OnCard) and each.ndim for each in among):
            raise RuntimeError(f"{name}: expected all tensors to be on the same device, found {CARD} and cpu")
    if asked is not None:
        # Torch itself, asked where a tensor of the card is, says that it is on the device without memory.
        on_card = asked.type == "cuda" or (asked.type == "meta" and (on_card or name == "_to_copy"))
    elif name == "copy_":
        on_card = isinstance(args[0], OnCard)
    result = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if not on_card:
        return args[0] if name == "copy_" else result
    return return_and_correct_aliasing(func, args, kwargs, tree_map(_wrapped, result))


def _held(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu")
    return value.held if isinstance(value, OnCard) else value


def _wrapped(value: Any) -> Any:
    return OnCard(value) if isinstance(value, Tensor) and not isinstance(value, OnCard) else value


def _indices(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_indices, index))
    return torch.tensor(list(index)) if isinstance(index, list | range | np.ndarray) else index


def _filled(make: Any, values: Any, **settings: Any) -> Tensor:
    """What `torch.tensor` makes of numbers, made on the CPU and moved."""
    device = settings.pop("device", None)
    made: Tensor = make(values, **settings)
    return made if device is None else made.to(device)


@contextmanager
def pretended_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process find a CUDA device, called `cuda:0`."""
    with monkeypatch.context() as patches:
        patches.setattr(torch.cuda, "_lazy_init", lambda: None)
        patches.setattr(torch.cuda, "is_available", lambda: True)
        patches.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
        patches.setattr(torch, "Generator", CardGenerator)
        # They are filled where no mode sees it.
        for name in ("tensor", "as_tensor"):
            patches.setattr(torch, name, partial(_filled, getattr(torch, name)))
        # A parameter that is moved is made anew, as one whose numbers are replaced would still be the CPU's.
        patches.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
        with Card(), CardAutocast():
            yield
