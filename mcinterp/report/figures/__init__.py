"""Plotly figures of stored results, the same on a page and in a notebook."""

from mcinterp.report.figures.ablation import ablation_figure
from mcinterp.report.figures.attention import entropy_figure
from mcinterp.report.figures.curve import curve_figure
from mcinterp.report.figures.generation import generation_figure
from mcinterp.report.figures.patching import patching_figure
from mcinterp.report.figures.probes import probe_figure
from mcinterp.report.figures.scores import scores_figure

__all__ = [
    "ablation_figure",
    "curve_figure",
    "entropy_figure",
    "generation_figure",
    "patching_figure",
    "probe_figure",
    "scores_figure",
]
