"""Which components, trained anew alone, sit on a plateau: Sec. 4, Fig. 8."""

from __future__ import annotations

import pandas as pd

from mcinterp.analysis.statistics import mean_estimate
from mcinterp.studies.matrix_completion.claims.scales import NULL, PAPER
from mcinterp.study.claims import MISSING, NAN, Claim, Control, Evidence, Finding, Number, Rule

KEY = "run/components"
SHORT = 0.1
"""A component that leaves its plateau within this share of the whole model's steps has none of its own."""
SPELLED = {"mlp": "MLPs"}
MOST = Rule(low=0.5)
FEW = Rule(high=0.5)


def trains_apart(e: Evidence) -> Claim:
    """Retrained components."""
    text = (
        "Trained anew alone, MLPs and token embeddings converge without a plateau; attention and positions show a "
        "plateau and a drop, positions the longest."
    )
    findings = (
        *(_waits(e, name, FEW) for name in ("mlp", "tokens")),
        *(_quickly(e, name) for name in ("mlp", "tokens")),
        *(_waits(e, name, MOST) for name in ("attention", "positions")),
        _longest(e),
    )
    return Claim("dynamics of components", text, f"{PAPER}, Sec. 4, Fig. 8", findings)


def _waits(e: Evidence, name: str, rule: Rule) -> Finding:
    late = f"a sudden drop after over {SHORT:g} of the whole model's steps to half"
    text = f"{SPELLED.get(name, name)} alone: share of trainings with {late}"
    return Finding(text, _share(_trainings(e, name)["drop_at"], SHORT * _whole(e)), rule, KEY, _restored(e))


def _quickly(e: Evidence, name: str) -> Finding:
    text = (
        f"{SPELLED.get(name, name)} alone: steps to half of the whole model's plateau, as a share of its steps to there"
    )
    return Finding(text, _relative(e, _trainings(e, name)["half_at"]), Rule(high=SHORT), KEY, _restored(e))


def _longest(e: Evidence) -> Finding:
    """Trainings with the same seed stand beside each other."""
    both = [_trainings(e, name).set_index("seed")["drop_at"] for name in ("positions", "attention")]
    text = "share of trainings in which positions' drop is later than attention's"
    return Finding(text, _share(both[0] - both[1], 0.0), MOST, KEY, _restored(e))


def _trainings(e: Evidence, name: str) -> pd.DataFrame:
    """A component's trainings, with the step at which the detector has the drop start.

    It is 0 where the error fell to half without a drop, and missing where it did not fall to half at all: what stands
    on a plateau when its training ends has not shown whether it drops.
    """
    rows = e.rows(KEY, "transitions", component=name, kind="component")
    if not len(rows):
        return pd.DataFrame({"seed": [], "drop_at": [], "half_at": []})
    without = rows["half_at"].where(rows["half_at"].isna(), 0.0)
    return rows.assign(drop_at=rows["start"].where(rows["found"], without))


def _whole(e: Evidence) -> float:
    """The whole model's steps to half of its plateau."""
    return e.number(KEY, "transitions", "half_at", kind="run").value


def _share(steps: pd.Series, limit: float) -> Number:
    """The share of trainings with more steps than a limit; missing where one has no answer."""
    return MISSING if steps.isna().any() or limit != limit else Number.share(int((steps > limit).sum()), len(steps))


def _relative(e: Evidence, steps: pd.Series) -> Number:
    """The mean over trainings, as a share of the whole model's steps to half of its plateau.

    One training has no interval; a training that did not get there leaves the mean missing.
    """
    whole = _whole(e)
    if not len(steps) or steps.isna().any() or not whole > 0:
        return MISSING
    found = mean_estimate((steps / whole).to_numpy())
    ends = (float(found.low), float(found.high)) if len(steps) > 1 else (NAN, NAN)
    return Number(float(found.value), *ends, len(steps))


def _restored(e: Evidence) -> Control:
    rows = e.rows(KEY, "control")
    change = rows["restored_change"].abs().max() if len(rows) else NAN
    return Control("change of the error with the original component put back", Number.exact(change), NULL)
