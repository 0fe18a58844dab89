"""Results in which every claim about concept space holds, to be spoilt one number at a time."""

from __future__ import annotations

import math
from typing import Any

from forging import Rows, Tables, as_evidence, with_interval

from mcinterp.studies.concept_space.hidden import (
    AMPLIFIED,
    BEHIND,
    COMES_WITH,
    LAGS,
    LATENT_BEHIND,
    LESS_UNGATED,
    TURN_LATENT,
    TURN_OVER,
)
from mcinterp.studies.concept_space.networks import COLOURS, GATED, READINGS, STRONG, UNGATED, WEAK
from mcinterp.studies.concept_space.prompts import RANDOM, TOWARDS_RED
from mcinterp.studies.concept_space.signals import COLOUR, SIZE
from mcinterp.study import Evidence

GATED_GAPS = {
    BEHIND: 1.5,
    LATENT_BEHIND: 1.6,
    LAGS: 1.5,
    COMES_WITH: -0.1,
    AMPLIFIED: 1.2,
    TURN_OVER: 0.4,
    TURN_LATENT: 0.5,
    LESS_UNGATED: 1.5,
}


def concept_tables() -> Tables:
    """Fresh tables, by result and name, in which everything holds."""
    paths: dict[str, Rows] = {name: [] for name in ("slopes", "order", "turns")}
    hidden: dict[str, Rows] = {"gaps": [], "nulls": []}
    for reading in READINGS:
        for concept, slope in ((COLOUR, -1.2), (SIZE, 0.05)):
            row = {"reading": reading, "concept": concept, "n": 5, **with_interval("slope", slope, 0.1)}
            paths["slopes"].append(row)
    for reading in (GATED, UNGATED):
        for colours in COLOURS:
            about = {"reading": reading, "colours": colours, "n": 5}
            sign = {WEAK: 1, STRONG: -1}.get(colours, 0)
            order = with_interval("order", 0.8 * sign, 0.1)
            paths["order"].append({**about, **order, **with_interval("first", -0.5 * sign, 0.1), "bounded": 0})
            parts = {"depth": 0.2 if reading == GATED else 0.9, "nearer": -0.5, "angle": 105.0}
            columns = [with_interval(name, value, 0.05) for name, value in parts.items()]
            paths["turns"].append({**about, **columns[0], **columns[1], **columns[2]})
            hidden["gaps"] += _gaps(about)
            for null in (TOWARDS_RED, RANDOM):
                hidden["nulls"].append({**about, "null": null, **with_interval("right", 0.2, 0.05)})
    return {"study/paths": paths, "study/hidden": hidden}


def _gaps(about: dict[str, Any]) -> Rows:
    """Of gated networks, some naive times of which never came; or of ungated ones, which hide nothing."""
    if about["reading"] == UNGATED:
        return [{**about, "gap": LATENT_BEHIND, **with_interval("value", 0.05, 0.05), "bounded": 0}]
    rows = []
    for gap, value in GATED_GAPS.items():
        row = {**about, "gap": gap, **with_interval("value", value, 0.1), "bounded": 0}
        if about["colours"] == WEAK and gap != COMES_WITH:
            row |= {"value_high": math.inf, "bounded": 2}
        rows.append(row)
    return rows


def concept_evidence(tables: Tables | None = None) -> Evidence:
    """As stored results."""
    return as_evidence(concept_tables() if tables is None else tables, {})
