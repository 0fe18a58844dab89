"""The command that carries a study out: reproduce."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.explore import make_explorer
from mcinterp.cli.names import check_names
from mcinterp.cli.options import CHECKPOINTS, CONFIG, REPORTS, Device, Samples
from mcinterp.cli.progress import say, training_progress
from mcinterp.cli.tables import listed
from mcinterp.errors import UsageError
from mcinterp.installed import broken, studies, study_named

if TYPE_CHECKING:
    from mcinterp.declared import Study
    from mcinterp.results import Result
    from mcinterp.study import Setting

MOST_SEEDS = 1000
"""More are more likely a slip than a plan."""


def reproduce(
    study: Annotated[str | None, typer.Argument(help="A study; see --list.", metavar="STUDY")] = None,
    preset: Annotated[str | None, typer.Option(help="One of the study's presets; by default the first.")] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run, if the preset has one; by default checkpoints/PRESET. With --seeds the runs stand "
            "in DIR-seeds.",
            metavar="DIR",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report; by default reports/RUN, or reports/STUDY without a run.", metavar="DIR"
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Carry the study out with so many seeds, from the preset's own on, and say what holds over them.",
            min=1,
            max=MOST_SEEDS,
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trainings and analyses at the same time.", min=1)] = 1,
    samples: Samples = None,
    device: Device = "auto",
    every: Annotated[
        bool, typer.Option("--all", help="Carry out every study, each with its first preset; one page about them all.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="Print the studies and their presets.")] = False,
) -> None:
    """Carry out a paper's experiments, from training to a page that says which of its claims hold here.

    Prints the verdicts and the path of the page. What is there already is kept; stopped with Ctrl-C, the same command
    goes on from there. With --seeds, a seed that fails costs no other, and the command ends with 1; with --all it is so
    of a study.
    """
    if listed:
        _list()
        return
    plan = _Plan(jobs, samples, device)
    if every:
        own = {"the study": study, "--preset": preset, "--run": run}
        if wrong := [name for name, value in own.items() if value]:
            raise UsageError(f"--all carries out every study with its own preset and run; leave out {wrong[0]}")
        _every(plan, seeds, out or REPORTS / "all")
        return
    if study is None:
        raise UsageError("name a study, take --all, or ask for them with --list")
    chosen = study_named(study)
    check_names(f"preset of study {study}", [preset] if preset else None, chosen.presets)
    preset = preset or chosen.presets[0]
    if preset in chosen.alone:
        for option, given in (("--run", run), ("--seeds", seeds)):
            if given:
                raise UsageError(f"preset {preset} of study {chosen.name} has no run; leave out {option}")
    run = run or _run_of(chosen, preset)
    if seeds:
        _replicate(chosen, plan.setting(preset, _of_seeds(run), out), seeds)
    else:
        _reproduce(chosen, plan.setting(preset, run, out))


@dataclass(frozen=True)
class _Plan:
    """What is the same for all studies."""

    jobs: int
    samples: int | None
    device: str

    def setting(self, preset: str, run: Path, out: Path | None = None) -> Setting:
        from mcinterp.study import Setting

        report = out or REPORTS / run.name
        return Setting(preset, run, report, self.jobs, self.samples, self.device, say, training_progress)


def _run_of(study: Study, preset: str) -> Path:
    """Where the run of a preset is kept; of one that has none, a name for its report."""
    return CHECKPOINTS / (study.name if preset in study.alone else preset)


def _of_seeds(run: Path) -> Path:
    return run.with_name(f"{run.name}-seeds")


def _reproduce(study: Study, setting: Setting) -> None:
    from mcinterp.report import write_report
    from mcinterp.study import reproduce as carry_out

    claims = carry_out(study, setting)
    _make_explorer(setting)
    index = write_report(setting.out)
    print(_verdicts(claims))
    print(index.with_name("paper.html"))


def _replicate(study: Study, setting: Setting, seeds: int) -> None:
    from mcinterp.report import write_replication_report, write_report
    from mcinterp.study import replicate

    def write(decided: Setting) -> None:
        _make_explorer(decided)
        say(f"page written to {write_report(decided.out)}")

    result = replicate(study, setting, seeds, write)
    page = write_replication_report(setting.out)
    print(_shares(result))
    print(page)
    if (result.table("seeds")["state"] == "failed").any():
        raise typer.Exit(1)


def _every(plan: _Plan, seeds: int | None, folder: Path) -> None:
    """Carry out all studies, and write the page about them after each."""
    from mcinterp.analysis.runner import DATA
    from mcinterp.report import write_overview, write_replication_report, write_report
    from mcinterp.study import Planned, reproduce_all

    planned = {}
    for name, study in studies().items():
        preset, run = study.presets[0], _run_of(study, study.presets[0])
        planned[name] = Planned(study, plan.setting(preset, run), plan.setting(preset, _of_seeds(run)))

    def write(carried: Setting, over_seeds: bool) -> None:
        if not over_seeds:
            _make_explorer(carried)
        say(f"page written to {(write_replication_report if over_seeds else write_report)(carried.out)}")

    for result in reproduce_all(planned, seeds, folder, write):
        result.save(folder / DATA / result.name)
        page = write_overview(folder)
    print(_counts(result))
    print(page)
    if (result.table("studies")["state"] == "failed").any():
        raise typer.Exit(1)


def _make_explorer(setting: Setting) -> None:
    """The page in which the run's model runs, where the study has a run."""
    if (setting.run / CONFIG).is_file():
        make_explorer(setting.run, setting.out)


def _list() -> None:
    """Print the studies, and tell of those that cannot be used."""
    about = "{0.title} ({0.source}); presets {1}".format
    print(listed({name: about(known, ", ".join(known.presets)) for name, known in studies().items()}))
    for why in broken().values():
        say(why)


def _counts(result: Result) -> str:
    """Of every study: how many claims came out how."""
    from tabulate import tabulate

    rows = [
        (row["study"], f"{row['holds']} hold", f"{row['does_not_hold']} do not", f"{row['undecided']} undecided")
        if row["state"] == "decided"
        else (row["study"], f"failed: {row['why']}", "", "")
        for _, row in result.table("studies").iterrows()
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _verdicts(claims: Result) -> str:
    from tabulate import tabulate

    frame = claims.table("claims")
    rows = [
        (row["claim"], row["verdict"], f"{row['holds']} of {row['findings']} findings hold")
        for _, row in frame.iterrows()
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _shares(result: Result) -> str:
    """Of every claim: the seeds that it holds in, and its verdict over all of them."""
    from tabulate import tabulate

    from mcinterp.report.replication import share_of

    rows = [
        (
            row["claim"],
            f"holds in {row['holds']} of {row['seeds']} seeds",
            share_of(row),
            f"over seeds: {row['over_seeds']}",
        )
        for _, row in result.table("claims").iterrows()
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)
