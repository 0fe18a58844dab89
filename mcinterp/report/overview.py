"""The page of all studies: every claim, what the paper reports of it, and what became of it here."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mcinterp.errors import CheckpointError
from mcinterp.report.findings import PLURALS, SINGULARS
from mcinterp.report.links import DATA, INDEX, numbers_of
from mcinterp.report.numbers import ABSENT, listed, number, plural
from mcinterp.report.page import render, scripts_for
from mcinterp.report.parts import Cell, Column, TableView
from mcinterp.report.site import write_assets
from mcinterp.report.study import PAGE
from mcinterp.report.told_study import told_study
from mcinterp.results import RECORD, Result
from mcinterp.runs.files import tidy, write_atomic

OVERVIEW = "overview"
"""Where the numbers are, under the page's data."""
DECIDED = "decided"


def write_overview(folder: Path | str) -> Path:
    """Write the page of all studies from the result stored in `folder`/data/overview.

    Returns:
        the path of index.html.

    Raises:
        CheckpointError: if there is no such result, or it is damaged.
    """
    folder = Path(folder)
    tidy(folder, DATA)
    if not (folder / DATA / OVERVIEW / RECORD).is_file():
        raise CheckpointError(f"{folder / DATA} holds no overview of studies")
    stored = Result.load(folder / DATA / OVERVIEW)
    studies, claims = stored.table("studies"), stored.table("claims")
    write_assets(folder)
    page = render(
        "overview",
        scripts_for(attention=False),
        title=stored.title,
        lead=overview_sentences(stored),
        summary=_summary(studies, claims),
        studies=[told_study(stored, row, folder) for _, row in _decided(studies).iterrows()],
        links=numbers_of(folder, f"{DATA}/{OVERVIEW}"),
    )
    write_atomic(folder / INDEX, page.encode())
    return folder / INDEX


def overview_sentences(result: Result) -> list[str]:
    """How many claims of how many papers came out how, on one run and over seeds; and which studies failed."""
    studies, claims = result.table("studies"), result.table("claims")
    decided, over = _decided(studies), claims.dropna(subset="over_seeds")
    said = []
    if len(decided):
        papers = plural(len(decided), "paper")
        said.append(f"Of {plural(len(claims), 'claim')} of {papers}, on one run each, {_counts(claims['verdict'])}.")
    if len(over):
        papers = plural(over["study"].nunique(), "paper")
        said.append(f"Of {plural(len(over), 'claim')} of {papers}, over seeds, {_counts(over['over_seeds'])}.")
    said += [f"{row['title']} failed: {row['why']}." for _, row in studies[studies["state"] == "failed"].iterrows()]
    left = studies[studies["state"] == "not yet"]["study"].tolist()
    return [*said, f"Not carried out yet: {listed(left)}."] if left else said


def _counts(verdicts: pd.Series) -> str:
    counts = {verdict: int((verdicts == verdict).sum()) for verdict in PLURALS}
    return listed([f"{n} {SINGULARS[verdict] if n == 1 else PLURALS[verdict]}" for verdict, n in counts.items() if n])


def _decided(studies: pd.DataFrame) -> pd.DataFrame:
    return studies[studies["state"] == DECIDED]


def _summary(studies: pd.DataFrame, claims: pd.DataFrame) -> TableView:
    heads = ("paper", "preset", *PLURALS, "over seeds")
    rows = [_line(row, claims[claims["study"] == row["study"]]) for _, row in studies.iterrows()]
    return TableView("Papers", list(map(Column, heads)), rows, kind="plain claims")


def _line(study: pd.Series, claims: pd.DataFrame) -> tuple[Cell, ...]:
    if study["state"] != DECIDED:
        paper = Cell(str(study["title"]), note=f"{study['study']}: {study['source']}")
        return (paper, Cell(str(study["preset"])), Cell(str(study["state"])), *(Cell(ABSENT) for _ in range(3)))
    return (
        Cell(str(study["title"]), note=f"{study['study']}: {study['source']}", href=f"#{study['study']}"),
        Cell(str(study["preset"]), href=f"{study['folder']}/{PAGE}"),
        *(Cell(number(int(study[name]))) for name in ("holds", "does_not_hold", "undecided")),
        _seeds(study, claims),
    )


def _seeds(study: pd.Series, claims: pd.DataFrame) -> Cell:
    if not study["seeds"]:
        return Cell(ABSENT)
    return Cell(
        plural(int(study["seeds"]), "seed"), note=_counts(claims["over_seeds"]), href=f"{study['seeds_folder']}/{INDEX}"
    )
