"""Mixtures of Markov chains by definition: their law, and every closed form against a slow count of its own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from mcinterp.config import RunConfig, load_preset
from mcinterp.errors import ConfigError, InputError
from mcinterp.studies.markov_mixtures import oracles as closed
from mcinterp.studies.markov_mixtures.chains import INSIDE, blocks, drawn_once, drawn_rows, stationary, walks
from mcinterp.studies.markov_mixtures.config import MarkovConfig
from mcinterp.studies.markov_mixtures.oracles import (
    BI_INF,
    BI_RET,
    FOUR,
    KINDS,
    PRIOR_ROW,
    UNI_INF,
    UNI_LAW,
    UNI_RET,
    UNIFORM,
    predictions,
)
from mcinterp.studies.markov_mixtures.task import MarkovMixture
from mcinterp.task import make_task
from mcinterp.task.oracle_tokens import LATE

SMALL = MarkovConfig(states=3, chains=5, length=13)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def configured(*changes: str) -> RunConfig:
    return load_preset("markov-mixtures", changes)


def law_of(rows: np.ndarray) -> np.ndarray:
    """The stationary law by walking for long."""
    return np.full(len(rows), 1 / len(rows)) @ np.linalg.matrix_power(rows, 4096)


def counted(tokens: list[int], states: int) -> np.ndarray:
    """The rows of how often each step was made, one more of each."""
    pairs = np.ones((states, states))
    for state, to in pairwise(tokens):
        pairs[state, to] += 1
    return pairs / pairs.sum(1, keepdims=True)


def slow_retrieval(name: str, tokens: list[int], rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    laws, posterior = [law_of(each) for each in rows], weights.copy()
    for chain, (each, law) in enumerate(zip(rows, laws, strict=True)):
        posterior[chain] *= law[tokens[0]]
        for at in range(1, len(tokens)):
            posterior[chain] *= each[tokens[at - 1], tokens[at]] if name == BI_RET else law[tokens[at]]
    answers = laws if name == UNI_LAW else [each[tokens[-1]] for each in rows]
    return sum(share * answer for share, answer in zip(posterior / posterior.sum(), answers, strict=True))


def slow(name: str, tokens: list[int], rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    states = rows.shape[-1]
    if name in (UNI_RET, BI_RET, UNI_LAW):
        return slow_retrieval(name, tokens, rows, weights)
    if name in (UNI_INF, BI_INF):
        own = counted(tokens, states)
        return law_of(own) if name == UNI_INF else own[tokens[-1]]
    return np.full(states, 1 / states) if name == UNIFORM else np.einsum("c,cj->j", weights, rows[:, tokens[-1]])


@pytest.mark.parametrize("name", list(KINDS))
def test_closed_forms_are_what_slow_counts_give(name: str) -> None:
    task = MarkovMixture(SMALL.of_chain(7))
    batch = task.draw(4, seeded())
    found = task.oracles(batch)[name].numpy()
    rows, weights = task.rows.numpy(), task.weights.numpy()
    for sequence, tokens in enumerate(batch.inputs.tolist()):
        for place in range(len(tokens)):
            wanted = slow(name, tokens[: place + 1], rows, weights)
            np.testing.assert_allclose(found[sequence, place], wanted, atol=1e-9)


def test_closed_forms_do_not_depend_on_how_many_sequences_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    task = MarkovMixture(SMALL)
    batch = task.draw(7, seeded())
    whole = task.oracles(batch)
    monkeypatch.setattr(closed, "CHUNK", 400)
    for name, points in task.oracles(batch).items():
        torch.testing.assert_close(points, whole[name], rtol=0, atol=1e-14)


def test_long_sequences_of_many_chains_stay_probabilities() -> None:
    task = MarkovMixture(MarkovConfig(states=4, chains=300, length=600))
    for points in task.oracles(task.draw(3, seeded())).values():
        torch.testing.assert_close(points.sum(-1), torch.ones(3, 599, dtype=torch.float64))
        assert float(points.min()) >= 0


@pytest.mark.parametrize("chains", [4, 8, 32, 128])
def test_retrieval_is_the_best_for_training_chains_and_counting_for_others(chains: int) -> None:
    task = MarkovMixture(MarkovConfig(chains=chains).of_chain(chains))
    least = {}
    for family in ("random", "unseen"):
        batch = task.examples(256, seeded(1), family)
        truth, late = task.truth(batch), task.contexts(batch)[LATE]
        apart = {name: float((task.divergence(truth, each) * late).sum()) for name, each in task.oracles(batch).items()}
        least[family] = min(apart, key=apart.__getitem__)
    assert least == {"random": BI_RET, "unseen": BI_INF}


def test_of_one_token_both_ways_to_retrieve_and_both_to_infer_are_one() -> None:
    task = MarkovMixture(SMALL)
    found = {name: points[:, 0] for name, points in task.oracles(task.draw(6, seeded())).items()}
    torch.testing.assert_close(found[UNI_RET], found[BI_RET], rtol=0, atol=1e-14)
    torch.testing.assert_close(found[UNI_INF], found[BI_INF], rtol=0, atol=1e-14)
    torch.testing.assert_close(found[BI_INF], found[UNIFORM], rtol=0, atol=1e-14)
    assert not torch.allclose(found[UNI_LAW], found[UNI_RET])


def test_of_one_chain_there_is_nothing_to_retrieve() -> None:
    task = MarkovMixture(MarkovConfig(states=3, chains=1, length=9))
    batch = task.draw(5, seeded())
    found = task.oracles(batch)
    for name in (UNI_RET, BI_RET, PRIOR_ROW):
        torch.testing.assert_close(found[name], task.truth(batch))


def test_sequences_are_walked_step_by_step() -> None:
    rows = drawn_rows(torch.ones(4, 4, dtype=torch.long), 6, seeded(3))
    law = stationary(rows)
    walked = walks(law, rows, 23, seeded(5))
    uniform = torch.rand(6, 23, 1, generator=seeded(5), dtype=torch.float64)[..., 0]
    for sequence in range(6):
        state = int(np.searchsorted(law[sequence].cumsum(0)[:-1].numpy(), float(uniform[sequence, 0])))
        for place in range(23):
            if place:
                upto = rows[sequence, state].cumsum(0)[:-1]
                state = int(np.searchsorted(upto.numpy(), float(uniform[sequence, place])))
            assert int(walked[sequence, place]) == state


def test_sequences_follow_the_law_of_their_chain() -> None:
    task = MarkovMixture(MarkovConfig(states=3, chains=2, length=12).of_chain(4))
    batch = task.draw(60_000, seeded())
    tokens = torch.cat([batch.inputs, batch.targets[:, -1:]], 1)
    chain, law = batch.truth["chain"], stationary(task.rows)
    assert float((chain == 0).double().mean()) == pytest.approx(float(task.weights[0]), abs=0.01)
    for which in (0, 1):
        own = tokens[chain == which]
        for place in (0, 11):
            share = torch.bincount(own[:, place], minlength=3) / len(own)
            torch.testing.assert_close(share.double(), law[which], atol=0.012, rtol=0)
        for state in range(3):
            after = own[own[:, 9] == state, 10]
            share = torch.bincount(after, minlength=3) / len(after)
            torch.testing.assert_close(share.double(), task.rows[which, state], atol=0.03, rtol=0)


def test_a_stationary_law_stays_as_it_is() -> None:
    rows = drawn_rows(torch.ones(5, 5, dtype=torch.long), 3, seeded())
    law = stationary(rows)
    torch.testing.assert_close(torch.einsum("ns,nsj->nj", law, rows), law)
    torch.testing.assert_close(law.sum(-1), torch.ones(3, dtype=torch.float64))
    np.testing.assert_allclose(law[0].numpy(), law_of(rows[0].numpy()), atol=1e-12)


def moments(concentrations: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of Dirichlet rows, in closed form."""
    total = concentrations.sum(-1, keepdim=True).double()
    mean = concentrations / total
    return mean, mean * (1 - mean) / (total + 1)


