"""Presets, files, overrides and mappings turned into a `RunConfig`, with the first problem as one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcinterp.config.schema import RunConfig
from mcinterp.errors import ConfigError, nearest_name


def preset_names() -> list[str]:
    """Names of the configurations that come with the package."""
    folder = resources.files("mcinterp") / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_preset(name: str, overrides: Iterable[str] = ()) -> RunConfig:
    """Open a preset by name.

    Args:
        name: One of `preset_names()`.
        overrides: `"section.field=value"` strings, applied on top.

    Raises:
        ConfigError: for an unknown preset or an override that does not fit.
    """
    if name not in preset_names():
        raise ConfigError(f"no preset is called {name!r}{nearest_name(name, preset_names())}")
    text = (resources.files("mcinterp") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_config(text, source=f"preset {name}", overrides=overrides)


def load_config(path: Path | str, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a configuration file; fields it leaves out take the paper's values.

    Raises:
        ConfigError: naming the file and the field, when it is missing, not YAML or does not validate.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read configuration {path}: {error}") from error
    return parse_config(text, source=str(path), overrides=overrides)


def parse_config(text: str, source: str, overrides: Iterable[str] = ()) -> RunConfig:
    """Validate YAML text, with `overrides` applied, as a `RunConfig`; `source` is named in errors."""
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        raise ConfigError(f"{source} is not valid YAML: {' '.join(str(error).split())}") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} must hold the sections task, model and training, got {type(tree).__name__}")
    for override in overrides:
        tree = _with_override(tree, override)
    return validate_config(tree, source)


def validate_config(tree: Mapping[str, Any], source: str) -> RunConfig:
    """Turn a nested mapping into a `RunConfig`, with the first problem as one sentence."""
    try:
        return RunConfig.model_validate(_integers_as_floats(tree, RunConfig))
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error, RunConfig)}") from None


def _first_problem(error: ValidationError, schema: type[BaseModel]) -> str:
    """The first problem of a validation as one sentence: field, what was got, what was expected."""
    problems = error.errors()
    problem, where = problems[0], _field_path(problems[0], schema)
    name = ".".join(where)
    if problem["type"] in ("extra_forbidden", "invalid_key"):
        return f"{name} is not a field{nearest_name(where[-1], _fields_at(schema, where[:-1]))}"
    if problem["type"] == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return f"{name}: {message}" if name else message
    # A field that may be of several kinds has one problem for each of them.
    messages = [other["msg"] for other in problems if _field_path(other, schema) == where]
    expected = " or ".join([messages[0], *(message.removeprefix("Input should be ") for message in messages[1:])])
    return f"{name} = {problem['input']!r:.80}: {expected[0].lower()}{expected[1:]}"


def _field_path(problem: ErrorDetails, schema: type[BaseModel]) -> list[str]:
    """The field that a problem is about, without what pydantic adds for one kind of several (`float`, `literal`)."""
    path: list[str] = []
    section: type[BaseModel] | None = schema
    for part in map(str, problem["loc"]):
        if section is None:
            break
        path.append(part)
        section = _section(section, part)
    return path


def _section(schema: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The configuration that a field holds, or may hold, if it holds one."""
    field = schema.model_fields.get(name)
    kinds = [field.annotation, *get_args(field.annotation)] if field else []
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _fields_at(schema: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        schema = _section(schema, part) or schema
    return list(schema.model_fields)


def _integers_as_floats(tree: Any, schema: type[BaseModel]) -> Any:
    """Let `learning_rate: 1` and YAML's `1e-3` (a string by its rules) stand for floats; nothing else is converted."""
    if not isinstance(tree, Mapping):
        return tree
    converted = dict(tree)
    for name in tree.keys() & schema.model_fields.keys():
        section = _section(schema, name)
        if section is not None:
            converted[name] = _integers_as_floats(tree[name], section)
        elif "float" in str(schema.model_fields[name].annotation):
            converted[name] = _as_float(tree[name])
    return converted


def _as_float(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        return float(value)
    except (ValueError, OverflowError):
        return value


def _with_override(tree: dict[str, Any], override: str) -> dict[str, Any]:
    name, separator, text = override.partition("=")
    section, dot, field = name.strip().partition(".")
    if not (separator and dot and section and field):
        raise ConfigError(f"--set {override!r} must look like section.field=value, such as training.steps=20000")
    inner = tree.get(section)
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {override!r}: the value is not valid YAML") from error
    return {**tree, section: {**(inner if isinstance(inner, dict) else {}), field: value}}
