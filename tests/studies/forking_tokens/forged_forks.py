"""Results in which every claim about forking tokens holds, to be spoilt one number at a time."""

from __future__ import annotations

from forging import Tables, as_evidence, with_interval

from mcinterp.studies.forking_tokens.callers import CALLERS, NAIVE
from mcinterp.studies.forking_tokens.sampled import SAMPLES
from mcinterp.study import Evidence


def fork_tables() -> Tables:
    """Fresh tables, by result and name."""
    return {
        "study/laws": {"exact": [{"n": 16, **with_interval("left_out", 0.03, 0.01)}]},
        "study/forks": {
            "forks": [
                {
                    "effect": effect,
                    "n": 1500,
                    **with_interval("share", 0.15, 0.02),
                    **with_interval("precision", 0.97, 0.03),
                    **with_interval("recall", 0.96, 0.03),
                }
                for effect in (0.1, 0.2, 0.3)
            ],
            "change": [{"n": 80, **with_interval("top_fifth", 0.95, 0.02), **with_interval("words", 0.02, 0.005)}],
            "kinds": [
                {
                    "kind": kind,
                    "n": 430,
                    **with_interval("fork_share", 0.004, 0.004),
                    **with_interval("change", 0.004, 0.001),
                    **with_interval("entropy", entropy, 0.01),
                }
                for kind, entropy in (("node", 0.5), ("random word", 0.69))
            ],
            "halfway": [
                {"place": place, "n": 80, **with_interval("differs", differs, 0.02)}
                for place, differs in ((0.5, 0.6), (1.0, 0.02))
            ],
            "entropy": [{"n": 1500, **with_interval("precision", 0.3, 0.03)}],
        },
        "study/sampled": {
            "callers": [
                {
                    "samples": samples,
                    "caller": caller,
                    "n": 1500,
                    **with_interval("precision", 0.3 if caller == NAIVE and samples < 100 else 0.9, 0.05),
                    **with_interval("recall", 0.85, 0.05),
                    **with_interval("found_again", 0.85, 0.05),
                    **with_interval("by_chance", 0.15, 0.02),
                }
                for samples in SAMPLES
                for caller in CALLERS
            ],
            "hazard": [
                {"samples": samples, "n": 80, **with_interval("inflation", 1.9 if samples < 100 else 1.0, 0.05)}
                for samples in SAMPLES
            ],
            "null": [{"samples": samples, "n": 160, **with_interval("strong", 0.01, 0.01)} for samples in SAMPLES],
        },
        "study/generated": {
            "slopes": [
                {"what": what, "n": 160, **with_interval("slope", -0.49, 0.02)} for what in ("generated", "drawn")
            ],
            "fit": [{"n": 160, **with_interval("share", 0.05, 0.04)}],
            "control": [{"n": 300, **with_interval("share", 0.01, 0.01)}],
        },
    }


def fork_evidence(tables: Tables) -> Evidence:
    """Tables as stored results."""
    return as_evidence(tables, {})
