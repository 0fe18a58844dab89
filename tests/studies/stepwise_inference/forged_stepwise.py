"""Results in which every claim about stepwise inference holds, to be spoilt one number at a time."""

from __future__ import annotations

from forging import Tables, as_evidence, with_interval

from mcinterp.studies.stepwise_inference.exemplars import NETWORKS, OTHERS, UNTRAINED
from mcinterp.studies.stepwise_inference.temperature import DRAWS, TEMPERATURES
from mcinterp.study import Evidence

OWN, SHORT, LONG, LAST = 4, 2, 7, 1200
IN_ORDER, IN_NONE = NETWORKS.values()


def stepwise_tables() -> Tables:
    """Fresh tables, by result and name, in which everything holds."""
    return {
        "study/accuracy": {"accuracy": _accuracy(), "contrasts": _contrasts()},
        "study/temperature": {
            "trade": [
                {"temperature": each, "n": 30, "oracle_accuracy": 1.0, **with_interval("fall", -0.2, 0.05)}
                for each in TEMPERATURES
            ],
            "peaks": [{"samples": draws, "n": 30, **with_interval("peak", 1.0)} for draws in DRAWS],
            "lengths": [
                {"graph": "bernoulli", "step": step, "temperature": 1.0, "n": 30, "largest": 0.5}
                | with_interval("bias", -0.2, 0.05)
                for step in (100, LAST)
            ]
            + [
                {"graph": "hierarchical", "step": LAST, "temperature": 1.0, "n": 30, "largest": 1e-15}
                | with_interval("bias", 0)
            ],
        },
        "study/order": {
            "steps": [{"step": 0, "n": 100, **with_interval("edges", 0.02, 0.01), **with_interval("goals", 0.0)}],
            "halves": [{"n": 100, **with_interval("later", 0.7, 0.1)}],
        },
        "study/exemplars": {"steering": _steering(), "limits": _limits(), "conflicts": _conflicts()},
    }


def stepwise_evidence(tables: Tables) -> Evidence:
    """Tables as stored results."""
    facts = {
        "study/accuracy": {"own": OWN, "long": LONG, "short": SHORT},
        "study/temperature": {"step": LAST},
        "study/exemplars": {"longest": 5},
    }
    return as_evidence(tables, facts)


def _accuracy() -> list[dict[str, object]]:
    settings = [("hierarchical", OWN), ("hierarchical", LONG), ("bernoulli", SHORT)]
    return [
        {"graph": graph, "longest": longest, "pairs": pairs, "n": 800, "coverage": 0.97}
        | with_interval("gap", 0.2, 0.04)
        | with_interval("lead", 0.25, 0.04)
        | with_interval("stitched", 0.5, 0.05)
        for graph, longest in settings
        for pairs in ("near", "far", "all")
    ]


def _contrasts() -> list[dict[str, object]]:
    values = {"structure": 0.15, "shorter paths": 0.06, "labels by chance": 0.5}
    return [{"contrast": name, "n": 900, **with_interval("value", value, 0.03)} for name, value in values.items()]


def _steering() -> list[dict[str, object]]:
    return [
        {"network": IN_ORDER, "links": "unseen", "motifs": motifs, "exemplars": shown, "n": 150}
        | with_interval("steered", share, 0.01)
        for motifs in (2, 3, 4)
        for shown, share in (("chain", 0.98), (OTHERS, 0.02))
    ]


def _limits() -> list[dict[str, object]]:
    return [{"network": IN_ORDER, "n": 150, **with_interval("value", 0.98, 0.02), **with_interval("moved", 0.9, 0.05)}]


def _conflicts() -> list[dict[str, object]]:
    values = {IN_ORDER: (0.9, 0.05), IN_NONE: (0.02, 0.1), UNTRAINED: (0.0, 0.9)}
    return [
        {"network": network, "arrangement": arrangement, "n": 200}
        | with_interval("primacy", first, 0.05)
        | with_interval("through", first, 0.05)
        | with_interval("neither", neither, 0.05)
        for network, (first, neither) in values.items()
        for arrangement in ("blocks", "interleaved")
    ]
