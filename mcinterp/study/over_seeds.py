"""What becomes of a study's claims over seeds: verdicts by seed, shares that hold, and every number's spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.statistics import interval_columns, mean_estimate, share_estimate
from mcinterp.results import Result, Table
from mcinterp.study.claims import MISSING, NAN, Claim, Control, Finding, Number, Rule

REPLICATION = "replication"

SEED_COLUMNS = {
    "seed": "training.seed of the run",
    "state": "decided, or failed",
    "why": "why it failed; empty where it did not",
}
CLAIM_COLUMNS = {
    "claim": "its name",
    "text": "what is claimed",
    "source": "where",
    "reported": "what the paper itself reports of it; empty where it gives no number",
    "seeds": "that the study was carried out with, those that failed among them",
    "holds": "seeds in which it holds",
    "does_not_hold": "… in which it does not hold",
    "undecided": "… in which it is undecided, those that failed among them",
    **interval_columns("share", "seeds in which it holds over all seeds, undecided ones too (exact binomial interval)"),
    "over_seeds": "verdict from the findings' verdicts over seeds: holds if all hold, does not if one does not",
}
VERDICT_COLUMNS = {
    "claim": "which",
    "seed": "of the run",
    "verdict": "of the claim in that seed; undecided where the seed failed",
    "holds": "findings that hold; empty where the seed failed, as the next",
    "findings": "all of its findings",
}
FINDING_COLUMNS = {
    "claim": "which claim it decides",
    "number": "of the finding among the claim's, from 1",
    "finding": "what was measured",
    "rule": "when it holds",
    "rule_low": "lower end of where it holds; -inf without one",
    "rule_high": "upper end, likewise",
    "seeds": "that the study was carried out with",
    "n": "seeds that have a value, which the following describe",
    **interval_columns(
        "value",
        "mean over seeds (t interval; the value itself where all seeds have the same); of a share of samples that of "
        "all seeds' samples together (exact binomial interval)",
    ),
    "sd": "standard deviation over seeds",
    "least": "smallest of the seeds' values",
    "most": "largest",
    "holds": "seeds in which the finding holds",
    "does_not_hold": "… in which it does not hold",
    "undecided": "… in which it is undecided, those without the finding among them",
    "control": "what should come out null, over seeds too, with its mean and rule",
    "control_state": "null, not null, not surely null or not measured; empty without a control",
    "verdict": "of the rule on the interval over seeds; undecided where a seed has no value, and by the control",
    "evidence": "result that the number comes from",
    "reported": "the paper's own number of the same quantity; empty where it gives none",
}
VALUE_COLUMNS = {
    "claim": "which claim it decides",
    "number": "of the finding among the claim's, from 1",
    "seed": "of the run",
    "n": "samples behind the value",
    **interval_columns("value", "the finding's value in that seed"),
    "control": "what should come out null there, with its value and rule",
    "verdict": "of the finding in that seed",
}
ALIKE = ["claim", "finding", "rule"]
"""By which findings of several seeds are the same one, each the first, second, … of those that are alike."""


def over_seeds(found: Mapping[int, Result], failed: Mapping[int, str]) -> Result:
    """What became of the claims over seeds.

    A finding's verdict over seeds is that of its rule on the 95 % t interval of its mean over seeds (of all seeds'
    samples together where it is a share of samples), so that it may be decided where no single training can decide it.
    It is undecided where a seed has no value (an average of the others would leave failures out), and where the
    control, averaged likewise, is not null.

    Args:
        found: seed → its claims, as `claims_result` made them; at least one.
        failed: seed → why it could not be carried out.

    Returns:
        tables `claims`, `verdicts`, `findings`, `values`, `seeds`.
    """
    seeds = sorted({*found, *failed})
    claims, values = found[min(found)].table("claims"), _values(found)
    verdicts = [_verdict(str(claim), seed, found) for claim in claims["claim"] for seed in seeds]
    parts = {
        claim: [rows for _, rows in values[values["claim"] == claim].groupby("number")] for claim in claims["claim"]
    }
    over = {claim: tuple(_over(rows, len(seeds)) for rows in parts[claim]) for claim in parts}
    findings = [
        _finding(rows, finding, len(seeds))
        for claim in parts
        for rows, finding in zip(parts[claim], over[claim], strict=True)
    ]
    tables = {
        "claims": Table.of(
            CLAIM_COLUMNS, [_claim(claim, over[claim["claim"]], verdicts) for _, claim in claims.iterrows()]
        ),
        "verdicts": Table.of(VERDICT_COLUMNS, verdicts),
        "findings": Table.of(FINDING_COLUMNS, findings),
        "values": Table(values[list(VALUE_COLUMNS)], VALUE_COLUMNS),
        "seeds": Table.of(SEED_COLUMNS, [_seed(seed, failed) for seed in seeds]),
    }
    facts = {name: fact for name, fact in found[min(found)].facts.items() if name != "steps"}
    return Result(REPLICATION, "Is the paper right, here, over seeds?", {"seeds": len(seeds)}, facts, tables)


def mean_over_seeds(values: pd.Series) -> Number:
    """The mean of the values that are there, with its t interval; itself where all are the same, and several."""
    present = values.dropna().to_numpy(dtype=np.float64)
    if not len(present):
        return MISSING
    if len(present) > 1 and (present == present[0]).all():  # a mean of the same may differ from them by rounding
        return Number.exact(present[0], len(present))
    estimate = mean_estimate(present)
    return Number(float(estimate.value), float(estimate.low), float(estimate.high), len(present))


def over_all(rows: pd.DataFrame) -> Number:
    """A finding's number over seeds: of all samples together where it counts samples, else the mean of its values."""
    if not rows["counted"].any():
        return mean_over_seeds(rows["value"])
    present = rows.dropna(subset="value")
    together = Number.share(round((present["value"] * present["n"]).sum()), int(present["n"].sum()))
    return replace(together, n=len(present))


