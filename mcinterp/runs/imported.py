"""A run made of checkpoints that were trained and saved elsewhere: analysed as any run, but not trained on."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from mcinterp.config import RunConfig, validate_config
from mcinterp.declared import load
from mcinterp.errors import CheckpointError, McinterpError, UsageError
from mcinterp.installed import architectures
from mcinterp.model.build import build_model
from mcinterp.model.finite import check_answers, check_finite
from mcinterp.model.plain import load_weights
from mcinterp.runs.asked import Asked, asked_config
from mcinterp.runs.checkpoint import package_versions, save_checkpoint
from mcinterp.runs.files import atomic_folder, explained
from mcinterp.runs.foreign import Foreign, chosen_step, is_foreign, open_foreign
from mcinterp.runs.run import CONFIG, IMPORTED, METRICS, Run
from mcinterp.runs.their_curve import SAMPLES, Measured, joined, read_curve
from mcinterp.task import make_task

NOT_WEIGHTS = ("optimizer", "scheduler", "rng_state", "training_args", "training-state", "scaler", "start.")
"""Beginnings of names of files that lie beside weights and hold none."""
UNTOLD = ("init_std",)
"""Fields of a model that its weights do not tell and answers do not depend on: untrained controls are drawn by them."""

log = logging.getLogger(__name__)

Tell = Callable[[str], None]


@dataclass
class _Made:
    """What has been written so far: the configuration that all checkpoints share, and their measurements."""

    config: RunConfig | None = None
    measured: dict[int, Mapping[str, float]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)


def import_run(
    sources: Path | str | Iterable[Path | str],
    run: Path | str,
    task: Asked | None = None,
    steps: Sequence[int] | None = None,
    curve: Path | str | None = None,
    overrides: Iterable[str] = (),
    samples: int = SAMPLES,
    seed: int = 0,
    tell: Tell = log.info,
) -> Run:
    """Make a run of a series of weights that were saved elsewhere.

    What opens is what `mcinterp.load_bert` opens, HookedEncoders' state dictionaries, and weights by the names that the
    model has here, in files of torch or safetensors or in folders. The run has their steps, whatever the spacing, and
    is analysed as any; it has no training state, so that it cannot go on, and nothing of it can be replayed.

    Args:
        sources: a file or a folder of weights, several of them, or a folder that holds some.
        run: folder of the run, which is made.
        task: what the weights were trained on: a configuration, a task, a preset (whose task alone counts), or a file,
            of this package or as a study reads others'. None: the one `.yaml` file beside the weights.
        steps: of the sources, in the order of their names' numbers. None: each file's own record, or its name.
        curve: a CSV file with `step` and any of `loss` and the task's scores; what it lacks is measured.
        overrides: `"section.field=value"` strings, such as `"model.n_heads=8"`, which weights do not tell.
        samples: fresh samples that loss and scores are measured on at each checkpoint.
        seed: of these samples.
        tell: called with a sentence for each checkpoint.

    Raises:
        UsageError: if something is at `run` already, or steps or task are not told.
        ConfigError: for a configuration that is none.
        CheckpointError: naming the file, if weights cannot be read or are no model for the task.
    """
    paths, path = expanded(sources), Path(run)
    if path.exists():
        raise UsageError(f"{path} is there already; a run is imported to a new folder")
    asked = asked_config(task, _listed(sources), overrides)
    theirs, unknown = (None, []) if curve is None else read_curve(Path(curve), make_task(asked.task))
    ordered = _in_order(paths, steps)
    made = _Made(notes={f"of {curve} left out: {', '.join(unknown)}": None} if unknown else {})
    measure = Measured(make_task(asked.task), samples, seed)
    with explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(path) as folder:
        for step, source in ordered.items():
            _add(folder, step, source, asked, max(ordered), made, measure)
            tell(f"step {step:,}: {source}, {_scores(made.measured[step])}")
        how = f"as {curve} has it" if curve else f"measured at each checkpoint on {samples} fresh samples, seed {seed}"
        _finish(folder, made, joined(made.measured, theirs, asked.task), ordered, how)
    for note in made.notes:
        log.warning(f"run {path.name}: {note}")
    return Run(path)


def expanded(sources: Path | str | Iterable[Path | str]) -> list[Path]:
    """Files and folders of weights, those in a folder by the numbers in their names.

    Raises:
        UsageError: for a path where there is none.
    """
    found: list[Path] = []
    for source in _listed(sources):
        if not source.exists():
            raise UsageError(f"there is nothing at {source}")
        one = source.is_file() or is_foreign(source)
        inside = [] if one else [each for each in source.iterdir() if is_foreign(each) and not _beside(each)]
        found += [source] if one else sorted(inside, key=lambda each: (_numbers(each.name), each.name))
        if not one and not inside:
            raise UsageError(
                f"{source} holds no weights: expected files such as step-4000.tar or .safetensors, or folders with "
                "model.safetensors"
            )
    return found


def _listed(sources: Path | str | Iterable[Path | str]) -> list[Path]:
    return [Path(sources)] if isinstance(sources, Path | str) else list(map(Path, sources))


def _beside(path: Path) -> bool:
    return path.is_file() and path.name.startswith(NOT_WEIGHTS)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,18}", name)]


def _in_order(paths: Sequence[Path], steps: Sequence[int] | None) -> dict[int, Path]:
    """Step → source, in the order of the steps.

    Raises:
        UsageError: if there are not as many steps as sources, one has none, or two have the same.
    """
    if steps is not None and len(steps) != len(paths):
        raise UsageError(f"{len(steps)} steps for {len(paths)} checkpoints: {', '.join(path.name for path in paths)}")
    if steps is not None and any(step < 0 for step in steps):
        raise UsageError(f"steps must be 0 or more, got {min(steps)}")
    found: dict[int, Path] = {}
    for at, path in enumerate(paths):
        step = chosen_step(open_foreign(path)) if steps is None else steps[at]
        if step in found:
            raise UsageError(f"{found[step]} and {path} are both of step {step}; say the steps, or leave one out")
        found[step] = path
    return dict(sorted(found.items()))


def _add(folder: Path, step: int, source: Path, asked: RunConfig, last: int, made: _Made, measure: Measured) -> None:
    """Write one checkpoint."""
    try:
        foreign = open_foreign(source)
        model, notes = _read(foreign, asked)
        check_finite(model.weights(), str(source))
    except McinterpError as error:
        text = str(error)
        raise type(error)(text if str(source) in text else f"{source}: {text}") from None
    config = _resolved(asked, model, last, source)
    if made.config is not None and (unlike := made.config.unlike(config)):
        told = "; ".join(f"{name}: {before!r} in those, {here!r} in it" for name, (before, here) in unlike.items())
        raise CheckpointError(f"{source} is of another model than the checkpoints before it ({told})")
    made.config = config
    made.notes |= dict.fromkeys(notes)
    model.requires_grad_(False).eval()
    check_answers(model, make_task(asked.task).draw(2, torch.Generator().manual_seed(0)).inputs, str(source))
    made.measured[step] = measure.of(model)
    save_checkpoint(folder / f"step-{step:08d}", model, step, config, made.measured[step])


def _read(foreign: Foreign, asked: RunConfig) -> tuple[Any, list[str]]:
    """The model of weights that were opened: as the architecture reads others', or by its own names."""
    reads = architectures()[asked.model.architecture].reads
    if reads:
        return load(reads)(foreign, asked.task, said(asked))
    model = build_model(asked)
    load_weights(model, {name: weight.float() for name, weight in foreign.weights.items()}, str(foreign.source))
    return model, []


