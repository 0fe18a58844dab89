"""The command that makes a page in which the model runs: explore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcinterp.cli.options import REPORTS, RunArgument, open_run

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
    from mcinterp.analysis.explorable import explorable
    from mcinterp.report.explore import EXPLORER, write_explorer

    chosen = None if steps == "auto" else opened.select_steps(steps)
    found = explorable(opened, chosen)
    print(write_explorer(found, out or REPORTS / opened.name / EXPLORER))
