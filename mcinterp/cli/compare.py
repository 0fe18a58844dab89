"""The command that puts runs or checkpoints side by side: compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.options import (
    CONFIG,
    REPORTS,
    Device,
    Seed,
    SingleFile,
    check_steps,
    one_step,
    open_run,
    run_and_step,
)
from mcinterp.cli.progress import analysis_progress
from mcinterp.config.steps import AUTO
from mcinterp.errors import UsageError

if TYPE_CHECKING:
    from mcinterp.analysis.compare.comparing import Compared

NAMED = 4
"""Names of so many of those that are compared are in the name of their folder."""


def compare(
    compared: Annotated[
        list[str],
        typer.Argument(help="Two or more runs, or checkpoints such as tiny@4915 or tiny@last.", metavar="A B …"),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pages; by default reports/compare-A-B.", metavar="DIR")
    ] = None,
    single_file: SingleFile = False,
    samples: Annotated[
        int | None, typer.Option(help="Matrices a comparison; by default each one's own number.", min=4)
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Put runs or checkpoints side by side: errors, answers, heads paired by function, curves; prints the index.

    The first is compared with each of the others; of a run the last checkpoint is looked at. Where several runs are
    given their curves are aligned at their drops.
    """
    folders = _folders(compared)
    from mcinterp.config import check_same_kind, load_config

    check_same_kind({text: load_config(folder / CONFIG) for text, folder, _ in folders})
    chosen = _opened(folders, device)
    labels = [one.label for one in chosen]
    from mcinterp.analysis.compare.comparing import compare
    from mcinterp.report import write_comparison_report

    folder = out or REPORTS / _folder_name(labels)
    with analysis_progress() as tell:
        compare(chosen, folder, samples, seed, tell)
    print(write_comparison_report(folder, single_file))


def _folders(texts: list[str]) -> list[tuple[str, Path, str | None]]:
    """Each with its run's folder and the step that is asked for.

    Raises:
        UsageError: for a single one, or the same twice.
        CheckpointError: for a run or a step that is not there.
    """
    if len(texts) < 2:
        raise UsageError(f"compare needs two runs or checkpoints at least, got {texts[0]!r:.80} alone")
    found = [(text, *run_and_step(text)) for text in texts]
    seen: dict[tuple[Path, str | None], str] = {}
    for text, folder, step in found:
        check_steps(folder, step or AUTO)
        if (folder.resolve(), step) in seen:
            raise UsageError(_twice(seen[folder.resolve(), step], text))
        seen[folder.resolve(), step] = text
    return found


def _opened(folders: list[tuple[str, Path, str | None]], device: str) -> list[Compared]:
    """The runs and checkpoints, opened.

    Raises:
        UsageError: for words that are no step or several, or two names of the same checkpoint.
        CheckpointError: for a step that has no checkpoint.
    """
    from mcinterp.analysis.compare.comparing import Compared

    names = _names([folder for _, folder, _ in folders])
    found: list[Compared] = []
    seen: dict[tuple[Path, int | None], str] = {}
    for text, folder, step in folders:
        run = open_run(folder, device)
        at = one_step(run, f"{text}:", step) if step is not None else None
        found.append(Compared(run, at, names[folder.resolve()]))
        key = (folder.resolve(), max(run.steps, default=None) if at is None else at)
        if key in seen:
            raise UsageError(_twice(seen[key], text))
        seen[key] = text
    return found


def _twice(before: str, text: str) -> str:
    if before == text:
        return f"{text} is given twice; there is nothing to compare"
    return f"{before} and {text} are the same checkpoint; there is nothing to compare"


def _names(folders: list[Path]) -> dict[Path, str]:
    """What each run is called: its folder's name, or its path where two have the same name."""
    paths = list(dict.fromkeys(folder.resolve() for folder in folders))
    names = [path.name for path in paths]
    short = {folder.resolve(): str(folder) for folder in folders}
    return {path: path.name if names.count(path.name) == 1 else short[path] for path in paths}


def _folder_name(labels: list[str]) -> str:
    """`compare-A-B`; of many only the first are named."""
    named = [label.replace("/", "-") for label in labels[:NAMED]]
    more = [f"and-{len(labels) - NAMED}-more"] if len(labels) > NAMED else []
    return "-".join(["compare", *named, *more])
