"""Results in which every claim about ghost points holds, to be spoilt one number at a time."""

from __future__ import annotations

from forging import Tables, as_evidence, with_interval

from mcinterp.studies.ghost_points import networks as trained
from mcinterp.studies.ghost_points.drops import RATES, TYPICAL
from mcinterp.studies.ghost_points.limits import TARGETS
from mcinterp.studies.ghost_points.revival import LOWER
from mcinterp.study import Evidence


def ghost_tables() -> Tables:
    """Fresh tables, by result and name, in which everything holds."""
    zone = {"n": 101, "largest_gradient": 0.0, "edge_ratio": 1.0, "landed": 9, "left": 0, "moved": 0.0}
    drop = {
        "n": 40,
        **with_interval("found", 0.97, 0.03),
        **with_interval("control_found", 0.04, 0.04),
        **with_interval("start", -0.01, 0.01),
    }
    return {
        "study/velocity": {
            "lowest": [{"relative": rate, "n": 20, "roots": 0} for rate in (0.1, 0.9)],
            "passage": [{"n": 20, **with_interval("switch_ratio", 1.0), **with_interval("ghost_share", 0.5)}],
        },
        "study/critical": {
            "critical": [
                {"target": target, "n": 10, "dead_below": 0, "runs_below": 100, **with_interval("ratio", 1.001, 0.001)}
                for target in TARGETS
            ],
            "scaling": [{"n": 10, **with_interval("slope", -5.0, 0.001)}],
        },
        "study/rates": {
            "rates": [
                {"relative": 0.9, "n": 99, **with_interval("dead", 0.0)},
                *({"relative": relative, "n": 99, **with_interval("dead", 0.98, 0.02)} for relative in (1.1, 3.0)),
            ]
        },
        "study/zone": {"zone": [{"target": target, **zone} for target in TARGETS]},
        "study/oscillation": {
            "oscillation": [
                {"relative": 0.05, "n": 30, "unmoved": 0.0, **with_interval("ratio", 1.0, 0.001)},
                {"relative": 0.1, "n": 30, "unmoved": 0.0, **with_interval("ratio", 1.002, 0.001)},
                {"relative": 0.9, "n": 30, "unmoved": 0.0, **with_interval("ratio", 1.5, 0.001)},
            ],
            "slope": [{"n": 30, **with_interval("slope", 1.001, 0.001)}],
        },
        "study/drops": {
            "drops": [
                drop
                | {
                    "relative": rate,
                    "watched": watched,
                    **with_interval("end", 0.02, 0.01),
                    **with_interval("steepest", 0.01, 0.02),
                }
                for rate in RATES
                for watched in (TYPICAL, 99.0)
            ]
        },
        **network_tables(),
    }


def network_tables() -> Tables:
    """Those of trained networks: low rates do not learn in time, high ones die, confident and rank-one ones fail."""
    learned = {"rate": (0.0, 0.9, 0.1, 0.0), "gain": (1.0, 0.9, 0.0), "rank": (0.0, 0.2, 0.8, 0.9)}
    died = {"rate": (0.0, 0.05, 0.9, 0.6)}
    values: dict[str, tuple[float, ...]] = {"rate": trained.RATES, "gain": trained.GAINS, "rank": trained.RANKS}
    outcomes = [
        {"sweep": sweep, **dict.fromkeys(values, -1.0), sweep: value, "n": 20}
        | with_interval("learned", learned[sweep][i], 0.08)
        | with_interval("strictly", learned[sweep][i], 0.08)
        | with_interval("died", died.get(sweep, (0.0,) * 9)[i], 0.08)
        for sweep in values
        for i, value in enumerate(values[sweep])
    ]
    windows = {"untrained": (0.0, 0.0), "plateau": (0.8, 0.8), "drop": (1.0, 0.9), "end": (1.0, 0.9)}
    revived = [(0.0, 0.5), (1.0, 0.5), (3.0, 0.6), (5.0, 0.9)]
    return {
        "study/networks": {
            "outcomes": outcomes,
            "drops": [
                {"rate": rate, "n": 20, **with_interval("found", float(i == 1), 0.1)}
                for i, rate in enumerate(trained.RATES)
            ],
        },
        "study/fields": {
            "windows": [
                {
                    "window": window,
                    "n": 20,
                    **with_interval("rootless", free, 0.1),
                    **with_interval("ghost", ghost, 0.1),
                }
                for window, (free, ghost) in windows.items()
            ]
        },
        "study/revival": {
            "revival": [
                {
                    "gain": gain,
                    "n": 20,
                    **with_interval("regained", regained, 0.2),
                    **with_interval("after", after, 0.02),
                }
                for gain, (regained, after) in zip(LOWER, revived, strict=True)
            ]
        },
    }


def ghost_evidence(tables: Tables) -> Evidence:
    """Tables as stored results."""
    return as_evidence(tables, {key: {"reference_rate": trained.RATES[1]} for key in tables})
