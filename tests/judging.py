"""Sentences held to their intervals: forged truths, and a walk over what a page says of them.

Words of a verdict come from `Judged.say`. While a walk lasts, each is marked in the sentence, so that it can be held to
the interval that it was said of, and so that a word that came from elsewhere is seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from mcinterp.analysis.judged import Judged
from mcinterp.results import Result, Table

NAN = math.nan
TRUTHS: dict[str, tuple[float, float, float]] = {
    "above": (0.5, 0.4, 0.6),
    "reversed": (-0.5, -0.6, -0.4),
    "null": (0.0, 0.0, 0.0),
    "tiny": (1e-6, 5e-7, 1.5e-6),
    "undecided": (0.05, -0.2, 0.3),
    "hardly known": (40.0, -5e4, 6e4),
    "missing": (NAN, NAN, NAN),
}
"""Value and interval of every difference, less what it is compared with."""
REFERENCES = {"masked_ratio": 1.0, "sign": 0.5}
"""Columns whose truth lies elsewhere than 0."""
DECIDED = re.compile(
    r"\b(raises?|lowers?|rises?|falls?|higher|lower|better|worse|nearer|farther|more|less|fewer|larger|smaller|"
    r"earlier|later|alike|similar|opposite|hangs?|grouped|towards|away|beats|hurts?|holds|differs?)\b"
)
OPEN = re.compile(r"\b(not|neither|nothing|undecided|cannot|unclear|by chance|as has to be)\b")
EQUAL = re.compile(
    r"at most \d+ ?%|to within|within \d|the same|\bas (many|alike|near|high|by chance)\b|hardly|no more than"
)

Said = list[tuple[str, Judged, str]]
Words = Mapping[str, tuple[str, str]]
"""Column → what is said above and below, as regular expressions."""


def estimates(truth: str, *names: str) -> dict[str, float]:
    """Columns with their intervals, as a truth has them."""
    shifted = {name: [REFERENCES.get(name, 0.0) + part for part in TRUTHS[truth]] for name in names}
    return {
        f"{name}{end}": parts[at] for name, parts in shifted.items() for at, end in enumerate(("", "_low", "_high"))
    }


def forged(
    result: Result, truth: str, *names: str, rows: Callable[[pd.DataFrame], Any] = lambda frame: slice(None)
) -> Result:
    """A result in which these columns, in the rows that are picked, are as a truth has them."""
    tables = dict(result.tables)
    for key, table in tables.items():
        frame = table.frame.copy()
        for column, value in estimates(truth, *(name for name in names if f"{name}_low" in frame)).items():
            frame[column] = frame[column].astype(float)
            frame.loc[rows(frame), column] = value
        tables[key] = Table(frame, table.columns)
    return replace(result, tables=tables)


@contextmanager
def marked() -> Iterator[Said]:
    """Have every word of a verdict marked by its place in the list that is given: column, judgement, word."""
    said: Said = []
    say, of, beside = Judged.say, Judged.of.__func__, Judged.beside.__func__  # type: ignore[attr-defined]

    def named(judged: Judged, column: str) -> Judged:
        object.__setattr__(judged, "column", column)
        return judged

    def noted(judged: Judged, *words: str | None, **more: str | None) -> str:
        word = say(judged, *words, **more)  # type: ignore[arg-type]
        said.append((getattr(judged, "column", ""), judged, word))
        return f"⟦{len(said) - 1}|{word}⟧"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judged, "say", noted)
        patch.setattr(
            Judged, "of", classmethod(lambda cls, row, column, *a, **k: named(of(cls, row, column, *a, **k), column))
        )
        patch.setattr(
            Judged,
            "beside",
            classmethod(lambda cls, row, column, *a, **k: named(beside(cls, row, column, *a, **k), column)),
        )
        yield said


def contradiction(column: str, judged: Judged, word: str, words: Words) -> str:
    """What a word says that its interval does not, or nothing."""
    low, high = judged.low - judged.reference, judged.high - judged.reference
    about = f"{column or 'a number'} {judged}: “{word}”"
    if math.isnan(low + high) or (low <= 0 <= high and max(-low, high) > judged.negligible):
        return "" if OPEN.search(word) else f"{about} decides what is not"
    if max(abs(low), abs(high)) <= judged.negligible:
        return "" if EQUAL.search(word) or OPEN.search(word) else f"{about} tells what does not matter"
    if column not in words:
        return f"{about} is in no list of words"
    wanted = words[column][int(low < 0)]
    return "" if re.search(wanted, word) else f"{about} should say {wanted}"


def contradictions(make: Callable[[], Sequence[str]], words: Words, plain: Sequence[str] = ()) -> tuple[list[str], int]:
    """What is wrong with some sentences, and how many words of verdicts they have.

    Args:
        make: makes the sentences.
        words: what may be said of each column, above and below.
        plain: regular expressions of what sounds like a verdict and is none, or is one that counts.
    """
    with marked() as said:
        sentences = make()
    wrong = [problem for one in said if (problem := contradiction(*one, words))]
    for sentence in sentences:
        rest = re.sub(r"⟦\d+\|.*?⟧", "", sentence)
        for phrase in plain:
            rest = re.sub(phrase, "", rest)
        wrong += [f"“{found[0]}” came from elsewhere: {rest}" for found in DECIDED.finditer(rest)]
    return wrong, len(said)
