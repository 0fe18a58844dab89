"""Commands that list: presets, passes, runs, show-config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcinterp.cli.options import CHECKPOINTS, CONFIG, Config, Overrides, Preset, chosen_config
from mcinterp.cli.progress import say
from mcinterp.errors import CheckpointError, McinterpError
from mcinterp.installed import preset_files


def presets() -> None:
    """List the configurations that come with studies."""
    width = max(map(len, preset_files())) + 2
    for name, file in sorted(preset_files().items()):
        comment = file.read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:{width}s}{comment.lstrip('# ')}")


def passes() -> None:
    """List the analysis passes and what each one answers."""
    from mcinterp.analysis import COMPARISONS, PASSES

    for heading, entries in (("of each checkpoint", PASSES), ("of all checkpoints together", COMPARISONS)):
        print(f"{heading}:")
        for entry in entries.values():
            print(f"  {entry.name:12s}{entry.question}")


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
    for path in paths:
        print(f"{path}: {_state(path)}")


def _state(path: Path) -> str:
    """How far a run is, and its drop, or why it cannot be told."""
    from mcinterp.runs import Run

    try:
        run = Run(path)
        done = "imported" if run.is_imported else f"{run.steps_done}/{run.config.training.steps} steps"
        return f"{done}, {len(run.steps)} checkpoints; {run.told}"
    except McinterpError as error:
        return f"unreadable: {error}"


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
