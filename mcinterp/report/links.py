"""Links of a report's pages: to its checkpoints, and to the stored numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from mcinterp.report.numbers import number
from mcinterp.report.parts import Link, Section, embed_json
from mcinterp.results import ARRAYS, RECORD

DATA, INDEX, MAPS = "data", "index.html", "maps"
EXPLORER = "explore.html"
"""Beside a report, the page in which the model runs."""


def with_numbers(folder: Path, data: str, shown: Sequence[Section]) -> list[Section]:
    """Sections with links to their numbers."""
    return [
        section if section.absent else replace(section, links=numbers_of(folder, f"{data}/{section.name}"))
        for section in shown
    ]


def pages_json(pages: Mapping[int, str]) -> Markup:
    """Every checkpoint's page, for the script that goes from one to another."""
    return embed_json(
        [{"step": step, "href": href, "text": step_link(step, pages).text} for step, href in pages.items()]
    )


def explorer_link(folder: Path, words: str, **place: int | str) -> Link | None:
    """Where the run's explorer opens at a place, such as `step` and `head`; None where the report has no explorer."""
    if not (folder / EXPLORER).is_file():
        return None
    at = "&".join(f"{key}={value}" for key, value in place.items())
    return Link(words, f"{EXPLORER}#{at}" if at else EXPLORER)


def step_link(step: int, pages: Mapping[int, str]) -> Link:
    """To the page of a checkpoint, step → page."""
    return Link(f"step {number(step)}", pages[step])


def numbers_of(folder: Path, data: str) -> list[Link]:
    """Links to the stored numbers of a result."""
    files = sorted(path for path in (folder / data).iterdir() if path.suffix == ".csv" or path.name in (RECORD, ARRAYS))
    return [Link(path.name, f"{data}/{path.name}") for path in files]
