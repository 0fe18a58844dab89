"""The command that trains a grid of runs: sweep."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcinterp.cli.options import CHECKPOINTS, REPORTS, Device
from mcinterp.cli.progress import say, sweep_progress
from mcinterp.cli.tables import Format, TableFormat, formatted

if TYPE_CHECKING:
    import pandas as pd

    from mcinterp.results import Result
    from mcinterp.runs import Sweep
    from mcinterp.runs.sweep import Outcome

SUMMARY = "summary"


class SweepTable(StrEnum):
    """Which table of a sweep's summary is printed."""

    runs = "runs"
    groups = "groups"


def sweep(
    grid: Annotated[Path, typer.Argument(help="The grid, such as examples/sizes.yaml.", metavar="GRID.yaml")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs; by default checkpoints/GRID.", metavar="DIR")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Runs trained at the same time, each in its own process.", min=1)] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Train on the workers of a Dask scheduler. All of them, and this machine, must see the folder of the "
            "runs under the same path. Needs pip install 'mcinterp[cluster]'.",
            metavar="tcp://HOST:PORT",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            help="CPU threads of each training; by default the cores divided by --jobs, and 1 on a cluster. Another "
            "number may change the last bits of the weights.",
            min=1,
            max=1024,
        ),
    ] = None,
    device: Device = "auto",
    format: TableFormat = Format.table,
    table: Annotated[
        SweepTable | None,
        typer.Option(help="Print every run, or averages over seeds. By default runs; both with --format table."),
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Train nothing: summarise what is there.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Also write a page to reports/GRID/index.html.")] = False,
) -> None:
    """Train a grid of runs, or go on with one that stands, and print a summary.

    Finished runs are kept, others continue. Ctrl-C lets running trainings finish their step and save, and exits with 1;
    so does a run that failed, which does not stop the others. The summary is stored in DIR/summary.
    """
    from mcinterp.analysis import sweep_summary
    from mcinterp.runs import load_sweep

    declared = load_sweep(grid)
    folder = out or CHECKPOINTS / declared.name
    outcomes = [] if summary else _train(declared, folder, jobs, scheduler, device, threads)
    if any(outcome.state == "stopped" for outcome in outcomes):
        say("stopped; the same command goes on from there")
        raise typer.Exit(1)
    result = sweep_summary(folder)
    result.save(folder / SUMMARY)
    print(_printed(result, format, table))
    if report:
        from mcinterp.report import write_sweep_report

        say(f"page written to {write_sweep_report(result, REPORTS / declared.name)}")
    if any(outcome.state in ("failed", "busy") for outcome in outcomes):
        raise typer.Exit(1)


def _train(
    sweep: Sweep, folder: Path, jobs: int, scheduler: str | None, device: str, threads: int | None
) -> list[Outcome]:
    from mcinterp.runs import run_sweep

    say(f"{len(sweep.runs)} runs in {folder}")
    with sweep_progress(len(sweep.runs)) as tell:
        outcomes = run_sweep(sweep, folder, jobs, scheduler, device, threads, tell)
    counts = Counter(outcome.state for outcome in outcomes)
    say(", ".join(f"{count} {state}" for state, count in counts.items()))
    return outcomes


def _printed(result: Result, format: Format, table: SweepTable | None) -> str:
    if format is not Format.table:
        return formatted([result], table or SweepTable.runs, format)
    return "\n\n".join(_readable(result.table(name), result) for name in ([table] if table else SweepTable))


def _readable(frame: pd.DataFrame, result: Result) -> str:
    """The columns a person reads first, intervals in one cell."""
    from mcinterp.report.numbers import declared, interval, number

    score = str(result.facts["progress_score"])
    names = {"steps_done": "steps", "last_score": f"last {score}", "share_of_plateau": "share of plateau"}
    hidden = {"run", "finished", "found"} | ({"seed"} - set(result.facts["fields"]) if "run" in frame else set())
    shown = [name for name in frame.columns if name not in hidden and not name.endswith(("_low", "_high"))]

    def cell(row: dict[str, Any], name: str) -> str:
        value = row[name]
        if name in ("start", "steepest", "end"):
            value = value if value != value else round(value)
        if f"{name}_low" in row:
            return interval(value, row[f"{name}_low"], row[f"{name}_high"])
        as_it_is = isinstance(value, str) or name in ("seed", *result.facts["fields"])
        return declared(value) if as_it_is else number(value)

    rows = [[cell(dict(row), name) for name in shown] for _, row in frame.iterrows()]
    headers = [names.get(name, name) for name in shown]
    from tabulate import tabulate

    return tabulate(rows, headers, tablefmt="simple", disable_numparse=True)
