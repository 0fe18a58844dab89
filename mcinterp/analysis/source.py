"""The source that results depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from mcinterp.installed import BUILT_IN, studies

NOT_OF_RESULTS = {"report", "cli", "study", "notebook", "__main__", "views", "figures", "claims", "explorer"}
"""Parts of the package, and of a study's folder, that only show or judge results."""


def sources(package: Path) -> Iterator[tuple[Path, Path]]:
    """Every file that a number can come from, with its place in the package or in the study of another package."""
    for source in (package, *_other_studies()):
        for place, file in _files(source):
            if not _only_shows(place.parts[2:] if place.parts[0] == "studies" else place.parts):
                yield place, file


def _other_studies() -> Iterator[Path]:
    """Where studies of other packages stand: folders, or files of a single module."""
    for name, study in studies().items():
        spec = find_spec(study.package) if name not in BUILT_IN else None
        if spec and spec.origin:
            yield Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


def _files(source: Path) -> list[tuple[Path, Path]]:
    """Every file of a folder with its place in it, in order; or the one file that it is."""
    if source.is_file():
        return [(Path(source.name), source)]
    return [(file.relative_to(source), file) for file in sorted(source.rglob("*.py"))]


def _only_shows(parts: Sequence[str]) -> bool:
    """Whether no number comes from a file at this place of the package or of a study."""
    return bool(parts) and parts[0].removesuffix(".py") in NOT_OF_RESULTS