def said(config: RunConfig) -> dict[str, Any]:
    """Fields of the model that somebody wrote down, so that they are no defaults."""
    return {name: getattr(config.model, name) for name in config.model.model_fields_set - {"architecture"}}


def _resolved(asked: RunConfig, model: Any, last: int, source: Path) -> RunConfig:
    """What was asked for, with the model that was found and as many steps as there are.

    Raises:
        CheckpointError: if the model is another than was said.
    """
    found = model.model_config if architectures()[asked.model.architecture].reads else asked.model
    for name, value in said(asked).items():
        if name not in UNTOLD and getattr(found, name) != value:
            raise CheckpointError(
                f"{source} has model.{name} {getattr(found, name)!r}, and {value!r} was said; leave it out, or say "
                f"model.{name}={getattr(found, name)}"
            )
    training = {**asked.training.model_dump(), "steps": max(1, last), "warmup_steps": 0}
    model_section = {**found.model_dump(), **{name: getattr(asked.model, name) for name in UNTOLD}}
    tree = {"task": asked.task.model_dump(), "model": model_section, "training": training}
    return validate_config(tree, str(source))


def _finish(folder: Path, made: _Made, curve: pd.DataFrame, ordered: Mapping[int, Path], how: str) -> None:
    """Write what is no checkpoint: configuration, measurements, and where all comes from."""
    if made.config is None:
        raise UsageError("there are no weights to import")
    (folder / CONFIG).write_text(made.config.to_yaml(), encoding="utf-8")
    (folder / METRICS).write_text(curve.to_csv(index=False), encoding="utf-8")
    about = {
        "imported": datetime.now(UTC).date().isoformat(),
        "curve": how,
        "notes": list(made.notes),
        "checkpoints": {step: {"source": str(source), **_digest(source)} for step, source in ordered.items()},
        "versions": dict(package_versions()),
    }
    (folder / IMPORTED).write_text(yaml.safe_dump(about, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _digest(source: Path) -> dict[str, str]:
    """SHA-256 of a file; a folder's files are many."""
    if source.is_dir():
        return {}
    with source.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _scores(measured: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
