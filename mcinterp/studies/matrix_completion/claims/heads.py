"""What heads look at, from when on, and what ablating their groups does: Sec. 3.1.2 and 3.2.2, App. L and M.1."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mcinterp.studies.matrix_completion.claims.scales import PAPER, SMALL, by_step, nothing_ablated, plateau, share
from mcinterp.studies.matrix_completion.head_scores import CLASSES, FAMILIES, GROUPS
from mcinterp.study.claims import MISSING, NAN, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

WORDS = {"masked": "L_mask", "total": "L, over all entries"}
QUARTER, HALF = Rule(high=0.25), Rule(low=0.5)


def has_groups(e: Evidence) -> Claim:
    """Families and groups, and their ablation."""
    text = (
        "After the drop there are row, column and identity heads and five groups; ablating each group hurts, to "
        "different degrees, and ablating the heads of no class hardly hurts."
    )
    key, null = "after/ablation", nothing_ablated(e, "after")
    findings = (
        _present(e, "families", "family", FAMILIES),
        _present(e, "groups", "group", GROUPS),
        *(_least_rise(e, name) for name in WORDS),
        Finding("largest rise of L_mask over the smallest", _spread(_rises(e, "masked")), Rule(low=1.5), key, null),
        *(_without_the_rest(e, name) for name in WORDS),
    )
    reported = (
        "groups of 3, 2, 9, 3 and 6 of 32 heads, App. L; 11 heads named that are of none of the three families, "
        "Sec. 3.2.2"
    )
    return Claim("groups of heads", text, f"{PAPER}, Sec. 3.2.2, App. L", findings, reported)


def _present(e: Evidence, words: str, kind: str, names: Sequence[str]) -> Finding:
    heads = e.rows("after/taxonomy", "heads")
    number = Number.exact(len(set(heads[kind]) & set(names)), len(heads)) if len(heads) else MISSING
    return Finding(f"{words} that have heads, of {len(names)}", number, Rule(low=len(names)), "after/taxonomy")


def _rises(e: Evidence, name: str) -> list[Number]:
    """What ablating each group adds to an error, as a share of the plateau."""
    frame = e.rows("after/ablation", "ablation", method="uniform")
    rows = [row for _, row in frame.iterrows() if row["group"] in GROUPS]
    return [number_of(row, f"{name}_delta").over(plateau(e)) for row in rows]


def _least_rise(e: Evidence, name: str) -> Finding:
    text = f"one group's attention uniform: smallest rise of {WORDS[name]}, as a share of the plateau of L_mask"
    least = extreme(_rises(e, name), largest=False)
    return Finding(text, least, Rule(low=0.0), "after/ablation", nothing_ablated(e, "after", name))


def _spread(numbers: Sequence[Number]) -> Number:
    """The largest over the smallest; missing if that may be a division by zero."""
    ordered = sorted(numbers, key=lambda number: number.value)
    return ordered[-1].over(ordered[0]) if len(ordered) > 1 else MISSING


def _without_the_rest(e: Evidence, name: str) -> Finding:
    key = "study/unclassified"
    text = f"heads of no class uniform: rise of {WORDS[name]}, as a share of the plateau of L_mask"
    return share(text, e.number(key, "ablation", f"{name}_delta"), plateau(e), SMALL, key)


def takes_shape(e: Evidence) -> Claim:
    """Attention over training."""
    text = "Attention has no interpretable form on the plateau, and takes its form in the drop."
    key, rows = "run/plateau", e.rows("run/plateau", "measures", measure="attention progress", where="all heads")
    before, after = by_step(rows, e, before=True), by_step(rows, e, before=False)
    findings = (
        _interpretable(e, "before", "on the plateau: share of heads that fit a class", Rule(high=0.5)),
        _interpretable(e, "after", "at the end: share of heads that fit a class", HALF),
        Finding(
            "at the last checkpoint before the drop: way that attention has come from uniform to its final form",
            _way(before.iloc[-1]) if len(before) else MISSING,
            QUARTER,
            key,
            _untrained_way(rows),
        ),
        Finding(
            "at the first checkpoint after it: the same",
            _way(after.iloc[0]) if len(after) else MISSING,
            HALF,
            key,
            _untrained_way(rows),
        ),
    )
    return Claim("attention forms in the drop", text, f"{PAPER}, Sec. 3.1.2 and 3.2.2, App. M.1", findings)


def _interpretable(e: Evidence, when: str, text: str, rule: Rule) -> Finding:
    """Of all heads there are, so that nothing is sampled but the patterns that each label rests on."""
    key = f"{when}/taxonomy"
    heads = e.rows(key, "heads")
    fit = heads["family"].isin(CLASSES) | heads["group"].isin(CLASSES) if len(heads) else pd.Series(dtype=float)
    return Finding(text, Number.exact(fit.mean(), len(heads)) if len(heads) else MISSING, rule, key)


def _way(row: pd.Series) -> Number:
    """Progress less that of uniform attention, as a share of what uniform attention lacks."""
    return number_of(row, "value").plus(-row["floor"]).over(Number.exact(1 - row["floor"]))


def _untrained_way(rows: pd.DataFrame) -> Control:
    first = rows.iloc[0] if len(rows) else {"untrained": NAN, "floor": NAN}
    way = Number.exact((first["untrained"] - first["floor"]) / (1 - first["floor"]))
    return Control("the same of an untrained model", way, Rule(-0.25, 0.25))
