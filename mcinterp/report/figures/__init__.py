"""Plotly figures of stored results, the same on a page and in a notebook."""

from mcinterp.report.figures.ablation import ablation_figure
from mcinterp.report.figures.attention import entropy_figure
from mcinterp.report.figures.curve import curve_figure
from mcinterp.report.figures.patching import patching_figure
from mcinterp.report.figures.probes import probe_figure
from mcinterp.report.figures.scores import scores_figure
from mcinterp.report.figures.sweep import sweep_curves_figure, sweep_drops_figure

__all__ = [
    "ablation_figure",
    "curve_figure",
    "entropy_figure",
    "patching_figure",
    "probe_figure",
    "scores_figure",
    "sweep_curves_figure",
    "sweep_drops_figure",
]
