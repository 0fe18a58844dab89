"""Commands that list: presets, passes, runs, show-config."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from textwrap import indent, wrap
from typing import Annotated

import typer

from mcinterp.cli.options import CHECKPOINTS, CONFIG, Config, Overrides, Preset, chosen_config
from mcinterp.cli.progress import say
from mcinterp.cli.tables import listed, text_width
from mcinterp.errors import CheckpointError, McinterpError
from mcinterp.installed import preset_files


def presets() -> None:
    """List the configurations that come with studies."""
    print(listed({name: _described(file) for name, file in sorted(preset_files().items())}))


def passes() -> None:
    """List the analysis passes and what each one answers."""
    from mcinterp.analysis import COMPARISONS, PASSES

    for heading, entries in (("of each checkpoint", PASSES), ("of all checkpoints together", COMPARISONS)):
        print(f"{heading}:")
        print(indent(listed({entry.name: entry.question for entry in entries.values()}), "  "))


def runs(
    folder: Annotated[Path, typer.Argument(help="Where the runs are, or one run.", metavar="DIR")] = CHECKPOINTS,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file and say what is damaged; exits with 1 if anything is.")
    ] = False,
) -> None:
    """List runs: how far they are, how many checkpoints they keep, and their drop."""
    found = [folder / CONFIG, *sorted(folder.glob(f"*/{CONFIG}"))]
    paths = [config.parent for config in found if config.is_file()]
    if not paths:
        if verify or folder != CHECKPOINTS:
            raise CheckpointError(f"there is no run at {folder}, and none in it")
        say(f"no run in {folder} yet")
    if verify:
        _verify(paths)
        return
    print(_table([_state(path) for path in paths]))


def _described(preset: Traversable) -> str:
    """What a preset says of itself: the comment that it begins with, up to a line that ends with a sentence."""
    lines: list[str] = []
    for line in preset.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") or (lines and lines[-1].endswith(".")):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def _state(path: Path) -> dict[str, str]:
    """How far a run is, and its drops, or why it cannot be told."""
    from mcinterp.runs import Run

    try:
        run = Run(path)
        steps = "imported" if run.is_imported else f"{run.steps_done}/{run.config.training.steps}"
        drops = [f"{drop.start:.0f} … {drop.end:.0f}, fastest at {drop.steepest:.0f}" for drop in run.transitions]
        trust = [drop.confidence for drop in run.transitions]
        said = {"drop, by step": "\n".join(drops) or run.told, "confidence": "\n".join(trust)}
        return {"run": str(path), "steps": steps, "checkpoints": str(len(run.steps)), **said}
    except McinterpError as error:
        return {"run": str(path), "drop, by step": f"unreadable: {error}"}


def _table(states: list[dict[str, str]]) -> str:
    """A row a run, sentences broken to what the others leave of the terminal."""
    from tabulate import tabulate

    names = ("run", "steps", "checkpoints", "drop, by step", "confidence")
    taken = sum(max(len(name), *(len(state.get(name, "")) for state in states)) for name in names[:3])
    room = max(30, text_width() - taken - len(names[-1]) - 2 * (len(names) - 1))
    rows = [[state.get(name, "") for name in names] for state in states]
    for row in rows:
        row[3] = "\n".join(part for line in row[3].splitlines() for part in wrap(line, room))
    return tabulate(rows, names, tablefmt="simple", disable_numparse=True)


def _verify(paths: list[Path]) -> None:
    from mcinterp.runs import Run
    from mcinterp.runs.retrain import retrained_runs
    from mcinterp.runs.verify import verify

    damaged = False
    whole = [Run(path) for path in paths]
    for run in [each for one in whole for each in (one, *retrained_runs(one))]:
        problems = verify(run)
        damaged |= bool(problems)
        for sentence in problems or [f"whole, {len(run.steps)} checkpoints"]:
            print(f"{run.path}: {sentence}", flush=True)
    if damaged:
        raise typer.Exit(1)


def show_config(preset: Preset = None, config: Config = None, overrides: Overrides = None) -> None:
    """Print a resolved configuration as YAML; without options, the paper's."""
    print(chosen_config(preset, config, overrides).to_yaml(), end="")
