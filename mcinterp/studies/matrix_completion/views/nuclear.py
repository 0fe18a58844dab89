"""Nuclear norm minimisation: whether the model beats it, and whether it does what the model does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mcinterp.analysis.judged import Judged, Side
from mcinterp.report.numbers import interval, number, of_them
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.scores import HARDLY, batch, change
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.report.views.phase import WORDS, Phase, phase_of
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.nuclear import (
    completion_error_figure,
    nuclear_norm_figure,
    regularised_figure,
)

NAME = "nuclear"
ERRORS = (
    "{score} against p_mask, with 95 % bands, of the model and of the matrix of least nuclear norm "
    "that has the observed entries."
)
NORMS = "Nuclear norm of the same matrices, and of the truth. The minimiser's is at most the truth's, by definition."
WEIGHTS = (
    "L of the minimisers of (1/|Ω|) ‖P_Ω(X − M)‖² + λ ‖X‖_* for each λ, with 95 % intervals, at the "
    "p_mask of the training; band: the model on the same matrices."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the comparison of a checkpoint with nuclear norm minimisation."""
    figures = [
        FigureView(ERRORS.format(score="L"), completion_error_figure(result, "total")),
        FigureView(ERRORS.format(score="L_mask"), completion_error_figure(result, "masked")),
        FigureView(NORMS, nuclear_norm_figure(result)),
    ]
    captions = {
        "errors": ("L, L_mask and L_obs at each p_mask", True),
        "norms": ("Nuclear norms at each p_mask", True),
        "solver": ("The solver at each p_mask, and its controls", True),
    }
    if not result.table("regularised").empty:
        figures.append(FigureView(WEIGHTS, regularised_figure(result)))
        captions["regularised"] = ("Regularised problem at the p_mask of the training", False)
    tables = [
        table_view(result.table(name), result.tables[name].columns, caption, hide={"weight"}, folded=folded)
        for name, (caption, folded) in captions.items()
    ]
    return Section(result.name, result.title, sentences(result, checkpoint), figures, tables)


def sentences(result: Result, beside: Mapping[str, Result]) -> list[str]:
    """The paper's claim at the training p_mask, the other p_mask, the regularised problem, and the controls."""
    claim = _claim(result, phase_of(result, beside))
    return [part for part in (claim, _elsewhere(result), _regularised(result), _controls(result)) if part]


def rows(steps: Steps) -> list[Row]:
    """The comparison at the training p_mask, for the table of changes."""
    if not found(steps, NAME):
        return []
    heading = "Nuclear norm minimisation, at the p_mask of the training"
    return [
        (heading, "L: model (minimiser)", "", each(steps, NAME, _error_cell)),
        (heading, "nuclear norm: model (minimiser, truth)", "", each(steps, NAME, _norm_cell)),
    ]


def _trained(result: Result, table: str, entries: str | None = None) -> pd.Series | None:
    """The row of the training p_mask, if there is one."""
    frame = result.table(table)
    frame = frame[frame["trained"]]
    if entries:
        frame = frame[frame["entries"] == entries]
    return None if frame.empty else frame.iloc[0]


def _error(row: pd.Series) -> Judged:
    """The model's error less the minimiser's."""
    whole = row["solver_mse"] if "solver_mse" in row else row["total_mse"]
    return change(row, "difference", whole)


def _norm(row: pd.Series) -> Judged:
    """The same of their nuclear norms."""
    return change(row, "difference", row["solver_norm"])


