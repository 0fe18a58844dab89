"""What a run's training begins with: a fresh model, or another run's weights with all but one component frozen."""

from __future__ import annotations

import hashlib

import safetensors.torch
from torch import Tensor

from mcinterp.errors import DamagedError
from mcinterp.model import Model
from mcinterp.model.build import build_model, template
from mcinterp.model.components import Component, transplant
from mcinterp.model.plain import load_weights
from mcinterp.runs.files import read_bounded
from mcinterp.runs.run import START, Run


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


def _starting_weights(run: Run, digest: str) -> dict[str, Tensor]:
    path = run.path / START
    content = read_bounded(path, sum(parameter.nbytes for parameter in template(run.config).values()))
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedError(f"{path} is damaged: its digest is not that of the weights the run was begun with")
    return safetensors.torch.load(content)
