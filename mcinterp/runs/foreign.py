"""Weights from elsewhere as they were saved: files of torch, safetensors, and Hugging Face's folders."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from mcinterp.config.base import MOST_STEPS
from mcinterp.errors import CheckpointError, UsageError, reason
from mcinterp.runs.files import HEADER
from mcinterp.runs.torch_file import read_torch

WEIGHTS_UNDER = ("model", "state_dict", "model_state_dict")
"""Where a file keeps its weights, if it holds more than them."""
SUFFIXES = (".tar", ".pt", ".pth", ".bin", ".ckpt", ".safetensors")
"""Of files that may hold weights."""
FOLDER = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")
"""What holds the weights of a folder as Hugging Face saves it, the first that is there."""
READ_OUT = "read_out"
"""File of such a folder, `read_out.safetensors` or `read_out.pt`, with weights that the network itself has not."""
_AS_IT_IS = ("step", "global_step", "iteration")
_IN_A_NAME = re.compile(r"step\D?(\d+)|(\d+)(?=\D*$)", re.IGNORECASE)


@dataclass(frozen=True)
class Foreign:
    """Weights as somebody saved them.

    Attributes:
        source: the file or folder.
        weights: by the names that they were saved under.
        record: what stands beside them in the file, such as `epoch`; {} where nothing does.
        config: Hugging Face's `config.json`; None where there is none.
    """

    source: Path
    weights: Mapping[str, Tensor] = field(repr=False)
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def step(self) -> int | None:
        """Updates done when they were saved: the record's step, its epoch (counted from 0) + 1, or the name's number.

        Raises:
            CheckpointError: if the record has one that is no step.
        """
        for name in (*_AS_IT_IS, "epoch"):
            if name in self.record:
                return _number(self.record[name], name, self.source) + (name == "epoch")
        found = _IN_A_NAME.search(self.source.stem if self.source.suffix in SUFFIXES else self.source.name)
        step = int(found[1] or found[2]) if found else None
        return step if step is None or step <= MOST_STEPS else None


def open_foreign(path: Path | str) -> Foreign:
    """Open a file of torch, a safetensors file, or a folder with one of them and `config.json`, sharded or not.

    Nothing in a file is executed, and no more memory is taken than it is long.

    Raises:
        CheckpointError: if it cannot be read or holds no weights.
    """
    path = Path(path)
    return _opened_folder(path) if path.is_dir() else _opened_file(path)


def is_foreign(path: Path) -> bool:
    """Whether a file or folder may hold weights, by its name or its content's names."""
    if path.is_dir():
        return any((path / name).is_file() for name in FOLDER)
    return path.suffix in SUFFIXES and not path.name.startswith((".", READ_OUT))


def _opened_file(path: Path) -> Foreign:
    if path.suffix == ".safetensors":
        weights, record = _safetensors(path)
        return Foreign(path, weights, record)
    stored = read_torch(path)
    content = dict(stored) if isinstance(stored, Mapping) else {}
    under = next((name for name in WEIGHTS_UNDER if isinstance(content.get(name), Mapping)), None)
    weights = content.pop(under) if under else {n: w for n, w in content.items() if isinstance(w, Tensor) and w.ndim}
    if not weights and not under:
        held = ", ".join(f"{name!r:.40}" for name in list(content)[:8]) or f"a {type(stored).__name__}"
        raise CheckpointError(
            f"{path} must hold 'epoch' and 'model' (or 'state_dict', or 'model_state_dict'), or be a state_dict by "
            f"itself; it holds {held}"
        )
    named = {str(name): weight for name, weight in weights.items()}
    if strange := [name for name, weight in named.items() if not isinstance(weight, Tensor)]:
        raise CheckpointError(f"{path}: {strange[0]:.80} is not a tensor but {type(named[strange[0]]).__name__}")
    _refuse_more_than(path.stat().st_size, named, path)
    return Foreign(path, named, {name: value for name, value in content.items() if name not in named})


