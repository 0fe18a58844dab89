"""What is computed on."""

from __future__ import annotations

import platform
from pathlib import Path

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


def machine(name: str) -> str:
    """What a device is here: the card's name, or the processor's with its cores."""
    device = resolve_device(name)
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else _processor()


def _processor() -> str:
    """The processor's name; Python knows it only on some systems."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor() or platform.machine()
