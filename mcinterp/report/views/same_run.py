"""Two checkpoints of one run side by side: each head with itself."""

from __future__ import annotations

from mcinterp.report.numbers import interval, number, of_them
from mcinterp.report.scores import Scores, capital
from mcinterp.report.views.pairs import labels
from mcinterp.results import Result

NAMED = 5


def changed_heads(result: Result) -> list[str]:
    """Which heads of a run changed between two of its steps by more than other samples change them."""
    rows, scores = result.table("changed"), Scores.of(result)
    (a, b), changed = labels(result), rows[rows["changed"]]
    n = f"n = {number(int(rows['n'].iloc[0]))}"
    how = f"the correlation of its attention less uniform attention at the two steps, 1 for the same, over {n}"
    if changed.empty:
        return [
            f"No head of {a} attends measurably otherwise in {b} than other {scores.samples} alone make it ({how})."
        ]
    named = ", ".join(
        f"{row['head']} ({interval(row['score'], row['score_low'], row['score_high'])})"
        for row in changed.head(NAMED).to_dict("records")
    )
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    whole = of_them(len(changed), len(rows), "head")
    verb = "attends" if len(changed) == 1 else "attend"
    return [
        f"{capital(whole)} {verb} otherwise in {b} than in {a}, by more than other {scores.samples} change them: "
        f"{named}{more}; in brackets {how} {scores.samples}."
    ]


def classes_over_steps(result: Result) -> str:
    """Heads whose class is another at the other step."""
    rows = result.table("changed").dropna(subset=["class_a", "class_b"])
    other = rows[rows["class_a"] != rows["class_b"]]
    if rows.empty:
        return ""
    if other.empty:
        return "No head's class changes."
    named = ", ".join(f"{row['head']} from {row['class_a']} to {row['class_b']}" for _, row in other.iterrows())
    have = "has" if len(other) == 1 else "have"
    return f"{capital(of_them(len(other), len(rows), 'head'))} {have} another class: {named}."
