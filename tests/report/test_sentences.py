"""Sentences of forged reports, whose truth is null, reversed, tiny, undecided or missing, say what intervals do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import forged_token_pairs
import forged_tokens
import numpy as np
import pandas as pd
import pytest
from forged import Forge
from forged_circuits import forged_circuits
from judging import TRUTHS, contradictions, estimates, forged

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures.ablation import ablation_rows
from mcinterp.report.parts import Section
from mcinterp.report.scores import Scores
from mcinterp.report.views import (
    ablation,
    aligned,
    compare,
    comparison_sections,
    patching,
    probes,
    sections,
    sweep,
    switching,
    taxonomy,
    training,
)
from mcinterp.report.views.changes import changes_sentence
from mcinterp.report.views.embeddings import _grouped
from mcinterp.report.views.head import circuits as head_circuits
from mcinterp.report.views.head.effects import ablation_sentence, patching_sentence
from mcinterp.results import Result, Table
from mcinterp.training import find_transition

STEP = 9000
FORGE = Forge()
COLUMNS = ("nearer", "masked_delta", "cross_entropy_delta", "change", "difference")
WORDS = {
    "nearer": ("nearer to the source's", "nearer to the base's"),
    "masked_delta": ("raise[sd]", "lower(s|ed)"),
    "change": ("rises", "falls"),
    "difference": ("is higher", "is lower"),
    "score": ("more alike|^above", "less alike|^below"),
    "gain": ("is best decoded", "is decoded worse"),
    "effect": ("similar", "opposite|less alike"),
    "last_score": ("^lower for n_layers .* than for n_layers ", "never"),
    "excess": ("are grouped", "not measurably grouped"),
    "": ("higher|less alike|^$", "lower|more alike|^$"),
    "steepest": ("^earlier for n_layers .* than for n_layers ", "never"),
}
PLAIN = (
    r"how much nearer patching all heads brings the output",
    r"differs from 0 at \d",  # counts
    r"rises by less than [\d.]+ \(\d+% of",  # equivalence, decided by the pass
    r"nothing to bring nearer",
    r"and differ by [\d., \[\]]+ on average",
    r"lies? measurably above",
    r"the fastest fall is",
    r"writes towards the answer",
    r"the curves differ by a factor of",
    r"against those that",
    r"(\d+|none) (raises?|lowers?)",  # counts
    r"\(\d+ of them by less than 1 %\)",
    r"\((hurts|helps) (more|less) than every control\)",  # the pass's verdict
    r"\d+ more than one alike",
    r"more than twice or less than half of what uniform attention has",
)
Make = Callable[[str], Sequence[str]]


def _patching(truth: str) -> Sequence[str]:
    result = forged(FORGE.patching(STEP), truth, "nearer")
    return patching.sentences(result.table("patching"), Scores.of(result))


def _head_patching(truth: str) -> Sequence[str]:
    result = forged(FORGE.patching(STEP), truth, "nearer")
    frame = result.table("patching").query("group == 'L0H1'").assign(step=STEP, unpatched=0.1)
    return [patching_sentence("L0H1", frame, Scores.of(result))]


def _head_ablation(truth: str) -> Sequence[str]:
    result = forged(FORGE.ablation(STEP), truth, "masked_delta")
    frame = result.table("ablation").query("group == 'L0H1'")
    both = pd.concat([frame.assign(step=1000), frame], ignore_index=True)
    return [ablation_sentence("L0H1", both, Scores.of(result))]


def _ablation(truth: str) -> Sequence[str]:
    result = forged(FORGE.ablation(STEP), truth, "masked_delta", "masked_share")
    clean = {"masked_mse_clean": np.nan} if truth == "missing" else {}
    return ablation.sentences(ablation_rows(result).assign(**clean), Scores.of(result))


def _probes(truth: str) -> Sequence[str]:
    result = forged(FORGE.probes(STEP), truth, "gain", "cosine_gain")
    return probes.sentences(result.table("probes"), result.facts["main_places"])


def _taxonomy(truth: str) -> Sequence[str]:
    """Scores as far above their thresholds as the truth has it, of heads of no class."""
    result = forged(FORGE.taxonomy(STEP), truth, "score")
    unfit = result.table("heads").assign(**dict.fromkeys(result.facts["kinds"], "none"))
    new = {"heads": unfit, "scores": result.table("scores").assign(threshold=0.0)}
    tables = {name: Table(frame, result.tables[name].columns) for name, frame in new.items()}
    return taxonomy.view(replace(result, tables={**result.tables, **tables}), {}).sentences


def _headline(truth: str) -> Sequence[str]:
    steps = {
        step: {
            "ablation": forged(FORGE.ablation(step), truth, "masked_delta"),
            "patching": forged(FORGE.patching(step), truth, "nearer"),
        }
        for step in (1000, STEP)
    }
    return [changes_sentence(steps)]


def _switching(truth: str) -> Sequence[str]:
    plain = forged(forged_tokens.switching(), truth, "change", rows=lambda frame: _switched(frame))
    return switching.sentences(plain)


def _switched(frame: pd.DataFrame) -> pd.Series:
    """Not the controls, which are exact."""
    return ~frame["kind"].isin(["nothing", "everything"]) if "kind" in frame else frame.index < 0


def _compared(truth: str) -> Sequence[str]:
    """The pair's numbers as the truth has them; those of its controls are 0."""
    result = forged(forged_token_pairs.checkpoints(), truth, "difference", rows=lambda frame: slice(None))
    names = ("score", "effect", "response")
    result = forged(result, "null", *names, rows=lambda frame: frame.index if "what" in frame else [])
    result = forged(
        result, truth, *names, rows=lambda frame: frame["what"] == "A and B" if "what" in frame else frame.index < 0
    )
    return compare.sentences(result)


