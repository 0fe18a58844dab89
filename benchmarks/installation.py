"""What an installation takes on disk: python benchmarks/installation.py [EXTRA …].

Reads the packages of this environment that mcinterp asks for (and its extras, where named) and prints what each
of its own requirements takes: by itself, with all that it brings, and what would go if it alone were not asked for.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pandas as pd
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MB = 1e6
ROOT = "mcinterp"


def main(*extras: str) -> None:
    """Print a row for each requirement, and all of them together."""
    direct = dict(required(ROOT, {"", *extras}))
    everything = brought(direct)
    sizes = {name: size(name) for name in everything}
    total = sum(sizes.values())
    rows = [
        {
            "asked for": name,
            "itself, MB": sizes.get(name, 0) / MB,
            "with what it brings, MB": sum(sizes[each] for each in brought({name: wanted})) / MB,
            "alone, MB": (total - sum(sizes[each] for each in brought(direct, without=name))) / MB,
        }
        for name, wanted in direct.items()
    ]
    table = pd.DataFrame(rows).sort_values("with what it brings, MB", ascending=False)
    print(table.to_markdown(index=False, floatfmt=".0f"))
    print(f"{len(everything)} packages, {total / MB:.0f} MB")


def brought(asked: dict[str, set[str]], without: str = "") -> set[str]:
    """The installed packages that these need, themselves included, by name → extras."""
    found: set[str] = set()
    open_ = [(name, extras) for name, extras in asked.items() if name != without]
    seen: set[tuple[str, str]] = set()
    while open_:
        name, extras = open_.pop()
        new = {extra for extra in extras | {""} if (name, extra) not in seen}
        if new and installed(name):
            seen |= {(name, extra) for extra in new}
            found.add(name)
            open_ += list(required(name, new))
    return found


def required(name: str, extras: set[str]) -> Iterator[tuple[str, set[str]]]:
    """What a package asks for here, with the extras of it."""
    for line in distribution(name).requires or []:
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras):
            yield canonicalize_name(wanted.name), set(wanted.extras)


def installed(name: str) -> Distribution | None:
    """The package, if it is there: a marker may ask for what another system needs."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def size(name: str) -> int:
    """Bytes of a package's files, compiled ones left out."""
    paths = (file.locate() for file in distribution(name).files or [] if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())


if __name__ == "__main__":
    main(*sys.argv[1:])
