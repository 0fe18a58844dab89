"""The command that carries a study out: reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.names import check_names
from mcinterp.cli.options import CHECKPOINTS, REPORTS, Device, Samples
from mcinterp.cli.progress import say, training_progress
from mcinterp.errors import UsageError
from mcinterp.installed import broken, studies, study_named

if TYPE_CHECKING:
    from mcinterp.results import Result


def reproduce(
    study: Annotated[str | None, typer.Argument(help="A study; see --list.", metavar="STUDY")] = None,
    preset: Annotated[str | None, typer.Option(help="One of the study's presets; by default the first.")] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of the run, if the preset has one; by default checkpoints/PRESET.", metavar="DIR"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report; by default reports/RUN, or reports/STUDY without a run.", metavar="DIR"
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trainings and analyses at the same time.", min=1)] = 1,
    samples: Samples = None,
    device: Device = "auto",
    listed: Annotated[bool, typer.Option("--list", help="Print the studies and their presets.")] = False,
) -> None:
    """Carry out a paper's experiments, from training to a page that says which of its claims hold here.

    Prints the verdicts and the path of the page. What is there already is kept; stopped with Ctrl-C, the same command
    goes on from there.
    """
    if listed:
        _list()
        return
    if study is None:
        raise UsageError("name a study, or ask for them with --list")
    chosen = study_named(study)
    check_names(f"preset of study {study}", [preset] if preset else None, chosen.presets)
    from mcinterp.study import Setting
    from mcinterp.study import reproduce as carry_out

    preset = preset or chosen.presets[0]
    alone = preset in chosen.alone
    if run and alone:
        raise UsageError(f"preset {preset} of study {chosen.name} has no run; leave out --run")
    run = run or CHECKPOINTS / (chosen.name if alone else preset)
    out = out or REPORTS / run.name
    claims = carry_out(chosen, Setting(preset, run, out, jobs, samples, device, say, training_progress))
    from mcinterp.report import write_report

    index = write_report(out)
    print(_verdicts(claims))
    print(index.with_name("paper.html"))


def _list() -> None:
    """Print the studies, and tell of those that cannot be used."""
    for known in studies().values():
        print(f"{known.name}  {known.title} ({known.source}); presets {', '.join(known.presets)}")
    for why in broken().values():
        say(why)


def _verdicts(claims: Result) -> str:
    from tabulate import tabulate

    frame = claims.table("claims")
    rows = [
        (row["claim"], row["verdict"], f"{row['holds']} of {row['findings']} findings hold")
        for _, row in frame.iterrows()
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)
