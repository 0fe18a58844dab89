"""What does a next token hang on? From the causal tracing of a checkpoint."""

from __future__ import annotations

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, number, plural
from mcinterp.report.story.finding import Finding
from mcinterp.report.story.pictures import bars
from mcinterp.report.story.told import Told

DRAWN = 4
"""Places in the picture, those that most hangs on."""


def traced(told: Told) -> Finding | None:
    """What noise on the one token takes of the right next token's probability."""
    result = told.result("causal-tracing")
    if result is None:
        return None
    frame, offset = result.table("tokens"), int(result.facts["offset"])
    rows = frame[frame["offset"] == offset]
    if rows.empty:
        return None
    row = rows.iloc[0]
    where = "where it is said" if offset == 0 else f"{plural(-offset, 'place')} before"
    lost, judged = number(row["lost"]), Judged.of(row, "lost")
    takes = judged.say(
        f"takes {lost} of the right one's probability",
        f"adds {number(-row['lost'])} to the right one's probability",
        f"is not shown to change the right one's probability ({lost})",
    )
    most = frame.sort_values("lost", ascending=False).head(DRAWN)
    return Finding(
        "traced",
        "What does a next token hang on?",
        f"On the token {where}: noise on it {takes}",
        number(abs(row["lost"])) if judged.side == "below" else lost,
        "found" if judged.side in ("above", "below") else "undecided",
        f"{interval(row['lost'], row['lost_low'], row['lost_high'])}, paired; n = {number(int(row['n']))}",
        told.at("causal-tracing"),
        bars(dict(zip(most["offset"].astype(str), most["lost"], strict=True)), "lost probability by place"),
    )
