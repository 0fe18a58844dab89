"""Passes that take a checkpoint apart, each from a checkpoint and settings to a frozen result.

Names are loaded when they are first used, so that the registry can be asked without loading any pass.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcinterp.analysis.compare.checkpoint_comparison import compare_checkpoints
    from mcinterp.analysis.compare.run_comparison import compare_runs
    from mcinterp.analysis.graph_geometry import NodeGraph, dirichlet_energy
    from mcinterp.analysis.passes.ablation import ablation
    from mcinterp.analysis.passes.attention import attention_maps
    from mcinterp.analysis.passes.causal_tracing import causal_tracing
    from mcinterp.analysis.passes.circuits import circuits
    from mcinterp.analysis.passes.classify import classify_patterns
    from mcinterp.analysis.passes.component_dynamics import component_dynamics
    from mcinterp.analysis.passes.course import run_course
    from mcinterp.analysis.passes.embeddings import embeddings
    from mcinterp.analysis.passes.examples import examples
    from mcinterp.analysis.passes.formation import head_formation
    from mcinterp.analysis.passes.oracles import oracle_distances
    from mcinterp.analysis.passes.patching import patching
    from mcinterp.analysis.passes.plateau import plateau_measures
    from mcinterp.analysis.passes.probes import linear_probes
    from mcinterp.analysis.passes.switching import model_switching, switch
    from mcinterp.analysis.passes.taxonomy import class_members, head_taxonomy
    from mcinterp.analysis.registry import COMPARISONS, PASSES, select_comparisons, select_passes
    from mcinterp.analysis.representations import ClassMeans, components_along, isomap_along
    from mcinterp.analysis.runner import analyse
    from mcinterp.analysis.summary import training_summary
    from mcinterp.analysis.sweep import sweep_summary
    from mcinterp.analysis.traced_language import TracePlan, graph_trace

_FILE_OF = {
    "COMPARISONS": "registry",
    "PASSES": "registry",
    "ClassMeans": "representations",
    "NodeGraph": "graph_geometry",
    "TracePlan": "traced_language",
    "ablation": "passes.ablation",
    "analyse": "runner",
    "attention_maps": "passes.attention",
    "causal_tracing": "passes.causal_tracing",
    "circuits": "passes.circuits",
    "class_members": "passes.taxonomy",
    "classify_patterns": "passes.classify",
    "compare_checkpoints": "compare.checkpoint_comparison",
    "compare_runs": "compare.run_comparison",
    "component_dynamics": "passes.component_dynamics",
    "components_along": "representations",
    "dirichlet_energy": "graph_geometry",
    "embeddings": "passes.embeddings",
    "examples": "passes.examples",
    "graph_trace": "traced_language",
    "head_formation": "passes.formation",
    "head_taxonomy": "passes.taxonomy",
    "isomap_along": "representations",
    "linear_probes": "passes.probes",
    "model_switching": "passes.switching",
    "oracle_distances": "passes.oracles",
    "patching": "passes.patching",
    "plateau_measures": "passes.plateau",
    "run_course": "passes.course",
    "select_comparisons": "registry",
    "select_passes": "registry",
    "sweep_summary": "sweep",
    "switch": "passes.switching",
    "training_summary": "summary",
}

__all__ = [
    "COMPARISONS",
    "PASSES",
    "ClassMeans",
    "NodeGraph",
    "TracePlan",
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
    "dirichlet_energy",
    "embeddings",
    "examples",
    "graph_trace",
    "head_formation",
    "head_taxonomy",
    "isomap_along",
    "linear_probes",
    "model_switching",
    "oracle_distances",
    "patching",
    "plateau_measures",
    "run_course",
    "select_comparisons",
    "select_passes",
    "sweep_summary",
    "switch",
    "training_summary",
]


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'mcinterp.analysis' has no attribute {name!r}")
    return getattr(import_module(f"mcinterp.analysis.{_FILE_OF[name]}"), name)
