"""Stored results in a notebook, drawn as on the pages and, like them, without the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcinterp.declared import load
from mcinterp.errors import InputError, nearest_name
from mcinterp.installed import study_of
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


def show_attention(result: Result, mask: Any = None, heads: Sequence[str] | None = None) -> AttentionView:
    """Draw attention maps.

    Args:
        result: a stored or fresh attention result.
        mask: one of the result's families of inputs, by name or as it was given to `attention_maps`; None for the
            first.
        heads: names such as `L1H0`; None for all.

    Raises:
        InputError: if the result is of another pass, has no such inputs or head, or `heads` is empty.
    """
    _require(result, "attention")
    family = _family(result, mask)
    known = head_names(*result.arrays["maps"].shape[1:3])
    if heads is not None and not heads:
        raise InputError("show_attention: heads names no head; None shows all")
    for head in heads or ():
        if head not in known:
            raise InputError(f"the attention result has no head {head!r}{nearest_name(head, known)}")
    return AttentionView(result, family, heads)


def _family(result: Result, mask: Any) -> str:
    """The name of a family of inputs that an attention result has."""
    families, what = result.facts["masks"], result.facts["family_words"]["one"]
    study = study_of(str(result.facts["task"]))
    if mask is None:
        return str(families[0])
    if isinstance(mask, str) or study is None or study.input_name is None:
        if mask not in families:
            raise InputError(f"the attention result has no {what} {mask!r:.80}{nearest_name(str(mask), families)}")
        return str(mask)
    name = load(study.input_name)(result, mask)
    if not name:
        raise InputError(f"the attention result has no such {what}{nearest_name('', families)}")
    return str(name)


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
