"""Results in which every claim about Adam's dynamics holds, to be spoilt one number at a time."""

from __future__ import annotations

from forging import Tables, as_evidence, with_interval

from mcinterp.studies.adam_dynamics.explosions import CONDITIONS, LEVEL, UNSEEN
from mcinterp.studies.adam_dynamics.flow import DECAYS, RATES
from mcinterp.studies.adam_dynamics.invariant import MOMENTA
from mcinterp.studies.adam_dynamics.tokens import EQUAL, OUTSIDE, RARE, SETTINGS
from mcinterp.studies.adam_dynamics.trained import NORMALISED, PLAIN, TWO
from mcinterp.study import Evidence

PAIRS = ((0.9, 0.999, False), (0.5, 0.9, False), (0.99, 0.9, True), (0.95, 0.7, True))
"""Pairs of decays, and whether they are outside."""


def adam_tables() -> Tables:
    """Fresh tables, by result and name."""
    return {
        "study/bounds": {
            "pairs": [
                {
                    "beta1": beta1,
                    "beta2": beta2,
                    "n": 43,
                    "attained": 1 + 1e-14,
                    "largest": 1.0,
                    "exchanged": 100.0,
                    "burst": 1.0 if outside else float("nan"),
                }
                for beta1, beta2, outside in PAIRS
            ]
        },
        "study/flow": {
            "distances": [
                {
                    "beta1": betas[0],
                    "rate": rate,
                    "n": 20,
                    **with_interval("distance", 0.2 * rate, 0.02 * rate),
                    **with_interval("exchanged", 0.4, 0.01),
                }
                for betas in DECAYS
                for rate in RATES
            ],
            "falls": [{"beta1": betas[0], "n": 20, **with_interval("share", 0.1, 0.01)} for betas in DECAYS],
        },
        "study/explosions": {
            "conditions": [
                {
                    **vars(condition),
                    "n": 5,
                    "inside": 140,
                    "inside_exploded": 0,
                    "outside": 180,
                    **with_interval("exploded", 0.1 if condition in (LEVEL, UNSEEN) else 0.9, 0.03),
                    **with_interval("slope", 0.99, 0.01),
                    "fastest": 1.0,
                    **with_interval("forgetting", 0.99, 0.01),
                    **with_interval("staying", 0.1, 0.01),
                    "share": 1.0,
                }
                for condition in CONDITIONS
            ]
        },
        "study/tokens": {
            "settings": [
                {
                    "tokens": kind,
                    "beta1": betas[0],
                    "beta2": betas[1],
                    "n": 3,
                    **with_interval("peak", 7.0 if (kind, betas) == (RARE, OUTSIDE) else 0.3, 0.1),
                    "least_growth": 1.0 if kind == RARE else float("nan"),
                    "most_growth": 1.0 if kind == RARE else float("nan"),
                }
                for kind, betas in SETTINGS
            ]
        },
        "study/invariant": {
            "settings": [
                {
                    "normalised": normalised,
                    "beta1": beta1,
                    "n": 9,
                    "cosine": 1e-16 if normalised else 0.6,
                    **with_interval("over_average", (1 + beta1) / (1 - beta1), 0.05),
                    **with_interval("over_factor", 1.0 if normalised else 6.0, 0.05),
                    **with_interval("over_law", 0.95 if normalised else 0.3, 0.01),
                    **with_interval("scales", 1.0, 0.05),
                }
                for normalised in (True, False)
                for beta1 in MOMENTA
            ]
        },
        "study/stages": {
            "one": [{"difference": 3e-16, "moved": 0.6, "sign": 1e-15}],
            "deep": [{"stage": stage, "n": 864, "share": 1.0} for stage in (1, 2, 3)],
        },
        "study/trained": {
            "best": [
                {
                    "networks": kind,
                    "optimiser": TWO,
                    "n": 5,
                    **with_interval("to_adam", -0.05, 0.01),
                    **with_interval("small", -0.17, 0.01),
                    **with_interval("sizes", 2.1, 0.1),
                }
                for kind in (PLAIN, NORMALISED)
            ],
            "check": [{"n": 5, **with_interval("difference", 0.0, 1e-7)}],
        },
    }


def adam_evidence(tables: Tables) -> Evidence:
    """The tables as stored results."""
    return as_evidence(tables, {})


RARELY = {"tokens": RARE, "beta1": OUTSIDE[0]}
EQUALLY = {"tokens": EQUAL}
