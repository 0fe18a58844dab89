"""Plotly figures of stored results, the same on a page and in a notebook."""

from mcinterp.report.figures.ablation import ablation_figure
from mcinterp.report.figures.attention import entropy_figure
from mcinterp.report.figures.curve import curve_figure
from mcinterp.report.figures.nuclear import completion_error_figure, nuclear_norm_figure, regularised_figure
from mcinterp.report.figures.patching import patching_figure
from mcinterp.report.figures.probes import probe_figure
from mcinterp.report.figures.scores import scores_figure

__all__ = [
    "ablation_figure",
    "completion_error_figure",
    "curve_figure",
    "entropy_figure",
    "nuclear_norm_figure",
    "patching_figure",
    "probe_figure",
    "regularised_figure",
    "scores_figure",
]
