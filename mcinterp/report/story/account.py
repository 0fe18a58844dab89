"""Does the paper's account hold? From the stored verdicts of its claims, or what would decide them."""

from __future__ import annotations

from mcinterp.report.parts import Link
from mcinterp.report.story.finding import Finding, State
from mcinterp.report.story.pictures import bars
from mcinterp.report.story.told import Told
from mcinterp.report.study import PAGE, claims_sentence
from mcinterp.report.views.training import study_of_run

QUESTION = "Does the paper's account hold?"


def account(told: Told) -> Finding | None:
    """How many claims of the paper hold; where they were not decided, which command decides them."""
    if told.here is not None:
        return None
    if told.claims is None:
        return _not_decided(told)
    verdicts = list(told.claims.table("claims")["verdict"])
    counts = {name: verdicts.count(name) for name in ("holds", "does not hold", "undecided")}
    holds = f"{counts['holds']} of {len(verdicts)}"
    return Finding(
        "account",
        QUESTION,
        f"{holds} claims of the paper hold here",
        holds,
        _state(counts, len(verdicts)),
        f"{claims_sentence(told.claims)} Each has controls of its own",
        Link("the claims", PAGE),
        bars({"hold": counts["holds"], "do not": counts["does not hold"], "undecided": counts["undecided"]}, "claims"),
    )


def _state(counts: dict[str, int], total: int) -> State:
    if counts["holds"] == total:
        return "found"
    return "undecided" if counts["undecided"] == total else "in part"


def _not_decided(told: Told) -> Finding | None:
    study = study_of_run(told.run)
    if study is None or not study.presets:
        return None
    command = f"mcinterp reproduce {study.name}"
    sentence = f"Not decided in this report: {command} decides it"
    return Finding("account", QUESTION, sentence, command, "not measured", "", Link("its configuration", "#provenance"))