def _values(found: Mapping[int, Result]) -> pd.DataFrame:
    """Every seed's findings, one below the other, numbered within their claims."""
    frames = [result.table("findings").assign(seed=seed) for seed, result in sorted(found.items())]
    # A text may stand twice in a claim, as "the same" of something else.
    frames = [frame.assign(among=frame.groupby(ALIKE).cumcount()) for frame in frames]
    values = pd.concat(frames, ignore_index=True)
    known = values[[*ALIKE, "among"]].drop_duplicates()
    return values.merge(known.assign(number=known.groupby("claim").cumcount() + 1), how="left")


def _over(rows: pd.DataFrame, seeds: int) -> Finding:
    """A finding over seeds, of its values in those that have it."""
    first = rows.iloc[0]
    null = _control(rows)
    control = null and replace(null, number=_whole(null.number, seeds))
    number, rule = _whole(over_all(rows), seeds), Rule(first["rule_low"], first["rule_high"])
    return Finding(str(first["finding"]), number, rule, str(first["evidence"]), control, first["reported"])


def _control(rows: pd.DataFrame) -> Control | None:
    """The mean of a finding's control."""
    first = rows.iloc[0]
    if pd.isna(first["control_text"]) or not first["control_text"]:
        return None
    rule = Rule(first["control_rule_low"], first["control_rule_high"])
    return Control(str(first["control_text"]), mean_over_seeds(rows["control_value"]), rule)


def _whole(number: Number, seeds: int) -> Number:
    """A mean where every seed has a value: one over the others would leave failures out."""
    return number if number.n == seeds else MISSING


def _claim(claim: pd.Series, findings: tuple[Finding, ...], verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    about = {name: str(claim[name]) for name in ("claim", "text", "source")}
    about["reported"] = "" if pd.isna(claim["reported"]) else str(claim["reported"])
    own = [verdict["verdict"] for verdict in verdicts if verdict["claim"] == claim["claim"]]
    counts = _counted(own, len(own))
    share = share_estimate(counts["holds"], len(own)).columns("share")
    verdict = Claim(about["claim"], about["text"], about["source"], findings).verdict
    return {**about, "seeds": len(own), **counts, **share, "over_seeds": verdict}


def _counted(verdicts: Sequence[str], seeds: int) -> dict[str, int]:
    """How many seeds came out how; those without a verdict are undecided."""
    holds, not_holds = verdicts.count("holds"), verdicts.count("does not hold")
    return {"holds": holds, "does_not_hold": not_holds, "undecided": seeds - holds - not_holds}


def _verdict(claim: str, seed: int, found: Mapping[int, Result]) -> dict[str, Any]:
    if seed not in found:
        return {"claim": claim, "seed": seed, "verdict": "undecided", "holds": NAN, "findings": NAN}
    frame = found[seed].table("claims")
    row = frame[frame["claim"] == claim].iloc[0]
    return {"claim": claim, "seed": seed, **{name: row[name] for name in ("verdict", "holds", "findings")}}


def _finding(rows: pd.DataFrame, finding: Finding, seeds: int) -> dict[str, Any]:
    first, mean = rows.iloc[0], over_all(rows)
    return {
        **{name: first[name] for name in ("claim", "number", "finding", "rule", "rule_low", "rule_high")},
        "seeds": seeds,
        "n": mean.n,
        "value": mean.value,
        "value_low": mean.low,
        "value_high": mean.high,
        "sd": rows["value"].std(),
        "least": rows["value"].min(),
        "most": rows["value"].max(),
        **_counted(list(rows["verdict"]), seeds),
        "control": str(_control(rows) or ""),
        "control_state": finding.control.state if finding.control else None,
        "verdict": finding.verdict,
        "evidence": finding.evidence,
        "reported": finding.reported,
    }


def _seed(seed: int, failed: Mapping[int, str]) -> dict[str, Any]:
    return {"seed": seed, "state": "failed" if seed in failed else "decided", "why": failed.get(seed, "")}
