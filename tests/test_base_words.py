"""The base knows no paper: none of its modules speaks of matrices, their entries or masks, comments included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mcinterp

PACKAGE = Path(mcinterp.__file__).parent
BASE = ("config", "task", "model", "training", "runs", "language", "analysis", "report", "notebook", "study")
FILES = [PACKAGE / "results.py"]
FILES += [file for folder in BASE for kind in ("*.py", "*.j2") for file in sorted((PACKAGE / folder).rglob(kind))]
WORDS = re.compile(r"\b(matri(x|ces)|masks?|masked|masking|observed|entry|entries|completion)\b|Matrix|Mask", re.I)
OF_TABLES = re.compile(r"\b(rows?|cols?|columns?)\b", re.I)
WITHOUT_TABLES = ("config", "model", "training", "runs")
ALLOWED: dict[str, set[str]] = {
    # TransformerLens's and torch's arguments, methods and classes.
    "model/causal.py": {"mask"},
    "model/encoder.py": {"mask", "masked", "row"},
    "model/lens/attention.py": {"entry", "mask", "matrix"},
    "model/lens/blocks.py": {"entry", "mask"},
    "model/lens/embeddings.py": {"mask", "masked"},
    "model/lens/encoder.py": {"mask", "masked"},
    "model/lens/hooked.py": {"matrix"},
    "model/lens/transformer.py": {"mask"},
    "model/shapes.py": {"mask"},
    "model/finite.py": {"row"},
    "language/hooked.py": {"mask"},
    # An entry of a table of passes.
    "analysis/registry.py": {"entry"},
    "analysis/runner.py": {"entry"},
    # Columns, values and settings of stored tables, which scripts rely on.
    "analysis/compare/checkpoint_comparison.py": {"entries", "matrices"},
    "analysis/compare/head_columns.py": {"matrices"},
    "analysis/compare/head_comparison.py": {"matrices"},
    "analysis/passes/attention.py": {"mask", "masks"},
    "analysis/passes/patching.py": {"entries"},
    "analysis/passes/probes.py": {"entries"},
    "analysis/passes/switching.py": {"entries"},
    "analysis/passes/taxonomy.py": {"masks"},
    "report/figures/attention.py": {"mask"},
    "report/figures/patching.py": {"entries"},
    "report/figures/probes.py": {"entries"},
    "report/figures/switching.py": {"entries"},
    "report/head_maps.py": {"mask", "masks"},
    "report/views/attention.py": {"mask", "masks"},
    "report/views/changes.py": {"entries"},
    "report/views/compare.py": {"entries", "matrices"},
    "report/views/head/attention.py": {"mask"},
    "report/views/head/effects.py": {"entries"},
    "report/views/patching.py": {"entries"},
    "report/views/probes.py": {"entries"},
    "report/views/switching.py": {"entries"},
    # An argument of a public function, and CircuitsVis's.
    "notebook/__init__.py": {"mask", "masks"},
    "notebook/attention.py": {"mask"},
    "notebook/section.py": {"masks"},
}


def spoken(place: str) -> set[str]:
    """The words of one paper in a file."""
    text = (PACKAGE / place).read_text(encoding="utf-8").replace("_", " _ ")
    found = {match[0].lower() for match in WORDS.finditer(text)}
    if place.startswith(WITHOUT_TABLES):
        found |= {match[0].lower() for match in OF_TABLES.finditer(text)}
    return found


@pytest.mark.parametrize("place", [file.relative_to(PACKAGE).as_posix() for file in FILES])
def test_no_word_of_one_paper_stands_in_the_base(place: str) -> None:
    assert spoken(place) - ALLOWED.get(place, set()) == set()


def test_every_exception_is_still_needed() -> None:
    for place, words in ALLOWED.items():
        assert words <= spoken(place), place
