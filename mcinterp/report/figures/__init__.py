"""Plotly figures of stored results, the same on a page and in a notebook."""

from mcinterp.report.figures.ablation import ablation_figure
from mcinterp.report.figures.aligned import aligned_figure, by_step_figure, classes_figure
from mcinterp.report.figures.attention import entropy_figure
from mcinterp.report.figures.causal_tracing import traced_sites_figure, traced_tokens_figure
from mcinterp.report.figures.circuits import circuits_figure, written_figure
from mcinterp.report.figures.compare import pair_maps_figure, similarity_figure
from mcinterp.report.figures.components import components_figure
from mcinterp.report.figures.course import course_figure
from mcinterp.report.figures.curve import curve_figure
from mcinterp.report.figures.embeddings import position_pictures_figure, token_norm_figure, token_pictures_figure
from mcinterp.report.figures.oracles import oracle_contexts_figure
from mcinterp.report.figures.over_steps import over_steps_figure
from mcinterp.report.figures.patching import patching_figure
from mcinterp.report.figures.position_blocks import position_blocks_figure
from mcinterp.report.figures.probes import probe_figure
from mcinterp.report.figures.scores import scores_figure
from mcinterp.report.figures.sweep import sweep_curves_figure, sweep_drops_figure, sweep_scores_figure
from mcinterp.report.figures.switching import exchange_figure, switching_figure

__all__ = [
    "ablation_figure",
    "aligned_figure",
    "by_step_figure",
    "circuits_figure",
    "classes_figure",
    "components_figure",
    "course_figure",
    "curve_figure",
    "entropy_figure",
    "exchange_figure",
    "oracle_contexts_figure",
    "over_steps_figure",
    "pair_maps_figure",
    "patching_figure",
    "position_blocks_figure",
    "position_pictures_figure",
    "probe_figure",
    "scores_figure",
    "similarity_figure",
    "sweep_curves_figure",
    "sweep_drops_figure",
    "sweep_scores_figure",
    "switching_figure",
    "token_norm_figure",
    "token_pictures_figure",
    "traced_sites_figure",
    "traced_tokens_figure",
    "written_figure",
]
