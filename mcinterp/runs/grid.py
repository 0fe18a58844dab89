"""A sweep: a declared grid of runs over any field of the configuration.

base: tiny                                       a preset, or the sections task, model and training
set: {training.steps: 4000}                      fields changed in every run (may be left out)
grid:                                            every combination of these becomes a run
  model.n_layers: [1, 2]
  model.d_model,model.d_mlp: [[8, 32], [16, 64]] fields that change together
  training.seed: [0, 1, 2]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import yaml

from mcinterp.config import RunConfig, load_preset, validate_config
from mcinterp.config.strict_yaml import read_yaml
from mcinterp.errors import CheckpointError, ConfigError, nearest_name, reason
from mcinterp.runs.files import write_atomic

SWEEP = "sweep.yaml"
"""What a sweep's folder declares: its runs by name, with the fields that vary and their configurations."""
KEYS = ("base", "set", "grid")
LONGEST_NAME = 120
MOST = 10_000
"""Combinations of a grid: more are more likely a slip than a plan."""
DEEPEST = 8
"""Sections within sections, of which a configuration has fewer."""
UNSAFE = re.compile(r"[^A-Za-z0-9._+=,-]")
"""What the name of a run in a sweep does not hold."""

Tree = dict[str, Any]


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        name: of its folder, made of the values that vary: `n_layers=2,seed=0`.
        varied: field, such as `model.n_layers`, → value, in the order of the grid.
        config: of the run.
    """

    name: str
    varied: Mapping[str, Any]
    config: RunConfig


@dataclass(frozen=True)
class Sweep:
    """A grid of runs.

    Attributes:
        name: of the grid, that of its file.
        fields: that vary, in the order of the grid.
        runs: every combination, the last field varying fastest.
    """

    name: str
    fields: tuple[str, ...]
    runs: tuple[SweepRun, ...]

    def save(self, folder: Path) -> None:
        """Write the runs, their varied fields and their configurations to `folder`/sweep.yaml."""
        runs = {run.name: {"varied": dict(run.varied), "config": run.config.model_dump()} for run in self.runs}
        record = {"name": self.name, "fields": list(self.fields), "runs": runs}
        write_atomic(folder / SWEEP, yaml.safe_dump(record, sort_keys=False).encode())

    @classmethod
    def load(cls, folder: Path | str) -> Sweep:
        """Read what `save` wrote.

        Raises:
            CheckpointError: if there is no sweep in `folder`, or its record is damaged.
        """
        path = Path(folder) / SWEEP
        if not path.is_file():
            raise CheckpointError(f"there is no sweep at {folder}: {path} is missing")
        try:
            record = read_yaml(path.read_text(encoding="utf-8"))
            runs = [
                SweepRun(_plain_name(name), kept["varied"], validate_config(kept["config"], f"{path}, {name}"))
                for name, kept in record["runs"].items()
            ]
            return cls(record["name"], tuple(record["fields"]), tuple(runs))
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError, ConfigError) as error:
            raise CheckpointError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def load_sweep(path: Path | str) -> Sweep:
    """Read and check a grid file.

    Raises:
        ConfigError: naming the file, and the combination and field where there is one: not YAML, an unknown key or
            field, an empty list, a value given twice, a combination that is no valid configuration, two combinations
            that are the same, or more of them than `MOST`.
    """
    path = Path(path)
    declared = _read(path)
    axes = [_axis(key, values, path) for key, values in declared["grid"].items()]
    fixed = declared.get("set") or {}
    fields = [field for names, _ in axes for field in names]
    for field in fields:
        if fields.count(field) > 1 or field in fixed:
            raise ConfigError(f"{path}: {field:.60} is given twice; a field stands once, in grid or in set")
    base = _changed(_base(declared["base"], path), fixed, f"{path}, set")
    if (n := prod(len(values) for _, values in axes)) > MOST:
        raise ConfigError(f"{path}: the grid has {n:,} combinations; a sweep has at most {MOST:,}")
    runs = [_run(base, fields, sum(choice, ()), path) for choice in product(*(values for _, values in axes))]
    _refuse_same(runs, path)
    return Sweep(path.stem, tuple(fields), tuple(runs))


def short_names(fields: Iterable[str], config: RunConfig) -> dict[str, str]:
    """Field → its last part where no other field of the configuration ends so, else the whole."""
    last = [field.rpartition(".")[2] for field in _flat(config)]
    return {field: end if last.count(end := field.rpartition(".")[2]) == 1 else field for field in fields}


def _read(path: Path) -> Tree:
    """The file's mapping, with its keys checked."""
    try:
        tree = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read grid {path}: {reason(error)}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not a valid grid: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold the keys base and grid (and set), got {type(tree).__name__}")
    for key in tree:
        if key not in KEYS:
            raise ConfigError(f"{path}: {key!s:.60} is not a key of a grid{nearest_name(str(key), KEYS)}")
    for key in ("base", "grid"):
        if not tree.get(key):
            raise ConfigError(f"{path}: {key} is missing or empty")
    for key in ("set", "grid"):
        if not isinstance(tree.get(key) or {}, dict):
            raise ConfigError(f"{path}: {key} must map fields, such as training.seed, to values")
    return tree


