"""Sentences about matrices, whose truth is null, reversed, tiny, undecided or missing, say what their intervals do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from forged import Forge
from judging import TRUTHS, contradictions, estimates, forged
from small_run import small_config

from mcinterp.analysis.judged import Judged
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.passes.algorithm import explained, posed_problem
from mcinterp.studies.matrix_completion.passes.by_size import errors_by_size
from mcinterp.studies.matrix_completion.passes.distribution_shift import distribution_shift
from mcinterp.studies.matrix_completion.passes.position_sensitivity import position_sensitivity
from mcinterp.studies.matrix_completion.passes.token_intervention import token_intervention
from mcinterp.studies.matrix_completion.views import algorithm, generation, nuclear, positions, shift, sizes, tokens

Made = dict[str, tuple[Result, Callable[[Result], Sequence[str]]]]
TRAINING = {"training": Forge().training()}
WORDS = {
    "masked_delta": ("raises|misses 0, as 1 in 20", "lowers|misses 0, as 1 in 20"),
    "gained": ("nearer to the truth", "farther from the truth"),
    "ratio_change": ("^worse than in training|as 1 in 20", "^better than in training|as 1 in 20"),
    "gain": ("^better than|^less than", "^worse than|^more than"),
    "behind": ("nearer to “row mean” than to the truth", "nearer to the truth than to “row mean”"),
    "difference": ("^has a larger L than|^a larger nuclear norm", "^has a smaller L than|^a smaller nuclear norm"),
    "exact_excess": ("more than", "less than"),
    "sign": ("^better than chance", "^worse than chance"),
}
PLAIN = (
    r"(smaller than the minimiser's|larger( than the minimiser's)?|moves) (towards the token's value )?for",
    r"does not measurably move towards",
    r"and away from it for",
    r"so that the answers are nearer to the truth than 0 is, (measurably )?at",
    r"is nearest|comes out nearer|leaves [^“]*? more",
    r"and more than that",
    r"a smaller L with a larger nuclear norm",
    r"paired intervals hold 0",
    r"and \d+ more",
    r"similar candidates go together",
    r"differs by [−\d., \[\]]+",
)
FORGED = ("masked_delta", "gained", "copied", "ratio_change", "masked_ratio", "gain", "behind", "difference")
FORGED += ("exact_excess", "sign")


@pytest.fixture(scope="module")
def made() -> Made:
    """Real results of an untrained model, each with what makes sentences of it."""
    checkpoint = Checkpoint.untrained(small_config(), seed=0)
    return {
        "tokens": (token_intervention(checkpoint, samples=8), lambda own: tokens.sentences(own.table("tokens"))),
        "positions": (
            position_sensitivity(checkpoint, 2, samples=8),
            lambda own: positions.sentences(own.table("positions")),
        ),
        "shift": (distribution_shift(checkpoint, samples=8), lambda own: shift.sentences(own.table("shift"))),
        "sizes": (errors_by_size(checkpoint, samples=8), sizes.sentences),
        "algorithm": (_algorithm(), algorithm.sentences),
        "nuclear": (_nuclear(), lambda own: nuclear.sentences(own, TRAINING)),
        "generation": (_generation(), lambda own: generation.sentences(own.table("generation"))),
    }


def _algorithm() -> Result:
    """A model that answers the row's mean, with a little noise."""
    problem = posed_problem(TaskConfig(rows=4, cols=4, rank=1, p_mask=0.25, v_min=-2.0, v_max=2.0), 40, 2)
    noise = np.random.default_rng(3).normal(size=problem.truth.shape)
    answers = problem.completions.values[problem.completions.names.index("row mean")]
    return explained(answers + 0.05 * noise, problem, noise)


def _nuclear() -> Result:
    """What is said of without its solver's numbers, of a checkpoint after the drop."""
    about = {"n": 12, "seed": 0, "p_mask": 0.3, "trained": True}
    error = {"model_mse": 1.0, "solver_mse": 1.0, **estimates("null", "difference")}
    errors = [
        {**about, "entries": entries, "p_mask": share, **error}
        for entries in ("total", "masked")
        for share in (0.3, 0.5)
    ]
    norms = [{**about, "model_norm": 1.0, "solver_norm": 1.0, "truth_norm": 1.0, **estimates("null", "difference")}]
    weights = [{"solution": "λ = 0.1", "weight": 0.1, "total_mse": 1.0, **estimates("null", "difference")}]
    solver = [{**about, "above_truth": 0, "largest_gap": 0.0, **estimates("null", "recovered")}]
    tables = {"errors": errors, "norms": norms, "regularised": weights, "solver": solver}
    facts = {"recovered_within": 0.01}
    facts["reference"] = {"instances": 2, "solver": "another", "largest_relative_difference": 0.0}
    shown = {name: Table.of(dict.fromkeys(rows[0], ""), rows) for name, rows in tables.items()}
    return Result("nuclear", "", {}, facts, shown, provenance={"step": 9000})


