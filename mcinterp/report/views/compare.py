"""Two checkpoints side by side: what the numbers say of their errors, their answers and their heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.analysis.judged import Judged
from mcinterp.report.numbers import interval, is_absent, number, plural
from mcinterp.report.palette import table_colours
from mcinterp.report.parts import Section
from mcinterp.report.scores import HARDLY, Scores, batch, capital, change, several
from mcinterp.report.tables import table_view
from mcinterp.report.views.pairs import LEADING, labels, pair_figures
from mcinterp.report.views.same_run import NAMED, changed_heads, classes_over_steps
from mcinterp.results import Result

HIDDEN = {"matches": {"same_layer", "same_index", "response_other_matrices", "effect_other_matrices"}}
"""What a table leaves to its file: the heads' names tell it, or the controls' table."""
EXACT = 1 - 1e-6
"""A score from which on two heads count as the same."""
LITTLE = 0.05
"""Mean scores that differ by less, of at most 1, are told as alike."""
Row = Mapping[Any, Any]


def view(result: Result, _: Mapping[str, Result]) -> Section:
    """Show a comparison of two checkpoints."""
    a, b = labels(result)
    one_run = "changed" in result.tables
    captions = {
        "errors": (f"{capital(several(Scores.of(result).full))} (A: {a}, B: {b})", False),
        "answers": (f"How alike the answers are (A: {a}, B: {b})", False),
        "changed": (f"Every head of {a} (A) beside itself in {b} (B), the most changed first", False),
        "matches": (f"Heads of {a} (A) and their partners in {b} (B)", one_run),
        "controls": ("The pairs' scores and their controls", one_run),
        "classes": (f"Heads of each class (A: {a}, B: {b})", True),
        "fields": (f"Where the configurations differ (A: {a}, B: {b})", True),
    }
    colours = table_colours(result.table("classes")) if "classes" in result.tables else {}
    tables = [
        table_view(table.frame, table.columns, caption, HIDDEN.get(name, ()), folded, colours)
        for name, (caption, folded) in captions.items()
        if (table := result.tables.get(name)) and not table.frame.empty
    ]
    figures = pair_figures(result) if "matches" in result.tables and not result.table("matches").empty else []
    return Section(result.name, result.title, sentences(result), figures, tables, leading=LEADING)


def sentences(result: Result) -> list[str]:
    """What can be compared, and what came of it."""
    parts = [_same_weights(result), _unlike(result), *_errors(result)]
    if "answers" in result.tables:
        parts.append(_answers(result))
    if "matches" in result.tables and result.table("matches")["score"].isna().all():
        parts.append("The heads attend uniformly, so that there is nothing to pair them by.")
    elif "changed" in result.tables:
        parts += [*changed_heads(result), classes_over_steps(result)]
    elif "matches" in result.tables:
        parts += [
            _heads(result),
            _effects(result),
            _above(result),
            _controls(result),
            _places(result),
            _classes(result),
        ]
    return [part for part in parts if part]


def _same_weights(result: Result) -> str:
    a, b = labels(result)
    return f"{a} and {b} have the same weights: all that follows compares a model with itself." * bool(
        result.facts["same_weights"]
    )


def _unlike(result: Result) -> str:
    """What keeps one model from the other's inputs."""
    unlike = result.facts["unlike"]
    if not unlike:
        return ""
    (a, b), scores = labels(result), Scores.of(result)
    sides = [
        ", ".join(f"{name} {'none' if values[side] is None else values[side]}" for name, values in unlike.items())
        for side in (0, 1)
    ]
    classes = ", and how many heads are of each class" if "classes" in result.tables else ""
    return (
        f"The two cannot be given the same inputs: the task of {a} has {sides[0]}, that of {b} {sides[1]}. So no "
        f"answers are compared and no heads paired. What is compared: the errors of each on {scores.samples} of its "
        f"own task, beside the error of {scores.zero} there{classes}."
    )


