"""Passes that take a checkpoint apart, each from a checkpoint and settings to a frozen result."""

from mcinterp.analysis.ablation import ablation
from mcinterp.analysis.algorithm import algorithm_fit
from mcinterp.analysis.attention import attention_maps
from mcinterp.analysis.baselines import nuclear_norm_completion
from mcinterp.analysis.baselines.candidates import CANDIDATES
from mcinterp.analysis.by_size import errors_by_size
from mcinterp.analysis.checkpoint_comparison import compare_checkpoints
from mcinterp.analysis.circuits import circuits
from mcinterp.analysis.component_dynamics import component_dynamics
from mcinterp.analysis.distribution_shift import distribution_shift
from mcinterp.analysis.embeddings import embeddings
from mcinterp.analysis.explorable import explorable
from mcinterp.analysis.generation import generation
from mcinterp.analysis.nuclear_norm import nuclear_norm
from mcinterp.analysis.patching import patching
from mcinterp.analysis.plateau import plateau_measures
from mcinterp.analysis.position_sensitivity import position_sensitivity
from mcinterp.analysis.probes import linear_probes
from mcinterp.analysis.registry import COMPARISONS, PASSES, Comparison, Pass, select_comparisons, select_passes
from mcinterp.analysis.run_comparison import compare_runs
from mcinterp.analysis.runner import analyse
from mcinterp.analysis.sweep import sweep_summary
from mcinterp.analysis.switching import model_switching, switch
from mcinterp.analysis.taxonomy import class_members, head_taxonomy
from mcinterp.analysis.token_intervention import token_intervention
from mcinterp.analysis.training_summary import training_summary

__all__ = [
    "CANDIDATES",
    "COMPARISONS",
    "PASSES",
    "Comparison",
    "Pass",
    "ablation",
    "algorithm_fit",
    "analyse",
    "attention_maps",
    "circuits",
    "class_members",
    "compare_checkpoints",
    "compare_runs",
    "component_dynamics",
    "distribution_shift",
    "embeddings",
    "errors_by_size",
    "explorable",
    "generation",
    "head_taxonomy",
    "linear_probes",
    "model_switching",
    "nuclear_norm",
    "nuclear_norm_completion",
    "patching",
    "plateau_measures",
    "position_sensitivity",
    "select_comparisons",
    "select_passes",
    "sweep_summary",
    "switch",
    "token_intervention",
    "training_summary",
]
