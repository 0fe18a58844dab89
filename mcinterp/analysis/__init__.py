"""Passes that take a checkpoint apart, each from a checkpoint and settings to a frozen result."""

from mcinterp.analysis.ablation import ablation
from mcinterp.analysis.attention import attention_maps
from mcinterp.analysis.generation import generation
from mcinterp.analysis.patching import patching
from mcinterp.analysis.probes import linear_probes
from mcinterp.analysis.registry import COMPARISONS, PASSES, Comparison, Pass, select_comparisons, select_passes
from mcinterp.analysis.runner import analyse
from mcinterp.analysis.taxonomy import class_members, head_taxonomy
from mcinterp.analysis.training_summary import training_summary

__all__ = [
    "COMPARISONS",
    "PASSES",
    "Comparison",
    "Pass",
    "ablation",
    "analyse",
    "attention_maps",
    "class_members",
    "generation",
    "head_taxonomy",
    "linear_probes",
    "patching",
    "select_comparisons",
    "select_passes",
    "training_summary",
]