def _estimate(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _claim(result: Result, phase: Phase) -> str:
    """Whether the model is better in MSE and larger in norm, as in the paper."""
    error, norm = _trained(result, "errors", "total"), _trained(result, "norms")
    if error is None or norm is None or pd.isna(error["difference_low"]) or pd.isna(norm["difference_low"]):
        return ""
    better = _error(error).say(
        "has a larger L than nuclear norm minimisation",
        "has a smaller L than nuclear norm minimisation",
        "is not told apart from nuclear norm minimisation by L",
        f"has the L of nuclear norm minimisation, to within {HARDLY}",
    )
    larger = _norm(norm).say(
        "a larger nuclear norm",
        "a smaller nuclear norm",
        "a nuclear norm not told apart from its",
        f"its nuclear norm, to within {HARDLY}",
    )
    masked = _trained(result, "errors", "masked")
    return (
        f"At the p_mask of its training ({error['p_mask']:g}, {batch(error['n'], error['seed'], 'matrices')}) the "
        f"model {better}, with {larger}: L {number(error['model_mse'])} against {number(error['solver_mse'])} "
        f"(difference {_estimate(error, 'difference')}{_masked(masked)}), nuclear norm {number(norm['model_norm'])} "
        f"against {number(norm['solver_norm'])} (difference {_estimate(norm, 'difference')}), "
        f"{number(norm['truth_norm'])} for the truth. {_finding(_error(error), _norm(norm), phase)}"
    )


def _masked(row: pd.Series | None) -> str:
    return "" if row is None else f"; of L_mask {_estimate(row, 'difference')}"


def _finding(error: Judged, norm: Judged, phase: Phase) -> str:
    """The paper's finding, which is about a model after its drop."""
    text = "The paper's finding, a smaller L with a larger nuclear norm,"
    if phase != "after":
        where = f"; this checkpoint is one {WORDS[phase]}" if phase in WORDS else ""
        return f"{text} is about the trained model, after its drop{where}."
    sides = (error.side, norm.side)
    if sides == ("below", "above"):
        return f"{text} holds here."
    decided = {"above", "equal"} & {sides[0]} or {"below", "equal"} & {sides[1]}
    return f"{text} {'does not hold' if decided else 'is not decided'} here."


def _elsewhere(result: Result) -> str:
    """At how many p_mask the model is better, worse or larger."""
    frame, norms = result.table("errors"), result.table("norms")
    frame = frame[frame["entries"] == "total"]
    if len(frame) < 2:
        return ""
    larger = [_norm(row).side for _, row in norms.iterrows()].count("above")
    return (
        f"Over p_mask from {frame['p_mask'].min():g} to {frame['p_mask'].max():g} the model's L is "
        f"{_counts([_error(row).side for _, row in frame.iterrows()])}; its nuclear norm is larger than the "
        f"minimiser's for {of_them(larger, len(norms), 'value')}. {_recovered(result)}"
    ).strip()


def _counts(sides: Sequence[Side]) -> str:
    """For how many values the model's error is smaller and larger than the minimiser's."""
    n = len(sides)
    smaller, larger = sides.count("below"), sides.count("above")
    rest = n - smaller - larger
    apart = f", and not told apart for {of_them(rest, n, 'value')}" if rest else ""
    return (
        f"smaller than the minimiser's for {of_them(smaller, n, 'value')}, larger for {of_them(larger, n, 'value')}"
        f"{apart}"
    )


def _recovered(result: Result) -> str:
    row = _trained(result, "solver")
    if row is None:
        return ""
    return (
        f"At the p_mask of the training the minimiser is the truth, to within "
        f"{100 * result.facts['recovered_within']:g} % of its norm, for a share of {_estimate(row, 'recovered')} of "
        "the matrices."
    )


def _regularised(result: Result) -> str:
    frame = result.table("regularised")
    frame = frame[frame["weight"].notna()]
    if frame.empty:
        return ""
    best = frame.iloc[int(frame["total_mse"].argmin())]
    return (
        f"Over the λ of the regularised problem the model's L is "
        f"{_counts([_error(row).side for _, row in frame.iterrows()])}; the best, {best['solution']}, has "
        f"{number(best['total_mse'])} (model minus minimiser: {_estimate(best, 'difference')})."
    )


def _controls(result: Result) -> str:
    frame, reference = result.table("solver"), result.facts["reference"]
    above = int(frame["above_truth"].sum())
    return (
        f"Controls: {number(above)} of {number(int(frame['n'].sum()))} minimisers exceed the truth's nuclear norm "
        f"(none may); the largest duality gap is {number(frame['largest_gap'].max())} of the norm; on "
        f"{number(reference['instances'])} instances {reference['solver']} finds the same least value to within "
        f"{number(reference['largest_relative_difference'])} of it."
    )


def _error_cell(result: Result) -> Cell:
    row = _trained(result, "errors", "total")
    if row is None:
        return NOTHING
    text = f"{number(row['model_mse'])} ({number(row['solver_mse'])})"
    return Cell(text, note=f"model − minimiser {_estimate(row, 'difference')}")


def _norm_cell(result: Result) -> Cell:
    row = _trained(result, "norms")
    if row is None:
        return NOTHING
    text = f"{number(row['model_norm'])} ({number(row['solver_norm'])}, {number(row['truth_norm'])})"
    return Cell(text, note=f"model − minimiser {_estimate(row, 'difference')}")