def _generation() -> Result:
    ways = (generation.GREEDY, generation.TEACHER_FORCED, generation.CONTROL, generation.CHANCE, generation.ZERO)
    names = ("exact", "within_one", "sign", "size", "exact_excess")
    rows = [
        {"answers": way, "entries": entries, "n": 12, "seed": 0, "mse": 0.1, **estimates("null", *names)}
        for way in ways
        for entries in ("observed", "masked", "all")
    ]
    return Result("generation", "", {}, {}, {"generation": Table.of(dict.fromkeys(rows[0], ""), rows)})


NAMES = ("tokens", "positions", "shift", "sizes", "algorithm", "nuclear", "generation")


def _sentences(made: Made, name: str, truth: str) -> Callable[[], Sequence[str]]:
    result, told = made[name]
    return lambda: told(forged(result, truth, *FORGED, rows=_compared))


def _compared(frame: pd.DataFrame) -> pd.Series:
    """All rows but that of the nearest candidate, which is behind itself by nothing."""
    return frame["candidate"] != "row mean" if "behind" in frame else pd.Series(True, frame.index)


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("name", NAMES)
def test_no_word_contradicts_its_interval(made: Made, name: str, truth: str) -> None:
    wrong, n_words = contradictions(_sentences(made, name, truth), WORDS, PLAIN)
    assert wrong == []
    assert n_words or truth == "missing"


@pytest.mark.parametrize("truth", ["undecided", "hardly known"])
@pytest.mark.parametrize("name", NAMES)
def test_a_sign_read_off_an_undecided_interval_is_caught(
    made: Made, name: str, truth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Judged, "side", property(lambda self: "above" if self.value > self.reference else "below"))
    wrong, _ = contradictions(_sentences(made, name, truth), WORDS, PLAIN)
    assert any("decides what is not" in problem for problem in wrong)


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ("above", "L is smaller than the minimiser's for none of 2 values, larger for all 2 values;"),
        ("reversed", "L is smaller than the minimiser's for all 2 values, larger for none of 2 values;"),
        ("tiny", "larger for none of 2 values, and not told apart for all 2 values;"),
        ("undecided", "larger for none of 2 values, and not told apart for all 2 values;"),
        ("missing", "larger for none of 2 values, and not told apart for all 2 values;"),
    ],
)
def test_values_are_counted_by_their_intervals(made: Made, truth: str, words: str) -> None:
    assert words in " ".join(_sentences(made, "nuclear", truth)())


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ("above", "moves towards the token's value for all 2 values, and away from it for none of 2 values"),
        ("reversed", "moves towards the token's value for none of 2 values, and away from it for all 2 values"),
        ("undecided", "does not measurably move towards the token's value"),
    ],
)
def test_tokens_are_counted_by_their_intervals(made: Made, truth: str, words: str) -> None:
    assert words in " ".join(_sentences(made, "tokens", truth)())


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ("above", "measurably at none of them"),
        ("reversed", "at every one of them"),
        ("undecided", "measurably at none of them"),
        ("hardly known", "measurably at none of them"),
    ],
)
def test_laws_are_counted_by_their_intervals(made: Made, truth: str, words: str) -> None:
    assert f"than 0 is, {words}." in " ".join(_sentences(made, "shift", truth)())


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ("above", ", which tells the two apart."),
        ("tiny", "as near as the best to within 0.02: “"),
        ("undecided", "undecided, since their paired intervals hold 0 and more than that: “"),
        ("hardly known", "undecided, since their paired intervals hold 0 and more than that: “"),
    ],
)
def test_a_tie_needs_an_interval_that_leaves_no_room(made: Made, truth: str, words: str) -> None:
    first = _sentences(made, "algorithm", truth)()[0]
    assert words in first
    assert ("as near as" in first) == (truth == "tiny")
