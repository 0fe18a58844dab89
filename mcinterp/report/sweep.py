"""Write the page of a sweep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mcinterp.errors import UsageError
from mcinterp.report.assets import NAMES, asset
from mcinterp.report.links import DATA, INDEX
from mcinterp.report.page import FOLDER, render, scripts_for
from mcinterp.report.parts import Cell, Column, Link, TableView
from mcinterp.report.views import sweep
from mcinterp.results import Result
from mcinterp.runs.files import explained, tidy, write_atomic

SUMMARY = "sweep"


def write_sweep_report(summary: Result, folder: Path | str) -> Path:
    """Write a sweep's page, with the summary it is made of beside it.

    Args:
        summary: of the sweep, from `sweep_summary`.
        folder: index.html, data/sweep/ and assets/ are written there.

    Returns:
        the path of index.html.

    Raises:
        UsageError: if `folder` holds the report of a run.
    """
    folder = Path(folder)
    if (folder / DATA / "training").exists():
        raise UsageError(f"{folder} holds the report of a run; the page of a sweep needs a folder of its own")
    tidy(folder, DATA, FOLDER)
    summary.save(folder / DATA / SUMMARY)
    stored = Result.load(folder / DATA / SUMMARY)
    files = sorted(path.name for path in (folder / DATA / SUMMARY).iterdir())
    links = [Link(name, f"{DATA}/{SUMMARY}/{name}") for name in files]
    page = render(
        "sweep",
        scripts_for(attention=False),
        title=str(stored.facts["sweep"]),
        facts=sweep.sweep_facts(stored),
        section=replace(sweep.view(stored), links=links),
        configs=_configs(stored),
        versions=dict(stored.provenance.get("versions", {})),
    )
    with explained(folder):
        (folder / FOLDER).mkdir(exist_ok=True)
    for name in NAMES:
        write_atomic(folder / FOLDER / name, asset(name).encode())
    write_atomic(folder / INDEX, page.encode())
    return folder / INDEX


def _configs(stored: Result) -> TableView:
    rows = [(Cell(run), Cell(digest)) for run, digest in stored.provenance.get("configs", {}).items()]
    return TableView("Runs and their configurations", [Column("run"), Column("hash")], rows, kind="plain", folded=True)
