"""Links of a report's pages: to its checkpoints, and to the stored numbers."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from mcinterp.report.numbers import number
from mcinterp.report.parts import Link, Section, embed_json
from mcinterp.results import ARRAYS, RECORD

DATA, INDEX, MAPS = "data", "index.html", "maps"


def with_numbers(folder: Path, data: str, shown: Sequence[Section], single_file: bool) -> list[Section]:
    """Sections with links to their numbers."""
    return [
        section if section.absent else replace(section, links=numbers_of(folder, f"{data}/{section.name}", single_file))
        for section in shown
    ]


def pages_json(pages: Mapping[int, str]) -> Markup:
    """Every checkpoint's page, for the script that goes from one to another."""
    return embed_json(
        [{"step": step, "href": href, "text": step_link(step, pages).text} for step, href in pages.items()]
    )


def step_link(step: int, pages: Mapping[int, str]) -> Link:
    """To the page of a checkpoint, step → page."""
    return Link(f"step {number(step)}", pages[step])


def numbers_of(folder: Path, data: str, single_file: bool) -> list[Link]:
    """Links to the stored numbers of a result; in a single file the tables travel in the link itself."""
    files = sorted(path for path in (folder / data).iterdir() if path.suffix == ".csv" or path.name in (RECORD, ARRAYS))
    if not single_file:
        return [Link(path.name, f"{data}/{path.name}") for path in files]
    return [Link(path.name, _data_url(path), _download_name(data, path)) for path in files if path.name != ARRAYS]


def _data_url(path: Path) -> str:
    kind = "text/csv" if path.suffix == ".csv" else "application/json"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _download_name(data: str, path: Path) -> str:
    return f"{data.removeprefix(DATA + '/').replace('/', '-')}-{path.name}"
