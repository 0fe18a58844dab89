"""Which measures move before the loss, in a sentence."""

from __future__ import annotations

import pandas as pd

from mcinterp.report.numbers import number

VERDICTS = (
    ("before", "before it"),
    ("with", "between the same checkpoints as it, or not told apart from that"),
    ("after", "after it"),
    ("moves, the loss does not", "although the loss does not"),
    ("does not move", "not measurably"),
)


def leads_sentence(lead: pd.DataFrame, start: int, loss: str, place: str = "plateau") -> str:
    """From the plateau on, what moves before, with and after the loss; the loss's own onset first.

    Args:
        lead: the stored table.
        start: the plateau's step.
        loss: what the loss of this table is, and over what it is averaged.
        place: what there is at that step.
    """
    own, measures = lead[lead["measure"] == "loss"].iloc[0], lead[lead["measure"] != "loss"]
    parts = []
    for verdict, words in VERDICTS:
        names = measures[measures["verdict"] == verdict]
        if len(names):
            parts.append(f"{words}: {', '.join(_named(row, own) for _, row in names.iterrows())}")
    onset = (
        f"does 10 % of its way between steps {number(int(own['onset_after']))} and {number(int(own['onset']))}"
        if own["moved"]
        else "does not measurably move"
    )
    return f"From the {place} (step {number(start)}) on, the loss ({loss}) {onset}. What moves {'; '.join(parts)}."


def _named(row: pd.Series, loss: pd.Series) -> str:
    """A measure, with how many steps the checkpoints leave between its onset and the loss's."""
    if row["verdict"] not in ("before", "after"):
        return str(row["measure"])
    first, last = (loss, row) if row["verdict"] == "after" else (row, loss)
    least, most = last["onset_after"] - first["onset"], last["onset"] - first["onset_after"]
    return f"{row['measure']} (by {number(int(least))} to {number(int(most))} steps)"