def _errors(result: Result) -> list[str]:
    rows = {row["entries"]: row for row in result.table("errors").to_dict("records")}
    scores = Scores.of(result)
    told = [_error(result, rows[name], capital(scores.called(name)), scores) for name in scores.parts]
    return [sentence for sentence in told if sentence]


def _error(result: Result, row: Row, symbol: str, scores: Scores) -> str:
    names = [f"{side}_{scores.unit}" for side in "ab"]
    if any(is_absent(row[name]) for name in names):
        return ""
    a, b = labels(result)
    values = [_interval(row, name) for name in names]
    if not result.facts["shared"]:
        shares = [_percent(row[name], row[zero]) for name, zero in zip(names, ("a_zero", "b_zero"), strict=True)]
        return (
            f"{symbol} is {values[0]} for {a}, {shares[0]} of that of {scores.zero}, and {values[1]} for {b}, "
            f"{shares[1]} of it ({batch(row['n'], row['seed'], scores.samples)} each)."
        )
    return (
        f"{symbol} is {values[0]} for {a} and {values[1]} for {b} on the same samples "
        f"({batch(row['n'], row['seed'], scores.samples)}): {b}'s {_verdict(row, names[0])} (difference "
        f"{_interval(row, 'difference')}, paired)."
    )


def _verdict(row: Row, whole: str) -> str:
    if row["difference_low"] == row["difference_high"] == 0:
        return "is the same"
    return change(row, "difference", row[whole]).say(
        "is higher", "is lower", "does not measurably differ", f"differs by at most {HARDLY}"
    )


def _percent(value: Any, whole: Any) -> str:
    return "–" if is_absent(value) or not whole else f"{number(100 * value / whole)} %"


def _answers(result: Result) -> str:
    rows = {row["entries"]: row for row in result.table("answers").to_dict("records")}
    scores = Scores.of(result)
    whole = [name for name in scores.meanings if name not in scores.parts]
    row = next((rows[name] for name in (scores.main, *whole) if not is_absent(rows[name]["correlation"])), None)
    if row is None:
        return ""
    errors = f"; their errors correlate by {_interval(row, 'error_correlation')}"
    errors = "" if is_absent(row["error_correlation"]) else errors
    where = f" at {scores.places[row['entries']]}" if scores.places[row["entries"]] != "answers" else ""
    other, fresh = (number(row[name], 2) for name in ("other_matrices", "untrained"))
    return (
        f"Their answers{where} correlate by {_interval(row, 'correlation')} (controls: {other} to "
        f"other {scores.samples}, {fresh} of an untrained model) and differ by "
        f"{_interval(row, 'mean_abs_difference')} on average{errors} (n = {number(row['n'])})."
    )


def _heads(result: Result) -> str:
    """How alike the paired heads are, beside the controls."""
    rows, scores = _control(result), Scores.of(result)
    found, untrained, others = rows["A and B"], rows["A and an untrained model"], rows[_given_other(scores)]
    return (
        f"Paired by what they attend to, whatever their index, {plural(found['pairs'], 'pair')} of heads have a mean "
        f"score of {_interval(found, 'score')}, from {number(found['lowest'], 2)} to {number(found['highest'], 2)}; "
        f"with an untrained model it is {_interval(untrained, 'score')}: {_against(found, untrained)}. Of what depends "
        f"on the {scores.sample} the mean correlation is {_interval(found, 'response')}, and "
        f"{_interval(others, 'response')} when {labels(result)[1]} is given other {scores.samples} "
        f"(n = {number(found['n'])})."
    )


def _against(found: Row, control: Row) -> str:
    """What the mean over pairs says; single pairs are told by `_above`."""
    if is_absent(control["score"]):
        return "whose heads attend uniformly"
    return "on average " + Judged.beside(found, "score", control, "score", LITTLE).say(
        "they are more alike than that",
        "they are less alike than those of an untrained model",
        "they are not measurably more alike than that",
        f"they are as alike as that, to within {LITTLE:g}",
    )


