"""Write the page of a text's forking tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mcinterp.errors import CheckpointError
from mcinterp.report.links import DATA, INDEX, numbers_of
from mcinterp.report.page import FOLDER, render, scripts_for
from mcinterp.report.single import finished
from mcinterp.report.site import write_assets
from mcinterp.report.views.forks import forks, words
from mcinterp.results import RECORD, Result
from mcinterp.runs.files import tidy, write_atomic

FORKS = "forks"


def write_fork_report(folder: Path | str, single_file: bool = False) -> Path:
    """Write the page of a text's forking tokens from the result in `folder/data/forks`, on which alone it depends.

    Args:
        folder: index.html and assets/ are written there.
        single_file: also put all of it into one file, report.html, which needs nothing beside it.

    Returns:
        the path of index.html, or of report.html.

    Raises:
        CheckpointError: if there is no such result, or it is damaged.
    """
    folder = Path(folder)
    tidy(folder, DATA, FOLDER)
    if not (folder / DATA / FORKS / RECORD).is_file():
        raise CheckpointError(f"{folder / DATA} holds no forks; find them with mcinterp fork")
    result = replace(Result.load(folder / DATA / FORKS), name=FORKS)
    write_assets(folder)
    links = numbers_of(folder, f"{DATA}/{FORKS}")
    page = render(
        "fork",
        scripts_for(attention=False),
        title=_title(result),
        facts=_facts(result),
        prompt=str(result.facts["prompt"]),
        words=words(result),
        section=replace(forks(result, {}), links=links),
        provenance=[(name.replace("_", " "), str(value)) for name, value in result.provenance.items()],
    )
    write_atomic(folder / INDEX, page.encode("utf-8"))
    return finished(folder, single_file)


def _title(result: Result) -> str:
    return str(result.facts["of"].get("model", "stored samples"))


def _facts(result: Result) -> list[tuple[str, str]]:
    """What was sampled, and what is read from it."""
    names = ("samples", "limit", "least", "temperature", "seed")
    of = result.facts["of"]
    sampled = [(name, str(of[name])) for name in names if name in of]
    counted = [("counted", "distinct texts")] if result.facts["distinct"] else []
    return [("outcome", str(result.facts["pattern"])), *sampled, *counted]
