"""The hidden shelf: what a model answers while the loss stands still, as one number a matrix before it is more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from mcinterp.analysis.compare.agreement import correlation, correlation_difference
from mcinterp.analysis.intraclass import intraclass_correlation
from mcinterp.analysis.registry import check_offered
from mcinterp.analysis.statistics import Floats, interval_columns, ratio_estimate
from mcinterp.errors import InputError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.passes.shelf_answers import (
    BEST,
    KINDS,
    PLACE,
    TIMES,
    TRUTH,
    Shown,
    answers_of,
    dealt_out,
    of_others,
)
from mcinterp.studies.matrix_completion.passes.shelf_heads import HEAD_COLUMNS, head_rows
from mcinterp.studies.matrix_completion.passes.shelf_verdicts import FALLEN, stretch, verdict

_ABOUT = {"n": "matrices, the same at every step", "seed": "seed of the batch"}
ANSWER_COLUMNS = {
    "step": "checkpoint",
    **_ABOUT,
    **interval_columns("size", "mean square of the answers at masked entries over that of the entries"),
    **interval_columns(
        "between",
        "share of the answers' variance that is between matrices: covariance of two answers to one matrix over the "
        "variance of all, about their mean",
    ),
    **interval_columns("dealt_between", "control: the same with the answers at each place dealt out to other matrices"),
    "untrained_between": "control: between of an untrained model with another seed",
    **interval_columns(
        "symmetry",
        "correlation of the answers with those to the same matrix with its observed entries dealt out anew to the "
        "places of observed entries",
    ),
    **interval_columns("other_symmetry", "control: with those to another matrix treated so"),
    **interval_columns("gain", "1 − L_mask over that of answering 0"),
    **interval_columns("possible", "the same of the best symmetric answer of degree 5"),
    **interval_columns("short", "possible minus gain, paired"),
    "verdict": "shelf: more than half of the variance is between matrices, the answers follow the best symmetric one, "
    "and the gain is below 0.05; none: one of these is surely not so; else undecided",
}
CANDIDATE_COLUMNS = {
    "step": "checkpoint",
    "candidate": "what the answers at masked entries are held against",
    **_ABOUT,
    **interval_columns("correlation", "of the answers with it, over masked entries"),
    **interval_columns("control", "control: with that of another matrix; none for the place"),
    **interval_columns("behind", "correlation of the nearest candidate, the truth left out, minus this one's, paired"),
}


def hidden_shelf(run: Run, steps: Sequence[int] | None = None, samples: int = 1024, seed: int = 0) -> Result:
    """Follow what the answers at masked entries are while the loss stands still, on the same matrices at every step.

    Args:
        run: whose checkpoints.
        steps: which, at least one; None for all.
        samples: at least 4.
        seed: of the batch; the symmetric answers are fitted on a batch of the next seed, `TIMES` times as large.

    Returns:
        tables `answers` and `candidates` by step, and `heads`: what every head contributes, at the step before the loss
        falls whose answers go with the best symmetric one most. The definitions are this package's.

    Raises:
        InputError: with too few samples, or if the task does not answer entries.
        UnansweredError: where no entry is masked.
    """
    if samples < 4:
        raise InputError(f"hidden_shelf: samples must be at least 4 (two halves of 2), got {samples}")
    check_offered("shelf", run.config)
    steps = run.steps if steps is None else sorted(steps)
    shown = Shown.of(run.checkpoint(steps[-1]), samples, seed)
    untrained = answers_of(Checkpoint.untrained(run.config, seed=seed + 1), shown.batch.inputs)
    given = {step: Given.by(run.checkpoint(step), shown) for step in steps}
    tables = shelf_tables(shown, given, untrained, {"n": samples, "seed": seed})
    looked = _looked_at(*(tables[name].frame for name in ("answers", "candidates")))
    heads = head_rows(run.checkpoint(looked), shown, {"step": looked, "n": samples, "seed": seed})
    return Result(
        "shelf",
        "What it answers while the loss stands still",
        {"steps": steps, "samples": samples, "seed": seed},
        {
            **asdict(stretch(steps, tables["answers"].frame["verdict"].tolist())),
            "looked_at": looked,
            "fitted_on": TIMES * samples,
            "kinds": dict(KINDS),
        },
        {**tables, "heads": Table.of(HEAD_COLUMNS, heads)},
    )


@dataclass(frozen=True)
class Given:
    """A model's answers at every entry, (n, entry).

    Attributes:
        answers: to a batch.
        again: to the same matrices with their observed entries dealt out anew.
    """

    answers: Floats
    again: Floats

    @classmethod
    def by(cls, checkpoint: Checkpoint, shown: Shown) -> Given:
        """A checkpoint's."""
        return cls(*(answers_of(checkpoint, inputs) for inputs in (shown.batch.inputs, shown.permuted)))


