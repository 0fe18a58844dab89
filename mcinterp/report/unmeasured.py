"""Claims that are undecided only since what they are decided by was not measured, and what would measure it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import pandas as pd
from markupsafe import Markup

from mcinterp.declared import Study
from mcinterp.report.findings import anchor, claimed, headed
from mcinterp.report.numbers import listed


@dataclass(frozen=True)
class Unmeasured:
    """Claims that lack the same results.

    Attributes:
        lacking: names of these results, in words.
        command: that would decide them; empty where no preset is known to.
        claims: anchor, name and text of each.
    """

    lacking: str
    command: str
    claims: list[tuple[str, str, Markup]] = field(default_factory=list)


def unmeasured(result_claims: pd.DataFrame, findings: pd.DataFrame, known: Container[str]) -> dict[str, list[str]]:
    """Claim → the keys of results that it lacks, of claims that are undecided for no other reason.

    Args:
        result_claims: the stored claims.
        findings: what decides them.
        known: keys of the results that are there.
    """
    open_claims = result_claims[result_claims["verdict"] == "undecided"]["claim"]
    lacking = {}
    for claim in open_claims:
        rows = findings[(findings["claim"] == claim) & (findings["verdict"] == "undecided")]
        missing = [key not in known for key in rows["evidence"]]
        if missing and all(missing):
            lacking[str(claim)] = list(dict.fromkeys(rows["evidence"]))
    return lacking


def grouped(claims: pd.DataFrame, lacking: Mapping[str, list[str]], study: Study | None) -> list[Unmeasured]:
    """The claims that lack something, those that the same command would decide together."""
    groups: dict[str, Unmeasured] = {}
    by_name = {row["claim"]: row for _, row in claims.iterrows()}
    for command in dict.fromkeys(_command(keys, study) for keys in lacking.values()):
        own = {claim: keys for claim, keys in lacking.items() if _command(keys, study) == command}
        names = dict.fromkeys(_told(key) for keys in own.values() for key in keys)
        told = [(anchor(claim), headed(claim), claimed(by_name[claim])[0]) for claim in own]
        groups[command] = Unmeasured(listed(list(names)), command, told)
    return list(groups.values())


def _command(keys: list[str], study: Study | None) -> str:
    """What measures all of these; empty where no preset is declared to."""
    if study is None:
        return ""
    declared = [study.measured_by.get(key.rpartition("/")[2], ()) for key in keys]
    preset = next((name for name in study.presets if all(name in presets for presets in declared)), None)
    return f"mcinterp reproduce {study.name} --preset {preset}" if preset else ""


def _told(key: str) -> str:
    """A result's name, with the checkpoint that it would be of."""
    place, _, name = key.rpartition("/")
    return f"{name} {place} the drop" if place in ("before", "after") else name
