"""Mechanistic interpretability of abrupt learning.

    import mcinterp

    run = mcinterp.Run("checkpoints/tiny")
    run.metrics, run.transition, run.steps
    checkpoint = run.checkpoint("last")
    batch = checkpoint.sample(64, seed=0, mask="masked-rows:2@1,4@3")
    values, cache = checkpoint.model.run_with_cache(batch.inputs)
    mcinterp.ablation(checkpoint, heads=["all", "L1H0,L1H3"], methods=["uniform"]).table("ablation")

Names are loaded when they are first used, so that importing the package is quick.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcinterp.analysis import (
        COMPARISONS,
        PASSES,
        ablation,
        analyse,
        attention_maps,
        class_members,
        generation,
        head_taxonomy,
        linear_probes,
        patching,
        training_summary,
    )
    from mcinterp.config import (
        ModelConfig,
        RunConfig,
        TaskConfig,
        TrainConfig,
        load_config,
        load_preset,
        preset_names,
    )
    from mcinterp.errors import (
        CheckpointError,
        ConfigError,
        InputError,
        McinterpError,
        TrainingError,
        UsageError,
    )
    from mcinterp.model import Head, HeadSet, Intervention, MatrixEncoder, MatrixGPT, intervene
    from mcinterp.model.convert import from_bert, load_tf_matcomp, to_bert
    from mcinterp.notebook import show_ablation, show_attention, show_curve, show_scores
    from mcinterp.report import write_report
    from mcinterp.results import Result
    from mcinterp.runs import Checkpoint, Run, densify, train
    from mcinterp.task import MatrixBatch, MatrixCompletion, MatrixSequence, make_task
    from mcinterp.training import Transition, find_transition

__version__ = version("mcinterp")

_HOME = {
    "mcinterp.analysis": (
        "COMPARISONS",
        "PASSES",
        "ablation",
        "analyse",
        "attention_maps",
        "class_members",
        "generation",
        "head_taxonomy",
        "linear_probes",
        "patching",
        "training_summary",
    ),
    "mcinterp.config": (
        "ModelConfig",
        "RunConfig",
        "TaskConfig",
        "TrainConfig",
        "load_config",
        "load_preset",
        "preset_names",
    ),
    "mcinterp.errors": (
        "CheckpointError",
        "ConfigError",
        "InputError",
        "McinterpError",
        "TrainingError",
        "UsageError",
    ),
    "mcinterp.model": ("Head", "HeadSet", "Intervention", "MatrixEncoder", "MatrixGPT", "intervene"),
    "mcinterp.model.convert": ("from_bert", "load_tf_matcomp", "to_bert"),
    "mcinterp.notebook": ("show_ablation", "show_attention", "show_curve", "show_scores"),
    "mcinterp.report": ("write_report",),
    "mcinterp.results": ("Result",),
    "mcinterp.runs": ("Checkpoint", "Run", "densify", "train"),
    "mcinterp.task": ("MatrixBatch", "MatrixCompletion", "MatrixSequence", "make_task"),
    "mcinterp.training": ("Transition", "find_transition"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "COMPARISONS",
    "PASSES",
    "Checkpoint",
    "CheckpointError",
    "ConfigError",
    "Head",
    "HeadSet",
    "InputError",
    "Intervention",
    "MatrixBatch",
    "MatrixCompletion",
    "MatrixEncoder",
    "MatrixGPT",
    "MatrixSequence",
    "McinterpError",
    "ModelConfig",
    "Result",
    "Run",
    "RunConfig",
    "TaskConfig",
    "TrainConfig",
    "TrainingError",
    "Transition",
    "UsageError",
    "ablation",
    "analyse",
    "attention_maps",
    "class_members",
    "densify",
    "find_transition",
    "from_bert",
    "generation",
    "head_taxonomy",
    "intervene",
    "linear_probes",
    "load_config",
    "load_preset",
    "load_tf_matcomp",
    "make_task",
    "patching",
    "preset_names",
    "show_ablation",
    "show_attention",
    "show_curve",
    "show_scores",
    "to_bert",
    "train",
    "training_summary",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'mcinterp' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
