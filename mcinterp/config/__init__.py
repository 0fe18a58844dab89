"""What a run is: task, model and training, as frozen objects that refuse unknown or contradictory values."""

from mcinterp.config.base import FrozenConfig, ModelSection, TaskSection
from mcinterp.config.reading import load_config, load_preset, parse_config, preset_names, validate_config
from mcinterp.config.schema import RunConfig, StartConfig, TrainConfig, check_same_kind

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