@pytest.mark.parametrize("family", ["unseen", "structured"])
def test_unseen_chains_have_the_moments_of_their_law(family: str) -> None:
    task = MarkovMixture(MarkovConfig(states=4, length=2))
    rows = task.examples(40_000, seeded(), family).truth["rows"]
    concentrations = blocks(4) if family == "structured" else torch.ones(4, 4, dtype=torch.long)
    mean, variance = moments(concentrations)
    torch.testing.assert_close(rows.mean(0), mean, atol=0.01, rtol=0)
    torch.testing.assert_close(rows.var(0), variance, atol=0.005, rtol=0)
    assert blocks(4).tolist()[0] == [INSIDE, INSIDE, 1, 1]
    assert blocks(5).tolist()[4] == [1, 1, 1, INSIDE, INSIDE]


def test_training_chains_have_dirichlet_rows_and_even_weights() -> None:
    rows, weights = drawn_once(3, 5000, 3, shared=False)
    mean, variance = moments(torch.ones(3, 3, dtype=torch.long))
    torch.testing.assert_close(rows.mean(0), mean, atol=0.015, rtol=0)
    torch.testing.assert_close(rows.var(0), variance, atol=0.01, rtol=0)
    quartiles = np.quantile(weights.numpy() * 2500, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [0.25, 0.5, 0.75], atol=0.03)
    assert float(weights.sum()) == pytest.approx(1)