def shelf_tables(
    shown: Shown, given: Mapping[int, Given], untrained: Floats, about: Mapping[str, int]
) -> dict[str, Table]:
    """The tables `answers` and `candidates` of any answers.

    Args:
        shown: the batch.
        given: step → answers.
        untrained: answers that should be nothing, (n, entry).
        about: n and seed of the batch.
    """
    floor = _between(untrained, shown)["between"]
    rows: list[dict[str, Any]] = []
    candidates: list[dict[str, Any]] = []
    for step, own in given.items():
        start = {"step": step, **about}
        followed = list(_candidates(own.answers, shown, start))
        best = next(row for row in followed if row["candidate"] == BEST)
        told = {**_sizes(own.answers, shown), **_between(own.answers, shown), **_symmetry(own, shown)}
        row = {**start, **told, "untrained_between": floor, "verdict": verdict(told, best)}
        rows.append({name: row[name] for name in ANSWER_COLUMNS})
        candidates += followed
    return {"answers": Table.of(ANSWER_COLUMNS, rows), "candidates": Table.of(CANDIDATE_COLUMNS, candidates)}


def _looked_at(answers: pd.DataFrame, candidates: pd.DataFrame) -> int:
    """The step whose answers go with the best symmetric one most, of those before the loss falls; else the first."""
    flat = answers[answers["gain"] < FALLEN]["step"]
    best = candidates[(candidates["candidate"] == BEST) & candidates["step"].isin(flat)]
    known = best.dropna(subset="correlation").sort_values("correlation", kind="stable")
    return int((known if len(known) else answers.iloc[::-1])["step"].iloc[-1])


def _symmetry(given: Given, shown: Shown) -> dict[str, float]:
    """How alike the answers are to a matrix and to it with its observed entries dealt out anew, and its control."""
    return {
        **correlation(given.answers, given.again, shown.masked).columns("symmetry"),
        **correlation(given.answers, of_others(given.again), shown.masked).columns("other_symmetry"),
    }


def _sizes(given: Floats, shown: Shown) -> dict[str, float]:
    """How large the answers are, what they are worth, and what the best symmetric ones would be."""
    targets, masked = shown.targets, shown.masked
    whole = (targets**2 * masked).sum(1)
    gain, possible = ((_worth(each, targets) * masked).sum(1) for each in (given, shown.best_answers))
    return {
        **ratio_estimate((given**2 * masked).sum(1), whole).columns("size"),
        **ratio_estimate(gain, whole).columns("gain"),
        **ratio_estimate(possible, whole).columns("possible"),
        **ratio_estimate(possible - gain, whole).columns("short"),
    }


def _worth(answers: Floats, targets: Floats) -> Floats:
    """By how much the squared error is less than that of answering 0."""
    return np.asarray(targets**2 - (answers - targets) ** 2)


def _between(given: Floats, shown: Shown) -> dict[str, float]:
    """The share of the variance between matrices, and its control."""
    found: dict[str, float] = {}
    for name, answers in (("between", given), ("dealt_between", dealt_out(given, shown.masked))):
        sums = [(answers**power * shown.masked).sum(1) for power in (1, 2)]
        found |= intraclass_correlation(sums[0], sums[1], shown.counts).columns(name)
    return found


def _candidates(given: Floats, shown: Shown, about: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Rows of `candidates` at a step."""
    place, masked = shown.of_place(given), shown.masked
    followed = {PLACE: place, **shown.followed}
    # The mean answers at its place know nothing of a matrix to begin with.
    controls = {name: of_others(own) if name != PLACE else np.full_like(own, np.nan) for name, own in followed.items()}
    own = {name: correlation(given, each, masked) for name, each in followed.items()}
    known = {name: float(one.value) for name, one in own.items() if name != TRUTH}
    nearest = max(known, key=lambda name: np.nan_to_num(known[name], nan=-2.0))
    for name, each in followed.items():
        yield {
            "step": about["step"],
            "candidate": name,
            **{key: about[key] for key in ("n", "seed")},
            **own[name].columns("correlation"),
            **correlation(given, controls[name], masked).columns("control"),
            **correlation_difference(given, followed[nearest], each, masked).columns("behind"),
        }
