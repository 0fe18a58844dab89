"""Commands that train, and copy what was trained: train, densify, retrain, excerpt, demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli import analysis
from mcinterp.cli.options import (
    CHECKPOINTS,
    CONFIG,
    REPORTS,
    Config,
    Device,
    Overrides,
    Preset,
    RunArgument,
    Samples,
    chosen_config,
    open_run,
)
from mcinterp.cli.progress import say, sweep_progress, training_progress
from mcinterp.errors import UsageError

if TYPE_CHECKING:
    from mcinterp.config import RunConfig
    from mcinterp.runs import Run

DEMO = "tiny"


def train(
    preset: Preset = None,
    config: Config = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run; by default checkpoints/PRESET.", metavar="DIR")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set training.seed=….", min=0)] = None,
    origin: Annotated[
        Path | None,
        typer.Option("--from", help="Begin with this run's last weights, of an easier task say.", metavar="RUN"),
    ] = None,
    device: Device = "auto",
    overrides: Overrides = None,
    wait_for_space: Annotated[
        bool, typer.Option("--wait-for-space", help="On a full disk wait until there is space, instead of ending.")
    ] = False,
    kernels: Annotated[
        str, typer.Option(help="eager; graph, replayed as a CUDA graph; or compiled, which changes rounding.")
    ] = "eager",
) -> None:
    """Train a run, or go on with one that stands; prints its folder.

    A run whose learning rate is constant is extended in place by more steps, as with --set training.steps=40000. Ctrl-C
    finishes the step, saves and exits with 1; the same command goes on from there.
    """
    if run is None and preset is None:
        raise UsageError("say where the run goes with --run DIR")
    path = run or CHECKPOINTS / str(preset)
    seeds = [f"training.seed={seed}"] if seed is not None else []
    if preset is None and config is None and (path / CONFIG).is_file():
        config = path / CONFIG
    chosen = chosen_config(preset, config, [*(overrides or []), *seeds])
    from mcinterp.runs.device import resolve_device
    from mcinterp.training.kernels import check_kernels

    check_kernels(kernels, resolve_device(device))  # before anything is written
    if origin is not None:
        chosen = _begun(path, chosen, open_run(origin))
    print(_train(path, chosen, device, wait_for_space, kernels).path)


def densify(
    run: RunArgument,
    first: Annotated[int, typer.Option("--from", help="First step.", min=0)],
    last: Annotated[int, typer.Option("--to", help="Last step.", min=0)],
    every: Annotated[int, typer.Option(help="Steps between checkpoints.", min=1)],
    device: Device = "auto",
) -> None:
    """Replay training, bit-identical, and save checkpoints at more steps; prints the steps added."""
    from mcinterp.runs import densify

    opened = open_run(run)
    with training_progress(last, "replaying") as progress:
        added = densify(opened.path, first, last, every, device, progress)
    say(f"{len(added)} checkpoints added to {opened.path}")
    print("\n".join(map(str, added)))


def retrain(
    run: RunArgument,
    component: Annotated[
        list[str] | None,
        typer.Option(help="attention, mlp, positions, tokens (these by default), read-out, mlp:1, …; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights and data; by default the run's + 1.", min=0)] = None,
    steps: Annotated[int | None, typer.Option(help="Steps; by default a third of the run's.", min=1)] = None,
    control: Annotated[bool, typer.Option("--control", help="Train on without re-initialising the component.")] = False,
    jobs: Annotated[int, typer.Option(help="Components trained at the same time, each in its own process.", min=1)] = 1,
    device: Device = "auto",
    overrides: Overrides = None,
) -> None:
    """Re-initialise one component of the last checkpoint and train it with the rest frozen; prints each folder.

    Several components are trained one after the other, or --jobs at a time. Stopped with Ctrl-C, the same command goes
    on from there; on a CPU to the last bit with the same --jobs.
    """
    from mcinterp.runs import retrain
    from mcinterp.runs.retrain import COMPONENTS, retrained_folder, retraining

    opened = open_run(run)
    names, settings = component or COMPONENTS, (seed, steps, overrides or (), control)
    # All of them first, so that a mistake in the last one is told before the first is trained.
    configs = {name: retraining(opened, name, *settings) for name in names}
    if jobs > 1:
        _retrain_together(opened, list(configs.values()), jobs, device)
        print("\n".join(str(retrained_folder(opened, config)) for config in configs.values()))
        return
    for name, config in configs.items():
        total = config.training.steps
        say(f"retraining {name} of {opened.path} ({total} steps)")
        with training_progress(total, name) as progress:
            trained = retrain(opened.path, name, *settings, device, progress)
        _tell(trained)
        print(trained.path, flush=True)


def _retrain_together(run: Run, configs: list[RunConfig], jobs: int, device: str) -> None:
    from mcinterp.runs.retrain import retrain_together

    say(f"retraining {len(configs)} components of {run.path}, {jobs} at a time")
    with sweep_progress(len(configs)) as tell:
        outcomes = retrain_together(run, configs, jobs, device, tell)
    if any(outcome.state not in ("kept", "finished") for outcome in outcomes):
        raise typer.Exit(1)


def excerpt(
    run: RunArgument,
    target: Annotated[Path, typer.Argument(help="Folder of the copy, which is made.", metavar="FOLDER")],
    steps: Annotated[int, typer.Option(help="Checkpoints to copy, those around the drop among them.", min=4)] = 20,
    made_by: Annotated[str, typer.Option("--trained-by", help="The command that trained it, to be kept.")] = "",
) -> None:
    """Copy a run with some of its checkpoints and no training states, small enough to send; prints the folder."""
    from mcinterp.runs.excerpt import excerpt

    copied = excerpt(open_run(run), target, steps, made_by)
    say(f"{len(copied.steps)} checkpoints copied")
    print(copied.path)


def demo(
    samples: Samples = None,
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(help="Checkpoints and comparisons made at the same time.", min=1)] = 1,
) -> None:
    """Analyse the tiny preset's run, trained first where it is not there, and write its report.

    Prints the path of its index, and of the page in which the model runs.
    """
    _train(CHECKPOINTS / DEMO, chosen_config(DEMO, None, None), device)
    analysis.report(CHECKPOINTS / DEMO, out=REPORTS / DEMO, samples=samples, device=device, jobs=jobs)
    from mcinterp.report.links import EXPLORER

    if (page := REPORTS / DEMO / EXPLORER).is_file():
        print(page)


def _begun(path: Path, config: RunConfig, origin: Run) -> RunConfig:
    """The configuration that begins with another run's weights, which are kept in the new run's folder."""
    from mcinterp.runs.start import further, keep_start

    config = further(config, origin)
    keep_start(path, origin)
    return config


def _train(path: Path, config: RunConfig, device: str, wait_for_space: bool = False, kernels: str = "eager") -> Run:
    from mcinterp.runs import Run, train

    steps = config.training.steps
    trained = (path / CONFIG).is_file() and steps in Run(path).steps
    say(f"{path} is trained already" if trained else f"training {path} ({steps} steps)")
    with training_progress(steps) as progress:
        run = train(path, config, device, progress, wait_for_space=wait_for_space, kernels=kernels)
    _tell(run)
    return run


def _tell(trained: Run) -> None:
    """What came of training; a run that was stopped ends the command."""
    if not trained.complete:
        at = "while saving more checkpoints across the drop" if trained.finished else f"at step {trained.steps[-1]}"
        say(f"stopped {at}; the same command goes on from there")
        raise typer.Exit(1)
    say(f"trained: {trained.told}")
