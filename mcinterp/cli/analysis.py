"""Commands that take checkpoints apart: analyze, report, ablate, switch."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.analysis.registry import COMPARISONS, PASSES
from mcinterp.cli.explore import make_explorer
from mcinterp.cli.names import METHODS, check_heads, check_names
from mcinterp.cli.options import (
    CONFIG,
    REPORTS,
    Device,
    Jobs,
    Passes,
    RunArgument,
    Samples,
    Seed,
    SingleFile,
    Steps,
    find_run,
    one_step,
    open_run,
    split_names,
)
from mcinterp.cli.progress import analysis_progress
from mcinterp.cli.tables import Columns, Format, TableFile, TableFormat, check_file, readable, with_bounds, write_table
from mcinterp.errors import FailedPassesError

if TYPE_CHECKING:
    import pandas as pd

    from mcinterp.report.scores import Scores

Out = Annotated[Path | None, typer.Option(help="Folder of the report; by default reports/RUN.", metavar="DIR")]


def analyze(
    run: RunArgument,
    steps: Steps = "auto",
    passes: Passes = None,
    out: Out = None,
    samples: Samples = None,
    seed: Seed = 0,
    device: Device = "auto",
    jobs: Jobs = 1,
) -> None:
    """Run passes on checkpoints and store their results, without pages; prints the results' folder."""
    print(_analyse(run, steps, passes, out, samples, seed, device, jobs) / "data")


def report(
    run: RunArgument,
    steps: Steps = "auto",
    passes: Passes = None,
    out: Out = None,
    single_file: SingleFile = False,
    samples: Samples = None,
    seed: Seed = 0,
    device: Device = "auto",
    jobs: Jobs = 1,
) -> None:
    """Run passes on checkpoints and write HTML pages; prints the path of the index, or of the single file."""
    failed = None
    try:
        folder = _analyse(run, steps, passes, out, samples, seed, device, jobs)
    except FailedPassesError as error:
        failed, folder = error, out or REPORTS / find_run(run).resolve().name
    from mcinterp.report import write_report

    make_explorer(run, folder)
    print(write_report(folder, single_file))
    if failed:
        raise failed


def ablate(
    run: RunArgument,
    step: Annotated[str, typer.Option(help="A step, first, last, several as 0,4000, auto or all.")] = "last",
    heads: Annotated[
        list[str] | None, typer.Option(help="all, none, layer:1, a class such as masked-row, or L1H0,L2H3; repeatable.")
    ] = None,
    method: Annotated[list[str] | None, typer.Option(help="uniform, zero, mean or resample; repeatable.")] = None,
    samples: Annotated[int, typer.Option(help="Matrices.", min=2)] = 512,
    seed: Seed = 0,
    device: Device = "auto",
    format: TableFormat = Format.table,
    columns: Columns = None,
    out: TableFile = None,
) -> None:
    """Ablate sets of heads and print a table of errors with and without them."""
    check_file(out)
    check_names("ablation method", method, METHODS)
    check_heads(heads, find_run(run) / CONFIG)
    opened = open_run(run, device, step)
    import pandas as pd

    from mcinterp.analysis import ablation
    from mcinterp.report.scores import Scores

    results = [
        ablation(opened.checkpoint(at), heads or ["all"], method or ["uniform"], samples, seed)
        for at in opened.select_steps(step)
    ]
    table = pd.concat([result.table("ablation") for result in results], ignore_index=True)
    verdicts = pd.concat([result.table("control")["verdict"] for result in results], ignore_index=True)
    write_table(results, "ablation", _ablations(table, verdicts, Scores.of(results[0])), format, out, columns)


def switch(
    run: RunArgument,
    donor: Annotated[str, typer.Option("--from", help="Step that the component comes from, or first or last.")],
    recipient: Annotated[str, typer.Option("--to", help="Step that it goes into, or first or last.")] = "last",
    component: Annotated[
        list[str] | None,
        typer.Option(help="attention-qkv, mlp, mlp:1, layer:0, mlp+read-out, everything-but:attention, …; repeatable."),
    ] = None,
    donor_run: Annotated[
        Path | None, typer.Option(help="Run that the component comes from; by default the same.", metavar="RUN2")
    ] = None,
    samples: Annotated[int, typer.Option(help="Matrices.", min=2)] = 512,
    seed: Seed = 0,
    device: Device = "auto",
    format: TableFormat = Format.table,
    columns: Columns = None,
    out: TableFile = None,
) -> None:
    """Put components of one checkpoint into another and print a table of errors with and without them."""
    check_file(out)
    given = open_run(donor_run or run, device, donor)
    opened = open_run(run, device, recipient)
    steps = one_step(given, "--from", donor), one_step(opened, "--to", recipient)
    from mcinterp.analysis import switch
    from mcinterp.analysis.passes.switching import COMPONENTS
    from mcinterp.report.scores import Scores

    both = given.checkpoint(steps[0]), opened.checkpoint(steps[1])
    result = switch(*both, component or COMPONENTS, samples, seed)
    text = _switches(result.table("switching"), Scores.of(result))
    write_table([result], "switching", text, format, out, columns)


def _analyse(
    run: Path,
    steps: str,
    passes: str | None,
    out: Path | None,
    samples: int | None,
    seed: int,
    device: str,
    jobs: int,
) -> Path:
    names = split_names(passes)
    check_names("pass", names, [*PASSES, *COMPARISONS])
    opened = open_run(run, device, steps)
    from mcinterp.analysis import analyse

    folder = out or REPORTS / opened.name
    with analysis_progress() as tell:
        analyse(opened, folder, opened.select_steps(steps), names, samples, seed, jobs, tell)
    return folder


def _ablations(table: pd.DataFrame, verdicts: pd.Series[str], scores: Scores) -> str:
    """The columns a person reads first, in a width a terminal has."""
    from mcinterp.analysis.passes.ablation_columns import WITHOUT_HEADS

    view = table[["step", "group", "method"]].copy()
    for name in reversed(scores.parts):
        pairs = zip(table[scores.column(name, "_clean")], table[scores.column(name)], strict=True)
        view[scores.words[name]] = [f"{clean:.3g}{_become(ablated)}" for clean, ablated in pairs]
    view["ratio"] = table[scores.ratio].map("{:.2f}".format).replace("nan", "")
    empty = (table["heads"] == WITHOUT_HEADS) & table[scores.delta].isna()
    deltas = zip(with_bounds(table, scores.delta), empty, strict=True)
    view[f"{scores.said} delta [95 %]"] = [WITHOUT_HEADS if none else text for text, none in deltas]
    view["against control"] = ["\n".join(wrap(verdict, 24)) for verdict in verdicts]
    return readable(view)


def _become(ablated: float) -> str:
    """What became of a score; nothing where there was nothing to ablate."""
    return "" if ablated != ablated else f" → {ablated:.3g}"


def _switches(table: pd.DataFrame, scores: Scores) -> str:
    """One line a component: every score, and how far the main one moved."""
    main = table[table["entries"] == scores.main].reset_index()
    view = main[["direction", "component"]].copy()
    for name in reversed([scores.main, *scores.others]):
        rows = table[table["entries"] == name]
        pairs = zip(rows[f"recipient_{scores.unit}"], rows[f"switched_{scores.unit}"], strict=True)
        view[scores.words[name]] = [f"{before:.3g} → {after:.3g}" for before, after in pairs]
    view[f"{scores.said} change [95 %]"] = with_bounds(main, "change")
    view["moved to donor"] = ["" if moved != moved else f"{moved:.0%}" for moved in main["moved"]]
    return readable(view)
