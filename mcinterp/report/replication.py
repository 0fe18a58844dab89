"""The page that says which claims of a paper hold over seeds."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import pandas as pd

from mcinterp.errors import CheckpointError, UsageError
from mcinterp.installed import studies
from mcinterp.report.bars import Point
from mcinterp.report.findings import (
    PLURALS,
    SINGULARS,
    ClaimView,
    FindingView,
    anchor,
    claimed,
    headed,
    printed,
    verdict_cell,
)
from mcinterp.report.formulas import formulas
from mcinterp.report.links import DATA, INDEX, numbers_of
from mcinterp.report.numbers import ABSENT, fixed, interval, is_absent, listed, number, plural
from mcinterp.report.page import render, scripts_for
from mcinterp.report.palette import VERDICTS
from mcinterp.report.parts import Cell, Column, TableView
from mcinterp.report.site import write_assets
from mcinterp.report.size import size_sentence
from mcinterp.report.study import PAGE
from mcinterp.report.why import claim_why
from mcinterp.results import RECORD, Result
from mcinterp.runs.files import tidy, write_atomic

REPLICATION = "replication"
"""Where the numbers are, under the report's data."""
FAILED = "failed"
OVER = ("what was measured", "holds where it is", "over seeds", "mean over seeds", "standard deviation")
"""Columns before those of the seeds, which may be many."""


def write_replication_report(folder: Path | str) -> Path:
    """Write the page of a replication from the results stored in `folder`/data/replication.

    Args:
        folder: index.html and assets/ are written there; the report of seed K is seen in `folder`/seed-K.

    Returns:
        the path of index.html.

    Raises:
        CheckpointError: if there is no replication in `folder`, or its result is damaged.
        UsageError: if `folder` holds the report of a run.
    """
    folder = Path(folder)
    if (folder / DATA / "training").exists():
        raise UsageError(f"{folder} holds the report of a run; the page of a replication needs a folder of its own")
    if not (folder / DATA / REPLICATION / RECORD).exists():
        raise CheckpointError(f"{folder / DATA} holds no replication of a study")
    tidy(folder, DATA)
    stored = Result.load(folder / DATA / REPLICATION)
    write_assets(folder)
    write_atomic(folder / INDEX, _page(stored, folder).encode())
    return folder / INDEX


def _page(result: Result, folder: Path) -> str:
    seeds, claims = result.table("seeds"), result.table("claims")
    return render(
        "replication",
        scripts_for(attention=False),
        title=str(result.facts["title"]),
        source=str(result.facts["source"]),
        preset=str(result.facts["preset"]),
        seeds=listed([str(seed) for seed in seeds["seed"]]),
        lead=replication_sentences(result),
        failures=[
            f"Seed {row['seed']} failed, and counts as undecided: {row['why']}"
            for _, row in seeds[seeds["state"] == FAILED].iterrows()
        ],
        summary=_summary(result),
        bounds=str(result.facts.get("bounds", "")),
        size=formulas(size_sentence(studies().get(str(result.facts["study"])), _first_run(folder, seeds))),
        claims=[_section(claim, result) for _, claim in claims.iterrows()],
        links=numbers_of(folder, f"{DATA}/{REPLICATION}"),
        configs=_configs(result),
        versions=dict(result.provenance.get("versions", {})),
    )


def _first_run(folder: Path, seeds: pd.DataFrame) -> Result | None:
    """The training of the first seed whose report is there; all have the same configuration but for the seed."""
    trained = [folder / _folder(seed) / DATA / "training" for seed in seeds["seed"]]
    return next((Result.load(path) for path in trained if (path / RECORD).is_file()), None)


def replication_sentences(result: Result) -> list[str]:
    """How many claims hold in every seed, in some and in none; and what the means over seeds decide."""
    claims = result.table("claims")
    n, seeds = len(claims), int(claims["seeds"].iloc[0])
    every, none = int((claims["holds"] == seeds).sum()), int((claims["holds"] == 0).sum())
    where = {f"in all {seeds} seeds" if seeds > 1 else "in the one seed": every}
    where |= {"in some of them": n - every - none, "in none": none}
    said = ", ".join(f"{count} {'holds' if count == 1 else 'hold'} {words}" for words, count in where.items() if count)
    verdicts = list(claims["over_seeds"])
    over = {verdict: verdicts.count(verdict) for verdict in PLURALS}
    decided = listed([f"{n} {SINGULARS[verdict] if n == 1 else PLURALS[verdict]}" for verdict, n in over.items() if n])
    return [f"Of {plural(n, 'claim')}, {said}.", f"Decided by means over seeds, {decided}."]


def claim_sentence(claim: pd.Series) -> str:
    """In how many seeds a claim holds, with the share and its interval, and what becomes of it over seeds."""
    counts = {"does not hold": claim["does_not_hold"], "is undecided": claim["undecided"]}
    others = "".join(f", {words} in {count}" for words, count in counts.items() if count)
    said = f"It holds in {claim['holds']} of {plural(claim['seeds'], 'seed')}, a share of {share_of(claim)}{others}."
    return f"{said} Decided by means over seeds, it {SINGULARS[claim['over_seeds']]}."


