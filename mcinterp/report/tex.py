"""Texts and numbers as LaTeX that needs no package: symbols as such, all that LaTeX reads as a command written out."""

from __future__ import annotations

import re
import unicodedata

_WRITTEN = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{sign: f"${sign}$" for sign in "<>|"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    '"': "''",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "→": r"$\to$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "√": r"$\surd$",
    "′": r"$'$",
    "²": r"$^2$",
    "Δ": r"$\Delta$",
    "Σ": r"$\Sigma$",
    "‖": r"$\|$",
    "“": "``",
    "”": "''",
    "’": "'",
    "\n": " ",
}
_SYMBOL = re.compile(r"(?<![\w\\])([A-Za-z])_([A-Za-z]{1,9})(?![\w_])")
_POWER = re.compile(r"(\d[\d.]*)e(−?)(\d+)")


def tex(text: str) -> str:
    """A text, with symbols such as W_O set as symbols."""
    parts, end = [], 0
    for found in _SYMBOL.finditer(text):
        parts += [_plain(text[end : found.start()]), f"${found[1]}_{{\\mathrm{{{found[2]}}}}}$"]
        end = found.end()
    return "".join([*parts, _plain(text[end:])])


def tex_number(text: str) -> str:
    """A number, or several with their interval, as `report.numbers` writes them."""
    parts, end = [], 0
    for found in _POWER.finditer(text):
        sign = "-" if found[2] else ""
        parts += [_plain(text[end : found.start()]), f"${found[1]} \\times 10^{{{sign}{found[3]}}}$"]
        end = found.end()
    return "".join([*parts, _plain(text[end:])])


def _plain(text: str) -> str:
    return "".join(_WRITTEN.get(sign) or _known(sign) for sign in text)


def _known(sign: str) -> str:
    """A sign as it is, where LaTeX has it without a package; else its name."""
    if sign.isascii() and sign.isprintable():
        return sign
    accented = sign.isalpha() and sign <= "ÿ" and unicodedata.decomposition(sign)
    if accented or sign in "ßæøÆØ":
        return sign
    return _plain(f"[{unicodedata.name(sign, f'U+{ord(sign):04X}').lower()}]")
