"""A result in a notebook: what its section of the report says and shows."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from mcinterp.notebook.attention import AttentionView, drawn
from mcinterp.notebook.figures import OfflineFigure
from mcinterp.notebook.tables import framed, sentence, table
from mcinterp.report.assets import asset
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.views import training, view_of
from mcinterp.results import Result

_DRAWN = Markup(
    "<style>{} .mcinterp-cell .examples .controls {{ display: none; }}</style>"
    '<div style="--paper:#fff;--ink:#1f2933;--line:#e4e7eb;--edge:#8d99a6;--muted:#52606d;--link:#005a8c;'
    'background:#fff;color:#1f2933;padding:.5em">{}</div>'
)
"""What a page draws with its style sheet and its scripts, at the last step alone."""
_CAPTIONED = Markup("<figure>{}<figcaption>{}</figcaption></figure>")


class SectionView:
    """What a page says about a result, for a notebook: the findings, the figures and the tables.

    Attributes:
        section: the section of the page.
        figures: its figures, each to be displayed or changed on its own.
        attention: the maps of an attention result on its first family of inputs; None for others.
    """

    def __init__(self, section: Section, attention: AttentionView | None = None) -> None:
        self.section = section
        self.figures = [OfflineFigure(view.figure) for view in section.figures]
        self.attention = attention

    def _repr_html_(self) -> str:
        findings = [sentence(text) for text in self.section.sentences]
        picture = [drawn(self.section.picture, "Inputs")] if self.section.picture else []
        maps = [Markup(self.attention._repr_html_())] if self.attention else []
        drawing = [_DRAWN.format(Markup(asset("examples.css")), self.section.drawing)] if self.section.drawing else []
        figures = [_captioned(*pair) for pair in zip(self.figures, self.section.figures, strict=True)]
        tables = [table(view) for view in self.section.tables]
        return framed(self.section.title, [*findings, *picture, *maps, *drawing, *figures, *tables])


def show(result: Result, beside: Mapping[str, Result] | None = None) -> SectionView:
    """Show any result as the report does: its findings, figures and tables. A cell that ends in a result does the same.

    Args:
        result: a stored or fresh result of a pass or a comparison.
        beside: other results by name that the page would have had: those of the same checkpoint for a pass, `training`
            (see `training_summary`) for a comparison, whose figures then mark the drop.
    """
    if result.why_unanswered:
        return SectionView(Section(result.name, result.title, [f"Not here: {result.why_unanswered}."]))
    if result.name == "training":
        return SectionView(training.view(result, {}))
    section = view_of(result.name)(result, {**(beside or {}), result.name: result})
    if section.widget is None:
        return SectionView(section)
    return SectionView(section, AttentionView(result, result.facts["masks"][0]))


def _captioned(figure: OfflineFigure, view: FigureView) -> Markup:
    return _CAPTIONED.format(Markup(figure._repr_html_()), view.caption)
