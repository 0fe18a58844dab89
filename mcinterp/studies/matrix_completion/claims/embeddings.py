"""When embeddings take which form: Sec. 3.3, Fig. 7, 9 and 10."""

from __future__ import annotations

import pandas as pd

from mcinterp.studies.matrix_completion.claims.scales import PAPER, by_step
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

KEY = "run/embeddings"
STRUCTURE = {
    "norm_symmetry": ("agreement of the norms of v and −v", Rule(low=0.5), Rule(high=0.25)),
    "sign_separable": ("share of values on their sign's side of a line", Rule(low=0.9), Rule(high=0.75)),
    "magnitude_order": ("rank correlation of |v| with a direction of the plane", Rule(low=0.8), Rule(high=0.5)),
    "continuity": ("continuity in |v|", Rule(low=0.8), Rule(high=0.25)),
}
"""What the paper says of tokens, when it is so, and when an untrained model is certainly without it."""


def orders_tokens(e: Evidence) -> Claim:
    """Token embeddings."""
    text = (
        "Embeddings of v and −v have like norms; their components part the signs and vary continuously with |v|; and "
        "they come close to this arrangement before the drop."
    )
    rows = e.rows(KEY, "tokens")
    before, last = by_step(rows, e, before=True).tail(1), rows.sort_values("step").tail(1) if len(rows) else rows
    places = {"at the last checkpoint before the drop": before, "at the end": last}
    findings = [_structure(name, place, row) for place, row in places.items() for name in STRUCTURE]
    findings.insert(len(STRUCTURE), _aligned(before))
    return Claim("token embeddings", text, f"{PAPER}, Sec. 3.3, Fig. 7 and 9", tuple(findings))


def _structure(name: str, place: str, row: pd.DataFrame) -> Finding:
    words, rule, null = STRUCTURE[name]
    control = Control("of an untrained model", _exact(row, f"untrained_{name}"), null)
    return Finding(f"{place}: {words}", _exact(row, name), rule, KEY, control)


def _aligned(row: pd.DataFrame) -> Finding:
    control = Control("of an untrained model", _exact(row, "untrained_alignment"), Rule(high=0.25))
    text = "at the last checkpoint before the drop: alignment with the final embeddings"
    return Finding(text, _exact(row, "alignment"), Rule(low=0.8), KEY, control)


def _exact(row: pd.DataFrame, column: str) -> Number:
    """Of every token that occurs: nothing is sampled."""
    return Number.exact(row.iloc[0][column], int(row.iloc[0]["n"])) if len(row) else MISSING


def groups_positions(e: Evidence) -> Claim:
    """Positional embeddings."""
    text = "Positional embeddings are grouped by column, and only after the drop."
    rows = e.rows(KEY, "positions", labels="column")
    last = _grouping(rows.sort_values("step").tail(1)) if len(rows) else []
    end = last[0] if last else MISSING
    before = [number.over(end) for number in _grouping(by_step(rows, e, before=True))]
    findings = (
        Finding(
            "before the drop: largest grouping by column of any checkpoint, as a share of that at the end",
            extreme(before, largest=True),
            Rule(high=0.25),
            KEY,
        ),
        Finding(
            "at the end: share of the positions' variance between columns, less that with shuffled labels",
            end,
            Rule(low=0.0),
            KEY,
        ),
    )
    return Claim("positional embeddings", text, f"{PAPER}, Sec. 3.3, Fig. 7 and 10", findings)


def _grouping(rows: pd.DataFrame) -> list[Number]:
    return [number_of(row, "excess") for _, row in rows.iterrows()]