def _sweep(truth: str) -> Sequence[str]:
    """Of two groups, the first as far above the second as the truth has it."""
    names = ("last_score", "steepest")
    rows = [
        {"n_layers": depth, "n": 3, "dropped": 3} | {name: 1.0 + value for name, value in numbers.items()}
        for depth, numbers in ((1, estimates(truth, *names)), (2, estimates("null", *names)))
    ]
    runs = [{"run": "a", "finished": True, "found": True, "state": "finished", "steepest": 5.0}]
    tables = {name: Table.of(dict.fromkeys(own[0], ""), own) for name, own in (("groups", rows), ("runs", runs))}
    facts = {"progress_score": "masked_mse", "curve_labels": {"masked_mse": "L_mask"}, "others": ["n_layers"]}
    return sweep._sentences(Result("sweep", "", {}, facts, tables))


def _grouping(truth: str) -> Sequence[str]:
    """Variance between groups as far above that of shuffled labels as the truth has it."""
    row = {"explained": 0.5, "explained_shuffled": 0.4, "detectable": 0.1} | estimates(truth, "excess")
    return [_grouped(pd.Series(row), "column")]


def _reading(truth: str) -> Sequence[str]:
    """What a query scores by position, beside what shuffled positions do."""
    value, _, _ = TRUTHS[truth]
    result = forged_circuits(FORGE, STEP, same_row=value, same_column=-value, same_row_shuffled=0.1, mask_key=value)
    return head_circuits.circuits_sentences("L0H1", result.table("heads").assign(step=STEP), result.facts)


def _alike(truth: str) -> Sequence[str]:
    """Curves that aligning changes by the truth."""
    spread = {"aligned": 3.0 + TRUTHS[truth][0], "by_step": 3.0}
    return [aligned._alike(Result("compared-runs", "", {}, {"spread": spread}, {}))]


CASES: dict[str, Make] = {
    "patching": _patching,
    "patching of a head": _head_patching,
    "ablation": _ablation,
    "ablation of a head": _head_ablation,
    "probes": _probes,
    "taxonomy": _taxonomy,
    "headline": _headline,
    "switching": _switching,
    "compared checkpoints": _compared,
    "sweep": _sweep,
    "grouping of positions": _grouping,
    "what a head reads": _reading,
    "aligned runs": _alike,
}
EXACT = ("what a head reads", "aligned runs")
"""What is told of numbers that nothing is sampled for: these have no interval to be undecided."""


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("case", CASES)
def test_no_word_contradicts_its_interval(case: str, truth: str) -> None:
    wrong, n_words = contradictions(lambda: CASES[case](truth), WORDS, PLAIN)
    assert wrong == []
    assert n_words or truth == "missing"


OF_PASSES = ("attention", "taxonomy", "ablation", "probes", "patching", "circuits")
"""Those of a checkpoint, all sentences of which are walked."""
NO_VERDICT = (r"what earlier heads", r"[Ii]n the later layers", r"differs by up to")


@pytest.mark.parametrize("step", FORGE.steps)
def test_no_section_of_a_checkpoint_decides_by_itself(step: int) -> None:
    results = {name: FORGE.checkpoint(step, name) for name in OF_PASSES if name != "circuits"}
    results["circuits"] = forged_circuits(FORGE, step)
    made = {part.name: part.sentences for part in sections(results, FORGE.training()) if part.name in results}
    assert made.keys() == set(OF_PASSES)
    for own in made.values():
        assert own
    wrong, _ = contradictions(lambda: _all(sections(results, FORGE.training())), WORDS, [*PLAIN, *NO_VERDICT])
    assert wrong == []


def test_no_section_of_a_run_decides_by_itself() -> None:
    results = {name: getattr(forged_tokens, name)() for name in forged_tokens.COMPARISONS}
    training = forged_tokens.training()
    wrong, n_words = contradictions(lambda: _all(comparison_sections(results, training)), WORDS, [*PLAIN, *NO_VERDICT])
    assert wrong == []
    assert n_words


def _all(shown: Sequence[Section]) -> list[str]:
    return [sentence for part in shown for sentence in part.sentences]


@pytest.mark.parametrize("truth", ["undecided", "hardly known"])
@pytest.mark.parametrize("case", sorted(CASES.keys() - set(EXACT)))
def test_a_sign_read_off_an_undecided_interval_is_caught(
    case: str, truth: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Judged, "side", property(lambda self: "above" if self.value > self.reference else "below"))
    wrong, _ = contradictions(lambda: CASES[case](truth), WORDS, PLAIN)
    assert any("decides what is not" in problem for problem in wrong)


