"""Which heads matter? From the ablation of each head alone, with the class that the taxonomy gives it."""

from __future__ import annotations

import pandas as pd

from mcinterp.report.figures.ablation import SIGNIFICANT, ablation_rows
from mcinterp.report.numbers import is_absent, number, of_them
from mcinterp.report.palette import NONE
from mcinterp.report.scores import HARDLY, Scores, batch, change
from mcinterp.report.story.finding import Finding, State
from mcinterp.report.story.pictures import bars
from mcinterp.report.story.told import Told

QUESTION = "Which heads matter?"
DRAWN = 4
"""Heads in the picture, those that matter most."""


def heads(told: Told) -> Finding | None:
    """The head without which the main score rises most, and how many others raise it too."""
    result = told.result("ablation")
    if result is None:
        return None
    scores, frame = Scores.of(result), ablation_rows(result)
    rows = frame[(frame["kind"] == "head") & (frame["method"] == frame["method"].iloc[0])]
    rows = rows.dropna(subset=[scores.ratio])
    if rows.empty:
        return None
    sides = _sides(rows, scores)
    raising, most = rows[sides == "above"], rows.loc[rows[scores.delta].idxmax()]
    if len(raising):
        return _some(told, scores, rows, raising, raising.loc[raising[scores.delta].idxmax()])
    ratio, every = f"{number(most[scores.ratio])} times", bool((sides.isin(["equal", "below"])).all())
    said = "No head matters alone" if every else "Whether a head matters alone is not told"
    sentence = f"{said}: without {most['group']}, {scores.the} is {ratio} as large, the most of {len(rows)}"
    state: State = "no change" if every else "undecided"
    return Finding("heads", QUESTION, sentence, ratio, state, _control(most, scores), told.at("ablation"))


def _sides(rows: pd.DataFrame, scores: Scores) -> pd.Series:
    """What each ablation does to the main score, by more than next to nothing and not by chance among all of them."""
    judged = [change(row, scores.delta, row[scores.clean]).side for _, row in rows.iterrows()]
    sides = pd.Series(judged, index=rows.index)
    chance = (rows["q_value"] >= SIGNIFICANT) if "q_value" in rows else pd.Series(False, index=rows.index)
    return sides.where(~chance | (sides == "equal"), "undecided")


def _some(told: Told, scores: Scores, rows: pd.DataFrame, raising: pd.DataFrame, most: pd.Series) -> Finding:
    ratio, classes = f"{number(most[scores.ratio])} times", classes_of(told)
    named = f"{most['group']} ({classes[most['group']]})" if classes.get(most["group"]) else str(most["group"])
    drawn = raising.sort_values(scores.delta, ascending=False).head(DRAWN)
    return Finding(
        "heads",
        QUESTION,
        f"{named} most: without it alone, {scores.the} is {ratio} as large; {of_them(len(raising), len(rows), 'head')} "
        f"raise it by more than {HARDLY}",
        ratio,
        "found",
        _control(most, scores),
        told.at("ablation"),
        bars(dict(zip(drawn["group"], drawn[scores.ratio] - 1, strict=True)), f"by how much {scores.the} rises"),
    )


def _control(row: pd.Series, scores: Scores) -> str:
    verdict = "" if is_absent(row.get("verdict")) else f"{row['verdict']}; "
    return f"{verdict}{batch(row['n'], row['seed'], scores.samples)}"


def classes_of(told: Told) -> dict[str, str]:
    """Head → its classes at the step, as far as it has any."""
    taxonomy = told.result("taxonomy")
    if taxonomy is None:
        return {}
    frame, kinds = taxonomy.table("heads"), list(taxonomy.facts["kinds"])
    return {
        str(row["head"]): ", ".join(str(row[kind]) for kind in kinds if row[kind] != NONE)
        for _, row in frame.iterrows()
    }
