"""What the model does before the drop, and that there is one: the claims of Sec. 3 and 3.1."""

from __future__ import annotations

from dataclasses import dataclass

from mcinterp.studies.matrix_completion.claims.scales import (
    ALL,
    LESS_THAN_HALF,
    NEGLIGIBLE,
    NULL,
    OWN,
    PAPER,
    SMALL,
    found,
    nothing_ablated,
    nothing_switched,
    plateau,
    share,
    zero_error,
)
from mcinterp.study.claims import MISSING, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

TRAINED_QKV = {"direction": "after → before", "component": "attention-qkv"}
WORDS = {"masked": "L_mask", "observed": "L_obs", "total": "L, over all entries,"}


def drops(e: Evidence) -> Claim:
    """The loss over training."""
    text = "The loss stands on a plateau and then falls suddenly, to a small part of it."
    seen = MISSING if e.fact("training", "transition") is None else Number.exact(found(e))
    last = e.number("after/ablation", "ablation", "masked_mse_clean", **ALL)
    findings = (
        Finding("L_mask in training has a plateau and a sudden drop (1) or not (0)", seen, Rule(low=1.0), "training"),
        share("L_mask at the end, as a share of the plateau", last, plateau(e), LESS_THAN_HALF, "after/ablation"),
    )
    reported = "near step 15,000 of 50,000, 7 × 7 matrices of rank 2, 4 layers, Fig. 2"
    return Claim("a sudden drop", text, f"{PAPER}, Sec. 3, Fig. 1 and 2", findings, reported)


def copies(e: Evidence) -> Claim:
    """Copying, by token intervention."""
    text = (
        "On the plateau the model copies what it is given, of any rank and in the place of MASK, and answers 0 at MASK."
    )
    key, zero = "before/tokens", zero_error(e, "before")
    observed, answers = (e.number(key, "tokens", column, **OWN) for column in ("observed_mse", "value_mse"))
    worst = extreme(e.numbers(key, "tokens", "observed_mse"), largest=True)
    of_zero = "as a share of the error of answering 0"
    findings = (
        share(f"L_obs, {of_zero}", observed, zero, SMALL, key),
        share(f"mean square of the answers at MASK, {of_zero}", answers, zero, SMALL, key),
        share(f"largest L_obs with other tokens and inputs, {of_zero}", worst, zero, SMALL, key),
        _copied(e),
    )
    reported = "mean square errors from 4.1e-6 to 1.5e-3, at observed and at replaced entries, three steps, Table 1"
    return Claim("copying", text, f"{PAPER}, Sec. 3.1.1, Table 1", findings, reported)


def _copied(e: Evidence) -> Finding:
    rows = e.rows("before/tokens", "tokens")
    given = [row for _, row in rows.iterrows() if row["value"] != 0]
    copied = [number_of(row, "value_mse").over(number_of(row, "control_mse")) for row in given]
    text = "a value in the place of MASK: largest error to that value, as a share of that with MASK left there"
    return Finding(text, extreme(copied, largest=True), SMALL, "before/tokens")


@dataclass(frozen=True)
class _Change:
    """What an intervention does to an error.

    Attributes:
        words: what is done.
        key: of the result.
        change: of the error.
        clean: the error without it.
        left: the error with it.
        control: the same with nothing done.
    """

    words: str
    key: str
    change: Number
    clean: Number
    left: Number
    control: Control

    def relative(self, name: str) -> Finding:
        """As a share of the error itself."""
        text = f"{self.words}: change of {WORDS[name]} as a share of it"
        return share(text, self.change, self.clean, NEGLIGIBLE, self.key, self.control)

    def level(self, e: Evidence, name: str) -> Finding:
        """What it leaves, as a share of the error of answering 0."""
        text = f"{self.words}: {WORDS[name]} as a share of the error of answering 0"
        return share(text, self.left, zero_error(e, "before"), SMALL, self.key, self.control)


def needs_no_attention(e: Evidence) -> Claim:
    """Attention and positions, for masked entries and for all."""
    text = (
        "On the plateau attention and positions hardly matter to masked entries and to the total error: uniform "
        "attention, the trained Q, K and V, and permuted positions change them negligibly."
    )
    changes = [
        (_uniform, "masked"),
        (_uniform, "total"),
        (_switched, "masked"),
        (_switched, "total"),
        (_permuted, "masked"),
    ]
    findings = tuple(change(e, name).relative(name) for change, name in changes)
    return Claim("attention before the drop", text, f"{PAPER}, Sec. 3.1.2 and 3.3", findings)


def copies_without_attention(e: Evidence) -> Claim:
    """The same for observed entries, whose error is small to begin with."""
    text = (
        "On the plateau attention and positions hardly matter to observed entries: without them L_obs changes "
        "negligibly, and stays small."
    )
    changes = [change(e, "observed") for change in (_uniform, _switched, _permuted)]
    findings = [finding for one in changes for finding in (one.relative("observed"), one.level(e, "observed"))]
    return Claim("copying without attention", text, f"{PAPER}, Sec. 3.1.2 and 3.3", tuple(findings))


def _uniform(e: Evidence, name: str) -> _Change:
    key = "before/ablation"
    change, clean, left = (e.number(key, "ablation", f"{name}_{what}", **ALL) for what in ("delta", "mse_clean", "mse"))
    return _Change("all attention uniform", key, change, clean, left, nothing_ablated(e, "before", name))


def _switched(e: Evidence, name: str) -> _Change:
    key, rows = "run/switching", TRAINED_QKV | {"entries": name}
    change, clean, left = (
        e.number(key, "pre_post", column, **rows) for column in ("change", "recipient_mse", "switched_mse")
    )
    null = nothing_switched(e, TRAINED_QKV["direction"], name)
    return _Change("trained Q, K and V switched in", key, change, clean, left, null)


def _permuted(e: Evidence, name: str) -> _Change:
    key, kind = "before/positions", {"kind": "all positions"}
    change, clean = (e.number(key, "positions", f"{name}_{what}", **kind) for what in ("delta", "mse_clean"))
    both = e.number(key, "positions", f"{name}_delta", kind="data too")
    null = Control("change with entries permuted too", both, NULL)
    return _Change("positions permuted", key, change, clean, change.plus(clean.value), null)
