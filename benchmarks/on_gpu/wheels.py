"""What the stages need and a machine lacks, as wheels, in the versions that are installed here."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PACKAGE = "mcinterp"
THERE = ("torch",)
"""What has to be on the machine, with all that it brings: gigabytes, for its own card."""
PAGES = ("circuitsvis", "plotly")
SOLVERS = ("highspy", "osqp", "scs", "sparsediffpy")
UNUSED = (*PAGES, *SOLVERS, "transformers-stream-generator", "wandb")
"""What is required and no stage loads, most of the bytes: pages are written where archives are unpacked, and of the
solvers Clarabel alone is named."""
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (34, 31, 28, 27, 24, 17)] + ["manylinux2014_x86_64"]


def gathered(target: Path, has: str, python: str) -> list[Path]:
    """Download every wheel that is lacking, and build the package's own.

    Args:
        target: the folder, made if it is not there.
        has: what the machine has, a line each, as `pip freeze` has it; a name without a version fits.
        python: the machine's version of Python.
    """
    target.mkdir(parents=True, exist_ok=True)
    versions = lacking(installed_needs(), freeze(has))
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    for_there = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platforms]
    for name, version in versions.items():
        made = f"{name}=={version}"
        if not _pip("download", "--no-deps", *for_there, "--dest", str(target), made):
            # There are sources alone; a wheel of Python alone fits everywhere.
            _pip("wheel", "--no-deps", "--wheel-dir", str(target), made)
    _pip("wheel", "--no-deps", "--wheel-dir", str(target), str(Path(__file__).parents[2]))
    return sorted(target.glob("*.whl"))


def lacking(needs: Mapping[str, list[Requirement]], has: Mapping[str, Version | None]) -> dict[str, str]:
    """Packages, with the versions that are installed here, that the machine has not or not in a version that fits."""
    found, waiting = dict[str, str](), [PACKAGE]
    while waiting:
        for need in needs[waiting.pop()]:
            name = canonicalize_name(need.name)
            if name not in (*found, *THERE, *UNUSED) and not _fits(need, has.get(name, False)):
                found[name] = distribution(name).version
                waiting.append(name)
    return found


def installed_needs() -> dict[str, list[Requirement]]:
    """What the package, and all that it brings here, requires: name → requirements."""
    needs, waiting = dict[str, list[Requirement]](), [PACKAGE]
    while waiting:
        name = waiting.pop()
        if name not in needs:
            needs[name] = list(_requirements(name))
            waiting += [canonicalize_name(need.name) for need in needs[name] if need.name not in THERE]
    return needs


def freeze(text: str) -> dict[str, Version | None]:
    """Names and versions of `pip freeze`; None for what is named without one."""
    pairs = (re.split(r"==|\s+", line.strip(), maxsplit=1) for line in text.splitlines() if line.strip())
    return {
        canonicalize_name(name): Version(rest[0]) if rest and rest[0][0].isdigit() else None for name, *rest in pairs
    }


def _requirements(name: str) -> Iterator[Requirement]:
    """What a package requires here, without extras."""
    for line in distribution(name).requires or ():
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield need


def _fits(need: Requirement, version: Version | bool | None) -> bool:
    if isinstance(version, Version):
        return need.specifier.contains(version, prereleases=True)
    return version is None


def _pip(*words: str) -> bool:
    """Whether pip could."""
    return subprocess.run([sys.executable, "-m", "pip", "--quiet", *words], check=False).returncode == 0
