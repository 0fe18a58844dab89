"""What weights from elsewhere were trained on, from a configuration, a preset, or a file of a study's own kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from mcinterp.config import RunConfig, TaskSection, load_preset, parse_config
from mcinterp.config.strict_yaml import read_yaml
from mcinterp.declared import load
from mcinterp.errors import ConfigError, UsageError, reason
from mcinterp.installed import preset_files, studies

OURS = ("task", "model", "training")
Asked = RunConfig | TaskSection | Path | str


def asked_config(asked: Asked | None, sources: Iterable[Path], overrides: Iterable[str] = ()) -> RunConfig:
    """The configuration that somebody else's weights belong to, as far as it is known.

    Args:
        asked: a configuration; a task; a file, of this package or as a study reads it; or a preset, of which the task
            counts and nothing else. None: the one `.yaml` file beside the weights.
        sources: files and folders of the weights.
        overrides: `"section.field=value"` strings, applied on top.

    Raises:
        UsageError: if it is not said and cannot be found.
        ConfigError: if it is no configuration.
    """
    overrides = list(overrides)
    if isinstance(asked, RunConfig | TaskSection):
        return _of_sections(asked, overrides)
    if asked is not None and str(asked) in preset_files():
        return _of_sections(load_preset(str(asked)).task, overrides)
    path = _beside(sources) if asked is None else Path(asked)
    if path is None and overrides:
        return parse_config("", "what was said", overrides)
    if path is None:
        raise UsageError("say what the weights were trained on: a preset, or a file with the task and the model")
    return _of_file(path, overrides)


def _of_sections(asked: RunConfig | TaskSection, overrides: list[str]) -> RunConfig:
    """A configuration, or a task alone, with fields changed; fields of the model that nobody wrote down stay so."""
    sections = {"task": asked} if isinstance(asked, TaskSection) else {name: getattr(asked, name) for name in OURS}
    plain = {name: each.model_dump(mode="json", exclude_unset=name != "task") for name, each in sections.items()}
    return parse_config(yaml.safe_dump(plain), "what was said", overrides)


def _of_file(path: Path, overrides: list[str]) -> RunConfig:
    try:
        text = path.read_text(encoding="utf-8")
        tree = read_yaml(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read configuration {path}: {reason(error)}") from None
    theirs = _theirs(tree, str(path)) if isinstance(tree, Mapping) else None
    return parse_config(text if theirs is None else yaml.safe_dump(theirs), str(path), overrides)


def _theirs(tree: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    """A configuration as another code has it, which a study can read; None of one of this package's."""
    if tree.keys() <= {*OURS, "start"}:
        return None
    found = (load(study.reads_config)(tree, source) for study in studies().values() if study.reads_config)
    return next((config for config in found if config is not None), None)


def _beside(sources: Iterable[Path]) -> Path | None:
    """The one configuration that lies in or beside the folders of the weights; None where there is none, or several."""
    folders = {source if source.is_dir() else source.parent for source in sources}
    files = {file for folder in folders for file in folder.glob("*.y*ml")}
    return files.pop() if len(files) == 1 else None
