"""What stored samples say of forks: laws, calls and evidence of texts whose forks are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mcinterp.analysis.forks import forks
from mcinterp.errors import UnansweredError
from mcinterp.language.outcomes import OTHER, OutcomePattern
from mcinterp.language.stored import Branch, ForkPosition, ForkSamples
from mcinterp.report.views.forks import most_likely, sentences, words
from mcinterp.results import Result

PATTERN = OutcomePattern("yes|no|maybe")


def text(shares: Sequence[Sequence[float]], n: int = 100) -> ForkSamples:
    """A text of two branches a position, of equal weight, with these shares of `yes` after each; the rest is `no`."""
    positions = []
    for place, own in enumerate(shares):
        texts = [tuple(["yes"] * round(n * share) + ["no"] * (n - round(n * share))) for share in own]
        branches = [Branch(f" t{place}", 0.45, texts[0], True), Branch(f" u{place}", 0.45, texts[1])]
        positions.append(ForkPosition(place, tuple(branches), 0.7))
    return ForkSamples("prompt", tuple(f" t{place}" for place in range(len(shares))), tuple(positions))


FORKED = text([(0.5, 0.5)] * 6 + [(1.0, 0.0)] + [(1.0, 1.0)] * 6)
"""Even up to token 6, at which one branch leads to yes and the other to no."""


def test_a_fork_is_called_where_it_is() -> None:
    result = forks(FORKED, PATTERN)
    tokens = result.table("tokens")
    assert tokens["position"][tokens["called"]].tolist() == [6]
    assert tokens["posterior"].iloc[6] > 0.99
    assert np.isnan(tokens["posterior"].iloc[-1])
    assert tokens["hazard"].round(6).tolist() == [0.0] * 6 + [0.5] + [0.0] * 6
    assert tokens["survival"].iloc[-1] == pytest.approx(0.5)
    assert tokens["change"].iloc[6] == pytest.approx(0.5)
    series = result.table("series").iloc[0]
    assert series["log_bayes_factor"] > np.log(1e6)
    assert series["p_value"] == pytest.approx(0.01)
    laws = result.table("laws").set_index(["position", "outcome"])
    assert laws.loc[(0, "yes"), "weighted"] == pytest.approx(0.5)
    assert laws.loc[(8, "yes"), "count"] == laws.loc[(8, "yes"), "n"] == 100
    assert laws.loc[(8, "yes"), "share_low"] > 0.95
    branches = result.table("branches").set_index(["position", "number", "outcome"])
    assert branches.loc[(6, 1, "no"), "share"] == 1.0
    assert result.facts["outcomes"] == ["yes", "no", OTHER]


def test_a_text_without_forks_has_none_whatever_its_branches() -> None:
    result = forks(text([(0.5, 0.5)] * 20), PATTERN)
    assert not result.table("tokens")["called"].any()
    assert result.table("series")["log_bayes_factor"].iloc[0] < 0
    assert result.table("series")["null_share_high"].iloc[0] < 0.1


def test_counts_are_of_samples_and_of_texts_only_where_it_is_asked_for() -> None:
    mostly = ("yes",) * 90 + tuple(f"no {i}" for i in range(10))
    positions = [ForkPosition(place, (Branch("a", 1.0, mostly, True),)) for place in range(2)]
    samples = ForkSamples("", ("a", "a"), tuple(positions))
    counted, distinct = (forks(samples, PATTERN, distinct=way).table("laws") for way in (False, True))
    own = counted.set_index(["position", "outcome"])["weighted"]
    assert own[0, "yes"] == pytest.approx(0.9)
    # Ten texts say no, and one says yes.
    assert distinct.set_index(["position", "outcome"])["weighted"][0, "yes"] == pytest.approx(1 / 11)


def test_the_outcome_is_read_from_what_follows_the_prompt() -> None:
    positions = tuple(ForkPosition(place, (Branch(" x", 1.0, ("y",) * 5, True),)) for place in range(2))
    samples = ForkSamples("yes", (" x", " x"), positions)
    assert forks(samples, PATTERN).facts["outcomes"] == [OTHER]
    # What the text said before counts, too.
    assert forks(samples, OutcomePattern("x x")).table("laws").query("outcome == 'x x'")["count"].tolist() == [0, 5]


def test_rare_outcomes_go_to_other() -> None:
    said = ("yes",) * 6 + ("no",) * 3 + ("maybe",)
    positions = tuple(ForkPosition(place, (Branch("a", 1.0, said, True),)) for place in range(2))
    result = forks(ForkSamples("", ("a", "a"), positions), PATTERN, most_outcomes=2)
    assert result.facts["outcomes"] == ["yes", "no", OTHER]
    assert result.table("laws").query("outcome == 'other'")["weighted"].tolist() == pytest.approx([0.1, 0.1])


def test_the_same_seed_gives_the_same_and_another_other_mixtures() -> None:
    samples = text([(0.5, 0.3)] * 8)
    first, again, other = (forks(samples, PATTERN, seed=seed).table("laws")["count"].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_one_position_has_no_change() -> None:
    with pytest.raises(UnansweredError, match="a change is between two positions; 1 were sampled"):
        forks(text([(0.5, 0.5)]), PATTERN)


def test_sentences_say_what_was_found() -> None:
    said = " ".join(sentences(forks(FORKED, PATTERN)))
    assert "speak for a change" in said
    assert "none of 99 series without any change has as much" in said
    assert "The law changes at 1 of 12 tokens: 't6' (token 6)." in said
    assert "with 100 samples a branch" in said
    flat = " ".join(sentences(forks(text([(0.5, 0.5)] * 20), PATTERN)))
    assert "At none of 19 tokens is there a change" in flat
    assert "speak against any change" in flat or "do not tell whether" in flat
    few = " ".join(sentences(forks(text([(0.5, 0.5), (1.0, 1.0)], n=4), PATTERN)))
    assert "do not tell whether the outcome's law changes" in few
    distinct = " ".join(sentences(forks(FORKED, PATTERN, distinct=True)))
    assert "distinct texts a branch" in distinct


def test_the_tree_is_at_the_fork_and_tokens_are_coloured_by_their_change() -> None:
    result = forks(FORKED, PATTERN)
    fork = most_likely(result.table("tokens"))
    assert fork is not None
    assert fork["position"] == 6
    own = words(result)
    assert [word.called for word in own].index(True) == 6
    assert own[6].share > 0.99
    assert own[-1].share == 0.0
    assert "2 branches" in own[0].title
    single = tuple(ForkPosition(place, (Branch("a", 1.0, ("yes",) * 3, True),)) for place in range(3))
    assert most_likely(forks(ForkSamples("", ("a",) * 3, single), PATTERN).table("tokens")) is None


def test_tokens_that_look_like_numbers_or_like_nothing_come_back(tmp_path: Path) -> None:
    names = (" 0.10", "", " nan")
    positions = tuple(ForkPosition(i, (Branch(name, 1.0, ("yes",) * 3, True),)) for i, name in enumerate(names))
    forks(ForkSamples("", names, positions), PATTERN).save(tmp_path / "r")
    assert [word.text for word in words(Result.load(tmp_path / "r"))] == list(names)
