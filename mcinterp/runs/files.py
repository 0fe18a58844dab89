"""Writing files so that a reader finds the old one or the new one, never half of one; reading them with suspicion."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from mcinterp.errors import CheckpointError, DamagedError, WriteError, reason

SEAL = "seal"
"""What a sealed file's header holds: the configuration it belongs to, and the digest of its tensors."""
HEADER = 1 << 20
"""Bytes that names and shapes may take beside the tensors."""
_HOST = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<host>[A-Za-z0-9_-]+)\.(?P<process>\d+)\.tmp")
_OLD = ".old"


def write_atomic(path: Path, content: bytes) -> None:
    """Write under a temporary name, flush to disk, and rename.

    Raises:
        WriteError: if that is not possible; what stood at `path` stands.
    """
    temporary = _temporary(path)
    with explained(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; at the end it takes the name `path`, replacing what was there.

    Raises:
        WriteError: if that is not possible; what stood at `path` stands.
    """
    temporary, old = _temporary(path), _temporary(path.with_name(path.name + _OLD))
    with explained(path):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            for path_within in _tree(temporary):
                (_sync_folder if path_within.is_dir() else _sync_file)(path_within)
            _take_the_place(temporary, path, old)
            _sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say in a sentence that `path` could not be written, and why.

    Raises:
        WriteError: for an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raised = WriteError(f"{path} cannot be written: {error.strerror or error}; what was saved before is as it was")
        raised.full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise raised from None


def tidy(folder: Path, *parts: str) -> None:
    """Before writing: remove what killed processes of this machine left, and refuse ways out of the folder.

    Args:
        folder: that will be written to; it may be reached through a symbolic link itself.
        parts: folders in it that will be written to, looked at to the bottom.

    Raises:
        CheckpointError: if one of `parts` is or holds a symbolic link.
    """
    below = [path for part in parts for path in _tree(folder / part)]
    link = next((path for path in below if path.is_symlink()), None)
    if link is not None:
        raise CheckpointError(f"{link} is a symbolic link, through which nothing is written: put a folder in its place")
    for path in [*folder.glob(".*.tmp"), *below]:
        if is_leftover(path) and not _is_alive(path):
            _remove_leftover(path)


def is_leftover(path: Path) -> bool:
    """Whether a file or folder has the temporary name of one that is, or was, being written."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


def sealed_bytes(tensors: Mapping[str, Tensor], config_hash: str) -> bytes:
    """Tensors as a safetensors file that says whose it is and what it must hold."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(whole, {SEAL: f"{config_hash} {tensors_digest(whole)}"})


def read_sealed(path: Path, known_as: Collection[str], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Load what `sealed_bytes` made; a file of an earlier version, which has no seal, is taken as it is.

    Args:
        path: of the file.
        known_as: hashes of the run's configuration, to one of which it must belong.
        like: tensors of about the same size, beyond which no memory is taken.

    Raises:
        DamagedError: if it is missing or damaged.
        CheckpointError: if it belongs to another configuration.
    """
    content = read_bounded(path, sum(tensor.nbytes for tensor in like.values()))
    try:
        tensors = safetensors.torch.load(content)
        seal = _seal(content)
    except Exception as error:  # safetensors raises its own kinds
        raise DamagedError(f"{path} cannot be read: {reason(error)}") from None
    if seal is None:
        return tensors
    owner, _, digest = seal.partition(" ")
    if digest != tensors_digest(tensors):
        raise DamagedError(f"{path} is damaged: its digest is not the one it was saved with")
    if owner not in known_as:
        raise CheckpointError(f"{path} belongs to configuration {owner}, its run to {' or '.join(sorted(known_as))}")
    return tensors


def read_bounded(path: Path, size: int) -> bytes:
    """Read a file of about `size` bytes.

    Raises:
        DamagedError: if it cannot be read, or is so much longer that it cannot be what was written.
    """
    try:
        found = path.stat().st_size
        if found > size + HEADER:
            raise DamagedError(f"{path} is damaged: it has {found:,} bytes, its configuration tells of {size:,}")
        return path.read_bytes()
    except OSError as error:
        kind = CheckpointError if isinstance(error, PermissionError) else DamagedError
        raise kind(f"{path} cannot be read: {error.strerror or error}") from None


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, kinds, shapes and numbers, hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as the bytes of a safetensors file; equal tensors give equal bytes."""
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()})


def _seal(content: bytes) -> str | None:
    """The seal in a file's header; None where there is none."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    if "__metadata__" not in header:
        return None
    return str(header["__metadata__"][SEAL])


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.tmp")


def _take_the_place(new: Path, path: Path, old: Path) -> None:
    """Move a folder to `path`; what stands there is out of the way for a moment, and comes back if that fails."""
    if not os.path.lexists(path):
        new.replace(path)
        return
    path.replace(old)
    try:
        new.replace(path)
    except BaseException:
        old.replace(path)
        raise


def _tree(folder: Path) -> Iterator[Path]:
    """A folder and all that is in it, links unfollowed."""
    if os.path.lexists(folder):
        yield folder
    for where, folders, files in os.walk(folder):
        yield from (Path(where) / name for name in [*folders, *files])


def _is_alive(leftover: Path) -> bool:
    """Whether the process that writes under a temporary name may still do so: it runs, or is not of this machine."""
    made = _LEFTOVER.fullmatch(leftover.name)
    if made is None or made["host"] != _HOST:
        return True
    try:
        os.kill(int(made["process"]), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove_leftover(path: Path) -> None:
    """Remove it, where that is possible; where not, what is written next says why."""
    made = _LEFTOVER.fullmatch(path.name)
    name = made["name"] if made else ""
    # The one moment in which what stood before stands under another name.
    if name.endswith(_OLD) and not os.path.lexists(path.with_name(name.removesuffix(_OLD))):
        with contextlib.suppress(OSError):
            path.replace(path.with_name(name.removesuffix(_OLD)))
    elif path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
