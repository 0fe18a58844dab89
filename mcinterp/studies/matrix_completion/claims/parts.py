"""What the parts of the model do and how they come about: the last four conclusions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from mcinterp.studies.matrix_completion.claims.scales import (
    LESS_THAN_HALF,
    NULL,
    PAPER,
    SMALL,
    nothing_ablated,
    plateau,
)
from mcinterp.study.claims import MISSING, NAN, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

GROUPS = ("masked-row", "observed-copy", "mask-ignore", "longest-contiguous-column", "input-processing")
DEEP = 6
"""With fewer blocks, "early-middle" and "gradually" cannot be told."""
SHORT = 0.1
"""A component that reaches half of the plateau within this share of the whole model's steps has no plateau of its own;
the whole model needed as many steps to make use of it."""


def has_groups(e: Evidence) -> Claim:
    """Head groups and their ablation."""
    text = (
        "Heads fall into five groups; ablating each hurts, to different degrees, and ablating the heads of no group "
        "hardly hurts."
    )
    heads, null = e.rows("after/taxonomy", "heads"), nothing_ablated(e, "after")
    present = len(set(heads["group"]) & set(GROUPS)) if len(heads) else NAN
    rises = _rises(e)
    rest = e.number("study/unclassified", "ablation", "masked_delta").over(plateau(e))
    findings = (
        Finding("groups that have heads, of five", Number.exact(present, len(heads)), Rule(low=5), "after/taxonomy"),
        Finding(
            "one group's attention uniform: smallest rise of L_mask, as a share of the plateau",
            extreme(rises, largest=False),
            Rule(low=0.0),
            "after/ablation",
            null,
        ),
        Finding("largest of these rises over the smallest", _spread(rises), Rule(low=1.5), "after/ablation", null),
        Finding("heads of no class uniform: rise, as a share of the plateau", rest, SMALL, "study/unclassified"),
    )
    return Claim("groups of heads", text, f"{PAPER}, Sec. 3.2.2, App. L", findings)


def _rises(e: Evidence) -> list[Number]:
    """What ablating each group adds to L_mask, as a share of the plateau."""
    frame = e.rows("after/ablation", "ablation", method="uniform")
    return [number_of(row, "masked_delta").over(plateau(e)) for _, row in frame.iterrows() if row["group"] in GROUPS]


def _spread(numbers: Sequence[Number]) -> Number:
    """The largest over the smallest, from the ends of both intervals; missing if that may be a division by zero."""
    ordered = sorted(numbers, key=lambda number: number.value)
    if len(ordered) < 2 or not ordered[0].low > 0:
        return MISSING
    least, most = ordered[0], ordered[-1]
    return Number(most.value / least.value, most.low / least.high, most.high / least.low, most.n)


def is_probed(e: Evidence) -> Claim:
    """Linear probes."""
    text = (
        "The masked row is read best in the early-middle layers, the entry gradually with depth, singular vectors not "
        "at all."
    )
    findings = (*_masked_row(e), *_entry(e), _singular_vector(e))
    return Claim("probes", text, f"{PAPER}, Fig. 6, App. K", findings)


def _masked_row(e: Evidence) -> tuple[Finding, ...]:
    key, layers = "after/probes", e.fact("after/probes", "n_layers") or 0
    frame = e.rows(key, "probes", target="masked row")
    error, depth = MISSING, MISSING
    if len(frame):
        best = frame.sort_values("test_mse").iloc[0]
        error = number_of(best, "test_mse").over(best["control_mse"])
        depth = Number.exact(best["layer"] / layers) if layers >= DEEP else MISSING
    return (
        Finding("masked row: best test MSE, as a share of that with shuffled targets", error, Rule(high=0.9), key),
        Finding(
            f"masked row: depth of the best layer, as a share of all (of {DEEP} or more)", depth, Rule(0.1, 0.5), key
        ),
    )


def _entry(e: Evidence) -> tuple[Finding, ...]:
    key, layers = "after/probes", e.fact("after/probes", "n_layers") or 0
    frame = e.rows(key, "probes", target="entry", entries="masked")
    fall, step = MISSING, MISSING
    if len(frame):
        frame = frame.sort_values("layer")
        fall = number_of(frame.iloc[-1], "test_mse").over(frame.iloc[0]["test_mse"])
        step = Number.exact(_largest_step(frame["test_mse"])) if layers >= DEEP else MISSING
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


def _largest_step(errors: pd.Series) -> float:
    falls = [before - after for before, after in pairwise(errors)]
    whole = errors.iloc[0] - errors.iloc[-1]
    return float(max(falls) / whole) if whole > 0 else NAN


def _singular_vector(e: Evidence) -> Finding:
    frame = e.rows("after/probes", "probes", target="singular vector")
    gains = [number_of(row, "test_cosine").over(row["control_cosine"]) for _, row in frame.iterrows()]
    text = "singular vector: best mean |cosine|, over that with shuffled targets"
    return Finding(text, extreme(gains, largest=True), Rule(high=1.25), "after/probes")


def embeds(e: Evidence) -> Claim:
    """Embeddings over training."""
    text = (
        "Token embeddings take their structure before the drop; positional embeddings are grouped by column only "
        "after it."
    )
    key = "run/embeddings"
    start, end = e.fact(key, "plateau_step"), e.rows(key, "tokens").get("step", pd.Series([NAN])).max()
    tokens = e.number(key, "tokens", "component_rank", step=start)
    untrained = e.number(key, "tokens", "untrained_rank", step=start)
    control = Control("of an untrained model, on its own component", untrained, Rule(high=0.5))
    findings = (
        Finding(
            "on the plateau: rank correlation of the value with the embeddings' final first component",
            tokens,
            Rule(low=0.8),
            key,
            control,
        ),
        Finding(
            "on the plateau: variance of positions between columns, over the 97.5 % quantile of shuffled labels",
            _beyond_shuffles(e, start),
            Rule(high=1.0),
            key,
        ),
        Finding("at the end: the same", _beyond_shuffles(e, end), Rule(low=1.0), key),
    )
    return Claim("embeddings", text, f"{PAPER}, Sec. 4, Fig. 7", findings)


def _beyond_shuffles(e: Evidence, step: object) -> Number:
    rows = {"step": step, "labels": "column"}
    top = e.number("run/embeddings", "positions", "explained_top", **rows).value
    return e.number("run/embeddings", "positions", "explained", **rows).over(top)


def trains_apart(e: Evidence) -> Claim:
    """Retrained components."""
    text = (
        "Trained anew alone, MLPs and token embeddings show no plateau; attention and positions do, positions the "
        "longest."
    )
    key, restored = "run/components", e.rows("run/components", "control")
    change = restored["restored_change"].abs().max() if len(restored) else NAN
    null = Control("change of the error with the original component put back", Number.exact(change), NULL)
    rules = {name: Rule(high=SHORT) for name in ("mlp", "tokens")}
    rules |= {name: Rule(low=SHORT) for name in ("attention", "positions")}
    findings = [
        Finding(
            f"{name} alone: steps to half of the plateau, as a share of the whole model's",
            _steps_to_half(e, name),
            rule,
            key,
            null,
        )
        for name, rule in rules.items()
    ]
    longest = _steps_to_half(e, "positions").over(_steps_to_half(e, "attention").value)
    findings.append(Finding("positions' steps over attention's", longest, Rule(low=1.0), key, null))
    return Claim("dynamics of components", text, f"{PAPER}, Sec. 4, Fig. 8", tuple(findings))


def _steps_to_half(e: Evidence, component: str) -> Number:
    """Relative to the whole model; missing where a seed did not get there. A single training has no interval."""
    whole = e.number("run/components", "times", "half_at", component="whole model").value
    rows = e.rows("run/components", "times", component=component, kind="component")
    if not len(rows) or not (rows["reached_half"] == rows["n"]).all():
        return MISSING
    steps = number_of(rows.iloc[0], "half_at")
    return (steps if steps.n > 1 else Number.exact(steps.value)).over(whole)
