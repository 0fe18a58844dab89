"""What is computed on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mcinterp.config import RunConfig, TrainConfig
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


def known_precision(config: RunConfig, device: torch.device) -> RunConfig:
    """The configuration with a precision in place of 'auto': bf16 where the device computes with it, else float32."""
    if config.training.precision != "auto":
        return config
    on_card = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    known = "bf16" if on_card or (device.type == "cpu" and _has_bf16()) else "float32"
    training = TrainConfig(**{**config.training.model_dump(), "precision": known})
    return config.model_copy(update={"training": training})


def _has_bf16() -> bool:
    """Whether the processor multiplies bf16 itself; elsewhere it is emulated, slower than float32."""
    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch does not say
    return any(told.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


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