def _effects(result: Result) -> str:
    """How alike what the paired heads do to the answers is."""
    rows, scores = _control(result), Scores.of(result)
    found, others = rows["A and B"], rows[_given_other(scores)]
    if is_absent(found["effect"]):
        return ""
    return (
        f"What the answers change by without either head of a pair (made to attend uniformly) correlates by "
        f"{_interval(found, 'effect')} on average, {_interval(others, 'effect')} when {labels(result)[1]} is given "
        f"other {scores.samples}: {_doing(found, others)}."
    )


def _doing(found: Row, others: Row) -> str:
    """Alike is what correlates, and more than with other samples."""
    own, unclear = Judged.of(found, "effect"), "what paired heads do is not measurably alike"
    if own.side != "above":
        return own.say("", "on average paired heads do opposite things", unclear)
    return Judged.beside(found, "effect", others, "effect").say(
        "on average paired heads do similar things", "what paired heads do is less alike than that", unclear
    )


def _above(result: Result) -> str:
    matches = result.table("matches").sort_values("score", ascending=False, kind="stable", na_position="last")
    above = matches[matches["above_untrained"]]
    limit = number(result.facts["untrained_highest"], 2)
    if above.empty:
        return f"No pair's score lies measurably above the highest of an untrained model ({limit})."
    rows = above.head(NAMED).to_dict("records")
    named = ", ".join(f"{row['head_a']} ↔ {row['head_b']} ({number(row['score'], 2)})" for row in rows)
    more = f" and {len(above) - NAMED} more" if len(above) > NAMED else ""
    whole = f"{_of(len(above), len(matches))} {'lies' if len(above) == 1 else 'lie'} measurably"
    return f"{whole} above the highest of an untrained model ({limit}): {named}{more}."


def _controls(result: Result) -> str:
    row = _control(result)["A and itself, heads shuffled"]
    if is_absent(row["score"]):
        return ""
    a, pairs = labels(result)[0], row["pairs"]
    if row["lowest"] >= EXACT and row["found"] == pairs:
        return f"Control: paired with itself, its heads shuffled, every head of {a} finds itself, with score 1."
    if row["lowest"] >= EXACT:
        return (
            f"Control: paired with itself, its heads shuffled, the heads of {a} find heads of score 1, but only "
            f"{number(int(row['found']))} of {pairs} themselves: some of its heads attend alike."
        )
    return (
        f"The control fails, so that the pairs cannot be trusted: paired with itself, its heads shuffled, "
        f"{number(int(row['found']))} of {plural(pairs, 'head')} of {a} find themselves, with scores from "
        f"{number(row['lowest'])}."
    )


def _places(result: Result) -> str:
    matches = result.table("matches")
    n = len(matches)
    unpaired = [
        f"{name} of {label}"
        for side, label in zip("ab", labels(result), strict=True)
        for name in [", ".join(result.facts[f"unpaired_{side}"])]
        if name
    ]
    samples = Scores.of(result).samples
    alone = f" Without a partner: {'; '.join(unpaired)}." if unpaired else ""
    return (
        f"{_of(matches['same_index'].sum(), n)} have the same layer and number, {int(matches['same_layer'].sum())} the "
        f"same layer; the other half of the {samples} makes the same pair in {int(matches['stable'].sum())}.{alone}"
    )


def _classes(result: Result) -> str:
    matches = result.table("matches")
    if matches["classes_agree"].isna().all():
        return ""
    known = matches[matches["classes_agree"] != "none"]
    if known.empty:
        return "No head of a pair has a class."
    chance = result.facts["agreement_by_chance"]
    agree = int((known["classes_agree"] == "yes").sum())
    return (
        f"Of {plural(len(known), 'pair')} in which a head has a class, {agree} {'has' if agree == 1 else 'have'} the "
        f"same on both sides; pairs made at random would have it in {_percent(chance, 1)}."
    )


def _given_other(scores: Scores) -> str:
    """The control in which B is given other samples."""
    return f"A and B given other {scores.samples}"


def _control(result: Result) -> dict[str, Row]:
    return {row["what"]: row for row in result.table("controls").to_dict("records")}


def _interval(row: Row, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _of(count: Any, total: int) -> str:
    return f"{int(count)} of {plural(total, 'pair')}"
