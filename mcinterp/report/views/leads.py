"""Which measures move before the loss, in a sentence."""

from __future__ import annotations

import pandas as pd

from mcinterp.report.numbers import number

VERDICTS = (
    ("before", "before the loss"),
    ("with", "with it (between the same checkpoints)"),
    ("after", "after it"),
    ("moves, the loss does not", "although the loss does not"),
    ("does not move", "not at all"),
)


def leads_sentence(lead: pd.DataFrame, start: int) -> str:
    """From the plateau on, what moves before, with and after the loss; the loss's own onset first."""
    loss, measures = lead[lead["measure"] == "loss"].iloc[0], lead[lead["measure"] != "loss"]
    parts = []
    for verdict, words in VERDICTS:
        names = measures[measures["verdict"] == verdict]
        if len(names):
            parts.append(f"{words}: {', '.join(_named(row) for _, row in names.iterrows())}")
    own = (
        f"the loss does 10 % of its way between steps {number(int(loss['onset_after']))} and "
        f"{number(int(loss['onset']))}"
        if loss["moved"]
        else "the loss does not move"
    )
    return f"From the plateau (step {number(start)}) on, {own}. What moves {'; '.join(parts)}."


def _named(row: pd.Series) -> str:
    if row["verdict"] not in ("before", "after"):
        return str(row["measure"])
    return f"{row['measure']} ({number(abs(int(row['lead'])))} ± {number(int(row['lead_margin']))} steps)"
