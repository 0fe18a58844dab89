"""Texts sampled from all of their positions: what is sampled, stored, gone on with, and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_language import CHAIN, END, Chain

from mcinterp.errors import CheckpointError, InputError
from mcinterp.language.forks import ForkSettings, plan_forks, sample_forks
from mcinterp.language.outcomes import OTHER, OutcomePattern, outcome_names
from mcinterp.language.stored import SAMPLES, TEXT, ForkSamples, is_stored, load_samples

SETTINGS = ForkSettings(samples=40, length=6, limit=5, least=0.2)


def test_the_plan_is_the_likeliest_text_with_its_branches_and_says_what_it_takes() -> None:
    plan = plan_forks(Chain(), "0", SETTINGS)
    # 0 → 1 (the first of two), 1 → the end.
    assert plan.tokens == (1, END)
    assert plan.followed == ((1, 2), (1, 3, END))
    assert plan.probabilities == ((0.5, 0.5), (0.25, 0.25, 0.5))
    assert plan.entropies[0] == pytest.approx(np.log(2))
    assert plan.n_samples == 5 * 40
    # After an end nothing is written.
    assert plan.n_tokens == 4 * 40 * 5
    assert plan_forks(Chain(), "0", replace(SETTINGS, least=0.3)).followed == ((1, 2), (END,))


def test_samples_have_the_laws_of_their_branches(tmp_path: Path) -> None:
    done: list[int] = []
    found = sample_forks(plan_forks(Chain(), "0", replace(SETTINGS, samples=2000, limit=30)), tmp_path, done.append)
    assert (found.prompt, found.tokens) == ("0", ("1", "4"))
    assert done == [0, 4000, 10_000]
    first, second = found.positions
    assert [branch.token for branch in first.branches] == ["1", "2"]
    assert [branch.base for branch in second.branches] == [False, False, True]
    assert set(second.branches[2].continuations) == {""}
    texts = first.branches[0].continuations
    assert len(texts) == 2000
    # From 1 the text ends at once half of the time, by the chain.
    assert np.mean([text == "4" for text in texts]) == pytest.approx(CHAIN[1, END], abs=0.04)


def test_what_stands_is_kept_and_a_stopped_one_gives_the_same_to_the_last_sample(tmp_path: Path) -> None:
    plan = plan_forks(Chain(), "0", SETTINGS)
    whole = sample_forks(plan, tmp_path / "whole")
    written = (tmp_path / "whole" / SAMPLES).read_bytes()
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / TEXT).write_bytes((tmp_path / "whole" / TEXT).read_bytes())
    # Killed in the middle of its second line.
    cut = written.index(b"\n") + 30
    (tmp_path / "stopped" / SAMPLES).write_bytes(written[:cut])
    assert sample_forks(plan, tmp_path / "stopped") == whole
    assert (tmp_path / "stopped" / SAMPLES).read_bytes() == written
    model = Chain()
    assert sample_forks(replace(plan, model=model), tmp_path / "whole") == whole
    assert model.asked == 0
    other = sample_forks(plan_forks(Chain(), "0", replace(SETTINGS, seed=1)), tmp_path / "other")
    assert other.positions != whole.positions


def test_samples_of_something_else_are_not_gone_on_with(tmp_path: Path) -> None:
    sample_forks(plan_forks(Chain(), "0", SETTINGS), tmp_path)
    for settings, prompt, differs in ((replace(SETTINGS, seed=2), "0", "seed"), (SETTINGS, "1", "prompt, tokens")):
        with pytest.raises(InputError, match=f"holds samples that differ in {differs}: give another --out"):
            sample_forks(plan_forks(Chain(), prompt, settings), tmp_path)


def test_a_model_without_room_is_refused() -> None:
    model = Chain()
    model.n_positions = 1
    with pytest.raises(InputError, match="the prompt has 2 tokens, and the model room for 1 in all"):
        plan_forks(model, "01", SETTINGS)


def stored(folder: Path, *lines: object, tokens: object = ("a", "b"), **text: object) -> Path:
    """A folder written by hand."""
    folder.mkdir()
    (folder / TEXT).write_text(json.dumps({"prompt": "", "tokens": tokens} | text))
    (folder / SAMPLES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def branch(token: str, probability: float = 0.5, *texts: str, **more: object) -> dict[str, object]:
    return {"token": token, "probability": probability, "continuations": texts or ("x", "x"), **more}


def test_a_folder_by_hand_is_read_and_equal_texts_stay_as_many(tmp_path: Path) -> None:
    lines = [{"position": 1, "branches": [branch("b"), branch("c")], "entropy": 0.1}]
    lines += [{"position": 0, "branches": [branch("a", 1.0)]}]
    found = load_samples(stored(tmp_path / "s", *lines))
    assert is_stored(tmp_path / "s")
    assert [at.position for at in found.positions] == [0, 1]
    assert [each.base for each in found.positions[1].branches] == [True, False]
    assert found.positions[0].branches[0].continuations == ("x", "x")
    assert (found.positions[0].entropy, found.positions[1].entropy) == (None, 0.1)
    assert found.before(1) == "a"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ({"branches": []}, "it does not say 'position'"),
        ({"position": 2, "branches": [branch("a")]}, "positions are 0 … 1, got 2"),
        ({"position": 0, "branches": [branch("c")]}, "one branch must be the text's own token 'a'"),
        ({"position": 0, "branches": [branch("a"), branch("a")]}, "one branch must be the text's own"),
        ({"position": 0, "branches": [branch("a", 0.0)]}, "probabilities lie between 0 and 1, got 0.0"),
        ({"position": 0, "branches": [branch("a", 1.5)]}, "probabilities lie between 0 and 1, got 1.5"),
        ({"position": 0, "branches": [branch("a", 0.5) | {"continuations": []}]}, "has no samples that are texts"),
        ({"position": 0, "branches": [branch("a", 0.5) | {"continuations": [3]}]}, "has no samples that are texts"),
        ([], "list indices"),
    ],
)
def test_a_line_that_is_none_is_told(tmp_path: Path, line: object, sentence: str) -> None:
    with pytest.raises(CheckpointError, match=r"samples\.jsonl, line 1, is no position: ") as caught:
        load_samples(stored(tmp_path / "s", line))
    assert sentence in str(caught.value)


def test_a_folder_that_is_damaged_is_told(tmp_path: Path) -> None:
    twice = {"position": 0, "branches": [branch("a")]}
    with pytest.raises(CheckpointError, match="has a position twice"):
        load_samples(stored(tmp_path / "twice", twice, twice))
    with pytest.raises(CheckpointError, match="prompt and tokens must be texts"):
        load_samples(stored(tmp_path / "numbers", tokens=[1]))
    with pytest.raises(CheckpointError, match=r"text\.json cannot be read"):
        load_samples(tmp_path / "nowhere")
    (stored(tmp_path / "cut") / TEXT).write_text("{")
    with pytest.raises(CheckpointError, match=r"text\.json cannot be read"):
        load_samples(tmp_path / "cut")


def test_an_outcome_is_a_group_or_the_whole_match_or_other() -> None:
    assert OutcomePattern(r"is (yes|no)")("the answer is no, is yes") == "no"
    assert OutcomePattern(r"yes|no")("… yes") == "yes"
    assert OutcomePattern(r"(a)|(b)")("b") == "b"
    assert OutcomePattern(r"is (\w*)")("is ") == OTHER
    assert OutcomePattern("yes")("no") == OTHER
    with pytest.raises(InputError, match="is no regular expression: "):
        OutcomePattern("(")


def test_the_most_frequent_outcomes_are_told_apart() -> None:
    said = ["b", "a", "c", "a", "b", OTHER, OTHER, OTHER]
    assert outcome_names(said, 2) == ["a", "b", OTHER]
    assert outcome_names([], 2) == [OTHER]


def test_a_text_before_its_samples_is_one() -> None:
    assert ForkSamples("p", ("a", "b")).before(2) == "ab"
