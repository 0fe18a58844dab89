"""Switching: what a component of one checkpoint is worth in another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mcinterp.report.figures import exchange_figure, switching_figure
from mcinterp.report.figures.curve import marked
from mcinterp.report.figures.switching import LIMITS
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, an, batch, capital, change, rises
from mcinterp.report.tables import table_view
from mcinterp.results import Result

CAPTION = (
    "{unit} of step {recipient} with one component of step {donor}, with 95 % interval, on a logarithmic axis; "
    "crosses: with the component of an untrained model. Lines: {score} of step {recipient} as it is, and of step "
    "{donor}. attention-qkv is W_Q, W_K and W_V with their biases, in every layer; attention has W_O too."
)
HEAT_MAP = (
    "Change of {score}, as a share of {whole}, when {what}; orange is worse, blue is better, colours end at "
    "{limit:.0%}. The row everything is the other checkpoint itself."
)
SWEEPS = {
    "into the last": "a component of each checkpoint is put into the last one",
    "later → earlier": "a component of each checkpoint is put into the one before it",
    "earlier → later": "a component of the checkpoint before is put into each one",
}
HIDDEN = {"donor", "recipient", "donor_step", "recipient_step"}
TOLD = ("attention-qkv", "everything-but:attention")


def view(result: Result, others: Mapping[str, Result]) -> Section:
    """Show the switches of a run."""
    training = others.get("training")
    transition = marked(training)
    before, after = number(result.facts["before"]), number(result.facts["after"])
    scores = Scores.of(result)
    hide = HIDDEN | {f"recipient_{scores.unit}", f"donor_{scores.unit}"}
    source = result.facts["plateau_source"]
    whole = "the plateau" if source == "the run's plateau" else source
    words = {"unit": capital(scores.short), "score": scores.the}
    maps = [
        FigureView(HEAT_MAP.format(score=scores.the, whole=whole, what=what, limit=LIMITS[comparison]), figure)
        for comparison, what in SWEEPS.items()
        if (figure := exchange_figure(result, comparison, transition)) is not None
    ]
    switches = [
        FigureView(CAPTION.format(recipient=before, donor=after, **words), switching_figure(result, "before")),
        FigureView(CAPTION.format(recipient=after, donor=before, **words), switching_figure(result, "after")),
    ]
    tables = [
        table_view(result.tables[name].frame, result.tables[name].columns, caption, hide=hide, folded=folded)
        for name, caption, folded in (
            ("exchangeable", "From when on each component can stand in for the last one's", False),
            ("pre_post", f"Every switch between steps {before} and {after}", True),
        )
        if not result.table(name).empty
    ]
    return Section(result.name, result.title, sentences(result), [*maps, *switches], tables)


def sentences(result: Result) -> list[str]:
    """What attention is worth before and after, what the controls do, and when components become exchangeable."""
    frame = result.table("pre_post")
    before, after = result.facts["before"], result.facts["after"]
    if before == after:
        return [f"There is one checkpoint only (step {number(after)}), so that every switch changes nothing."]
    scores = Scores.of(result)
    of = batch(frame["n"].iloc[0], frame["seed"].iloc[0], scores.samples)
    ways = (("after → before", of), ("before → after", f"the same {scores.samples}"))
    told = [_told(frame[frame["direction"] == direction], samples, scores) for direction, samples in ways]
    parts = [_exchangeable(result, scores), *told, _controls(frame, scores)]
    return [part for part in parts if part]


def _told(frame: pd.DataFrame, samples: str, scores: Scores) -> str:
    """What components of one checkpoint are worth in the other."""
    known = [component for component in TOLD if component in set(frame["component"])]
    if not known:
        return ""
    recipient, donor = (number(frame[f"{role}_step"].iloc[0]) for role in ("recipient", "donor"))
    each = [f"{component}: {_worth(frame[frame['component'] == component], scores)}." for component in known]
    each[0] = f"{known[0]} of step {donor} ({samples}){each[0].removeprefix(known[0])}"
    return f"Step {recipient} with {' With '.join(each)}"


def _worth(rows: pd.DataFrame, scores: Scores) -> str:
    """What becomes of every score with a component of another checkpoint."""
    of = {row["entries"]: row for row in rows.to_dict("records")}
    main, moved = of[scores.main], ""
    if not is_absent(main["moved"]):
        share = interval(*(100 * main[f"moved{end}"] for end in ("", "_low", "_high")))
        moved = f", {share} % of the way to that of step {number(main['donor_step'])}"
    before, after = _before_and_after(main, scores)
    said = f"{scores.the} {_verb(main, scores)}, {before} → {after} (change {_change(main)})"
    return f"{said}{moved}{_beside(of, scores)}"


def _beside(of: Mapping[str, Mapping[Any, Any]], scores: Scores) -> str:
    """What becomes of the other scores."""
    told = []
    for index, name in enumerate(scores.others):
        before, after = _before_and_after(of[name], scores)
        start, goes = (",", "") if index else (";", " goes")
        told.append(f"{start} {scores.called(name)}{goes} from {before} to {after}")
    return "".join(told)


def _before_and_after(row: Mapping[Any, Any], scores: Scores) -> tuple[str, str]:
    return number(row[f"recipient_{scores.unit}"]), number(row[f"switched_{scores.unit}"])


def _verb(row: Mapping[Any, Any], scores: Scores) -> str:
    return rises(change(row, "change", row[f"recipient_{scores.unit}"]))


def _change(row: Mapping[Any, Any]) -> str:
    return interval(row["change"], row["change_low"], row["change_high"])


def _controls(frame: pd.DataFrame, scores: Scores) -> str:
    nothing, everything = (frame[frame["kind"] == kind] for kind in ("nothing", "everything"))
    if nothing.empty or everything.empty:
        return ""
    missed = everything[f"switched_{scores.unit}"] - everything[f"donor_{scores.unit}"]
    unchanged, off = nothing["change"].abs().max(), missed.abs().max()
    if unchanged == 0 and off == 0:
        return "Controls: switching nothing changes nothing, and switching everything gives the donor, both exactly."
    return (
        f"The controls fail, so that this section cannot be trusted: switching nothing changes {an(scores.short)} by "
        f"{number(unchanged)}, and switching everything misses the donor's by {number(off)}."
    )


def _exchangeable(result: Result, scores: Scores) -> str:
    frame = result.table("exchangeable")
    frame = frame[frame["component"] != "everything"]
    if frame.empty:
        return ""
    known = frame[frame["from_step"].notna()].sort_values("from_step", kind="stable")
    steps = dict.fromkeys(int(step) for step in known["from_step"])
    parts = [f"step {number(step)}: {', '.join(known[known['from_step'] == step]['component'])}" for step in steps]
    never = frame[frame["from_step"].isna()]["component"]
    parts += [f"the last step only: {', '.join(never)}"] if len(never) else []
    share, tolerance = result.facts["tolerance_share"], number(result.facts["tolerance"])
    return (
        f"Checkpoints whose component can replace that of step {number(result.facts['after'])}, so that "
        f"{scores.the} rises by less than {tolerance} ({share:.0%} of {result.facts['plateau_source']}, upper end "
        f"of the interval), begin at {'; '.join(parts)}."
    )
