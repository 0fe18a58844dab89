"""The rules of the updates by name, with what each has to remember to go on bit-identically."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from mcinterp.config import TrainConfig
from mcinterp.config.optimisers import optimiser_kinds
from mcinterp.declared import load
from mcinterp.errors import InputError
from mcinterp.training.k_adam import KAdam, Stages, mean_of, square_of

Parameters = Mapping[str, nn.Parameter]
SHARED = "shared"
"""What the names of things that an optimiser keeps once begin with in a stored state."""
COUNT = "step"
"""What torch's optimisers call their own count of updates."""
TAKEN = ("weight", "generator", COUNT, SHARED)
"""What other names of a stored state begin with."""
BIAS = re.compile(r"b|b_.*|.*bias.*")
"""The last part of a bias's name, in TransformerLens and in torch."""


@dataclass(frozen=True)
class Optimiser:
    """A rule of updates, and all that it remembers, which is stored by name.

    torch's optimiser finds what is named here before its first update, and keeps nothing else that changes.

    Attributes:
        build: from the trained parameters by name and the configuration to torch's optimiser; before every update its
            groups are given the learning rate as `lr`.
        kept: what it keeps of every parameter, in `state[parameter]`: name → what that is of a parameter at first.
        shared: names of what it keeps once, its attributes that hold tensors.
        counts: whether it counts updates in `state[parameter]`, as torch's Adam does; that is not stored, since the
            number of the step tells it.

    Raises:
        InputError: for a name that cannot be stored.
    """

    build: Callable[[Parameters, TrainConfig], torch.optim.Optimizer]
    kept: Mapping[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    counts: bool = False

    def __post_init__(self) -> None:
        wrong = next((name for name in (*self.kept, *self.shared) if name in TAKEN or "." in name), None)
        if wrong is not None:
            taken = ", ".join(TAKEN)
            raise InputError(f"an optimiser keeps nothing called {wrong!r}: a name has no dot and is none of {taken}")

    def begin(self, parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
        """Build torch's optimiser, with what it keeps of every parameter at first."""
        optimiser = self.build(parameters, config)
        for parameter in parameters.values():
            for name, first in self.kept.items():
                optimiser.state[parameter][name] = first(parameter.detach())
        self.count(optimiser, parameters, 0)
        return optimiser

    def count(self, optimiser: torch.optim.Optimizer, parameters: Parameters, step: int) -> None:
        """Have torch's optimiser count on from a step."""
        if self.counts:
            for parameter in parameters.values():
                optimiser.state[parameter][COUNT] = torch.tensor(float(step), device=parameter.device)

    def tensors(self, optimiser: torch.optim.Optimizer, parameters: Parameters) -> dict[str, Tensor]:
        """What is remembered now, torch's own tensors, by the names that they are stored as.

        Raises:
            InputError: if torch's optimiser keeps what is not named here, so that training could not go on from it.
        """
        counted = {COUNT} if self.counts else set()
        found = {f"{SHARED}.{name}": getattr(optimiser, name) for name in self.shared}
        for name, parameter in parameters.items():
            state = optimiser.state.get(parameter, {})
            if unnamed := sorted(state.keys() - self.kept.keys() - counted):
                kind = type(optimiser).__name__
                raise InputError(f"{kind} keeps {unnamed[0]!r} of {name}, which its optimiser does not name as kept")
            found |= {f"{key}.{name}": state[key] for key in self.kept}
        return found


def optimiser_named(name: str) -> Optimiser | Callable[[TrainConfig], Optimiser]:
    """The package's optimiser of that name, or a study's, loaded from its place.

    Of one that remembers more or less by its settings, a function from the configuration to it.
    """
    if name in OPTIMISERS:
        return OPTIMISERS[name]
    found: Optimiser | Callable[[TrainConfig], Optimiser] = load(optimiser_kinds()[name].place)
    return found


def optimiser_of(config: TrainConfig) -> Optimiser:
    """The optimiser that a configuration names, with its settings."""
    found = optimiser_named(config.optimiser)
    return found if isinstance(found, Optimiser) else found(config)


def decays(name: str, parameter: Tensor) -> bool:
    """Whether weight decay is for this parameter: a weight of two axes or more, such as an embedding.

    Biases have none, also where theirs have an axis for heads or networks, nor has what scales a LayerNorm.
    """
    return parameter.ndim >= 2 and not BIAS.fullmatch(name.rpartition(".")[2])


def _adam(parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
    betas = (config.beta1, config.beta2)
    return torch.optim.Adam(list(parameters.values()), lr=config.learning_rate, betas=betas, fused=True)


def _adamw(parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
    groups, betas = _by_decay(parameters, config), (config.beta1, config.beta2)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def _by_decay(parameters: Parameters, config: TrainConfig) -> list[dict[str, Any]]:
    """Groups, as torch has them, of parameters that decay and of others."""
    decayed = [parameter for name, parameter in parameters.items() if decays(name, parameter)]
    others = [parameter for name, parameter in parameters.items() if not decays(name, parameter)]
    return [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]


def _sgd(parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(list(parameters.values()), lr=config.learning_rate)


def k_adam(config: TrainConfig) -> Optimiser:
    """k-Adam with the stages of a configuration, each of which remembers two means of every parameter."""
    stages, eps = cast(Stages, config.setting("stages")), cast(float, config.setting("eps"))

    def build(parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
        return KAdam(_by_decay(parameters, config), config.learning_rate, stages, eps)

    names = [name(stage) for stage in range(1, len(stages) + 1) for name in (mean_of, square_of)]
    return Optimiser(build, dict.fromkeys(names, torch.zeros_like), shared=("updates",))


MOMENTS = {"exp_avg": torch.zeros_like, "exp_avg_sq": torch.zeros_like}
"""Adam's means of the gradient and of its square."""
OPTIMISERS: Mapping[str, Optimiser | Callable[[TrainConfig], Optimiser]] = {
    "adam": Optimiser(_adam, MOMENTS, counts=True),
    "adamw": Optimiser(_adamw, MOMENTS, counts=True),
    "sgd": Optimiser(_sgd),
    "k-adam": k_adam,
}
"""The package's own."""
