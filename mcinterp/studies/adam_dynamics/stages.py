"""k-Adam where everything is known: one stage, a stage without memory, and the bound of every stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mcinterp.config import TrainConfig
from mcinterp.results import Result, Table
from mcinterp.studies.adam_dynamics.config import PerceptronConfig
from mcinterp.studies.adam_dynamics.grid import TASK, WIDTH
from mcinterp.studies.adam_dynamics.laws import bound, correction
from mcinterp.studies.adam_dynamics.model import Perceptrons
from mcinterp.studies.adam_dynamics.task import Teachers
from mcinterp.training.k_adam import Stages, mean_of, square_of
from mcinterp.training.optimisers import optimiser_of

STAGES = "stages"
USUAL = (0.9, 0.999)
UPDATES, BATCH, RATE = 100, 32, 0.01
SIGNED: Stages = (USUAL, (0.0, 0.0))
"""Two stages, the second of which remembers nothing: the sign of Adam's update."""
DEEP: Stages = (USUAL, (0.5, 0.9), (0.9, 0.99))

ONE_COLUMNS = {
    "updates": "of the same network, float64, without ε",
    "weights": "of it",
    "difference": "largest difference of a weight from torch.optim.Adam's, after all updates",
    "moved": "largest change of a weight since the beginning",
    "sign": "largest difference from 1 of an entry of the update whose second stage has no memory",
    "seed": "of weights and points",
}
DEEP_COLUMNS = {
    "stage": "of three, from 1",
    "beta1": "its decay of the mean of what it is given",
    "beta2": "its decay of the mean square",
    "bound": f"of |m|/√v after {UPDATES} updates",
    "share": f"largest |m|/√v of the stage over its bound at any of {UPDATES} updates",
    "size": "root mean square of what the stage gives, over the last half of the updates",
    "n": "weights",
    "seed": "of weights and points",
}


def stages(seed: int) -> Result:
    """Train the same small network with torch's Adam and with k-Adam.

    Args:
        seed: of weights, points and teacher.
    """
    start, one = _trained([USUAL], seed)
    _, theirs = _trained(None, seed)
    _, signed = _trained(SIGNED, seed, updates=1)
    row = {
        "updates": UPDATES,
        "weights": start.numel(),
        "difference": float((one - theirs).abs().max()),
        "moved": float((one - start).abs().max()),
        "sign": float(((signed - start).abs() / RATE - 1).abs().max()),
        "seed": seed,
    }
    tables = {"one": Table.of(ONE_COLUMNS, [row]), "deep": Table.of(DEEP_COLUMNS, _deep(seed))}
    return Result(STAGES, "The stages of k-Adam", {"rate": RATE, "batch": BATCH}, {}, tables)


def _network(seed: int) -> Perceptrons:
    return Perceptrons(PerceptronConfig(width=WIDTH), TASK.inputs, TASK.classes, [seed]).double()


def _optimiser(network: Perceptrons, stages: Stages | None) -> torch.optim.Optimizer:
    """k-Adam's as any run has it; torch's own without stages. Neither has ε."""
    parameters = dict(network.named_parameters())
    if stages is None:
        return torch.optim.Adam(parameters.values(), lr=RATE, betas=USUAL, eps=0.0)
    settings = {"stages": stages, "eps": 0.0}
    given = {"optimiser": "k-adam", "learning_rate": RATE, "optimiser_settings": settings}
    config = TrainConfig.model_validate(given)
    return optimiser_of(config).begin(parameters, config)


def _trained(stages: Stages | None, seed: int, updates: int = UPDATES) -> tuple[Tensor, Tensor]:
    """All weights before and after, as one vector each."""
    network = _network(seed)
    optimiser, start = _optimiser(network, stages), _flat(network)
    for points, classes in _batches(seed, updates):
        _descend(network, optimiser, points, classes)
    return start, _flat(network)


def _flat(network: Perceptrons) -> Tensor:
    return torch.cat([each.detach().flatten() for each in network.parameters()])


def _batches(seed: int, updates: int) -> Any:
    generator, teacher = torch.Generator().manual_seed(seed), Teachers(TASK, [seed])
    for _ in range(updates):
        points = torch.randn(BATCH, 1, TASK.inputs, generator=generator, dtype=torch.float64)
        yield points, teacher.classes(points)


def _descend(network: Perceptrons, optimiser: torch.optim.Optimizer, points: Tensor, classes: Tensor) -> None:
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(network(points)[:, 0], classes[:, 0])
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _deep(seed: int) -> list[dict[str, Any]]:
    """Three stages, each against its own bound."""
    network = _network(seed)
    optimiser = _optimiser(network, DEEP)
    shares, squares = np.zeros(len(DEEP)), np.zeros(len(DEEP))
    for n, (points, classes) in enumerate(_batches(seed, UPDATES), 1):
        _descend(network, optimiser, points, classes)
        for i, (beta1, beta2) in enumerate(DEEP):
            found = torch.cat([_ratio(optimiser.state[each], i + 1) for each in network.parameters()])
            shares[i] = max(shares[i], float(found.abs().max()) / float(bound(beta1, beta2, n)))
            if n > UPDATES // 2:
                given = found * float(correction(beta1, beta2, n))
                squares[i] += float(given.square().mean()) / (UPDATES - UPDATES // 2)
    about = {"n": _flat(network).numel(), "seed": seed}
    return [
        {"stage": i + 1, "beta1": beta1, "beta2": beta2, "bound": float(bound(beta1, beta2, UPDATES))}
        | {"share": float(shares[i]), "size": float(squares[i] ** 0.5)}
        | about
        for i, (beta1, beta2) in enumerate(DEEP)
    ]


def _ratio(state: Any, stage: int) -> Tensor:
    mean, square = state[mean_of(stage)].flatten(), state[square_of(stage)].flatten()
    return torch.where(square > 0, mean / square.sqrt(), 0.0)