def _opened_folder(folder: Path) -> Foreign:
    name = next((name for name in FOLDER if (folder / name).is_file()), None)
    if name is None:
        raise CheckpointError(f"{folder} holds no weights: expected {' or '.join(FOLDER)} in it")
    weights = _sharded(folder / name) if name.endswith(".json") else dict(_opened_file(folder / name).weights)
    for file in (folder / f"{READ_OUT}.safetensors", folder / f"{READ_OUT}.pt"):
        if file.is_file():
            own = _opened_file(file).weights
            weights |= {f"{READ_OUT}.{name.removeprefix(f'{READ_OUT}.')}": weight for name, weight in own.items()}
    config = _json(folder / "config.json") if (folder / "config.json").is_file() else None
    trainer = folder / "trainer_state.json"
    step = _json(trainer).get("global_step") if trainer.is_file() else None
    return Foreign(folder, weights, {} if step is None else {"global_step": step}, config)


def _sharded(index: Path) -> dict[str, Tensor]:
    """The weights of a folder whose index says which file holds each."""
    where = _json(index).get("weight_map")
    if not isinstance(where, Mapping) or not all(isinstance(file, str) for file in where.values()):
        raise CheckpointError(f"{index} must hold 'weight_map', from names of weights to files beside it")
    shards = {}
    for file in sorted(set(where.values())):
        if Path(file).name != file or Path(file).suffix not in SUFFIXES:
            raise CheckpointError(f"{index} leads to {file!r:.80}, which is no file of weights beside it")
        shards[file] = _opened_file(index.parent / file).weights
    for name, file in where.items():
        if name not in shards[file]:
            raise CheckpointError(f"{index.parent / file} lacks {name}, which {index.name} says is there")
    return {name: shards[file][name] for name, file in where.items()}


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A safetensors file's weights and what its header says besides; the library holds it to its length."""
    try:
        with path.open("rb") as file:
            if int.from_bytes(file.read(8), "little") > HEADER:
                raise CheckpointError(f"cannot read {path} as a file of tensors: its header is too long")
        with safetensors.safe_open(path, framework="pt") as opened:
            names = opened.keys()
            return {name: opened.get_tensor(name) for name in names}, dict(opened.metadata() or {})
    except CheckpointError:
        raise
    except Exception as error:  # safetensors raises its own kinds
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"cannot read {path} as a file of tensors: {reason}") from None


def _json(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > HEADER:
            raise ValueError("it is too long")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {reason(error)}") from None
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} must hold names with values, got {type(content).__name__}")
    return content


def _number(value: Any, name: str, source: Path) -> int:
    """A step that a record has, as a number, a tensor of one, or the text that safetensors makes of it."""
    plain = (
        value.item() if isinstance(value, Tensor) and value.numel() == 1 and value.layout is torch.strided else value
    )
    text = str(plain).removesuffix(".0")
    if isinstance(plain, bool) or not text.isdecimal() or len(text) > 18 or int(text) > MOST_STEPS:
        raise CheckpointError(f"{source}: {name!r} is {plain!r:.60}, not a number of steps")
    return int(text)


def chosen_step(foreign: Foreign, step: int | None = None) -> int:
    """The step that was said, or that the weights were saved with.

    Raises:
        UsageError: if there is none.
    """
    found = foreign.step if step is None else step
    if found is None:
        raise UsageError(
            f"{foreign.source}: neither its name nor what it holds tells its step; say the steps, in order"
        )
    return found


def _refuse_more_than(size: int, weights: Mapping[str, Tensor], source: Path) -> None:
    """Refuse tensors that claim more numbers than their file holds, by views that repeat or share them."""
    tensors = list(weights.values())
    if any(tensor.layout is not torch.strided or tensor.device.type != "cpu" for tensor in tensors):
        raise CheckpointError(f"{source} holds tensors that are not plain numbers")
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if claimed > size:
        raise CheckpointError(f"{source} claims {claimed:,} bytes of numbers in a file of {size:,}")
