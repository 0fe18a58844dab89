"""The command that makes a run of checkpoints that were trained elsewhere: import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcinterp.cli.options import Overrides, Seed
from mcinterp.cli.progress import say
from mcinterp.errors import UsageError


def import_run(
    sources: Annotated[
        list[Path], typer.Argument(help="Files or folders of weights, or a folder of them.", metavar="FOLDER|FILES")
    ],
    run: Annotated[Path, typer.Option(help="Folder of the run, which is made.", metavar="DIR")],
    task: Annotated[
        str | None,
        typer.Option(
            help="What they were trained on: a preset, of which the task counts; a configuration; or the authors' "
            "train.yaml. By default the one .yaml file beside them.",
            metavar="PRESET|FILE.yaml",
        ),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(help="Their steps as 0,1000,… in the order of their names; by default what they or these say."),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(
            help="Table of step and any of loss and the task's scores; what it lacks is measured at each checkpoint.",
            metavar="FILE.csv",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Fresh samples that each checkpoint is measured on.", min=1)] = 512,
    seed: Seed = 0,
    overrides: Overrides = None,
) -> None:
    """Make a run of checkpoints that were trained elsewhere, to be analysed as any; prints its folder.

    Opens the authors' .tar files, Hugging Face's folders and safetensors, state dictionaries of TransformerLens's
    HookedEncoder, and weights by the names that they have here. What weights do not tell is said with --set, such as
    --set model.n_heads=8. Nothing in a file is executed. The run has no training state, so that it cannot go on.
    """
    at = None if steps is None else [_step(word.strip()) for word in steps.split(",")]
    from mcinterp.runs import import_run

    made = import_run(sources, run, task, at, curve, overrides or (), samples, seed, say)
    say(f"imported: {len(made.steps)} checkpoints; {made.told}")
    print(made.path)


def _step(word: str) -> int:
    if not word.isdecimal() or len(word) > 18:
        raise UsageError(f"--steps: {word!r:.80} is no step; give them as 0,1000,2000")
    return int(word)
