"""What a run's training begins with: a fresh model, or another run's weights, all of them trained or one component."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch
from torch import Tensor

from mcinterp.config import RunConfig, StartConfig, validate_config
from mcinterp.errors import DamagedError, TrainingError
from mcinterp.model.build import build_model, template
from mcinterp.model.components import Component, transplant
from mcinterp.model.plain import check_weights, load_weights
from mcinterp.runs.checkpoint import WEIGHTS
from mcinterp.runs.files import explained, read_bounded, write_atomic
from mcinterp.runs.run import CONFIG, START, Run

if TYPE_CHECKING:
    from mcinterp.model import Model


def starting_model(run: Run) -> Model:
    """The model before a run's first update; parameters that are not trained take no gradient.

    Raises:
        DamagedError: if the run starts from weights that are missing, or not those it was begun with.
    """
    start = run.config.start
    if start is None:
        return build_model(run.config)
    model = build_model(run.config, start.seed)
    component = Component.parse(start.component, dict(model.named_parameters()))
    donor = _starting_weights(run, start.digest)
    weights = transplant(model.weights(), donor, component) if start.reinitialised else donor
    load_weights(model, weights, source=str(run.path / START))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in component.parameters)
    return model


def refuse_imported(run: Run, what: str) -> None:
    """Refuse to train a run that was trained elsewhere.

    Raises:
        TrainingError: if it was imported.
    """
    if run.is_imported:
        raise TrainingError(
            f"run {run.name} was imported: its checkpoints were trained elsewhere and it has no training state, so "
            f"that nothing of it can be {what}; import it again with more checkpoints, or train a new run that begins "
            "with its weights (mcinterp train --from)"
        )


def further(config: RunConfig, origin: Run) -> RunConfig:
    """A configuration whose training begins with another run's last weights, all of them trained: a curriculum.

    Args:
        config: of the new run; its task may be another one.
        origin: the run that the weights come from.

    Raises:
        ConfigError: if the configuration's model is none that can begin so.
        CheckpointError: if the weights do not fit it.
    """
    start = start_at(origin, "everything", config.training.seed, reinitialised=False)
    begun = validate_config(
        {**config.model_dump(), "start": start.model_dump()}, f"a run that begins with {origin.name}"
    )
    check_weights(template(begun), origin.checkpoint("last").weights, source=f"run {origin.name}")
    return begun


def start_at(origin: Run, component: str, seed: int, reinitialised: bool) -> StartConfig:
    """The last weights of a run as the beginning of another, with the component of them that is trained."""
    last = origin.checkpoint("last")
    return StartConfig(
        config_hash=origin.config.hash,
        step=last.step,
        digest=last.digest,
        component=component,
        seed=seed,
        reinitialised=reinitialised,
    )


def keep_start(folder: Path, origin: Run) -> None:
    """Write another run's last weights into the folder of a run that begins with them, unless it stands already.

    Raises:
        WriteError: if the folder cannot be written to.
    """
    if (folder / CONFIG).exists():
        return
    # Weights first, so that a run that stands has them.
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / START, (origin.folder(origin.steps[-1]) / WEIGHTS).read_bytes())


def _starting_weights(run: Run, digest: str) -> dict[str, Tensor]:
    path = run.path / START
    content = read_bounded(path, sum(parameter.nbytes for parameter in template(run.config).values()))
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedError(f"{path} is damaged: its digest is not that of the weights the run was begun with")
    return safetensors.torch.load(content)
