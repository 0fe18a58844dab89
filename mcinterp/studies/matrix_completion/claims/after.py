"""What the model does after the drop: the claims of Sec. 3.2, and of App. F and J."""

from __future__ import annotations

from mcinterp.studies.matrix_completion.claims.scales import (
    ALL,
    LARGE,
    LESS_THAN_HALF,
    NULL,
    PAPER,
    SMALL,
    nothing_ablated,
    nothing_switched,
    plateau,
    share,
    zero_error,
)
from mcinterp.study.claims import NAN, Claim, Control, Evidence, Finding, Number, Rule, extreme, number_of

BACK = Rule(0.8, 1.2)
"""Back at the plateau, as a share of it."""
SIMILAR = Rule(0.5, 2.0)
"""Within a factor of two."""
OF_ZERO = "as a share of the error of answering 0"
OF_PLATEAU = "as a share of the plateau"


def attends(e: Evidence) -> Claim:
    """What is needed for which entries."""
    text = (
        "After the drop observed entries are still copied without attention; masked entries need attention, without "
        "which their error goes back to the plateau, and positions."
    )
    findings = (*_without_attention(e), _without_trained_attention(e), *_without_positions(e))
    return Claim("attention and positions", text, f"{PAPER}, Sec. 3.2.1", findings)


def _without_attention(e: Evidence) -> tuple[Finding, ...]:
    key, null = "after/ablation", nothing_ablated(e, "after")
    observed, level, rise = (
        e.number(key, "ablation", column, **ALL) for column in ("observed_mse", "masked_mse", "masked_delta")
    )
    return (
        share(f"all attention uniform: L_obs, {OF_ZERO}", observed, zero_error(e, "after"), SMALL, key),
        share(f"all attention uniform: L_mask, {OF_PLATEAU}", level, plateau(e), BACK, key, null),
        share(f"all attention uniform: rise of L_mask, {OF_PLATEAU}", rise, plateau(e), LARGE, key, null),
    )


def _without_trained_attention(e: Evidence) -> Finding:
    key, direction = "run/switching", "before → after"
    rows = {"direction": direction, "component": "attention-qkv", "entries": "observed"}
    observed = e.number(key, "pre_post", "switched_mse", **rows)
    text = f"Q, K and V of the plateau switched in: L_obs, {OF_ZERO}"
    return share(text, observed, zero_error(e, "after"), SMALL, key, nothing_switched(e, direction, "observed"))


def _without_positions(e: Evidence) -> tuple[Finding, ...]:
    key, kind = "after/positions", {"kind": "all positions"}
    masked, observed = (e.number(key, "positions", f"{name}_delta", **kind) for name in ("masked", "observed"))
    both = e.number(key, "positions", "masked_delta", kind="data too")
    null = Control("change with entries permuted too", both, NULL)
    return (
        share(f"positions permuted: rise of L_mask, {OF_PLATEAU}", masked, plateau(e), LARGE, key, null),
        share(f"positions permuted: rise of L_obs, {OF_ZERO}", observed, zero_error(e, "after"), SMALL, key),
    )


def beats_nuclear(e: Evidence) -> Claim:
    """Against nuclear norm minimisation."""
    text = "After the drop the model has a smaller error than nuclear norm minimisation, with a larger nuclear norm."
    findings = (*_at_training(e), *_at_every_share(e), _regularised(e))
    return Claim("not nuclear norm minimisation", text, f"{PAPER}, Sec. 3.2, Fig. 3, App. B", findings)


def _at_training(e: Evidence) -> tuple[Finding, ...]:
    key, checked = "after/nuclear", _checked(e)
    error = e.number(key, "errors", "difference", trained=True, entries="total")
    norm = e.number(key, "norms", "difference", trained=True)
    where = "model − minimiser, at the p_mask of training"
    return (
        Finding(f"MSE over all entries, {where}", error, Rule(high=0.0), key, checked),
        Finding(f"nuclear norm, {where}", norm, Rule(low=0.0), key, checked),
    )


def _at_every_share(e: Evidence) -> tuple[Finding, ...]:
    key, checked = "after/nuclear", _checked(e)
    errors, norms = e.numbers(key, "errors", "difference", entries="total"), e.numbers(key, "norms", "difference")
    where = "model − minimiser, over all p_mask"
    return (
        Finding(f"largest MSE, {where}", extreme(errors, largest=True), Rule(high=0.0), key, checked),
        Finding(f"smallest nuclear norm, {where}", extreme(norms, largest=False), Rule(low=0.0), key, checked),
    )


def _regularised(e: Evidence) -> Finding:
    key, rows = "after/nuclear", e.rows("after/nuclear", "regularised")
    solved = [number_of(row, "difference") for _, row in rows.iterrows() if row["solution"] != "model"]
    worst = extreme(solved, largest=True)
    text = "largest MSE over all entries, model − minimiser of the regularised problem, over all λ"
    return Finding(text, worst, Rule(high=0.0), key, _checked(e))


def _checked(e: Evidence) -> Control:
    apart = e.fact("after/nuclear", "reference", "largest_relative_difference")
    return Control("least norm against cvxpy, relative", Number.exact(NAN if apart is None else apart), Rule(high=1e-5))


def is_steered(e: Evidence) -> Claim:
    """Activation patching."""
    text = "Patching the outputs of all heads from X into the run on −X steers the masked entries to X."
    findings = tuple(_steered(e, direction) for direction in ("X into −X", "−X into X"))
    return Claim("causal attention", text, f"{PAPER}, Sec. 3.2.2, App. F", findings)


def _steered(e: Evidence, direction: str) -> Finding:
    key, rows = "after/patching", {"direction": direction, "group": "all", "entries": "masked"}
    to_base, to_source = (e.number(key, "patching", column, **rows) for column in ("mse_to_base", "mse_to_source"))
    other = e.number(key, "patching", "nearer", **(rows | {"group": "other matrix"})).over(to_base)
    text = (
        f"{direction}, all heads: error at masked entries to the matrix that z came from, as a share of that to the "
        "matrix the model was run on"
    )
    control = Control("how much nearer z of another matrix brings it, as a share", other, Rule(high=0.1))
    return share(text, to_source, to_base, LESS_THAN_HALF, key, control)


def carries_over(e: Evidence) -> Claim:
    """Other laws of the factors."""
    text = "After the drop the error on matrices of Gaussian and of Laplace factors is like that on the training law."
    findings = tuple(
        _carried(e, law, column, measure)
        for law in ("Gaussian factors", "Laplace factors")
        for column, measure in (("masked_mse", "L_mask"), ("masked_ratio", "L_mask over the error of answering 0"))
    )
    return Claim("other laws", text, f"{PAPER}, App. J.2", findings)


def _carried(e: Evidence, law: str, column: str, measure: str) -> Finding:
    key = "after/shift"
    other, usual, fresh = (
        e.number(key, "shift", column, condition=condition, sweep="law")
        for condition in (law, "training", "training, fresh batch")
    )
    text = f"{measure} on {law}, over that on the training law"
    control = Control(
        f"{measure} on a fresh batch of the training law, over that of the first", fresh.over(usual), SIMILAR
    )
    return share(text, other, usual, SIMILAR, key, control)
