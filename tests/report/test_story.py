"""Findings of planted truths: what is found, what is not, and what cannot be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forged import SCORE_FACTS, Forge
from judging import forged

from mcinterp.report.parts import Link
from mcinterp.report.story import Finding, Told, story_of, story_of_step
from mcinterp.report.story.drop import STILL, drop, learned
from mcinterp.report.story.pictures import bars, line
from mcinterp.report.story.rules import MOST, MOST_OF_STEP
from mcinterp.results import Result, Table

FORGE, LAST = Forge(), 9000
STEPS = (0, *FORGE.steps)
STATES = {
    "above": "found",
    "reversed": "found",
    "null": "no change",
    "tiny": "no change",
    "undecided": "undecided",
    "hardly known": "undecided",
}


def table(rows: list[Mapping[str, Any]]) -> Table:
    return Table.of({name: name for name in rows[0]}, rows)


def ends(name: str, value: float, half: float = 0.001) -> dict[str, float]:
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def course(steps: tuple[int, ...] = STEPS) -> Result:
    """Scores that are worth nothing before step 5000, and attention that is."""
    scores, uniform = [], []
    for step in steps:
        good = step > 5000
        for name in ("masked", "observed"):
            own = 0.02 if good else 0.1
            told = {**ends("value", own), "zero": 0.1, **ends("gained", 0.1 - own, 1e-4), **ends("of_zero", own / 0.1)}
            scores.append({"step": step, "score": name, "n": 64, "seed": 0, **told})
        ratio = 5.0 if good else 1.0
        both = {**ends("clean", 0.1), **ends("uniform", 0.1 * ratio), **ends("change", 0.1 * (ratio - 1), 1e-4)}
        uniform.append({"step": step, "n": 64, "seed": 0, **both, **ends("ratio", ratio)})
    return Result("course", "", {}, {**SCORE_FACTS}, {"scores": table(scores), "uniform": table(uniform)})


def told(**known: Any) -> Told:
    steps = {step: {"ablation": FORGE.ablation(step), "taxonomy": FORGE.taxonomy(step)} for step in FORGE.steps}
    given = {"run": FORGE.training(), "steps": steps, "compared": {"course": course()}, **known}
    return Told(**given, pages={step: f"step-{step}.html" for step in FORGE.steps})


def by_question(found: list[Finding]) -> dict[str, Finding]:
    return {one.about: one for one in found}


def test_a_run_is_told_in_the_order_of_its_questions() -> None:
    found = story_of(told())
    assert [one.about for one in found] == ["drop", "before", "need", "heads", "account"]
    for one in found:
        assert one.number in one.sentence
        assert "".join(one.parts) == one.sentence
    own = by_question(found)
    assert own["drop"].sentence == "L_mask falls abruptly once, fastest at step 5,000"
    assert own["drop"].evidence.href == "#training"
    assert own["before"].sentence == "At step 1,000 it does what answering 0 does: L_mask is 1.00 times as large"
    assert own["before"].state == "no change"
    assert own["heads"].evidence.href == "step-9000.html#ablation"
    assert own["account"].number == "mcinterp reproduce matrix-completion"


def test_a_step_is_told_by_the_same_rules_on_its_own_page() -> None:
    found = by_question(story_of_step(told(), LAST))
    assert {"drop", "learned", "first", "account"}.isdisjoint(found)
    assert len(found) <= MOST_OF_STEP
    assert found["before"].question == "What does it answer?"
    assert found["before"].sentence == "At step 9,000 it is better than answering 0: L_mask is 0.200 times as large"
    assert found["need"].evidence.href == "#ablation"
    assert found["before"].evidence.href == "index.html#course"


@pytest.mark.parametrize("truth", STATES)
def test_what_is_told_of_attention_is_what_its_interval_says(truth: str) -> None:
    ablated = forged(FORGE.ablation(LAST), truth, "masked_delta")
    (one,) = (one for one in story_of(told(steps={LAST: {"ablation": ablated}})) if one.about == "need")
    assert one.state == STATES[truth]
    assert one.sentence.startswith("It needs attention: ") == (truth == "above")
    assert one.sentence.startswith("Attention harms it: ") == (truth == "reversed")
    assert "on the plateau (step 1,000) × 1.00" in one.control


@pytest.mark.parametrize("truth", STATES)
def test_what_is_told_of_heads_is_what_their_intervals_say(truth: str) -> None:
    ablated = forged(FORGE.ablation(LAST), truth, "masked_delta")
    (one,) = (one for one in story_of(told(steps={LAST: {"ablation": ablated}})) if one.about == "heads")
    assert one.state == {**STATES, "reversed": "no change"}[truth]
    assert (" most: without it alone" in one.sentence) == (truth == "above")
    if truth == "above":
        assert "all 16 heads raise it by more than 1 %" in one.sentence


def test_a_head_is_told_with_its_class() -> None:
    (one,) = (one for one in story_of(told()) if one.about == "heads")
    assert one.sentence.startswith("L0H0 most: without it alone")
    named = FORGE.taxonomy(LAST)
    heads = named.table("heads").assign(family="row", group="none")
    known = replace(named, tables={**named.tables, "heads": Table(heads, dict.fromkeys(heads, ""))})
    steps = {LAST: {"ablation": FORGE.ablation(LAST), "taxonomy": known}}
    (one,) = (one for one in story_of(told(steps=steps)) if one.about == "heads")
    assert one.sentence.startswith("L0H0 (row) most: without it alone")


@pytest.mark.parametrize("truth", STATES)
def test_what_is_told_of_the_answers_is_what_their_interval_says(truth: str) -> None:
    compared = {"course": forged(course(), truth, "gained")}
    (one,) = (one for one in story_of(told(compared=compared)) if one.about == "before")
    assert one.state == STATES[truth]
    assert ("is better than answering 0" in one.sentence) == (truth == "above")
    assert ("is worse than answering 0" in one.sentence) == (truth == "reversed")


def test_what_is_missing_is_not_told() -> None:
    ablated = FORGE.ablation(LAST)
    gone = Table(ablated.table("ablation").assign(masked_ratio=np.nan), ablated.tables["ablation"].columns)
    unscored = replace(ablated, tables={**ablated.tables, "ablation": gone})
    found = by_question(story_of(told(steps={LAST: {"ablation": unscored}}, compared={})))
    assert found.keys() == {"drop", "account"}
    assert story_of(Told()) == []
    assert story_of_step(Told(run=FORGE.training()), LAST) == []


def test_attention_is_told_of_the_course_where_nothing_was_ablated() -> None:
    found = by_question(story_of(told(steps={})))
    assert found["need"].number == "5.00 times"
    assert found["need"].evidence.href == "#course"
    assert by_question(story_of_step(told(steps={}), 1000))["need"].state == "no change"


def lead(**measures: tuple[str, float]) -> Result:
    rows = [{"measure": "loss", "onset_after": 4000.0, "onset": 4500.0, "verdict": "the loss"}]
    rows += [
        {"measure": name, "onset_after": onset - 500, "onset": onset, "verdict": verdict}
        for name, (verdict, onset) in measures.items()
    ]
    return Result("plateau", "", {}, {}, {"lead": table(rows)})


def test_what_moved_first_is_what_leads_for_sure_by_most() -> None:
    compared = {"plateau": lead(spread=("before", 3000.0), collapse=("before", 2000.0), other=("with", 4500.0))}
    one = by_question(story_of(told(compared=compared)))["first"]
    assert one.sentence == "Collapse: at least 2,000 steps before the loss"
    assert one.evidence.href == "#plateau"
    nothing = by_question(story_of(told(compared={"plateau": lead(other=("after", 5000.0))})))["first"]
    assert (nothing.state, nothing.number) == ("no change", "")


def claimed(*verdicts: str) -> Result:
    rows = [{"claim": f"c{at}", "verdict": verdict} for at, verdict in enumerate(verdicts)]
    findings = [{**row, "evidence": "run/course"} for row in rows]
    tables = {"claims": table(rows), "findings": table(findings)}
    return Result("claims", "", {}, {"title": "A paper", "steps": {"run/course": None}}, tables)


@pytest.mark.parametrize(
    ("verdicts", "number", "state"),
    [
        (("holds", "holds"), "2 of 2", "found"),
        (("holds", "does not hold", "undecided"), "1 of 3", "in part"),
        (("undecided",), "0 of 1", "undecided"),
    ],
)
def test_an_account_is_told_by_its_verdicts(verdicts: tuple[str, ...], number: str, state: str) -> None:
    one = by_question(story_of(told(claims=claimed(*verdicts))))["account"]
    assert (one.number, one.state) == (number, state)
    assert one.evidence == Link("the claims", "paper.html")


def curve(values: np.ndarray, beside: Mapping[str, np.ndarray] | None = None, **transition: Any) -> Told:
    training = Forge(drop=None).training()
    frame = pd.DataFrame({"step": np.arange(len(values)), "masked_mse": values, **(beside or {})})
    facts = {**training.facts, "transition": {"found": False, **transition}, "beside": list(beside or {})}
    columns = dict.fromkeys(frame, "")
    return Told(replace(training, facts=facts, tables={"curve": Table(frame, columns)}))


def test_a_run_without_a_drop_tells_what_it_learned_instead() -> None:
    right = {"masked_abs_mean": np.linspace(0.04, 1.0, 50)}
    story = curve(np.linspace(2.8, 1.5, 50), right, confidence="none")
    fell, rose = drop(story), learned(story)
    assert fell
    assert rose
    assert fell.sentence == "No abrupt drop: L_mask falls gradually to 1.50 (at first 2.80)"
    assert rose.sentence == "Mean |prediction|, masked rises to 1.00 over training (at first 0.0400)"
    assert learned(told()) is None


def test_a_run_that_learns_nothing_says_so() -> None:
    story = curve(np.full(50, 2.8) * (1 + 0.5 * STILL * np.linspace(0, 1, 50)), confidence="none")
    one, other = drop(story), learned(story)
    assert one
    assert other
    assert (one.state, other.state) == ("no change", "no change")
    assert "stays at" in one.sentence
    risen = drop(curve(np.linspace(1.0, 2.0, 50), confidence="none"))
    assert risen
    assert "rises to 2.00" in risen.sentence


def test_an_untrained_run_and_one_of_few_points_say_that_nothing_is_known() -> None:
    untrained, few = drop(curve(np.array([]))), drop(curve(np.ones(5), confidence="undecided"))
    assert untrained
    assert few
    assert (untrained.state, few.state) == ("not measured", "undecided")
    assert learned(curve(np.array([]))) is None


def test_the_last_question_stays_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcinterp.report.story import rules

    names = ("drop", "before", "learned", "need", "heads", "nearest", "traced", "first", "account")
    made = [
        lambda _, name=name: Finding(name, "", "", "", "found", "", Link("", ""))  # type: ignore[misc]
        for name in names
    ]
    monkeypatch.setattr(rules, "RULES", tuple(made))
    found = [one.about for one in story_of(Told())]
    assert len(found) == MOST
    assert found[-1] == "account"


def test_pictures_are_drawn_of_what_is_known() -> None:
    drawn = line([0, 5, 10], [1.0, np.nan, 0.0], "<words>", [{"start": 2, "end": 4}], mark=10)
    assert drawn.count("<rect") == 1
    assert "&lt;words&gt;" in drawn
    assert 'points="2.0,3.0 138.0,41.0"' in drawn
    assert line([0], [1.0], "") == ""
    several = bars({"a<b": 2.0, "none": np.nan, "half": 1.0}, "words")
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="7"', several)]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)
    assert "a&lt;b" in several
    assert bars({"nothing": 0.0}, "") == ""
