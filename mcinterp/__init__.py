"""Mechanistic interpretability of abrupt learning.

    import mcinterp

    run = mcinterp.Run("checkpoints/tiny")
    run.metrics, run.transition, run.steps
    checkpoint = run.checkpoint("last")
    batch = checkpoint.sample(64, seed=0, mask="masked-rows:2@1,4@3")
    values, cache = checkpoint.model.run_with_cache(batch.inputs)
    mcinterp.ablation(checkpoint, heads=["all", "L1H0,L1H3"], methods=["uniform"]).table("ablation")

Names are loaded when they are first used, so that importing the package is quick. In a notebook a result, a run or a
checkpoint at the end of a cell shows itself.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mcinterp import installed
from mcinterp.declared import Study, load
from mcinterp.exported import MODULE_OF

if TYPE_CHECKING:
    from mcinterp.analysis import (
        COMPARISONS,
        PASSES,
        ClassMeans,
        NodeGraph,
        TracePlan,
        ablation,
        analyse,
        attention_maps,
        causal_tracing,
        circuits,
        class_members,
        classify_patterns,
        compare_checkpoints,
        compare_runs,
        component_dynamics,
        components_along,
        dirichlet_energy,
        embeddings,
        examples,
        graph_trace,
        head_formation,
        head_taxonomy,
        isomap_along,
        linear_probes,
        model_switching,
        oracle_distances,
        patching,
        plateau_measures,
        run_course,
        sweep_summary,
        switch,
        training_summary,
    )
    from mcinterp.config import (
        RunConfig,
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
        SolverError,
        TrainingError,
        UsageError,
    )
    from mcinterp.model import (
        EditedPrompt,
        Head,
        HeadSet,
        Intervention,
        RankOneEdit,
        ValueSearch,
        edited,
        intervene,
        key_covariance,
        rank_one_edit,
    )
    from mcinterp.notebook import (
        show,
        show_ablation,
        show_attention,
        show_curve,
        show_scores,
    )
    from mcinterp.report import (
        keep_explorer,
        latex_table,
        write_comparison_report,
        write_report,
        write_sweep_report,
    )
    from mcinterp.results import Result
    from mcinterp.runs import (
        Checkpoint,
        Run,
        Sweep,
        densify,
        import_run,
        load_sweep,
        retrain,
        run_sweep,
        train,
    )
    from mcinterp.task import make_task
    from mcinterp.training import Transition, find_transition, find_transitions

__version__ = version("mcinterp")


def _brought(by: Mapping[str, Study]) -> dict[str, str]:
    """Public names that studies bring, each with where it stands."""
    return {name: place for study in by.values() for name, place in study.exports.items()}


__all__ = [
    "COMPARISONS",
    "PASSES",
    "Checkpoint",
    "CheckpointError",
    "ClassMeans",
    "ConfigError",
    "EditedPrompt",
    "Head",
    "HeadSet",
    "InputError",
    "Intervention",
    "McinterpError",
    "NodeGraph",
    "RankOneEdit",
    "Result",
    "Run",
    "RunConfig",
    "SolverError",
    "Sweep",
    "TracePlan",
    "TrainConfig",
    "TrainingError",
    "Transition",
    "UsageError",
    "ValueSearch",
    "ablation",
    "analyse",
    "attention_maps",
    "causal_tracing",
    "circuits",
    "class_members",
    "classify_patterns",
    "compare_checkpoints",
    "compare_runs",
    "component_dynamics",
    "components_along",
    "densify",
    "dirichlet_energy",
    "edited",
    "embeddings",
    "examples",
    "find_transition",
    "find_transitions",
    "graph_trace",
    "head_formation",
    "head_taxonomy",
    "import_run",
    "intervene",
    "isomap_along",
    "keep_explorer",
    "key_covariance",
    "latex_table",
    "linear_probes",
    "load_config",
    "load_preset",
    "load_sweep",
    "make_task",
    "model_switching",
    "oracle_distances",
    "patching",
    "plateau_measures",
    "preset_names",
    "rank_one_edit",
    "retrain",
    "run_course",
    "run_sweep",
    "show",
    "show_ablation",
    "show_attention",
    "show_curve",
    "show_scores",
    "sweep_summary",
    "switch",
    "train",
    "training_summary",
    "write_comparison_report",
    "write_report",
    "write_sweep_report",
]
# Other packages' names are looked up when they are asked for: one of these packages may be what imports this one.
__all__ += sorted(_brought(installed.own_studies()))


def __getattr__(name: str) -> Any:
    if name in MODULE_OF:
        return getattr(import_module(MODULE_OF[name]), name)
    if not name.startswith("_") and (place := _brought(installed.studies()).get(name)):
        return load(place)
    raise AttributeError(f"module 'mcinterp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_brought(installed.studies())})


_SHOWN = {
    "mcinterp.results": "Result",
    "mcinterp.runs.run": "Run",
    "mcinterp.runs.checkpoint": "Checkpoint",
    "mcinterp.training.transition": "Transition",
}


def _show_in_cells() -> None:
    """Tell a notebook's IPython who draws these classes; neither they nor that are loaded before the first is shown."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        for module, name in _SHOWN.items():
            shell.display_formatter.formatters["text/html"].for_type_by_name(
                module, name, lambda value: import_module("mcinterp.notebook").cell(value)
            )


_show_in_cells()
