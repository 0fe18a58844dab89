"""Write the page of a model that was followed along walks through a graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mcinterp.errors import CheckpointError
from mcinterp.report.links import DATA, INDEX, numbers_of
from mcinterp.report.page import FOLDER, render, scripts_for
from mcinterp.report.single import finished
from mcinterp.report.site import write_assets
from mcinterp.report.views.trace import trace
from mcinterp.results import RECORD, Result
from mcinterp.runs.files import tidy, write_atomic

TRACE = "graph-trace"


def write_trace_report(folder: Path | str, single_file: bool = False) -> Path:
    """Write the page from the result stored in `folder/data/graph-trace`, on which alone it depends.

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
    if not (folder / DATA / TRACE / RECORD).is_file():
        raise CheckpointError(f"{folder / DATA} holds no walks; follow a model with mcinterp graph-trace")
    result = replace(Result.load(folder / DATA / TRACE), name=TRACE)
    write_assets(folder)
    names = ("labellings", "walks", "length", "seed")
    page = render(
        "trace",
        scripts_for(attention=False),
        title=str(result.facts["model"]),
        facts=[("graph", str(result.facts["graph"])), *((name, str(result.settings[name])) for name in names)],
        section=replace(trace(result, {}), links=numbers_of(folder, f"{DATA}/{TRACE}")),
        provenance=[(name.replace("_", " "), str(value)) for name, value in result.provenance.items()],
    )
    write_atomic(folder / INDEX, page.encode("utf-8"))
    return finished(folder, single_file)
