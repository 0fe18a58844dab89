"""From sections to a page: Jinja2 templates that escape everything but what `parts` made safe."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mcinterp.report.assets import CIRCUITSVIS, PLOTLY, SCRIPT, STYLE, asset
from mcinterp.report.palette import class_short

FOLDER = "assets"
HEAD_NOTE = "Heads are written L1H0: layer and head, both counted from 0; L1H0 is the paper's (2,1)."


def render(template: str, single_file: bool, scripts: Sequence[str], **values: Any) -> str:
    """One page.

    Args:
        template: index or step.
        single_file: whether scripts and style stand in the page.
        scripts: which scripts it needs.
        values: what the template shows.
    """
    head = _inline(scripts) if single_file else _linked(scripts)
    return _environment().get_template(f"{template}.html.j2").render(head=head, head_note=HEAD_NOTE, **values)


def scripts_for(attention: bool) -> list[str]:
    """The scripts of a page, with or without attention maps."""
    return [PLOTLY, *([CIRCUITSVIS] if attention else []), SCRIPT]


def _linked(scripts: Sequence[str]) -> Markup:
    style = Markup('<link rel="stylesheet" href="{}/{}">').format(FOLDER, STYLE)
    links = [Markup('<script src="{}/{}" defer></script>').format(FOLDER, name) for name in scripts]
    return Markup("\n").join([style, *links])


def _inline(scripts: Sequence[str]) -> Markup:
    # The texts are the package's own and were made safe to stand inside an element; see assets.py.
    parts = [f"<style>{asset(STYLE)}</style>", *(f"<script>{asset(name)}</script>" for name in scripts)]
    return Markup("\n".join(parts))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mcinterp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["class_short"] = class_short
    return environment
