"""From sections to a page: Jinja2 templates that escape everything but what `parts` made safe."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from mcinterp.declared import Study
from mcinterp.report.assets import (
    ATTENTION_SCRIPTS,
    CIRCUITSVIS,
    CONTENTS,
    DEFINITIONS,
    EXAMPLES,
    FIGURES,
    PLACE,
    PLOTLY,
    STORY,
    STYLES,
    TABLES,
    THEME,
    asset,
)
from mcinterp.report.palette import class_short
from mcinterp.report.parts import visible
from mcinterp.report.scores import Scores

FOLDER = "assets"
LINKED = "'self' file:"
"""Which scripts may run where they are files beside the page."""
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'self' file: 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'"
)
"""What a page may load: nothing from a network. Plotly and CircuitsVis set styles in the page, but no script in it runs
that the package did not put there."""


def render(
    template: str, scripts: Sequence[str], styles: Sequence[str] = STYLES, alone: bool = False, **values: Any
) -> str:
    """One page.

    Args:
        template: index, step, … or one of another package, such as `package:name`.
        scripts: which scripts it needs.
        styles: which style sheets.
        alone: whether they stand in the page, which then needs no file beside it.
        values: what the template shows.
    """
    head = _inline(scripts, styles) if alone else _linked(scripts, styles)
    sources = digests(asset(name).encode() for name in scripts) if alone else LINKED
    return fill(template, head=head, policy=policy(sources), **values)


def fill(template: str, **values: Any) -> str:
    """The text of a template with these values in it."""
    return _environment().get_template(f"{template}.html.j2").render(**values)


def policy(scripts: str) -> Markup:
    """What a page may load, of which `scripts` may run."""
    return Markup(POLICY.format(scripts=scripts))


def digests(scripts: Iterable[bytes]) -> str:
    """Scripts in a page that may run, for its policy."""
    found = (hashlib.sha256(script).digest() for script in scripts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in found)


def head_note(study: Study | None, scores: Scores | None = None) -> str:
    """How heads are written, how the paper of the study writes them if otherwise, and what symbols stand for."""
    note = "Heads are written L1H0: layer and head, both counted from 0"
    own = f"; {study.head_note}" if study and study.head_note else ""
    return " ".join(filter(None, [f"{note}{own}.", scores.symbols if scores else ""]))


def scripts_for(attention: bool) -> list[str]:
    """The scripts of a page, with or without attention maps."""
    maps = [CIRCUITSVIS, *ATTENTION_SCRIPTS] if attention else []
    return [THEME, PLOTLY, PLACE, CONTENTS, TABLES, DEFINITIONS, STORY, FIGURES, EXAMPLES, *maps]


def _linked(scripts: Sequence[str], styles: Sequence[str]) -> Markup:
    links = [Markup('<link rel="stylesheet" href="{}/{}">').format(FOLDER, name) for name in styles]
    # The theme is known before anything is drawn; all else waits for the page.
    links += [
        Markup('<script src="{}/{}"{}></script>').format(FOLDER, name, "" if name == THEME else Markup(" defer"))
        for name in scripts
        if name != CIRCUITSVIS  # half of what a page loads, which few readers ask for
    ]
    return Markup("\n").join(links)


def _inline(scripts: Sequence[str], styles: Sequence[str]) -> Markup:
    # The texts are the package's own and were made safe to stand inside an element; see assets.py.
    parts = [f"<style>{asset(name)}</style>" for name in styles]
    parts += [f"<script>{asset(name)}</script>" for name in scripts]
    return Markup("\n".join(parts))


def _template(name: str) -> str:
    """The text of a template of the report's, or of another package's as `package:name`."""
    package, _, own = name.rpartition(":")
    folder = resources.files(package) if package else resources.files("mcinterp.report") / "templates"
    return (folder / own).read_text(encoding="utf-8")


def worded(text: str) -> Markup:
    """A text in which what stands between backticks is code."""
    return _between("`", "code", Markup.escape(visible(text)))


def marked_up(text: str) -> Markup:
    """A text of the package's own in which what stands between stars is stressed, too."""
    return _between("*", "em", worded(text))


def _between(mark: str, element: str, text: Markup) -> Markup:
    """An escaped text with what stands between two marks in an element; a mark without another is a letter."""
    pair = re.compile(rf"{re.escape(mark)}([^{re.escape(mark)}\n]+){re.escape(mark)}")
    return Markup(pair.sub(rf"<{element}>\1</{element}>", str(text)))


def _shown(value: Any) -> Any:
    return visible(value) if type(value) is str else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["class_short"] = class_short
    environment.filters["worded"] = worded
    environment.filters["marked_up"] = marked_up
    return environment
