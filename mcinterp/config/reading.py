"""Presets, files, overrides and mappings turned into a `RunConfig`, with the first problem as one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcinterp.config.kinds import FIELD, kinds, no_kind, section_class, unnamed
from mcinterp.config.schema import RunConfig
from mcinterp.config.strict_yaml import read_yaml
from mcinterp.errors import ConfigError, nearest_name, reason
from mcinterp.installed import preset_files

SchemaT = TypeVar("SchemaT", bound=BaseModel)


def preset_names() -> list[str]:
    """Names of the configurations that come with studies."""
    return sorted(preset_files())


def load_preset(name: str, overrides: Iterable[str] = ()) -> RunConfig:
    """Open a preset by name.

    Args:
        name: One of `preset_names()`.
        overrides: `"section.field=value"` strings, applied on top.

    Raises:
        ConfigError: for an unknown preset or an override that does not fit.
    """
    if name not in preset_names():
        raise ConfigError(f"no preset is called {name!r:.80}{nearest_name(name, preset_names())}")
    text = preset_files()[name].read_text(encoding="utf-8")
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
        raise ConfigError(f"cannot read configuration {path}: {reason(error)}") from error
    return parse_config(text, source=str(path), overrides=overrides)


def parse_config(text: str, source: str, overrides: Iterable[str] = ()) -> RunConfig:
    """Validate YAML text, with `overrides` applied, as a `RunConfig`; `source` is named in errors."""
    try:
        tree = read_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} must hold the sections task, model and training, got {type(tree).__name__}")
    for override in overrides:
        tree = _with_override(tree, override)
    return validate_config(tree, source)


def validate_config(tree: Mapping[str, Any], source: str) -> RunConfig:
    """Turn a nested mapping into a `RunConfig`, with the first problem as one sentence."""
    sections = {name: _section(name, tree[name], source) for name in FIELD if isinstance(tree.get(name), Mapping)}
    return _validated({**tree, **sections}, RunConfig, source)


def _section(name: str, given: Mapping[str, Any], source: str) -> BaseModel:
    """A section of the kind that it names."""
    field = FIELD[name]
    kind = given.get(field, unnamed(name))
    if kind not in list(kinds(name)):
        raise ConfigError(f"{source}: {name}.{field} = {kind!r:.80}: {no_kind(name, kind)}")
    return _validated({field: kind, **given}, section_class(name, kind), source, (name,))


def _validated(tree: Mapping[str, Any], schema: type[SchemaT], source: str, within: tuple[str, ...] = ()) -> SchemaT:
    try:
        return schema.model_validate(_integers_as_floats(tree, schema))
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error, schema, within)}") from None


def _first_problem(error: ValidationError, schema: type[BaseModel], within: tuple[str, ...]) -> str:
    """The first problem of a validation as one sentence: field, what was got, what was expected."""
    problems = error.errors()
    problem = problems[0]
    where, section = _field_path(problem, schema)
    name = f"{'.'.join((*within, *where)):.80}"
    if problem["type"] in ("extra_forbidden", "invalid_key"):
        return f"{name} is not a field{nearest_name(where[-1], section.model_fields)}"
    if problem["type"] == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
        return f"{name}: {message}" if name else message
    # A field that may be of several kinds has one problem for each of them.
    messages = [other["msg"] for other in problems if _field_path(other, schema)[0] == where]
    expected = " or ".join([messages[0], *(message.removeprefix("Input should be ") for message in messages[1:])])
    return f"{name} = {problem['input']!r:.80}: {expected[0].lower()}{expected[1:]}"


def _field_path(problem: ErrorDetails, schema: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """The field that a problem is about, and the section that it is one of.

    What pydantic adds for one kind of several (`float`, `literal`) is left out.
    """
    path: list[str] = []
    parts = list(map(str, problem["loc"]))
    owner = schema
    section: type[BaseModel] | None = schema
    while parts and section is not None:
        owner = section
        path.append(parts.pop(0))
        section = _held(owner, path[-1])
    return path, owner


def _held(schema: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The section that a field holds; none of a value."""
    field = schema.model_fields.get(name)
    held = [field.annotation, *get_args(field.annotation)] if field else []
    return next((kind for kind in held if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _integers_as_floats(tree: Any, schema: type[BaseModel]) -> Any:
    """Let `learning_rate: 1` and YAML's `1e-3` (a string by its rules) stand for floats; nothing else is converted."""
    if not isinstance(tree, Mapping):
        return tree
    converted = dict(tree)
    for name in tree.keys() & schema.model_fields.keys():
        section = _held(schema, name)
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
        raise ConfigError(f"--set {override!r:.80} must look like section.field=value, such as training.steps=20000")
    inner = tree.get(section)
    try:
        value = read_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r:.80}: the value is not valid YAML") from error
    return {**tree, section: {**(inner if isinstance(inner, dict) else {}), field: value}}
