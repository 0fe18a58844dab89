"""Nuclear norm minimisation: whether the model beats it, and whether it does what the model does."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import Cell, FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.report.views.blocks import NOTHING, Row, Steps, each, found
from mcinterp.results import Result
from mcinterp.studies.matrix_completion.figures.nuclear import (
    completion_error_figure,
    nuclear_norm_figure,
    regularised_figure,
)

NAME = "nuclear"
ERRORS = (
    "MSE over {entries} entries against p_mask, with 95 % bands, of the model and of the matrix of least nuclear norm "
    "that has the observed entries."
)
NORMS = "Nuclear norm of the same matrices, and of the truth. The minimiser's is at most the truth's, by definition."
WEIGHTS = (
    "MSE over all entries of the minimisers of (1/|Ω|) ‖P_Ω(X − M)‖² + λ ‖X‖_* for each λ, with 95 % intervals, at the "
    "p_mask of the training; band: the model on the same matrices."
)


def view(result: Result, checkpoint: Mapping[str, Result]) -> Section:
    """Show the comparison of a checkpoint with nuclear norm minimisation."""
    figures = [
        FigureView(ERRORS.format(entries="all"), completion_error_figure(result, "total")),
        FigureView(ERRORS.format(entries="masked"), completion_error_figure(result, "masked")),
        FigureView(NORMS, nuclear_norm_figure(result)),
    ]
    captions = {
        "errors": ("MSE at each p_mask", True),
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
    return Section(result.name, result.title, sentences(result), figures, tables)


def sentences(result: Result) -> list[str]:
    """The paper's claim at the training p_mask, the other p_mask, the regularised problem, and the controls."""
    return [part for part in (_claim(result), _elsewhere(result), _regularised(result), _controls(result)) if part]


def rows(steps: Steps) -> list[Row]:
    """The comparison at the training p_mask, for the table of changes."""
    if not found(steps, NAME):
        return []
    heading = "Nuclear norm minimisation, at the p_mask of the training"
    return [
        (heading, "MSE, all entries: model (minimiser)", "", each(steps, NAME, _error_cell)),
        (heading, "nuclear norm: model (minimiser, truth)", "", each(steps, NAME, _norm_cell)),
    ]


def _trained(result: Result, table: str, entries: str | None = None) -> pd.Series | None:
    """The row of the training p_mask, if there is one."""
    frame = result.table(table)
    frame = frame[frame["trained"]]
    if entries:
        frame = frame[frame["entries"] == entries]
    return None if frame.empty else frame.iloc[0]


def _side(row: pd.Series, name: str = "difference") -> int:
    """−1 or 1 where the interval of a difference lies below or above 0, else 0 (also where there is none)."""
    return int(row[f"{name}_low"] > 0) - int(row[f"{name}_high"] < 0)


def _estimate(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _claim(result: Result) -> str:
    """Whether the model is better in MSE and larger in norm, as in the paper."""
    error, norm = _trained(result, "errors", "total"), _trained(result, "norms")
    if error is None or norm is None or pd.isna(error["difference_low"]) or pd.isna(norm["difference_low"]):
        return ""
    errors, norms = _side(error), _side(norm)
    better = {
        -1: "beats nuclear norm minimisation in MSE",
        0: "cannot be told apart from nuclear norm minimisation in MSE",
        1: "has a larger MSE than nuclear norm minimisation",
    }
    larger = {-1: "a smaller nuclear norm", 0: "a nuclear norm no different", 1: "a larger nuclear norm"}
    holds = "holds here" if (errors, norms) == (-1, 1) else "does not hold here"
    masked = _trained(result, "errors", "masked")
    return (
        f"At the p_mask of its training ({error['p_mask']:g}, n = {number(error['n'])}) the model "
        f"{better[errors]}, with {larger[norms]}: MSE over all "
        f"entries {number(error['model_mse'])} against {number(error['solver_mse'])} (difference "
        f"{_estimate(error, 'difference')}{_masked(masked)}), nuclear norm {number(norm['model_norm'])} against "
        f"{number(norm['solver_norm'])} (difference {_estimate(norm, 'difference')}), {number(norm['truth_norm'])} for "
        f"the truth. The paper's finding, a smaller MSE with a larger nuclear norm, {holds}."
    )


def _masked(row: pd.Series | None) -> str:
    return "" if row is None else f"; over masked entries {_estimate(row, 'difference')}"


def _elsewhere(result: Result) -> str:
    """At how many p_mask the model is better, worse or larger."""
    frame, norms = result.table("errors"), result.table("norms")
    frame = frame[frame["entries"] == "total"]
    if len(frame) < 2:
        return ""
    sides = [_side(row) for _, row in frame.iterrows()]
    larger = sum(_side(row) > 0 for _, row in norms.iterrows())
    return (
        f"Of {len(frame)} values of p_mask from {frame['p_mask'].min():g} to {frame['p_mask'].max():g} the model is "
        f"better in MSE over all entries at {sides.count(-1)}, worse at {sides.count(1)}, and not distinguishable at "
        f"{sides.count(0)}; its nuclear norm is larger than the minimiser's at {larger}. {_recovered(result)}"
    ).strip()


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
    sides = [_side(row) for _, row in frame.iterrows()]
    best = frame.iloc[int(frame["total_mse"].argmin())]
    return (
        f"Of {len(frame)} values of λ in the regularised problem the model is better at {sides.count(-1)}, worse at "
        f"{sides.count(1)} and not distinguishable at {sides.count(0)} (MSE over all entries); the best, "
        f"{best['solution']}, has {number(best['total_mse'])} (model minus minimiser: {_estimate(best, 'difference')})."
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
