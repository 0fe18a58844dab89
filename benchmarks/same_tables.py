"""Whether two folders of reports hold the same numbers: python benchmarks/same_tables.py BEFORE AFTER.

Every CSV of BEFORE must be in AFTER, byte for byte; what AFTER has besides is counted. Exits with 1 where one differs.
Made for changes of structure: write the reports of shipped runs before and after, and compare.
"""

from __future__ import annotations

import sys
from pathlib import Path


def differences(before: Path, after: Path) -> list[str]:
    """What is wrong with each table of `before` that `after` does not have as it is."""
    found = []
    for table in sorted(before.rglob("*.csv")):
        other = after / table.relative_to(before)
        if not other.is_file():
            found.append(f"{table.relative_to(before)}: missing")
        elif table.read_bytes() != other.read_bytes():
            found.append(f"{table.relative_to(before)}: {_first_difference(table, other)}")
    return found


def _first_difference(table: Path, other: Path) -> str:
    """The first line that differs, as both have it."""
    lines = (path.read_text(encoding="utf-8").splitlines() for path in (table, other))
    for number, (one, two) in enumerate(zip(*lines, strict=False), start=1):
        if one != two:
            return f"line {number} is {one!r:.200}, then {two!r:.200}"
    return "one is longer"


def main(before: Path, after: Path) -> int:
    """Print what differs, and how many tables were compared."""
    found = differences(before, after)
    print(*found, sep="\n", end="\n" if found else "")
    tables = {path.relative_to(before) for path in before.rglob("*.csv")}
    more = {path.relative_to(after) for path in after.rglob("*.csv")} - tables
    print(f"{len(tables)} tables compared, {len(found)} differ; {len(more)} tables are new")
    return 1 if found or not tables else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
