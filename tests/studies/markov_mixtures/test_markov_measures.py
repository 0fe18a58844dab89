"""What is measured of networks, on planted predictions whose answer is known, and against slow counts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from short_markov import Plant
from torch import Tensor

from mcinterp.analysis.passes.oracles import Bench
from mcinterp.runs import Run
from mcinterp.studies.markov_mixtures.circuits import SUCCESSOR, best_of, half_reached, head_scores, use_of_order
from mcinterp.studies.markov_mixtures.competition import Ending, competition, competition_rows, rise_of
from mcinterp.studies.markov_mixtures.implied import implied_rows, last_places
from mcinterp.studies.markov_mixtures.mixtures import ALL_FOUR, OTHERS, SINGLE, WITHOUT, mixture_rows
from mcinterp.studies.markov_mixtures.oracles import BI_INF, BI_RET, FOUR, PRIOR_ROW, UNI_INF, UNI_RET
from mcinterp.studies.markov_mixtures.phases import phase_rows
from mcinterp.studies.markov_mixtures.readings import predictions_of

COURSE = (PRIOR_ROW, UNI_INF, UNI_RET, BI_INF, BI_RET)
"""A network that is one algorithm after the other, at steps 1, 10, 100, …"""


def course(bench: Bench) -> list[Tensor]:
    return [bench.oracles[name] for name in COURSE]


def mixed(bench: Bench) -> list[Tensor]:
    """Less and less of inference."""
    retrieval, inference = bench.oracles[BI_RET], bench.oracles[BI_INF]
    return [(1 - share) * retrieval + share * inference for share in (0.9, 0.8, 0.3)]


def frame(rows: list[dict[str, Any]], *index: str) -> pd.DataFrame:
    return pd.DataFrame(rows).set_index(list(index))


def test_planted_algorithms_are_nearest_and_their_onsets_are_found(plant: Plant) -> None:
    rows = phase_rows(plant(course))
    late = [row for row in rows["nearest"] if row["context"] == "late"]
    assert [row["nearest"] for row in late] == list(COURSE)
    assert {row["verdict"] for row in late} == {"nearest"}
    (onset,) = rows["onsets"]
    # Of the steps 10 and 100 the middle is √1000, nearest to 10 by less than rounding, or to 100.
    assert (onset["unigram"], onset["bigram"], onset["last"]) == (10, 1000, 10_000)
    assert onset["middle"] in (10, 100)
    distances = frame(rows["distances"], "step", "context", "oracle")["distance"]
    assert distances[10_000, "late", BI_RET] == pytest.approx(0, abs=1e-12)
    assert distances[10_000, "late", BI_INF] > 0.03
    choices = frame(rows["choices"], "context")
    assert choices.loc["late", "difference"] == pytest.approx(-distances[10_000, "late", BI_INF])
    assert choices.loc["1", "difference_high"] < 0


def test_distances_from_the_truth_are_paired_with_the_lines(plant: Plant) -> None:
    rows = phase_rows(plant(course))
    truth = frame(rows["truth"], "step", "family")["kl"]
    lines = frame(rows["lines"], "oracle", "family")
    for family in ("ID", "OOD"):
        assert truth[10_000, family] == pytest.approx(lines.loc[(BI_RET, family), "kl"])
        own = lines.loc[(BI_RET, family)]
        assert (own["ratio"], own["ratio_low"], own["ratio_high"]) == pytest.approx((1, 1, 1))


def test_a_network_that_never_is_like_bigrams_has_no_onset_of_them(plant: Plant) -> None:
    (onset,) = phase_rows(plant(lambda bench: course(bench)[:3]))["onsets"]
    assert onset["unigram"] == 10
    assert math.isnan(onset["bigram"])
    (before,) = phase_rows(replace(plant(lambda bench: course(bench)[1:3]), steps=(0, 10)))["onsets"]
    assert (before["unigram"], before["middle"]) == (10, 10)
    (nothing,) = phase_rows(plant(lambda bench: course(bench)[:1]))["onsets"]
    assert math.isnan(nothing["unigram"])
    assert math.isnan(nothing["middle"])


def test_planted_mixtures_are_taken_apart(plant: Plant) -> None:
    rows = mixture_rows(plant(mixed))
    weights = frame(rows["weights"], "step", "family", "oracle")
    for step, share in ((1, 0.9), (10, 0.8), (100, 0.3)):
        for family in ("ID", "OOD"):
            expected = {BI_RET: 1 - share, BI_INF: share, UNI_RET: 0, UNI_INF: 0}
            for name in FOUR:
                row = weights.loc[(step, family, name)]
                values = [row["weight"], row["weight_low"], row["weight_high"]]
                assert values == pytest.approx([expected[name]] * 3, abs=1e-4)
    left = frame(rows["left"], "step", "base")
    assert left.loc[(100, ALL_FOUR), "left"] == pytest.approx(0, abs=1e-7)
    assert left.loc[(100, SINGLE), "left_low"] > 0
    assert left.loc[(100, WITHOUT), "left_low"] > left.loc[(100, SINGLE), "left_high"]
    assert left.loc[(100, OTHERS), "left_low"] > left.loc[(100, SINGLE), "left_high"]
    predicted = pd.DataFrame(rows["predicted"])
    np.testing.assert_allclose(predicted["predicted"], predicted["measured"], rtol=1e-3)


def test_weights_are_judged_on_the_sequences_that_they_were_not_fitted_to(plant: Plant) -> None:
    def by_half(bench: Bench) -> list[Tensor]:
        half = torch.arange(len(bench.batch)) < len(bench.batch) // 2
        return [torch.where(half[:, None, None], bench.oracles[BI_RET], bench.oracles[BI_INF])]

    left = frame(mixture_rows(plant(by_half))["left"], "base")
    # Each half is explained wholly by an algorithm that the other half has nothing of.
    assert left.loc[ALL_FOUR, "left"] == pytest.approx(left.loc[SINGLE, "left"], rel=1e-3)
    assert left.loc[ALL_FOUR, "left_low"] > 0.02


def test_what_retrieval_takes_from_inference_is_measured_and_foretold(plant: Plant) -> None:
    reading = plant(mixed)
    (row,) = competition_rows(reading, onset=1)["rises"]
    assert row["least"] == 1
    assert row["rise_low"] > 0.02
    assert row["predicted"] == pytest.approx(row["rise"], rel=1e-3)
    assert row["learned_high"] < 0
    assert row["control"] == 0
    assert (row["retrieval"], row["inference"]) == pytest.approx((0.6, -0.6), abs=1e-4)
    assert (row["second"], row["largest"]) == pytest.approx((0.1, 0.7), abs=1e-4)
    assert row["correlation"] == pytest.approx(1, abs=1e-4)
    assert row["checkpoints"] == 3
    (late,) = competition_rows(reading, onset=math.nan)["rises"]
    assert math.isnan(late["correlation"])
    assert late["checkpoints"] == 0


def test_weights_of_other_networks_predict_worse(plant: Plant) -> None:
    own, other = Ending.of(plant(mixed)), Ending.of(plant(course))
    few = Ending({**other.about, "role": "few", "network": "few"}, other.weights, other.unseen)
    others = competition({"rises": []}, [own, few]).table("others")
    assert others["weights"].tolist() == ["few"]
    assert others["further_low"].iloc[0] > 0.02


def test_a_rise_is_from_the_step_that_the_other_half_chose() -> None:
    values = np.random.default_rng(0).normal(size=(5, 8))
    slow = []
    for sample in range(8):
        other = range(4, 8) if sample < 4 else range(4)
        means = [np.mean([values[step, i] for i in other]) for step in range(5)]
        slow.append(values[-1, sample] - values[int(np.argmin(means)), sample])
    np.testing.assert_allclose(rise_of(values), slow)


def test_matrices_are_implied_by_the_last_place_of_every_state() -> None:
    tokens = torch.tensor([[0, 1, 0, 2, 1], [0, 0, 1, 1, 1]])
    places, whole = last_places(tokens, 3)
    assert places.tolist() == [[2, 4, 3], [1, 4, 0]]
    assert whole.tolist() == [True, False]


def test_a_network_that_retrieves_is_near_to_training_chains_and_the_truth_is_at_chance(plant: Plant) -> None:
    reading = plant(lambda bench: [bench.task.rows[0][bench.batch.inputs]])
    (row,) = implied_rows(reading)["nearer"]
    assert row["share"] == 1
    assert row["more"] == pytest.approx(1 - row["true"])
    assert row["true_low"] < 0.5 < row["true_high"]
    assert row["counted_low"] < 0 < row["counted_high"]
    shown = frame(implied_rows(reading)["rows"], "family", "of")
    task = reading.trained.bench.task
    np.testing.assert_allclose(shown.loc[("OOD", "model"), "probability"], task.rows[0].flatten())


def test_half_of_an_attention_is_reached_for_good() -> None:
    steps = (0, 5, 10, 20, 40)
    assert half_reached(steps, np.array([0.9, 0.1, 0.5, 0.2, 0.8])) == 40
    assert half_reached(steps, np.array([0.0, 0.1, 0.5, 0.6, 0.8])) == 10
    assert half_reached(steps, np.array([0.8, 0.8, 0.8, 0.8, 0.8])) == 1
    assert math.isnan(half_reached(steps, np.array([0.0, 0.0, 0.1, 0.0, -0.01])))


def test_predictions_are_those_of_the_hooked_model(folder: Path) -> None:
    checkpoint = Run(folder / "run").checkpoint("last")
    tokens = checkpoint.sample(70, 0).inputs
    wanted = checkpoint.model.complete(tokens).double().softmax(-1)
    torch.testing.assert_close(predictions_of(checkpoint, tokens), wanted, atol=1e-5, rtol=0)


def test_a_shuffle_leaves_the_last_token_and_is_the_seeds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Run(folder / "run").checkpoint("last")
    tokens, given = checkpoint.sample(9, 0).inputs, []
    module = "mcinterp.studies.markov_mixtures.circuits.predictions_of"
    monkeypatch.setattr(module, lambda own, each: given.append(each) or predictions_of(own, each))
    order = use_of_order(checkpoint, tokens, 4)
    own, shuffled = given
    assert torch.equal(own, tokens)
    assert torch.equal(shuffled[:, -1], tokens[:, -1])
    assert torch.equal(shuffled.sort(1).values, tokens.sort(1).values)
    assert not torch.equal(shuffled, tokens)
    p, q = (checkpoint.model.complete(each)[:, -1].double().softmax(-1) for each in given)
    np.testing.assert_allclose(order, (p * (p / q).log()).sum(-1), atol=1e-6)
    np.testing.assert_array_equal(order, use_of_order(checkpoint, tokens, 4))


def test_head_scores_are_attention_over_what_uniform_attention_has(folder: Path) -> None:
    checkpoint = Run(folder / "run").checkpoint("last")
    tokens = checkpoint.sample(5, 0).inputs
    _, cache = checkpoint.model.run_with_cache(tokens)
    scores = head_scores(checkpoint, tokens)
    pattern = cache["blocks.1.attn.hook_pattern"].double().numpy()
    for sample, sequence in enumerate(tokens.tolist()):
        found = []
        for query in range(1, len(sequence)):
            keys = [key for key in range(1, query + 1) if sequence[key - 1] == sequence[query]]
            share = len(keys) / (query + 1)
            if keys and share < 1:
                found.append((pattern[sample, :, query, keys].sum(0) - share) / (1 - share))
        np.testing.assert_allclose(scores[1][SUCCESSOR][sample], np.mean(found, 0), atol=1e-5)
    assert best_of([scores], SUCCESSOR)[0] == pytest.approx(scores[1][SUCCESSOR].mean(0).max())
