"""What is computed on."""

from __future__ import annotations

import torch

from mcinterp.errors import InputError


def resolve_device(name: str) -> torch.device:
    """The device that a name means; `auto` is CUDA where there is one, else the CPU.

    Raises:
        InputError: if torch does not know it or this machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()  # some names have shapes and no numbers
    except (RuntimeError, AssertionError, ImportError, ValueError) as error:
        reason = (str(error).strip() or "torch does not know it").splitlines()[0].partition(". ")[0]
        raise InputError(f"device {name!r:.80} cannot be used here: {reason:.200}") from None
    return torch.device(name)
