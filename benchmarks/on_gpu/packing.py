"""Results in a few small archives, and out of them again."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from on_gpu.scale import ARCHIVE

FIRST = (".json", ".yaml", ".csv", ".txt", ".npz", ".safetensors")
"""Kinds of files that are packed, in the order in which they find room."""
LEFT_OUT = {"checks": "runs/*", "paper": "*.safetensors", "wide": "run/*", "wide-float32": "*.safetensors"}
"""What stays behind of a stage: weights that are too large or stand in an excerpt, and trials."""
HEADERS = 300
"""Bytes that a file takes in an archive beside its content, with a name of usual length twice."""


def pack(folder: Path, out: Path, n_archives: int, limit: int = ARCHIVE) -> tuple[list[Path], list[Path]]:
    """Pack a stage's files, in place of what was packed of it before.

    Args:
        folder: of the stage, whose name the archives have.
        out: where the archives go.
        n_archives: how many at most.
        limit: bytes of each at most.

    Returns:
        the archives, and the files that found no room.
    """
    shelves: list[list[Path]] = [[] for _ in range(n_archives)]
    room, left = [limit - HEADERS] * n_archives, []
    for file in packed_files(folder):
        size = len(zlib.compress(file.read_bytes())) + HEADERS
        at = next((at for at, free in enumerate(room) if size <= free), None)
        if at is None:
            left.append(file)
        else:
            shelves[at].append(file)
            room[at] -= size
    return [_written(folder, out, number, files) for number, files in enumerate(shelves, 1) if files], left


def packed_files(folder: Path) -> list[Path]:
    """What is packed of a stage, what tells most for its size first."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix in FIRST]
    behind = LEFT_OUT.get(folder.name, "")
    kept = [file for file in files if not fnmatch(file.relative_to(folder).as_posix(), behind)]
    return sorted(kept, key=lambda file: (FIRST.index(file.suffix), file.as_posix()))


def unpack(archives: Iterable[Path], target: Path) -> list[Path]:
    """Unpack archives of `pack`, each stage into a folder of its own; returns these."""
    folders = set()
    for archive in archives:
        folders.add(target / archive.name.split(".")[0])
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target / archive.name.split(".")[0])
    return sorted(folders)


def _written(folder: Path, out: Path, number: int, files: Iterable[Path]) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{folder.name}.{number}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in files:
            opened.write(file, file.relative_to(folder).as_posix())
    return archive
