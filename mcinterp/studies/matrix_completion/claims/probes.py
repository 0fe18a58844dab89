"""What linear probes read at which depth: Fig. 6 and App. K."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from mcinterp.studies.matrix_completion.claims.scales import LESS_THAN_HALF, PAPER
from mcinterp.study.claims import MISSING, Claim, Evidence, Finding, Number, Rule, extreme, number_of

DEEP = 6
"""With fewer blocks, "early-middle" and "gradually" cannot be told."""


def is_probed(e: Evidence) -> Claim:
    """Linear probes."""
    text = (
        "The masked row is read best in the early-middle layers, the entry gradually with depth, singular vectors not "
        "at all."
    )
    findings = (*_masked_row(e), *_entry(e), _singular_vector(e))
    reported = "masked row read best after layers 3 and 4 of 12, Fig. 6"
    return Claim("probes", text, f"{PAPER}, Fig. 6, App. K", findings, reported)


def _masked_row(e: Evidence) -> tuple[Finding, ...]:
    key, layers = "after/probes", e.fact("after/probes", "n_layers") or 0
    frame = e.rows(key, "probes", target="masked row")
    error, depth = MISSING, MISSING
    if len(frame):
        # Chosen on the training samples, so that the test samples say how good it is.
        best = frame.sort_values("train_mse").iloc[0]
        error = number_of(best, "control_ratio")
        depth = _depth(frame, best, layers) if layers >= DEEP else MISSING
    return (
        Finding("masked row: best test MSE, as a share of that with shuffled targets", error, Rule(high=0.9), key),
        Finding(
            f"masked row: depth of the best layer, as a share of all (of {DEEP} or more)", depth, Rule(0.1, 0.5), key
        ),
    )


def _depth(frame: pd.DataFrame, best: pd.Series, layers: int) -> Number:
    """The best layer's depth, from the first to the last layer whose interval meets that of the best."""
    near = frame[(frame["test_mse_low"] <= best["test_mse_high"]) & (frame["test_mse_high"] >= best["test_mse_low"])]
    ends = (near["layer"].min() / layers, near["layer"].max() / layers)
    return Number(best["layer"] / layers, *ends, int(best["n_test"]))


def _entry(e: Evidence) -> tuple[Finding, ...]:
    key, layers = "after/probes", e.fact("after/probes", "n_layers") or 0
    frame = e.rows(key, "probes", target="entry", entries="masked")
    fall, step = MISSING, MISSING
    if len(frame):
        frame = frame.sort_values("layer")
        fall = number_of(frame.iloc[-1], "first_ratio")
        step = _largest_step(frame) if layers >= DEEP else MISSING
    return (
        Finding(
            "masked entry: test MSE after the last block, as a share of that of the embeddings",
            fall,
            LESS_THAN_HALF,
            key,
        ),
        Finding(
            f"masked entry: largest share of that fall in one block (of {DEEP} or more)", step, Rule(high=0.6), key
        ),
    )


def _largest_step(frame: pd.DataFrame) -> Number:
    """The largest fall from one layer to the next, as a share of the whole fall."""
    errors = [number_of(row, "test_mse") for _, row in frame.iterrows()]
    whole = _less(errors[0], errors[-1])
    return extreme([_less(*both).over(whole) for both in pairwise(errors)], largest=True)


def _less(one: Number, other: Number) -> Number:
    """A difference of two errors on the same samples: its interval is at most as wide as both together."""
    return Number(one.value - other.value, one.low - other.high, one.high - other.low, one.n)


def _singular_vector(e: Evidence) -> Finding:
    frame = e.rows("after/probes", "probes", target="singular vector")
    gains = [number_of(row, "cosine_gain").over(Number.exact(row["control_cosine"])) for _, row in frame.iterrows()]
    text = "singular vector: what the best probe adds to the mean |cosine| with shuffled targets, as a share"
    return Finding(text, extreme(gains, largest=True), Rule(high=0.25), "after/probes")
