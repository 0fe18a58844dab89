"""What a run is: task, model and training, as frozen objects that refuse unknown or contradictory values.

Names are loaded when they are first used, so that a command's words can be read without the library that checks values.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcinterp.config.base import FrozenConfig, ModelSection, TaskSection
    from mcinterp.config.reading import load_config, load_preset, parse_config, preset_names, validate_config
    from mcinterp.config.schema import RunConfig, StartConfig, TrainConfig, check_same_kind

_FILE_OF = {
    "FrozenConfig": "base",
    "ModelSection": "base",
    "RunConfig": "schema",
    "StartConfig": "schema",
    "TaskSection": "base",
    "TrainConfig": "schema",
    "check_same_kind": "schema",
    "load_config": "reading",
    "load_preset": "reading",
    "parse_config": "reading",
    "preset_names": "reading",
    "validate_config": "reading",
}

__all__ = [
    "FrozenConfig",
    "ModelSection",
    "RunConfig",
    "StartConfig",
    "TaskSection",
    "TrainConfig",
    "check_same_kind",
    "load_config",
    "load_preset",
    "parse_config",
    "preset_names",
    "validate_config",
]


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'mcinterp.config' has no attribute {name!r}")
    return getattr(import_module(f"mcinterp.config.{_FILE_OF[name]}"), name)
