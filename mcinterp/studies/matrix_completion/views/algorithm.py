"""What algorithm is it: which known way to complete a matrix the model's answers follow, and how closely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import Judged, Side
from mcinterp.report.numbers import interval, is_absent, number, of_them, plural
from mcinterp.report.parts import Cell, FigureView, Section, TableView
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.algorithm import (
    NEAREST,
    TRUTH,
    algorithm_bins_figure,
    algorithm_figure,
    nearest_figure,
    nearest_first,
)
from mcinterp.studies.matrix_completion.passes.combination import SOME

CAPTION = (
    "What {whom} of the model's predictions at masked entries, nearest first, with 95 % interval: 0 where the model "
    "answers as the candidate does, 1 where it is no nearer to it than to the answer 0. Triangles lie further right. "
    "The truth is no candidate: it shows what a perfect completion would leave."
)
BINS = {
    "by_observed": (
        "Masked entries by number observed",
        "observed entries in the entry's row and column",
        "by how many entries of their row and column are observed",
    ),
    "by_conditioning": (
        "Masked entries by conditioning",
        "largest usable pivot, |det|^(1/r)",
        "by conditioning, the largest |det|^(1/r) of an observed r × r block that gives the entry through a vanishing "
        "minor (for rank 1 the largest |X_lk| to divide by)",
    ),
}
BINS_CAPTION = (
    "Masked entries {how}: L_mask, the MSE of the model to the truth (dashed), and the MSE of the nearest candidates "
    "to the model, with 95 % interval. Further candidates are switched on in the legend."
)
LITTLE = 0.02
"""Candidates that leave this little more of the predictions' mean square than another are as near as it."""
NAMED = 4
"""How many candidates that are as near as the best a sentence names."""
FIRST = ["candidate", "n", "seed", "unexplained", "behind", "scaled_unexplained", "correlation", "error_correlation"]
FIRST += ["to_model", "to_truth", "model_mse"]
CONTROLS = ["candidate", "n", "seed", "control_scaled_unexplained", "control_correlation"]
CONTROLS += ["untrained_scaled_unexplained"]
MEANINGS = ["candidate", "meaning", "parameters", "defined", "scale"]
BIN_HIDDEN = {"low", "high"}


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show what the candidates explain of a checkpoint."""
    figures = [
        FigureView(CAPTION.format(whom=whom), drawn(result))
        for whom, drawn in (
            (f"the {NEAREST} nearest candidates leave", nearest_figure),
            ("every candidate leaves", algorithm_figure),
        )
    ]
    figures += [
        FigureView(BINS_CAPTION.format(how=how), algorithm_bins_figure(result, name, axis))
        for name, (_, axis, how) in BINS.items()
        if len(result.table(name))
    ]
    return Section(result.name, result.title, sentences(result), figures, _tables(result))


def _tables(result: Result) -> list[TableView]:
    table, joint, weights = (result.tables[name] for name in ("candidates", "combination", "weights"))
    frame = nearest_first(table.frame)
    used = weights.frame[weights.frame[["weight", "mixture_weight", "control_weight"]].gt(SOME).any(axis=1)]
    bins = [
        table_view(result.table(name), result.tables[name].columns, title, hide=BIN_HIDDEN, folded=True)
        for name, (title, _, _) in BINS.items()
    ]
    return [
        table_view(_columns(frame, FIRST), table.columns, "Every candidate, nearest first", folded=True),
        table_view(_columns(frame, MEANINGS), table.columns, "What the candidates do", folded=True),
        table_view(_columns(frame, CONTROLS), table.columns, "Controls: nothing should be explained", folded=True),
        table_view(joint.frame, joint.columns, "Candidates together: fitted on one half, tested on the other"),
        table_view(used, weights.columns, "Weights of the combination and of the mixture", folded=True),
        *bins,
    ]


def _columns(frame: pd.DataFrame, wanted: list[str]) -> pd.DataFrame:
    """The columns, with those of their intervals."""
    with_bounds = [f"{name}{end}" for name in wanted for end in ("", "_low", "_high")]
    return frame[[name for name in with_bounds if name in frame]]


def sentences(result: Result) -> list[str]:
    """The nearest candidate and what it leaves; the truth; all candidates together; the control."""
    facts = result.facts
    table = result.table("candidates").set_index("candidate")
    if is_absent(facts["unexplained"]):
        return ["The model's predictions at masked entries are all 0, so that there is nothing to explain."]
    parts = [_nearest(facts, table)]
    if facts["best"] != "zero":
        parts.append(_against_truth(facts, table))
    parts += [_combined(result.table("combination")), _control(table)]
    return [part for part in parts if part]


def _nearest(facts: Mapping[str, Any], table: pd.DataFrame) -> str:
    count, n = plural(len(facts["candidates"]), "candidate"), number(int(table["n"].iloc[0]))
    where = f"to the model's predictions at masked entries (n = {n})"
    if facts["best"] == "zero":
        text = f"None of {count} comes out nearer {where} than the answer 0, which leaves all of their mean square"
    else:
        left = _interval(facts, "unexplained")
        text = f"Of {count}, “{facts['best']}” is nearest {where}: it leaves {left} of their mean square"
        text += ", where the answer 0 leaves 1"
    return f"{text}. The next, “{facts['second']}”, leaves {_interval(facts, 'margin')} more{_ties(facts, table)}."


def _ties(facts: Mapping[str, Any], table: pd.DataFrame) -> str:
    """Which candidates are as near as the best, and of which the paired intervals do not tell."""
    others = table.drop(index=[facts["best"], TRUTH], errors="ignore").sort_values("behind")
    sides = {name: Judged.of(row, "behind", negligible=LITTLE).side for name, row in others.iterrows()}
    words = {
        "equal": f"as near as the best to within {LITTLE:g}",
        "undecided": "undecided, since their paired intervals hold 0 and more than that",
    }
    told = [f"{text}: {_named(names)}" for side, text in words.items() if (names := _with(sides, side))]
    return f"; {'; '.join(told)}" if told else ", which tells the two apart"


def _with(sides: Mapping[Any, Side], side: str) -> list[Any]:
    return [name for name, own in sides.items() if own == side]


def _named(names: Sequence[Any]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(f'“{name}”' for name in names[:NAMED])}{more}"


def _against_truth(facts: Mapping[str, Any], table: pd.DataFrame) -> str:
    if TRUTH not in table.index:
        return ""
    best, truth = f"“{facts['best']}”", table[table.index == TRUTH].iloc[0]
    verdict = Judged.of(truth, "behind").say(
        f"so the model is nearer to {best} than to the truth",
        f"so the model is nearer to the truth than to {best}",
        f"so the model is not measurably nearer to {best} than to the truth",
        f"so the model is as near to {best} as to the truth",
    )
    text = f"The truth leaves {number(truth['unexplained'])}, {verdict} (difference {_interval(truth, 'behind')})"
    errors = table[table.index == facts["best"]].iloc[0]
    if is_absent(errors["error_correlation"]):
        return f"{text}."
    return f"{text}; the errors of model and candidate correlate by {_interval(errors, 'error_correlation')}."


def _combined(frame: pd.DataFrame) -> str:
    one, combined = (frame[frame["fit"] == fit] for fit in ("one candidate", "combination"))
    if one.empty or combined.empty or is_absent(combined.iloc[0]["unexplained"]):
        return ""
    row = combined.iloc[0]
    verdict = Judged.of(row, "gain", negligible=LITTLE).say(
        "less than", "more than", "not measurably different from", f"to within {LITTLE:g}"
    )
    return (
        f"On matrices it was not fitted on, the best non-negative combination of candidates leaves "
        f"{_interval(row, 'unexplained')}, {verdict} the best single "
        f"one's {number(one.iloc[0]['unexplained'])} (gain {_interval(row, 'gain')})."
    )


def _control(table: pd.DataFrame) -> str:
    known = table[table["control_correlation_low"].notna()]
    if known.empty:
        return ""
    sides = [Judged.of(row, "control_correlation").side for _, row in known.iterrows()]
    outside = sides.count("above") + sides.count("below")
    return (
        f"Control: computed for other matrices, {of_them(outside, len(known), 'candidate')} measurably "
        f"{'correlates' if outside == 1 else 'correlate'} with the predictions (largest |correlation| "
        f"{number(known['control_correlation'].abs().max())}; chance alone gives 1 in 20, and similar candidates go "
        "together)."
    )


def _interval(values: Mapping[str, Any] | pd.Series, name: str) -> str:
    return interval(values[name], values[f"{name}_low"], values[f"{name}_high"])


def rows(steps: Steps) -> list[Row]:
    """What explains each checkpoint best, what it leaves, and what the last checkpoint's best leaves of the others."""
    results = found(steps, "algorithm")
    if not results:
        return []
    heading = "Candidate nearest to the model's predictions at masked entries, and the share of their mean square left"
    last = results[-1] if "algorithm" not in steps[max(steps)] else steps[max(steps)]["algorithm"]
    name = str(last.facts["best"])
    block = [("nearest candidate", each(steps, "algorithm", _best_cell))]
    if name != "zero":
        block.append((f"left by {name}", each(steps, "algorithm", lambda result: _share_cell(result, name))))
    block += [
        (f"left by {TRUTH}", each(steps, "algorithm", lambda result: _share_cell(result, TRUTH))),
        ("left by the best combination, on other matrices", each(steps, "algorithm", _combination_cell)),
    ]
    return [(heading, label, "", cells) for label, cells in block]


def _best_cell(result: Result) -> Cell:
    facts = result.facts
    return Cell(str(facts["best"]), note=f"leaves {_interval(facts, 'unexplained')}")


def _share_cell(result: Result, candidate: str) -> Cell:
    frame = result.table("candidates")
    return _cell(frame[frame["candidate"] == candidate])


def _combination_cell(result: Result) -> Cell:
    frame = result.table("combination")
    return _cell(frame[frame["fit"] == "combination"])


def _cell(chosen: pd.DataFrame) -> Cell:
    if chosen.empty or is_absent(chosen.iloc[0]["unexplained"]):
        return NOTHING
    row = chosen.iloc[0]
    return Cell(_interval(row, "unexplained"))
