"""Which components, trained anew alone, sit on a plateau: Sec. 4, Fig. 8."""

from __future__ import annotations

import pandas as pd

from mcinterp.analysis.statistics import mean_estimate
from mcinterp.studies.matrix_completion.claims.scales import NULL, PAPER
from mcinterp.study.claims import MISSING, NAN, Claim, Control, Evidence, Finding, Number, Rule

KEY = "run/components"
SHORT = 0.1
"""A component that leaves its plateau within this share of the whole model's steps has none of its own."""


def trains_apart(e: Evidence) -> Claim:
    """Retrained components."""
    text = (
        "Trained anew alone, MLPs and token embeddings converge without a plateau; attention and positions show a "
        "plateau and a drop, positions the longest."
    )
    findings = (
        *(_waits(e, name, Rule(high=SHORT)) for name in ("mlp", "tokens")),
        *(_quickly(e, name) for name in ("mlp", "tokens")),
        *(_waits(e, name, Rule(low=SHORT)) for name in ("attention", "positions")),
        _longest(e),
    )
    return Claim("dynamics of components", text, f"{PAPER}, Sec. 4, Fig. 8", findings)


def _waits(e: Evidence, name: str, rule: Rule) -> Finding:
    text = f"{name} alone: steps before its sudden drop (0 without one), as a share of the whole model's to half"
    return Finding(text, _relative(e, _trainings(e, name)["drop_at"]), rule, KEY, _restored(e))


def _quickly(e: Evidence, name: str) -> Finding:
    text = f"{name} alone: steps to half of the whole model's plateau, as a share of its steps to there"
    return Finding(text, _relative(e, _trainings(e, name)["half_at"]), Rule(high=SHORT), KEY, _restored(e))


def _longest(e: Evidence) -> Finding:
    """Trainings with the same seed stand beside each other."""
    both = [_trainings(e, name).set_index("seed")["drop_at"] for name in ("positions", "attention")]
    text = "positions' steps before their drop less attention's, as a share of the whole model's to half"
    return Finding(text, _relative(e, both[0] - both[1]), Rule(low=0.0), KEY, _restored(e))


def _trainings(e: Evidence, name: str) -> pd.DataFrame:
    """A component's trainings, with the step at which the detector has the drop start: 0 without one."""
    rows = e.rows(KEY, "transitions", component=name, kind="component")
    if not len(rows):
        return pd.DataFrame({"seed": [], "drop_at": [], "half_at": []})
    return rows.assign(drop_at=rows["start"].where(rows["found"], 0.0))


def _relative(e: Evidence, steps: pd.Series) -> Number:
    """The mean over trainings, as a share of the whole model's steps to half of its plateau.

    One training has no interval; a training that did not get there leaves the mean missing.
    """
    whole = e.number(KEY, "transitions", "half_at", kind="run").value
    if not len(steps) or steps.isna().any() or not whole > 0:
        return MISSING
    found = mean_estimate((steps / whole).to_numpy())
    ends = (float(found.low), float(found.high)) if len(steps) > 1 else (NAN, NAN)
    return Number(float(found.value), *ends, len(steps))


def _restored(e: Evidence) -> Control:
    rows = e.rows(KEY, "control")
    change = rows["restored_change"].abs().max() if len(rows) else NAN
    return Control("change of the error with the original component put back", Number.exact(change), NULL)
