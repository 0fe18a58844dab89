"""The base knows no paper: none of its modules speaks of matrices, their entries or masks, comments included."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mcinterp

PACKAGE = Path(mcinterp.__file__).parent
BASE = ("config", "task", "model", "training", "runs", "analysis", "study")
FILES = [PACKAGE / "results.py", *(file for folder in BASE for file in sorted((PACKAGE / folder).rglob("*.py")))]
WORDS = re.compile(r"\b(matri(x|ces)|masks?|masked|masking|observed|entry|entries|completion)\b|Matrix|Mask", re.I)
OF_TABLES = re.compile(r"\b(rows?|cols?|columns?)\b", re.I)
WITHOUT_TABLES = ("config", "model", "training", "runs")
ALLOWED: dict[str, set[str]] = {
    # TransformerLens's and torch's arguments and methods.
    "model/causal.py": {"mask"},
    "model/encoder.py": {"mask", "masked", "row"},
    "model/shapes.py": {"mask"},
    "model/finite.py": {"row"},
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
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_no_word_of_one_paper_stands_in_the_base(file: Path) -> None:
    place = file.relative_to(PACKAGE).as_posix()
    text = file.read_text(encoding="utf-8").replace("_", " _ ")
    found = {match[0].lower() for match in WORDS.finditer(text)}
    if place.startswith(WITHOUT_TABLES):
        found |= {match[0].lower() for match in OF_TABLES.finditer(text)}
    assert found - ALLOWED.get(place, set()) == set()


def test_every_exception_is_still_needed() -> None:
    for place, words in ALLOWED.items():
        text = (PACKAGE / place).read_text(encoding="utf-8").replace("_", " _ ").lower()
        assert {word for word in words if re.search(rf"\b{word}\b", text)} == words, place
