"""What the model does before and after the drop: the first four conclusions."""

from __future__ import annotations

from mcinterp.studies.matrix_completion.claims.scales import (
    LARGE,
    LESS_THAN_HALF,
    NEGLIGIBLE,
    NULL,
    PAPER,
    SMALL,
    nothing_ablated,
    plateau,
    share_of_zero,
    zero_error,
)
from mcinterp.study.claims import NAN, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

ALL = {"group": "all", "method": "uniform"}
BACK = Rule(0.8, 1.2)
"""Back at the plateau, as a share of it."""


def copies(e: Evidence) -> Claim:
    """Before the drop."""
    text = (
        "On the plateau the model copies observed entries and answers about 0 at masked ones; attention hardly matters."
    )
    findings = (
        share_of_zero(e, "before", "L_obs, as a share of the error of answering 0", "observed_mse"),
        share_of_zero(e, "before", "mean square of the answers at masked entries, likewise", "value_mse"),
        _copied(e),
        _needs_no_attention(e),
        _takes_no_attention(e),
    )
    return Claim("copying", text, f"{PAPER}, Sec. 3.1", findings)


def _copied(e: Evidence) -> Finding:
    rows = e.rows("before/tokens", "tokens", input="full rank")
    copied = [number_of(row, "value_mse").over(row["control_mse"]) for _, row in rows.iterrows() if row["value"] != 0]
    text = "full-rank input, a value in the place of MASK: error to that value, as a share of that with MASK left there"
    return Finding(text, extreme(copied, largest=True), SMALL, "before/tokens")


def _needs_no_attention(e: Evidence) -> Finding:
    clean = e.number("before/ablation", "ablation", "masked_mse_clean", **ALL).value
    change = e.number("before/ablation", "ablation", "masked_delta", **ALL).over(clean)
    text = "change of L_mask with all attention uniform, as a share of L_mask"
    return Finding(text, change, NEGLIGIBLE, "before/ablation", nothing_ablated(e, "before"))


def _takes_no_attention(e: Evidence) -> Finding:
    switched = {"direction": "after → before", "component": "attention-qkv", "entries": "masked"}
    recipient = e.number("run/switching", "pre_post", "recipient_mse", **switched).value
    change = e.number("run/switching", "pre_post", "change", **switched).over(recipient)
    nothing = e.number("run/switching", "pre_post", "change", **(switched | {"component": "none"}))
    text = "change of L_mask with the trained Q, K and V switched in, as a share of L_mask"
    return Finding(text, change, NEGLIGIBLE, "run/switching", Control("change with nothing switched", nothing, NULL))


def attends(e: Evidence) -> Claim:
    """After the drop."""
    text = (
        "After the drop observed entries are still copied without attention; masked entries need attention, without "
        "which their error goes back to the plateau, and positions."
    )
    findings = (*_without_attention(e), *_without_positions(e))
    return Claim("attention and positions", text, f"{PAPER}, Sec. 3.2.1", findings)


def _without_attention(e: Evidence) -> tuple[Finding, ...]:
    key, null = "after/ablation", nothing_ablated(e, "after")
    observed = e.number(key, "ablation", "observed_mse", **ALL).over(zero_error(e, "after"))
    rise = e.number(key, "ablation", "masked_delta", **ALL)
    clean = e.number(key, "ablation", "masked_mse_clean", **ALL).value
    level, rise = rise.plus(clean).over(plateau(e)), rise.over(plateau(e))
    return (
        Finding("all attention uniform: L_obs, as a share of the error of answering 0", observed, SMALL, key),
        Finding("all attention uniform: L_mask, as a share of the plateau", level, BACK, key, null),
        Finding("all attention uniform: rise of L_mask, as a share of the plateau", rise, LARGE, key, null),
    )


def _without_positions(e: Evidence) -> tuple[Finding, ...]:
    key, kind = "after/positions", {"kind": "all positions"}
    masked = e.number(key, "positions", "masked_delta", **kind).over(plateau(e))
    observed = e.number(key, "positions", "observed_delta", **kind).over(zero_error(e, "after"))
    null = Control(
        "change with entries permuted too", e.number(key, "positions", "masked_delta", kind="data too"), NULL
    )
    return (
        Finding("positions permuted: rise of L_mask, as a share of the plateau", masked, LARGE, key, null),
        Finding("positions permuted: rise of L_obs, as a share of the error of answering 0", observed, SMALL, key),
    )


def beats_nuclear(e: Evidence) -> Claim:
    """Against nuclear norm minimisation."""
    text = "After the drop the model has a smaller error than nuclear norm minimisation, with a larger nuclear norm."
    key = "after/nuclear"
    apart = e.fact(key, "reference", "largest_relative_difference")
    checked = Control(
        "least norm against cvxpy, relative", Number.exact(NAN if apart is None else apart), Rule(high=1e-5)
    )
    error = e.number(key, "errors", "difference", trained=True, entries="total")
    norm = e.number(key, "norms", "difference", trained=True)
    findings = (
        Finding(
            "MSE over all entries, model − minimiser, at the p_mask of training", error, Rule(high=0.0), key, checked
        ),
        Finding("nuclear norm, model − minimiser", norm, Rule(low=0.0), key, checked),
    )
    return Claim("not nuclear norm minimisation", text, f"{PAPER}, Sec. 3.2, Fig. 3", findings)


def is_steered(e: Evidence) -> Claim:
    """Activation patching."""
    text = "Patching the outputs of all heads from X into the run on −X steers the masked entries to X."
    findings = tuple(_steered(e, direction) for direction in ("X into −X", "−X into X"))
    return Claim("causal attention", text, f"{PAPER}, Sec. 3.2.2, App. F", findings)


def _steered(e: Evidence, direction: str) -> Finding:
    key, rows = "after/patching", {"direction": direction, "group": "all", "entries": "masked"}
    to_base = e.number(key, "patching", "mse_to_base", **rows).value
    to_source = e.number(key, "patching", "mse_to_source", **rows).over(to_base)
    other = e.number(key, "patching", "nearer", **(rows | {"group": "other matrix"})).over(to_base)
    text = (
        f"{direction}, all heads: error at masked entries to the matrix that z came from, as a share of that to the "
        "matrix the model was run on"
    )
    control = Control("how much nearer z of another matrix brings it, as a share", other, Rule(high=0.1))
    return Finding(text, to_source, LESS_THAN_HALF, key, control)
