"""Options that several commands share, and what they mean."""

from __future__ import annotations

import contextlib
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.config.seeds import LARGEST_SEED
from mcinterp.config.steps import AUTO, chosen_steps, saved_steps
from mcinterp.errors import CheckpointError, UsageError, nearest_name

if TYPE_CHECKING:
    from mcinterp.config import RunConfig
    from mcinterp.runs import Run

CHECKPOINTS = Path("checkpoints")
REPORTS = Path("reports")
AT = "@"
"""Between a run and a step of it."""
CONFIG = "config.yaml"
"""What makes a folder that of a run; known here so that a wrong name is told before anything heavy is loaded."""

DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
"""Kinds of device that hold numbers; of some there may be several, such as cuda:1."""


def known_device(name: str) -> str:
    """Refuse a device that no machine has.

    Raises:
        UsageError: naming the nearest.
    """
    kind, _, number = name.partition(":")
    if kind not in DEVICES or (":" in name and not number.isdecimal()):
        raise UsageError(f"there is no device {name!r:.80}{nearest_name(kind, DEVICES)}")
    return name


RunArgument = Annotated[Path, typer.Argument(help="Folder of a run, or its name under checkpoints/.", metavar="RUN")]
Preset = Annotated[str | None, typer.Option(help="A configuration that comes with the package; see presets.")]
Config = Annotated[Path | None, typer.Option(help="A configuration file.", metavar="FILE.yaml")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one field, such as training.steps=20000.", metavar="FIELD=VALUE"),
]
Seed = Annotated[int, typer.Option(help="Seed of the samples.", min=0, max=LARGEST_SEED)]
Samples = Annotated[int | None, typer.Option(help="Samples a pass; by default each pass's own number.", min=2)]
Device = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:1, …; auto takes a CUDA device if there is one.", callback=known_device),
]
Steps = Annotated[str, typer.Option(help="auto (before, during and after the drop), all, first, last, or 0,4000,…")]
SingleFile = Annotated[
    bool,
    typer.Option(
        "--single-file", help="Also put pages, scripts and numbers into one file, report.html, and print its path."
    ),
]
Passes = Annotated[str | None, typer.Option(help="Passes, separated by commas; by default all. See passes.")]
Jobs = Annotated[int, typer.Option(help="Checkpoints and comparisons made at the same time.", min=1)]


def chosen_config(preset: str | None, config: Path | None, overrides: list[str] | None) -> RunConfig:
    """The configuration that `--preset` or `--config`, with `--set`, describe; the paper's without either.

    Raises:
        UsageError: if both are given.
    """
    if preset is not None and config is not None:
        raise UsageError("give --preset or --config, not both")
    from mcinterp.config import load_config, load_preset, parse_config

    if config is not None:
        return load_config(config, overrides or ())
    if preset is not None:
        return load_preset(preset, overrides or ())
    return parse_config("", source="the paper's configuration", overrides=overrides or ())


def open_run(path: Path, device: str = "cpu", steps: str = AUTO) -> Run:
    """The run at `path`, or of that name under checkpoints/.

    Args:
        path: a folder or a name.
        device: where its models will live.
        steps: what will be chosen of it, so that a wrong choice is told before anything heavy is loaded.

    Raises:
        UsageError: if `steps` is no choice of checkpoints.
        CheckpointError: if there is no such run (one with a similar name is proposed), or no such checkpoint.
    """
    found = find_run(path)
    check_steps(found, steps)
    from mcinterp.runs import Run
    from mcinterp.runs.device import resolve_device

    return Run(found, str(resolve_device(device)))


def check_steps(run: Path, steps: str) -> None:
    """Refuse a choice of checkpoints that the run in this folder does not have.

    Raises:
        UsageError: if it is no choice.
        CheckpointError: if a step has no checkpoint.
    """
    if steps != AUTO:
        chosen_steps(steps, saved_steps(run), run.resolve().name)


def find_run(path: Path) -> Path:
    """The folder of the run at `path`, or of that name under checkpoints/.

    Raises:
        CheckpointError: if there is neither; a run with a similar name is proposed.
    """
    for candidate in (path, CHECKPOINTS / path):
        if (candidate / CONFIG).is_file():
            return candidate
    known = [folder.parent.name for folder in CHECKPOINTS.glob(f"*/{CONFIG}")]
    close = difflib.get_close_matches(path.name, known, n=1)
    hint = f"; did you mean {CHECKPOINTS / close[0]}?" if close else ""
    raise CheckpointError(f"there is no run at {path}{hint}")


def run_and_step(text: str) -> tuple[Path, str | None]:
    """`RUN` or `RUN@STEP`; a folder may have an @ in its own name."""
    name, at, step = text.rpartition(AT)
    if not at or _is_run(text):
        return find_run(Path(text)), None
    return find_run(Path(name)), step


def _is_run(text: str) -> bool:
    """Whether the whole of it names a run; a name that is too long for one does not."""
    with contextlib.suppress(OSError):
        return any((folder / text / CONFIG).is_file() for folder in (Path(), CHECKPOINTS))
    return False


def one_step(run: Run, what: str, words: str) -> int:
    """The one step that words choose, such as 4915, first or last.

    Args:
        run: whose checkpoints.
        what: the option or argument that holds the words, for the sentence.
        words: as `Run.select_steps` reads them.

    Raises:
        UsageError: if they choose several, or are no steps.
        CheckpointError: if there is no checkpoint at the step.
    """
    steps = run.select_steps(words)
    if len(steps) != 1:
        raise UsageError(f"{what} {words!r} means the checkpoints {', '.join(map(str, steps))}; name one of them")
    return steps[0]


def split_names(text: str | None) -> list[str] | None:
    """Names separated by commas; None for none given.

    Raises:
        UsageError: if there are commas and no names.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{text!r} names nothing; leave it out for all, or give names with commas between them")
    return names