def _base(base: Any, path: Path) -> Tree:
    if isinstance(base, str):
        try:
            base = load_preset(base).model_dump()
        except ConfigError as error:
            raise ConfigError(f"{path}: base: {error}") from None
    # A resolved configuration says of a section it does not have that it is null.
    sections = (
        {name: section for name, section in base.items() if section is not None} if isinstance(base, dict) else {}
    )
    if not sections or not all(isinstance(section, dict) for section in sections.values()):
        raise ConfigError(f"{path}: base must be the name of a preset, or the sections task, model and training")
    return sections


def _axis(key: Any, values: Any, path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    """One key of the grid: its fields, and the values that they take together."""
    fields = [field.strip() for field in str(key).split(",")]
    if not isinstance(values, list):
        raise ConfigError(f"{path}: grid: {key!s:.60} must have a list of values, got {values!r:.60}")
    if not values:
        raise ConfigError(f"{path}: grid: {key!s:.60} has an empty list; give at least one value")
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ConfigError(f"{path}: grid: {key!s:.60} has the value {value!r:.60} twice")
    if len(fields) == 1:
        return fields, [(value,) for value in values]
    for value in values:
        if not isinstance(value, list) or len(value) != len(fields):
            raise ConfigError(f"{path}: grid: {key!s:.60} needs lists of {len(fields)} values, got {value!r:.60}")
    return fields, [tuple(value) for value in values]


def _changed(tree: Tree, values: Mapping[str, Any], source: str) -> Tree:
    """A nested mapping with dotted fields replaced."""
    for field, value in values.items():
        section, dot, name = str(field).partition(".")
        if not (section and dot and name) or name.count(".") > DEEPEST:
            raise ConfigError(f"{source}: {field!s:.80} must look like section.field, such as training.seed")
        tree = {**tree, section: _changed_field(tree.get(section, {}), name, value, source)}
    return tree


def _changed_field(section: Any, name: str, value: Any, source: str) -> Any:
    inside = section if isinstance(section, dict) else {}
    return _changed(inside, {name: value}, source) if "." in name else {**inside, name: value}


def _run(base: Tree, fields: list[str], values: tuple[Any, ...], path: Path) -> SweepRun:
    choice = dict(zip(fields, values, strict=True))
    source = f"{path}, combination {', '.join(f'{field:.60} = {value!s:.40}' for field, value in choice.items())}"
    config = validate_config(_changed(base, choice, source), source)
    resolved = _flat(config)
    if several := next((field for field in fields if field not in resolved), None):
        raise ConfigError(f"{source}: {several} holds several values; vary one of them, as {several}.name")
    varied = {field: resolved[field] for field in fields}
    return SweepRun(_run_name(varied, config), varied, config)


def _run_name(varied: Mapping[str, Any], config: RunConfig) -> str:
    """`n_layers=2,seed=0`; what a file system may not like is replaced, and long names end in the config's hash."""
    short = short_names(varied, config)
    text = ",".join(f"{short[field]}={_text(value)}" for field, value in varied.items())
    name = UNSAFE.sub("-", text)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 20]}...{config.hash}"


def _plain_name(name: str) -> str:
    """The name of a run, which is a folder of its sweep's and leads nowhere else."""
    if not name or name.startswith(".") or UNSAFE.search(name):
        raise ValueError(f"{name!r:.80} is no name of a run")
    return name


def _text(value: Any) -> str:
    if isinstance(value, tuple) and value and all(isinstance(one, tuple) and _floats(one) for one in value):
        # Decays by stage, as 0.9_0.999+0_0.999.
        return "+".join("_".join(map(_text, one)) for one in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _floats(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, float) for value in values)


def _refuse_same(runs: list[SweepRun], path: Path) -> None:
    hashes: dict[str, str] = {}
    names: dict[str, str] = {}
    for run in runs:
        same = hashes.setdefault(run.config.hash, run.name)
        if same is not run.name:
            raise ConfigError(f"{path}: combinations {same} and {run.name} are the same configuration")
        # Some file systems do not tell capital letters apart.
        alike = names.setdefault(run.name.casefold(), run.name)
        if alike is not run.name:
            raise ConfigError(f"{path}: two combinations would both be called {run.name}")


def _flat(config: RunConfig) -> dict[str, Any]:
    """Every field by its dotted name."""

    def flatten(tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name, value in tree.items():
            flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
        return flat

    return flatten(config.model_dump(), "")
