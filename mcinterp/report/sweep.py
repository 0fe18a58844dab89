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
from mcinterp.results import RECORD, Result
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
        section=replace(sweep.view(stored, _reports(stored, folder)), links=links),
        configs=_configs(stored),
        versions=dict(stored.provenance.get("versions", {})),
    )
    with explained(folder):
        (folder / FOLDER).mkdir(exist_ok=True)
    for name in NAMES:
        write_atomic(folder / FOLDER / name, asset(name).encode())
    write_atomic(folder / INDEX, page.encode())
    return folder / INDEX


def _reports(stored: Result, folder: Path) -> dict[str, str]:
    """Runs that have a report, in the page's folder or beside it, each with its address from the page.

    A run of another sweep may have the same name, so the report has to be of the same configuration.
    """
    found = {}
    for run, digest in stored.provenance.get("configs", {}).items():
        for place in (run, f"../{run}"):
            if Path(run).name == run and _is_of(folder.resolve() / place, digest):
                found[run] = f"{place}/{INDEX}"
    return found


def _is_of(report: Path, digest: str) -> bool:
    """Whether a report is there, and of a run with this configuration."""
    record = report / DATA / "training"
    if not ((record / RECORD).is_file() and (report / INDEX).is_file()):
        return False
    return Result.load(record).facts.get("config_hash") == digest


def _configs(stored: Result) -> TableView:
    rows = [(Cell(run), Cell(digest)) for run, digest in stored.provenance.get("configs", {}).items()]
    return TableView("Runs and their configurations", [Column("run"), Column("hash")], rows, kind="plain", folded=True)