def share_of(claim: pd.Series) -> str:
    """The share of seeds in which a claim holds, with its interval."""
    share, low, high = (fixed(claim[name], 2) for name in ("share", "share_low", "share_high"))
    return f"{share} [{low}, {high}]"


def _summary(result: Result) -> TableView:
    claims, verdicts, seeds = (result.table(name) for name in ("claims", "verdicts", "seeds"))
    failed = set(seeds[seeds["state"] == FAILED]["seed"])
    heads = [
        Column(f"seed {seed}", href="" if seed in failed else f"{_folder(seed)}/{INDEX}") for seed in seeds["seed"]
    ]
    columns = [Column("claim"), Column("holds in"), Column("over seeds"), *heads]
    rows = [
        (
            Cell(formulas(str(claim["text"])), note=str(claim["source"]), href=f"#{anchor(claim['claim'])}"),
            Cell(
                f"{claim['holds']} of {plural(claim['seeds'], 'seed')}",
                note=share_of(claim),
            ),
            verdict_cell(claim["over_seeds"]),
            *(_of_seed(row, failed) for _, row in verdicts[verdicts["claim"] == claim["claim"]].iterrows()),
        )
        for _, claim in claims.iterrows()
    ]
    return TableView("Claims", columns, rows, kind="plain claims")


def _of_seed(row: pd.Series, failed: Container[int]) -> Cell:
    """A claim's verdict in a seed, which leads to the claim on that seed's page."""
    if row["seed"] in failed:
        return verdict_cell(row["verdict"], note="the seed failed")
    note = f"{int(row['holds'])} of {int(row['findings'])} findings"
    return verdict_cell(row["verdict"], note, f"{_folder(row['seed'])}/{PAGE}#{anchor(row['claim'])}")


def _section(claim: pd.Series, result: Result) -> ClaimView:
    findings, values = (
        frame[frame["claim"] == claim["claim"]] for frame in (result.table("findings"), result.table("values"))
    )
    seeds = result.table("seeds")["seed"].tolist()
    by_finding = [(row, values[values["number"] == row["number"]]) for _, row in findings.iterrows()]
    columns = [*OVER, *(f"seed {seed}" for seed in seeds), "control over seeds"]
    rows = [_row(finding, own, seeds) for finding, own in by_finding]
    return ClaimView(
        anchor(claim["claim"]),
        f"{headed(claim['claim'])}: holds in {claim['holds']} of {plural(claim['seeds'], 'seed')}",
        [*claimed(claim), formulas(claim_sentence(claim))],
        formulas(f"By means over seeds: {printed(lowered(claim_why(findings)))}"),
        [mean_finding(finding, own) for finding, own in by_finding],
        TableView("What decides it", list(map(Column, columns)), rows, kind="plain claims", folded=True),
    )


def lowered(sentence: str) -> str:
    """A sentence as it goes on after a colon."""
    return f"{sentence[:1].lower()}{sentence[1:]}"


def mean_finding(finding: pd.Series, values: pd.DataFrame) -> FindingView:
    """A finding's mean over seeds, with a point a seed."""
    points = [Point(float(row["value"]), str(row["verdict"])) for _, row in values.iterrows()]
    counted = f"{finding['n']} of {plural(finding['seeds'], 'seed')}"
    return FindingView.of(finding, counted, points=points)


def _row(finding: pd.Series, values: pd.DataFrame, seeds: list[int]) -> tuple[Cell, ...]:
    by_seed = {row["seed"]: row for _, row in values.iterrows()}
    mean, within = _estimate(finding)
    ends = "" if is_absent(finding["least"]) else f"{number(finding['least'])} to {number(finding['most'])}"
    return (
        Cell(str(finding["finding"])),
        Cell(printed(finding["rule"])),
        verdict_cell(finding["verdict"]),
        Cell(mean, note=f"{within} {finding['n']} of {plural(finding['seeds'], 'seed')}".strip()),
        Cell(number(finding["sd"], 2), note=ends),
        *(_value(by_seed[seed]) if seed in by_seed else Cell(ABSENT) for seed in seeds),
        Cell(printed(finding["control"])),
    )


def _value(row: pd.Series) -> Cell:
    """A seed's value, coloured by its verdict, with interval and verdict below it."""
    value, ends = _estimate(row)
    return Cell(value, note=f"{ends} {row['verdict']}".strip(), colour=VERDICTS[row["verdict"]])


def _estimate(row: pd.Series) -> tuple[str, str]:
    """A value, and its interval where that is more than the value itself."""
    low, high = row["value_low"], row["value_high"]
    value, _, ends = (number(row["value"]) if low == high else interval(row["value"], low, high)).partition(" ")
    return value, ends


def _folder(seed: int) -> str:
    return f"seed-{seed}"


def _configs(result: Result) -> TableView:
    rows = [(Cell(seed), Cell(digest)) for seed, digest in result.provenance.get("configs", {}).items()]
    return TableView(
        "Seeds and their configurations", [Column("seed"), Column("hash")], rows, kind="plain", folded=True
    )