@pytest.mark.parametrize("case", sorted(CASES.keys() - set(EXACT)))
def test_words_that_are_swapped_are_caught(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = {"above": "below", "below": "above"}
    side = Judged.side.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(Judged, "side", property(lambda self: swapped.get(side(self), side(self))))
    wrong, _ = contradictions(lambda: CASES[case]("above"), WORDS, PLAIN)
    assert any("should say" in problem for problem in wrong)


def test_a_word_that_nobody_judged_is_caught() -> None:
    wrong, _ = contradictions(lambda: ["Ablating all heads raises L_mask."], WORDS, PLAIN)
    assert wrong == ["“raises” came from elsewhere: Ablating all heads raises L_mask."]


SAID = {
    "above": (
        "Ablating L0H1 alone (uniform, n = 512 fresh matrices, seed 7) raises L_mask at step 9,000: change 0.50 [0.40, "
        "0.60]",
        "the masked entries are nearer to the source's matrix than to the base's at step 9,000",
        "the last L_mask is lower for n_layers 2, 1.00 [1.00, 1.00] (n = 3), than for n_layers 1, 1.50 [1.40, 1.60]",
    ),
    "reversed": (
        "lowers L_mask at step 9,000: change −0.50 [−0.60, −0.40]",
        "the masked entries are nearer to the base's matrix than to the source's at step 9,000",
        "the last L_mask is lower for n_layers 1, 0.50 [0.40, 0.60] (n = 3), than for n_layers 2, 1.00 [1.00, 1.00]",
    ),
    "null": (
        "does not change L_mask at step 9,000: change 0 [0, 0]",
        "are measurably nearer neither to the source's matrix nor to the base's at step 9,000",
        "the last L_mask is the same to within 1 % for n_layers 1, 1.00 [1.00, 1.00] (n = 3), and n_layers 2",
    ),
    "tiny": (
        "raises L_mask by a negligible ",
        "the masked entries are nearer to the source's matrix than to the base's at step 9,000",
        "the last L_mask is the same to within 1 % for n_layers 2",
    ),
    "undecided": (
        "does not measurably change L_mask at step 9,000: change 0.05 [−0.20, 0.30]",
        "are measurably nearer neither to the source's matrix nor to the base's at step 9,000",
        "the last L_mask is not told apart between n_layers 2, 1.00 [1.00, 1.00] (n = 3), and n_layers 1, 1.05 [0.80, "
        "1.30] (n = 3): seeds alone may make the difference.",
    ),
    "missing": (
        "No entry was masked, so that there is no L_mask to change.",
        "No entry was masked, so that there is nothing to bring nearer.",
        "The run is finished; it drops, fastest at step 5.",
    ),
}


@pytest.mark.parametrize("truth", SAID)
def test_what_is_said_of_each_truth(truth: str) -> None:
    made = (CASES[case](truth) for case in ("ablation of a head", "patching of a head", "sweep"))
    for sentences, words in zip(made, SAID[truth], strict=True):
        assert words in " ".join(sentences)


COUNTED = {
    "above": "16 raise L_mask; ",
    "reversed": "none raises L_mask, 16 lower it; ",
    "tiny": "16 raise L_mask (16 of them by less than 1 %); ",
    **dict.fromkeys(("null", "undecided", "hardly known"), "none raises L_mask; "),
}


@pytest.mark.parametrize("truth", COUNTED)
def test_heads_are_counted_by_their_intervals(truth: str) -> None:
    assert COUNTED[truth] in _ablation(truth)[1]


FALL = np.arange(4000)
NOISE = np.exp(0.05 * np.random.default_rng(0).standard_normal(4000))
CURVES = {
    "above": (np.where(FALL < 2000, 1.0, 0.1) * NOISE, "L_mask stays at 1 until step "),
    "reversed": (np.where(FALL < 2000, 0.1, 1.0) * NOISE, "No drop yet: L_mask stays near "),
    "null": (np.ones(4000), "No drop yet: L_mask stays near 1 "),
    "tiny": (np.where(FALL < 2000, 1.0, 0.99) * NOISE, "No drop yet: L_mask stays near "),
    "undecided": (NOISE**20, "No drop yet: L_mask stays near "),
    "hardly known": (NOISE**100, "No drop yet: L_mask stays near "),
}
"""Curves of training, and what is said of them."""


@pytest.mark.parametrize("truth", CURVES)
def test_training_tells_of_a_drop_where_there_is_one(truth: str) -> None:
    curve, begins = CURVES[truth]
    transition = asdict(find_transition(FALL, curve, quantity="L_mask"))
    result = FORGE.training()
    tables = {name: table for name, table in result.tables.items() if name != "transitions"}
    (sentence,) = training.statements(replace(result, facts={**result.facts, "transition": transition}, tables=tables))
    assert sentence.startswith(begins)
    assert ("falls fastest" in sentence) == (truth == "above")
    assert training.statements(replace(result, facts={}, tables=tables)) == ["No transition was looked for."]
