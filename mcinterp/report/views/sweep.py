"""A sweep: which runs dropped, when, and how far they came."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from mcinterp.analysis.judged import NEGLIGIBLE, Judged
from mcinterp.report.figures.sweep import colouring, sweep_curves_figure, sweep_drops_figure, sweep_scores_figure
from mcinterp.report.headers import header
from mcinterp.report.numbers import declared, interval, number, plural
from mcinterp.report.parts import Cell, Column, FigureView, Section, TableView
from mcinterp.report.scores import HARDLY, capital, curve_name
from mcinterp.report.tables import table_view
from mcinterp.results import Result

FEW_ROWS = 12
DROPS = (
    "When the drop comes, by {field}. A dot is the step at which a run falls fastest, its line reaches from the start "
    "to the end of the drop; a triangle is a run without a drop, at the last step it has done."
)

SCORES = "The last {score} of every finished run, by {field}. A dot is a run, a line the mean of those of one value."

Row = Mapping[Hashable, Any]


def view(summary: Result, reports: Mapping[str, str] | None = None) -> Section:
    """Show a sweep's summary.

    Args:
        summary: the stored summary of a sweep.
        reports: where the reports of its runs are, by the runs' names, of those that have one.
    """
    runs, groups = summary.tables["runs"], summary.tables["groups"]
    figures = [FigureView(_curves_caption(summary), sweep_curves_figure(summary))]
    fields = summary.facts["others"] or summary.facts["fields"]
    if runs.frame["finished"].any():
        name = curve_name(summary, summary.facts["progress_score"])
        figures += [
            FigureView(SCORES.format(score=name, field=field), sweep_scores_figure(summary, field)) for field in fields
        ]
    if runs.frame["found"].any():
        figures += [FigureView(DROPS.format(field=field), sweep_drops_figure(summary, field)) for field in fields]
    tables = [
        _settings(table_view(_rounded(groups.frame), groups.columns, "Averages over seeds"), groups.frame, fields),
        _with_reports(_every_run(summary), runs.frame["run"], reports or {}),
    ]
    return Section("sweep", "The runs", _sentences(summary), figures, tables)


def _every_run(summary: Result) -> TableView:
    runs, score = summary.tables["runs"], curve_name(summary, summary.facts["progress_score"])
    meanings = {name: text.replace("the progress score", score) for name, text in runs.columns.items()}
    shown = table_view(
        runs.frame, meanings, "Every run", hide={"run", "finished", "found"}, folded=len(runs.frame) > FEW_ROWS
    )
    return _settings(shown, runs.frame, summary.facts["fields"])


def _settings(view: TableView, frame: pd.DataFrame, fields: Collection[str]) -> TableView:
    """A table with the values of fields as they were declared."""
    names = {header(field): field for field in fields}
    places = {at: names[column.label] for at, column in enumerate(view.columns) if column.label in names}
    rows = [
        tuple(
            replace(cell, text=declared(record[places[at]])) if at in places else cell for at, cell in enumerate(cells)
        )
        for cells, record in zip(view.rows, frame.to_dict("records"), strict=True)
    ]
    return replace(view, rows=rows)


def _with_reports(view: TableView, runs: Iterable[str], reports: Mapping[str, str]) -> TableView:
    """A table of all runs, their names first where these lead to reports."""
    if not reports:
        return view
    named = [Cell(_spaced(run), href=reports.get(run, "")) for run in runs]
    rows = [(first, *cells) for first, cells in zip(named, view.rows, strict=True)]
    columns = [Column("run", "its name; a link leads to its report"), *view.columns]
    return replace(view, columns=columns, rows=rows, folded=False)


def sweep_facts(summary: Result) -> list[tuple[str, str]]:
    """What a reader wants to know of a sweep first."""
    runs = summary.table("runs")
    states = ", ".join(f"{count} {state}" for state, count in summary.facts["states"].items())
    pairs = [("runs", f"{len(runs)}: {states}")]
    for field in summary.facts["fields"]:
        values = runs[field].drop_duplicates().tolist()
        pairs.append((field, ", ".join(map(declared, values))))
    return pairs


def _curves_caption(summary: Result) -> str:
    field, _ = colouring(summary)
    score = curve_name(summary, summary.facts["progress_score"])
    stretches = "averaged over equal stretches of steps, on a logarithmic axis"
    return f"{capital(score)} of every run, {stretches}, coloured by {field}."


def _sentences(summary: Result) -> list[str]:
    runs, groups = summary.table("runs"), summary.table("groups")
    finished, found = runs[runs["finished"]], runs[runs["found"]]
    sentences = [f"{_of(len(finished), len(runs))} finished; {_drops(runs, found)}."]
    failed = runs[runs["state"].str.startswith("failed")]
    if len(failed):
        sentences.append(f"{plural(len(failed), 'run')} failed, which the averages leave out: {_failures(failed)}.")
    averaged = groups[groups["last_score"].notna()]
    if len(averaged) > 1:
        sentences.append(_lowest(averaged, summary))
    earliest = groups[groups["steepest"].notna()]
    if len(earliest) > 1:
        sentences.append(_earliest(earliest, summary))
    return sentences


def _of(count: int, total: int) -> str:
    if count == total:
        return "The run is" if total == 1 else f"All {total} runs are"
    return f"{count} of {plural(total, 'run')} {'is' if count == 1 else 'are'}"


def _drops(runs: pd.DataFrame, found: pd.DataFrame) -> str:
    if found.empty:
        so_far = "" if runs["finished"].all() else " so far"
        return f"none shows a sudden drop{so_far}, so there is no step of a drop to compare"
    first, last = found["steepest"].min(), found["steepest"].max()
    when = (
        f"at step {number(round(first))}"
        if first == last
        else f"at steps {number(round(first))} to {number(round(last))}"
    )
    who = (
        "it drops" if len(runs) == 1 else "all drop" if len(found) == len(runs) else f"{len(found)} of {len(runs)} drop"
    )
    return f"{who}, fastest {when}"


def _failures(failed: pd.DataFrame) -> str:
    pairs = zip(failed["run"], failed["state"], strict=True)
    return "; ".join(f"{_spaced(run)} ({state.removeprefix('failed: ')})" for run, state in pairs)


def _lowest(groups: pd.DataFrame, summary: Result) -> str:
    score = curve_name(summary, summary.facts["progress_score"])
    told = _extremes(groups, "last_score", "n", "lower", summary)
    return f"Averaged over seeds, the last {score} is {told}."


def _earliest(groups: pd.DataFrame, summary: Result) -> str:
    told = _extremes(groups, "steepest", "dropped", "earlier", summary)
    return f"Averaged over seeds, the step of the fastest fall is {told}."


def _extremes(groups: pd.DataFrame, name: str, count: str, less: str, summary: Result) -> str:
    """The groups with the smallest and the largest mean, and whether they differ by more than seeds do."""
    rows = groups.sort_values(name, kind="stable").to_dict("records")
    low, high = (f"{_group(row, summary)}, {_estimate(row, name, count)}" for row in (rows[0], rows[-1]))
    unclear = f"not told apart between {low}, and {high}"
    verdict = Judged.beside(rows[-1], name, rows[0], name, NEGLIGIBLE * abs(rows[0][name])).say(
        f"{less} for {low}, than for {high}",
        unclear,
        f"{unclear}: seeds alone may make the difference",
        f"the same to within {HARDLY} for {low}, and {high}",
        f"{unclear}: one of them has a single seed, so there is no interval to compare them by",
    )
    return f"{verdict} (the extremes of {len(rows)} groups)" if len(rows) > 2 else verdict


def _group(row: Row, summary: Result) -> str:
    return ", ".join(f"{field} {declared(row[field])}" for field in summary.facts["others"])


def _estimate(row: Row, name: str, count: str) -> str:
    value = round(row[name]) if name == "steepest" else row[name]
    return f"{interval(value, row[f'{name}_low'], row[f'{name}_high'])} (n = {row[count]})"


def _spaced(name: str) -> str:
    return name.replace(",", ", ")


def _rounded(groups: pd.DataFrame) -> pd.DataFrame:
    """Steps as whole numbers; a lower end below 0 is left as it is, so that a reader sees how little is known."""
    steps = [name for name in groups.columns if name.startswith("steepest")]
    return groups.assign(**{name: groups[name].round() for name in steps})
