"""Results in which every claim about mixtures of Markov chains holds, to be spoilt one number at a time."""

from __future__ import annotations

from typing import Any

from forging import Rows, Tables, as_evidence, with_interval

from mcinterp.studies.markov_mixtures.mixtures import ALL_FOUR, OTHERS, SINGLE, WITHOUT
from mcinterp.studies.markov_mixtures.networks import FEW, HALF, MANY, MIDDLE, TOKENS
from mcinterp.studies.markov_mixtures.oracles import BI_INF, BI_RET, FOUR, UNI_RET
from mcinterp.study import Evidence

STEPS = (0, 10, 100, 1000)
NETWORKS = {"A": FEW, "B": HALF, "C": MIDDLE, "D": MIDDLE, "E": MANY, "F": MANY, "T": TOKENS}
WEIGHTS = {
    FEW: (0.1, 0.8, 0.0, 0.1),
    HALF: (0.1, 0.6, 0.0, 0.3),
    MIDDLE: (0.0, 0.5, 0.0, 0.5),
    MANY: (0.1, 0.1, 0, 0.8),
}
"""Of the four, at the last step; those of the network of independent tokens are that of few."""


def about(network: str, **more: Any) -> dict[str, Any]:
    return {"network": network, "role": NETWORKS[network], "n": 256, **more}


def markov_tables() -> Tables:
    """Fresh tables, by result and name, in which everything holds."""
    phases: dict[str, Rows] = {name: [] for name in ("onsets", "nearest", "distances", "choices", "lines")}
    mixtures: dict[str, Rows] = {name: [] for name in ("weights", "left", "predicted")}
    circuits: dict[str, Rows] = {"order": [], "drops": []}
    competition: dict[str, Rows] = {"rises": [], "others": []}
    implied: dict[str, Rows] = {"nearer": []}
    for network, role in NETWORKS.items():
        add_phases(phases, network, role)
        add_mixtures(mixtures, network, role)
        for step, order in zip(STEPS, (0.0, 0.001, 0.05, 0.001 if role == TOKENS else 0.15), strict=True):
            circuits["order"].append(about(network, step=step, **with_interval("order", order, 0.0005)))
        found = role not in (FEW, TOKENS)
        circuits["drops"].append(about(network, found=found, apart=0.5 if found else float("nan")))
        competition["rises"].append(rises(network, role))
        more = {FEW: 0.4}.get(role, 0.1)
        implied["nearer"].append(
            about(network, **with_interval("more", more, 0.05), **with_interval("counted", 0.0, 0.06))
        )
    competition["others"] = [
        about(own, weights=other, **with_interval("further", 0.03, 0.01)) for own in "CD" for other in "AEF"
    ]
    return {
        "study/phases": phases,
        "study/mixtures": mixtures,
        "study/circuits": circuits,
        "study/competition": competition,
        "study/implied": implied,
    }


def add_phases(phases: dict[str, Rows], network: str, role: str) -> None:
    phases["onsets"].append(about(network, unigram=10.0, bigram=100.0, middle=10.0, last=1000))
    ends = BI_INF if role == MANY else BI_RET
    for step, nearest in zip(STEPS, ("uniform", "prior row", UNI_RET, ends), strict=True):
        phases["nearest"].append(about(network, step=step, context="late", nearest=nearest))
        for oracle in (*FOUR, "uniform"):
            untrained = 0.01 if oracle == "uniform" else 0.3
            phases["distances"].append(about(network, step=step, context="late", oracle=oracle, untrained=untrained))
    sign = 1 if role == MANY else -1
    differences = {"late": sign * 0.06, "1": 0.0, "2": -0.001, "3–4": -0.02, "2–4": -0.01, "≥ 17": sign * 0.04}
    for context, difference in differences.items():
        phases["choices"].append(about(network, context=context, **with_interval("difference", difference, 0.005)))
    phases["lines"].append(
        about(network, oracle=BI_INF, family="OOD", **with_interval("ratio", {FEW: 3.2, MANY: 1.3}.get(role, 2.0), 0.1))
    )


def add_mixtures(mixtures: dict[str, Rows], network: str, role: str) -> None:
    for step in STEPS:
        for base, ratio in {ALL_FOUR: 1.0, SINGLE: 0.6, WITHOUT: 0.1, OTHERS: 0.08}.items():
            # Before any bigram algorithm the null bases explain as much.
            own = ratio if step >= 100 else 1.2
            left = with_interval("left", 0.02, 0.002)
            mixtures["left"].append(about(network, step=step, base=base, **left, **with_interval("ratio", own, 0.02)))
        for oracle, weight in zip(FOUR, WEIGHTS.get(role, WEIGHTS[FEW]), strict=True):
            row = about(network, step=step, family="ID", oracle=oracle, **with_interval("weight", weight, 0.03))
            mixtures["weights"].append(row)
        mixtures["predicted"].append(about(network, step=step, **with_interval("ratio", 1.0, 0.03)))


def rises(network: str, role: str) -> dict[str, Any]:
    up = role in (HALF, MIDDLE)
    return about(
        network,
        least=100,
        **with_interval("rise", 0.03 if up else 0.0, 0.005),
        **with_interval("learned", -0.03, 0.005),
        **with_interval("control", 0.0, 0.002),
        **with_interval("predicted", 0.03 if up else 0.0, 0.002),
        **with_interval("retrieval", 0.3, 0.03),
        **with_interval("inference", -0.2, 0.03),
        **with_interval("second", 0.35, 0.03),
        **with_interval("largest", 0.8, 0.03),
    )


def markov_evidence(tables: Tables | None = None) -> Evidence:
    """As stored results."""
    return as_evidence(markov_tables() if tables is None else tables, {})
