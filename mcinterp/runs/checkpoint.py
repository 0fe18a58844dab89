"""One checkpoint: weights at a step, with what is needed to use and to trust them."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from mcinterp.config import RunConfig
from mcinterp.config.seeds import LARGEST_SEED
from mcinterp.errors import CheckpointError, DamagedError, InputError, reason
from mcinterp.model.build import build_model, template
from mcinterp.model.finite import check_answers, check_finite
from mcinterp.model.plain import check_weights, load_weights
from mcinterp.model.size import batch_bytes, refuse_too_large
from mcinterp.runs.files import atomic_folder, read_bounded, tensor_bytes
from mcinterp.task import make_task

if TYPE_CHECKING:
    from mcinterp.model import Model

WEIGHTS = "model.safetensors"
RECORD = "checkpoint.json"
FIELDS = {"step": int, "config_hash": str, "digest": str, "metrics": dict, "versions": dict}
SEAL = "seal"
"""The digest of a record's other fields, which records of earlier versions lack."""
RECORD_SIZE = 1 << 16


@dataclass(frozen=True)
class Checkpoint:
    """Weights at one step of a run.

    Attributes:
        run_name: name of the run's folder.
        step: updates done when the weights were saved.
        config: of the whole run.
        digest: SHA-256 of the weights file, hexadecimal.
        metrics: what was measured at that step (of the batch before the update); empty at step 0.
        versions: of the packages that wrote it.
        weights: the parameters by their names in the model, float32, on the CPU.
        device: where `model` lives and analyses run.
    """

    run_name: str
    step: int
    config: RunConfig
    digest: str
    metrics: Mapping[str, float]
    versions: Mapping[str, str]
    weights: Mapping[str, torch.Tensor] = field(repr=False)
    device: str = "cpu"

    @cached_property
    def model(self) -> Any:
        """The model, of the class that the architecture names, in evaluation mode without gradients; built once."""
        model, where = build_model(self.config), f"{self.run_name} step {self.step}"
        load_weights(model, self.weights, source=where)
        model = model.requires_grad_(False).eval().move(self.device)
        # Weights that are numbers may still be too large to answer with.
        batch = self.task.draw(2, torch.Generator().manual_seed(0))
        check_answers(model, self.task.to(batch, torch.device(self.device)).inputs, where)
        return model

    @property
    def encoder(self) -> Any:
        """The model, for what is defined for encoders alone.

        Raises:
            InputError: if it is another kind of model.
        """
        return self._of("encoder")

    @property
    def gpt(self) -> Any:
        """The model, for what is defined for a GPT alone.

        Raises:
            InputError: if it is another kind of model.
        """
        return self._of("gpt")

    def _of(self, architecture: str) -> Any:
        own = self.config.model.architecture
        if own != architecture:
            where = f"{self.run_name} step {self.step}"
            raise InputError(f"this analysis is defined for {_one(architecture)}; {where} is {_one(own)}")
        return self.model

    @cached_property
    def task(self) -> Any:
        """The task that the run was trained on, of the class that its kind names."""
        return make_task(self.config.task)

    def sample(self, n: int, seed: int = 0, *choices: Any, **named: Any) -> Any:
        """Draw `n` fresh samples on the checkpoint's device.

        Args:
            n: how many, at least 1.
            seed: 0 or more; the same seed gives the same batch on any device.
            choices: what the task's own `examples` lets one choose, in its order, or by name as `named`.

        Raises:
            InputError: for a number of samples or a seed that is none, or more samples than memory holds.
        """
        if not isinstance(n, Integral) or n < 1:
            raise InputError(f"samples must be a whole number, at least 1, got {n!r:.40}")
        if not isinstance(seed, Integral) or not 0 <= seed <= LARGEST_SEED + 1:
            raise InputError(f"seed must be a whole number in 0 … {LARGEST_SEED}, got {seed!r:.40}")
        refuse_too_large(batch_bytes(self.config.task, int(n)), f"a batch of {n} samples")
        batch = self.task.examples(n, torch.Generator().manual_seed(seed), *choices, **named)
        return self.task.to(batch, torch.device(self.device))

    @classmethod
    def of_model(cls, model: Model, config: RunConfig, step: int = 0, run_name: str = "imported") -> Checkpoint:
        """Wrap a model from elsewhere, so that every pass works on it.

        Raises:
            CheckpointError: if its weights are not all numbers, or the model is another than the configuration's.
        """
        weights, where = model.weights(), f"{run_name} step {step}"
        check_finite(weights, where)
        _check_fits(model, weights, config, where)
        digest = hashlib.sha256(tensor_bytes(weights)).hexdigest()
        return cls(run_name, step, config, digest, {}, package_versions(), weights)

    @classmethod
    def untrained(cls, config: RunConfig, seed: int, device: str = "cpu") -> Checkpoint:
        """A freshly initialised model of the same shape, on a device: the control of many passes."""
        return replace(cls.of_model(build_model(config, seed), config, run_name="untrained"), device=device)