def test_fewer_chains_are_the_first_of_more() -> None:
    few, many = (MarkovMixture(MarkovConfig(chains=n).of_chain(9)) for n in (8, 32))
    assert torch.equal(few.rows, many.rows[:8])


def test_chains_whose_rows_are_shared_make_tokens_independent() -> None:
    task = MarkovMixture(SMALL.model_copy(update={"rows": "shared"}))
    assert torch.equal(task.rows, task.rows[:, :1].expand(-1, 3, -1))
    rows = task.examples(5, seeded(), "unseen").truth["rows"]
    assert torch.equal(rows, rows[:, :1].expand(-1, 3, -1))
    batch = task.draw(6, seeded())
    found = task.oracles(batch)
    torch.testing.assert_close(found[UNI_RET], found[BI_RET])


def test_training_seeds_decide_the_chains_unless_they_have_one_of_their_own() -> None:
    first, again, other = (make_task(configured(f"training.seed={seed}").task) for seed in (3, 3, 4))
    assert torch.equal(first.rows, again.rows)
    assert not torch.equal(first.rows, other.rows)
    kept = [make_task(configured(f"training.seed={seed}", "training.chain_seed=5").task) for seed in (3, 4)]
    assert torch.equal(kept[0].rows, kept[1].rows)
    assert torch.equal(kept[0].draw(3, seeded()).inputs, kept[1].draw(3, seeded()).inputs)


def test_unseen_chains_are_the_same_whatever_was_trained() -> None:
    tasks = [MarkovMixture(SMALL.of_chain(chain)) for chain in (0, 1)]
    batches = [task.examples(4, seeded(2), "unseen") for task in tasks]
    assert torch.equal(batches[0].inputs, batches[1].inputs)
    assert batches[0].truth["chain"].tolist() == [-1] * 4
    with pytest.raises(InputError, match="'unsen' is no family of inputs"):
        tasks[0].examples(4, seeded(), "unsen")


def test_a_batch_asks_for_all_tokens_but_the_first() -> None:
    task = MarkovMixture(SMALL)
    batch = task.draw(5, seeded())
    assert batch.inputs.shape == batch.targets.shape == (5, SMALL.length - 1)
    assert torch.equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    chosen = task.truth(batch)[2, 4]
    assert torch.equal(chosen, task.rows[batch.truth["chain"][2], batch.inputs[2, 4]])


def test_impossible_mixtures_are_refused() -> None:
    for change in ("task.states=1", "task.chains=0", "task.length=1", "task.rows=both"):
        with pytest.raises(ConfigError, match=change.partition("=")[0]):
            configured(change)


def test_predictions_name_the_four_and_what_looks_at_no_context() -> None:
    found = predictions(torch.zeros(1, 2, dtype=torch.long), *drawn_once(0, 2, 3, shared=False))
    assert list(found) == list(KINDS)
    assert {name for name, kind in KINDS.items() if kind.null} == {PRIOR_ROW, UNIFORM}
    assert set(FOUR) < set(KINDS)
