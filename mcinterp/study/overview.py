"""Every study together: what becomes of its claims on one run and over seeds, beside what its paper reports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mcinterp.analysis.statistics import interval_columns
from mcinterp.declared import Study
from mcinterp.results import Result, Table
from mcinterp.study.claims import FINDING_COLUMNS
from mcinterp.study.over_seeds import FINDING_COLUMNS as MEAN_COLUMNS
from mcinterp.study.over_seeds import VALUE_COLUMNS

OVERVIEW = "overview"
DECIDED, FAILED, NOT_YET = "decided", "failed", "not yet"
COUNTS = {"holds": "holds", "does_not_hold": "does not hold", "undecided": "undecided"}
DECISIVE = ("does not hold", "undecided", "holds")
"""Verdicts of findings, the one first that decides a claim whatever the others are."""
STUDY_COLUMNS = {
    "study": "its name",
    "title": "of the paper",
    "source": "where it is",
    "preset": "that it was carried out with",
    "state": "decided, failed, or not yet carried out",
    "why": "why it failed; empty where it did not",
    "claims": "of the paper; empty where it is not decided, as all that follow",
    "holds": "claims that hold on one run",
    "does_not_hold": "… that do not",
    "undecided": "… that are undecided",
    "seeds": "that it was carried out with, too; 0 for none",
    "machine": "on which the claims were decided",
    "folder": "of the report of the one run, from the folder of this page",
    "seeds_folder": "… of the report over seeds; empty without one",
}
CLAIM_COLUMNS = {
    "study": "whose it is",
    "claim": "its name",
    "text": "what is claimed",
    "source": "where",
    "reported": "what the paper itself reports of it; empty where it gives no number",
    "verdict": "on one run",
    "findings": "that it is decided by",
    "finding": "one of them: the first that does not hold, else the first that is undecided, else the first",
    "rule": "when that holds",
    "n": "samples behind its value",
    **interval_columns("value", "its value on one run"),
    "seeds": "that the study was carried out with, too; 0 for none",
    "holds_in": "seeds in which the claim holds; empty without seeds, as all that follow",
    **interval_columns("share", "seeds in which it holds over all seeds (exact binomial interval)"),
    "over_seeds": "verdict over seeds",
}


@dataclass(frozen=True)
class Carried:
    """What became of a study.

    Attributes:
        folder: of the report of its one run.
        claims: as they are stored; None where it failed.
        seeds_folder: of its report over seeds.
        over: its claims over seeds; None where it was not carried out with several.
        why: it failed.
    """

    folder: Path
    claims: Result | None = None
    seeds_folder: Path | None = None
    over: Result | None = None
    why: str = ""


def overview(studies: Mapping[str, tuple[Study, str]], found: Mapping[str, Carried], folder: Path) -> Result:
    """What became of all claims of all studies.

    Args:
        studies: each with its preset, by name, in the order of the page.
        found: what became of those that were carried out.
        folder: of the page.

    Returns:
        tables `studies`, `claims`, and `findings`, `over_seeds` and `values`, which are the studies' own, one below the
        other; in the facts the keys of the results that each study has.
    """
    own = {name: decided for name in studies if name in found and (decided := found[name].claims)}
    over = {name: means for name in own if (means := found[name].over)}
    rows = [_study(study, preset, found.get(name), folder) for name, (study, preset) in studies.items()]
    claims = [row for name, result in own.items() for row in _claims(name, result, found[name])]
    tables = {
        "studies": Table.of(STUDY_COLUMNS, rows),
        "claims": Table.of(CLAIM_COLUMNS, claims),
        "findings": _together("findings", own, FINDING_COLUMNS),
        "over_seeds": _together("findings", over, MEAN_COLUMNS),
        "values": _together("values", over, VALUE_COLUMNS),
    }
    known = {name: list(result.facts["steps"]) for name, result in own.items()}
    return Result(OVERVIEW, "Are the papers right, here?", {}, {"known": known}, tables)


def _together(table: str, results: Mapping[str, Result], columns: Mapping[str, str]) -> Table:
    """A table of several studies, one below the other; columns that an older report lacks are empty."""
    rows = [
        {"study": name, **{column: row.get(column) for column in columns}}
        for name, result in results.items()
        for row in result.table(table).to_dict("records")
    ]
    return Table.of({"study": CLAIM_COLUMNS["study"], **columns}, rows)


def _study(study: Study, preset: str, carried: Carried | None, folder: Path) -> dict[str, Any]:
    about = dict.fromkeys(STUDY_COLUMNS) | {
        "why": "",
        "study": study.name,
        "title": study.title,
        "source": study.source,
        "preset": preset,
    }
    if carried is None:
        return {**about, "state": NOT_YET}
    if carried.claims is None:
        return {**about, "state": FAILED, "why": carried.why}
    verdicts = list(carried.claims.table("claims")["verdict"])
    return {
        **about,
        "state": DECIDED,
        "claims": len(verdicts),
        **{name: verdicts.count(verdict) for name, verdict in COUNTS.items()},
        "seeds": _seeds(carried),
        "machine": carried.claims.provenance.get("machine", ""),
        "folder": os.path.relpath(carried.folder, folder),
        "seeds_folder": os.path.relpath(carried.seeds_folder, folder) if carried.seeds_folder else "",
    }


def _seeds(carried: Carried) -> int:
    return len(carried.over.table("seeds")) if carried.over else 0


def _claims(study: str, claims: Result, carried: Carried) -> list[dict[str, Any]]:
    findings = claims.table("findings")
    return [
        {
            **dict.fromkeys(CLAIM_COLUMNS),
            "study": study,
            **{name: claim.get(name) for name in ("claim", "text", "source", "reported", "verdict", "findings")},
            **_deciding(findings[findings["claim"] == claim["claim"]]),
            "seeds": _seeds(carried),
            **_over_seeds(carried.over, str(claim["claim"])),
        }
        for _, claim in claims.table("claims").iterrows()
    ]


def _deciding(findings: pd.DataFrame) -> dict[str, Any]:
    """The finding that a claim's verdict hangs on."""
    chosen = next(rows.iloc[0] for verdict in DECISIVE if len(rows := findings[findings["verdict"] == verdict]))
    return {name: chosen[name] for name in ("finding", "rule", "n", "value", "value_low", "value_high")}


def _over_seeds(over: Result | None, claim: str) -> dict[str, Any]:
    rows = over.table("claims") if over else pd.DataFrame({"claim": []})
    chosen = rows[rows["claim"] == claim]
    if chosen.empty:
        return {}
    row = chosen.iloc[0]
    return {
        "holds_in": row["holds"],
        **{name: row[name] for name in ("share", "share_low", "share_high", "over_seeds")},
    }
