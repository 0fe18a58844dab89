"""The command that makes a page in which the model runs: explore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.options import REPORTS, RunArgument, find_run, open_run
from mcinterp.cli.progress import say
from mcinterp.declared import Explorer, load
from mcinterp.errors import InputError
from mcinterp.installed import study_of

if TYPE_CHECKING:
    from mcinterp.config import RunConfig

Steps = Annotated[
    str,
    typer.Option(help="auto (at most 8 before, during and after the drop), all, first, last, or 0,4000,…"),
]


def explore(
    run: RunArgument,
    steps: Steps = "auto",
    out: Annotated[
        Path | None, typer.Option(help="The file; by default reports/RUN/explore.html.", metavar="FILE.html")
    ] = None,
) -> None:
    """Write one HTML file in which the model runs, with masks, values and heads to change; prints its path."""
    opened = open_run(run, steps=steps)
    from mcinterp.report.links import EXPLORER

    chosen = None if steps == "auto" else opened.select_steps(steps)
    explorer = _explorer(opened.config)
    found = load(explorer.gather)(opened, chosen)
    print(load(explorer.write)(found, out or REPORTS / opened.name / EXPLORER))


def make_explorer(run: Path, report: Path) -> None:
    """Keep the explorer of a run beside its report, where its study has one; says why where it cannot be made."""
    from mcinterp.report import keep_explorer
    from mcinterp.runs import Run

    if why := keep_explorer(Run(find_run(run)), report):
        say(f"explorer left out: {why}")


def _explorer(config: RunConfig) -> Explorer:
    """The page of the study that brings the run's task.

    Raises:
        InputError: if it has none, or one that asks for more than the run offers.
    """
    from mcinterp.analysis.registry import without

    study = study_of(config.task.kind)
    if study is None or study.explorer is None:
        raise InputError(f"task {config.task.kind} has no page in which its model runs")
    if why := without("explore", study.explorer.asks, config):
        raise InputError(why)
    return study.explorer
