"""Commands that take checkpoints apart: analyze, report, ablate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.formats import Format, formatted
from mcinterp.cli.options import (
    REPORTS,
    Device,
    Jobs,
    Passes,
    RunArgument,
    Samples,
    Seed,
    Steps,
    open_run,
    split_names,
)
from mcinterp.cli.progress import say

if TYPE_CHECKING:
    import pandas as pd

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
    single_file: Annotated[bool, typer.Option("--single-file", help="Inline scripts and styles in each page.")] = False,
    samples: Samples = None,
    seed: Seed = 0,
    device: Device = "auto",
    jobs: Jobs = 1,
) -> None:
    """Run passes on checkpoints and write HTML pages; prints the path of the index."""
    folder = _analyse(run, steps, passes, out, samples, seed, device, jobs)
    from mcinterp.report import write_report

    print(write_report(folder, single_file))


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
    format: Annotated[Format, typer.Option(help="How the table is written.")] = Format.table,
    out: Annotated[Path | None, typer.Option(help="Write to a file instead of stdout.", metavar="FILE")] = None,
) -> None:
    """Ablate sets of heads and print a table of errors with and without them."""
    import pandas as pd

    from mcinterp.analysis import ablation

    opened = open_run(run, device)
    results = [
        ablation(opened.checkpoint(at), heads or ["all"], method or ["uniform"], samples, seed)
        for at in opened.select_steps(step)
    ]
    table = pd.concat([result.table("ablation") for result in results], ignore_index=True)
    if format is Format.table:
        verdicts = pd.concat([result.table("control")["verdict"] for result in results], ignore_index=True)
        text = _readable(table, verdicts)
    else:
        text = formatted(table, format)
    if out is None:
        print(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        say(f"{len(table)} rows written to {out}")


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
    from mcinterp.analysis import analyse

    opened = open_run(run, device)
    folder = out or REPORTS / opened.name
    analyse(opened, folder, opened.select_steps(steps), split_names(passes), samples, seed, jobs, say)
    return folder


def _readable(table: pd.DataFrame, verdicts: pd.Series[str]) -> str:
    """The columns a person reads first, in a width a terminal has."""
    view = table[["step", "group", "method"]].copy()
    for entries in ("observed", "masked"):
        pairs = zip(table[f"{entries}_mse_clean"], table[f"{entries}_mse"], strict=True)
        view[f"{entries} MSE"] = [f"{clean:.3g} → {ablated:.3g}" for clean, ablated in pairs]
    view["ratio"] = table["masked_ratio"].map("{:.2f}".format)
    bounds = zip(table["masked_delta"], table["masked_delta_low"], table["masked_delta_high"], strict=True)
    view["masked delta [95 %]"] = [f"{delta:+.4f} [{low:+.4f}, {high:+.4f}]" for delta, low, high in bounds]
    view["against control"] = verdicts
    return str(view.to_markdown(index=False, tablefmt="simple", disable_numparse=True))
