"""Train one component of a finished model again, with everything else frozen at its last weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from mcinterp.config import RunConfig, StartConfig, parse_config
from mcinterp.config.seeds import LARGEST_SEED
from mcinterp.errors import InputError, UsageError
from mcinterp.model.components import RETRAINED as RETRAINED_BY_DEFAULT
from mcinterp.model.components import Component
from mcinterp.runs.device import resolve_device
from mcinterp.runs.files import tidy
from mcinterp.runs.grid import Sweep, SweepRun
from mcinterp.runs.run import CONFIG, RETRAINED, Run
from mcinterp.runs.start import keep_start, start_at
from mcinterp.runs.sweep import Outcome, run_sweep
from mcinterp.runs.train import Progress, train
from mcinterp.training.together import join

SHARE = 3
"""A retraining takes this part of the run's steps: alone, a component drops long before the whole model did."""
COMPONENTS = RETRAINED_BY_DEFAULT
"""What is retrained where no component is named."""
FIELD = "start.component"
"""What retrainings of one run differ in."""


def retrain(
    path: Path | str,
    component: str,
    seed: int | None = None,
    steps: int | None = None,
    overrides: Iterable[str] = (),
    control: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> Run:
    """Re-initialise one component of a run's last checkpoint, freeze the rest, and train it; or go on with that.

    The retraining is a run of its own under `RUN/retrained/`, stopped, continued and opened as any other. Its
    configuration is the run's, but for `start`, the seed, no checkpoints across its drop (which would be replayed)
    and what the arguments change; a schedule stretches over the retraining's own steps.

    Args:
        path: folder of the run that was trained.
        component: as `mcinterp.model.components` describes them.
        seed: of the component's new weights (seed) and of the data (seed + 1); by default the run's own plus one, so
            that neither weights nor data are those that the run began with. Where the run has a data seed of its own,
            the data have the next.
        steps: how many; by default a third of the run's (see `SHARE`).
        overrides: `"training.field=value"` strings.
        control: leave the component's weights as they are, so that only training begins anew.
        device: `auto` or a torch device.
        progress: called after every step.

    Returns:
        the retraining's run.

    Raises:
        InputError: for an unknown component, or one without parameters.
        UsageError: for an override that is not about training.
        ConfigError: if a retraining stands there with another configuration.
    """
    run = Run(path)
    config = retraining(run, component, seed, steps, overrides, control)
    together = join(resolve_device(device))
    with together.working():
        together.from_main(lambda: _prepared(run, config))
    return train(retrained_folder(run, config), config, device, progress)


def retrain_together(
    run: Run,
    configs: Iterable[RunConfig],
    jobs: int,
    device: str = "auto",
    progress: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Train several retrainings of a run at the same time: a sweep over the component, in `RUN/retrained/`.

    Args:
        run: that was trained.
        configs: of the retrainings, as `retraining` makes them.
        jobs: how many at the same time, each in a process of its own, with its share of the machine's threads.
        device: `auto` or a torch device.
        progress: told of every retraining when it ends.

    Raises:
        ConfigError: before anything is trained, if a retraining stands there with another configuration.
    """
    folders = {_prepared(run, config): config for config in configs}
    runs = [SweepRun(folder.name, {FIELD: _start(config).component}, config) for folder, config in folders.items()]
    return run_sweep(Sweep(RETRAINED, (FIELD,), tuple(runs)), run.path / RETRAINED, jobs, None, device, None, progress)


def retraining(
    run: Run,
    component: str,
    seed: int | None = None,
    steps: int | None = None,
    overrides: Iterable[str] = (),
    control: bool = False,
) -> RunConfig:
    """The configuration that `retrain` trains, called with the same."""
    chosen = Component.parse(component, run.checkpoint("last").weights)
    if not chosen.parameters:
        raise InputError(f"retrain: {chosen.name} has no parameters to train")
    overrides = list(overrides)
    foreign = next((text for text in overrides if not text.strip().startswith("training.")), None)
    if foreign is not None:
        raise UsageError(f"--set {foreign!r}: a retraining keeps task and model; set fields of training only")
    seed = run.config.training.seed + 1 if seed is None else seed
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"retrain: seed must be in 0 … {LARGEST_SEED}, got {seed}")
    tree = run.config.model_dump()
    steps = -(-tree["training"]["steps"] // SHARE) if steps is None else steps
    tree["training"] |= {**_seeds(run.config, seed), "steps": steps, "dense_checkpoints": 0, "extended": ()}
    tree["start"] = start_at(run, chosen.name, seed, reinitialised=not control).model_dump()
    return parse_config(yaml.safe_dump(tree), f"the retraining of {run.name}", overrides)


def retrained_folder(run: Run, config: RunConfig) -> Path:
    """Where the retraining that `config` describes is kept."""
    start = _start(config)
    # A colon is a letter of no file name on Windows.
    name = start.component.replace(":", "-") + ("" if start.reinitialised else "-control")
    return run.path / RETRAINED / f"{name}-seed{start.seed}"


def retrained_runs(run: Run) -> list[Run]:
    """The retrainings that stand under a run's folder, by name."""
    return [Run(file.parent) for file in sorted((run.path / RETRAINED).glob(f"*/{CONFIG}"))]


def _seeds(config: RunConfig, seed: int) -> dict[str, int]:
    """The seeds of a retraining that differ from its run's: other data, of the same ground truth."""
    training, seeds = config.training, {"seed": seed}
    if training.data_seed is not None:
        seeds["data_seed"] = training.data_seed + 1
    if config.task.draws_chain and training.chain_seed is None:
        seeds["chain_seed"] = training.seeds.data
    return seeds


def _start(config: RunConfig) -> StartConfig:
    if config.start is None:
        raise InputError(f"the configuration {config.hash} is not that of a retraining: it has no start")
    return config.start


def _prepared(run: Run, config: RunConfig) -> Path:
    """The folder of a retraining, with the weights that it starts from."""
    folder = retrained_folder(run, config)
    if not (folder / CONFIG).exists():
        tidy(run.path, RETRAINED)
    keep_start(folder, run)
    return folder
