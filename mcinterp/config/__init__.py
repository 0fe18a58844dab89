"""What a run is: task, model and training, as frozen objects that refuse unknown or contradictory values."""

from mcinterp.config.reading import load_config, load_preset, parse_config, preset_names, validate_config
from mcinterp.config.schema import ModelConfig, RunConfig, StartConfig, TaskConfig, TrainConfig

__all__ = [
    "ModelConfig",
    "RunConfig",
    "StartConfig",
    "TaskConfig",
    "TrainConfig",
    "load_config",
    "load_preset",
    "parse_config",
    "preset_names",
    "validate_config",
]
