"""Symbols in sentences as formulas: `μ_p` and `L_obs` with an index, `x^k` with an exponent, and nothing else."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from mcinterp.report.parts import visible

SYMBOL = re.compile(r"(?<![\w^])([^\W\d_])_([A-Za-z0-9]+)(?![A-Za-z0-9_])|(?<=[\w)])\^([-−]?\d+|[A-Za-z](?!\w))")
"""A letter alone with an index, or what stands above a symbol or a bracket; names such as `last_score` are neither."""


def formulas(text: str) -> Markup:
    """A text with its symbols as HTML, everything else in it escaped."""
    written, end = Markup(""), 0
    text = visible(text)
    for found in SYMBOL.finditer(text):
        letter, index, above = found.groups()
        written += escape(text[end : found.start()])
        below = Markup("<i>{}</i><sub>{}</sub>").format(letter, index)
        written += Markup("<sup>{}</sup>").format(above) if above else below
        end = found.end()
    return written + escape(text[end:])
