"""Stored results in a notebook, drawn as on the pages and, like them, without the network."""

from __future__ import annotations

from collections.abc import Sequence

from mcinterp.errors import InputError, nearest_name
from mcinterp.notebook.attention import AttentionView
from mcinterp.notebook.cells import cell
from mcinterp.notebook.figures import OfflineFigure
from mcinterp.notebook.section import SectionView, show
from mcinterp.report.figures import ablation_figure, curve_figure, scores_figure
from mcinterp.report.views.attention import head_names
from mcinterp.results import Result

__all__ = [
    "AttentionView",
    "OfflineFigure",
    "SectionView",
    "cell",
    "show",
    "show_ablation",
    "show_attention",
    "show_curve",
    "show_scores",
]


def show_attention(result: Result, mask: str = "random", heads: Sequence[str] | None = None) -> AttentionView:
    """Draw attention maps.

    Args:
        result: a stored or fresh attention result.
        mask: one of the result's families of inputs.
        heads: names such as `L1H0`; None for all.

    Raises:
        InputError: if the result is of another pass, has no such inputs or head, or `heads` is empty.
    """
    _require(result, "attention")
    families, what = result.facts["masks"], result.facts["family_words"]["one"]
    if mask not in families:
        raise InputError(f"the attention result has no {what} {mask!r}{nearest_name(mask, families)}")
    known = head_names(*result.arrays["maps"].shape[1:3])
    if heads is not None and not heads:
        raise InputError("show_attention: heads names no head; None shows all")
    for head in heads or ():
        if head not in known:
            raise InputError(f"the attention result has no head {head!r}{nearest_name(head, known)}")
    return AttentionView(result, mask, heads)


def show_curve(training_result: Result) -> OfflineFigure:
    """Draw the loss curve of a run with its drop.

    Raises:
        InputError: if the result is not that of a run's training.
    """
    _require(training_result, "training")
    return OfflineFigure(curve_figure(training_result))


def show_ablation(result: Result) -> OfflineFigure:
    """Draw how much every ablation hurts.

    Raises:
        InputError: if the result is of another pass.
    """
    _require(result, "ablation")
    return OfflineFigure(ablation_figure(result))


def show_scores(result: Result) -> OfflineFigure:
    """Draw the score of every head for every class.

    Raises:
        InputError: if the result is of another pass.
    """
    _require(result, "taxonomy")
    return OfflineFigure(scores_figure(result))


def _require(result: Result, name: str) -> None:
    if result.name != name:
        raise InputError(f"cannot show a {result.name!r} result here{nearest_name(result.name, [name])}")
