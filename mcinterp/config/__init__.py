"""What a run is: task, model and training, as frozen objects that refuse unknown or contradictory values."""

from mcinterp.config.identity import IdentityConfig, LinearConfig
from mcinterp.config.matrix import ModelConfig, TaskConfig
from mcinterp.config.reading import load_config, load_preset, parse_config, preset_names, validate_config
from mcinterp.config.recurrent import RecurrentConfig, SwitchConfig
from mcinterp.config.schema import ModelSection, RunConfig, StartConfig, TaskSection, TrainConfig, check_same_kind

__all__ = [
    "IdentityConfig",
    "LinearConfig",
    "ModelConfig",
    "ModelSection",
    "RecurrentConfig",
    "RunConfig",
    "StartConfig",
    "SwitchConfig",
    "TaskConfig",
    "TaskSection",
    "TrainConfig",
    "check_same_kind",
    "load_config",
    "load_preset",
    "parse_config",
    "preset_names",
    "validate_config",
]
