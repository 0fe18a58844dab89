"""Files that torch wrote, by whoever, opened so that nothing in them runs or takes memory that they do not hold."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mcinterp.errors import CheckpointError, reason

LARGEST_PICKLE = 1 << 24
"""Bytes that names and shapes of a file may take."""
_NUMBER = re.compile(r"[fiub][1248]")
_NAMED = re.compile(r"GLOBAL ([\w.]{1,60})")


def read_torch(path: Path) -> Any:
    """What `torch.save` wrote to a file: tensors, plain values, and lists and mappings of them.

    NumPy's scalars become plain numbers. Nothing in the file is executed, and the file is mapped, so that it takes no
    more memory than it is long.

    Raises:
        CheckpointError: if the file cannot be read, holds other things, or is of a torch before 1.6.
    """
    _check_archive(path)
    try:
        with torch.serialization.safe_globals(_STAND_INS):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        # torch's own message advises to load the file unsafely.
        raise _other_things(path, _NAMED.findall(str(error))) from None
    except Exception as error:  # torch raises many kinds for a file that is not its own
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"cannot read {path} as a file of tensors: {reason}") from error


def _check_archive(path: Path) -> None:
    """See that a file is as torch writes it: a zip archive with nothing packed, so that it cannot grow when read."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist())
            pickles = [part for part in archive.infolist() if part.filename.endswith(".pkl")]
            large = packed or sum(part.file_size for part in pickles) > LARGEST_PICKLE
            # The one thing that torch lets a file make of any size without holding it.
            strange = large or any(b"bytearray" in archive.read(part) for part in pickles)
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, NotImplementedError) as error:
        old = "; if torch before 1.6 wrote it, open and save it with a newer one" if "not a zip" in str(error) else ""
        raise CheckpointError(f"cannot read {path} as a file of tensors: {reason(error)}{old}") from None
    if strange:
        raise _other_things(path, [])


def _other_things(path: Path, names: list[str]) -> CheckpointError:
    named = f" ({', '.join(names)})" if names else ""
    return CheckpointError(
        f"cannot read {path} as a file of tensors: it holds other things, left unopened{named}; save the weights "
        "alone, with torch.save(model.state_dict(), …)"
    )


class _Kind:
    """Stands for `numpy.dtype` in a file: a kind of plain number, of at most eight bytes."""

    def __init__(self, code: str, *_: object) -> None:
        if not (isinstance(code, str) and _NUMBER.fullmatch(code)):
            raise pickle.UnpicklingError("GLOBAL numpy.dtype")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


def _plain_number(kind: _Kind, content: bytes) -> float | int | bool:
    """Stands for `numpy.core.multiarray.scalar`, which would take as much memory as its kind claims."""
    if type(kind) is not _Kind or not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        raise pickle.UnpicklingError("GLOBAL numpy.core.multiarray.scalar")
    return np.frombuffer(content, kind.dtype)[0].item()


_STAND_INS: list[Any] = [
    (_Kind, "numpy.dtype"),
    (_plain_number, "numpy.core.multiarray.scalar"),
    (_plain_number, "numpy._core.multiarray.scalar"),
]