def save_checkpoint(folder: Path, model: Model, step: int, config: RunConfig, metrics: Mapping[str, float]) -> None:
    """Write a checkpoint folder in one piece, replacing one of the same step."""
    content = tensor_bytes(model.weights())
    record = {
        "step": step,
        "config_hash": config.hash,
        "digest": hashlib.sha256(content).hexdigest(),
        "metrics": dict(metrics),
        "versions": package_versions(),
    }
    with atomic_folder(folder) as temporary:
        (temporary / WEIGHTS).write_bytes(content)
        (temporary / RECORD).write_text(json.dumps({**record, SEAL: _seal(record)}, indent=2), encoding="utf-8")


def load_checkpoint(folder: Path, config: RunConfig, run_name: str, device: str) -> Checkpoint:
    """Read and verify a checkpoint folder.

    Raises:
        DamagedError: if a file is missing or unreadable, is of another step, does not have the digest it was saved
            with, or holds other tensors than the configuration tells of.
        CheckpointError: if it belongs to another configuration, or its weights are not all numbers.
    """
    record = _read_record(folder / RECORD)
    if folder.name != f"step-{record['step']:08d}":
        raise DamagedError(f"{folder / RECORD} belongs to step {record['step']}: the folder was moved or swapped")
    if record["config_hash"] not in config.known_as:
        raise CheckpointError(
            f"{folder / RECORD} belongs to configuration {record['config_hash']}, its run to {config.hash}: one of the "
            "two was put there or changed later"
        )
    return Checkpoint(
        run_name=run_name,
        step=record["step"],
        config=config,
        digest=record["digest"],
        metrics=record["metrics"],
        versions=record["versions"],
        weights=_read_weights(folder / WEIGHTS, record["digest"], config),
        device=device,
    )


def weights_digest(model: Model) -> str:
    """The digest that the model's weights would have on disk."""
    return hashlib.sha256(tensor_bytes(model.weights())).hexdigest()


def saved_digest(folder: Path) -> str:
    """The digest a checkpoint folder was saved with.

    Raises:
        DamagedError: if its record cannot be read.
    """
    return str(_read_record(folder / RECORD)["digest"])


def package_versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    names = ("mcinterp", "torch", "transformer_lens", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _check_fits(model: Model, weights: Mapping[str, torch.Tensor], config: RunConfig, where: str) -> None:
    """See that a model is the configuration's, which it is made anew from; initial weights may be of any law."""
    own = getattr(model, "model_config", config.model).model_dump()
    for name, there in config.model.model_dump().items():
        # A model that is built for one architecture may be made of another's parts.
        if name in own.keys() - {"architecture", "init_std"} and own[name] != there:
            raise CheckpointError(
                f"{where}: model.{name} is {own[name]!r} in the model and {there!r} in its configuration; make the "
                "configuration with model=model.model_config"
            )
    try:
        check_weights(template(config), weights, where)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; make the configuration with the task that the model was trained on") from None


def _read_weights(path: Path, digest: str, config: RunConfig) -> dict[str, torch.Tensor]:
    """The weights, once they are known to be those that were saved and to fit the configuration."""
    if not path.is_file():
        raise DamagedError(f"{path} cannot be read: it is missing")
    if path.stat().st_size < (least := config.model.least_bytes()):
        raise DamagedError(f"{path} is damaged: a model of its configuration takes at least {least:,} bytes")
    expected = template(config)
    content = read_bounded(path, sum(parameter.nbytes for parameter in expected.values()))
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedError(f"{path} is damaged: its digest is not the one it was saved with")
    try:
        weights = safetensors.torch.load(content)
    except Exception as error:  # safetensors raises its own kinds
        raise DamagedError(f"{path} cannot be read: {reason(error)}") from None
    try:
        check_weights(expected, weights, str(path))
    except CheckpointError as error:
        raise DamagedError(str(error)) from None
    check_finite(weights, str(path))
    return weights


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(read_bounded(path, RECORD_SIZE))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read: {reason(error)}") from None
    fields = record if isinstance(record, dict) else {}
    if missing := FIELDS.keys() - fields.keys():
        raise DamagedError(f"{path} lacks {', '.join(sorted(missing))}")
    if unknown := fields.keys() - FIELDS.keys() - {SEAL}:
        raise DamagedError(f"{path} has an unknown field {sorted(unknown)[0]!r}")
    for name, kind in FIELDS.items():
        if type(fields[name]) is not kind:
            raise DamagedError(f"{path}: {name} is {fields[name]!r:.60}, expected {kind.__name__}")
    seal = fields.pop(SEAL, None)
    if seal is not None and seal != _seal(fields):
        raise DamagedError(f"{path} is damaged: its digest is not the one it was saved with")
    return fields


def _seal(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _one(architecture: str) -> str:
    return f"{'an' if architecture[0] in 'aeiou' else 'a'} {architecture}"
