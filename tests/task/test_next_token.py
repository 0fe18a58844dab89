"""The base of next-token tasks: loss and scores by hand, repeated sequences, and training through it to the bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mcinterp.config import TrainConfig
from mcinterp.config.transformer import TransformerConfig
from mcinterp.errors import InputError
from mcinterp.model.causal import CausalTransformer
from mcinterp.model.fused import training_forward
from mcinterp.model.plain import trainable
from mcinterp.task.next_token import NextToken, TokenBatch
from mcinterp.training import TrainState, training_steps


class Counting(NextToken):
    """Each token is the one before it plus one, modulo the vocabulary; where it begins is random."""

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        start = torch.randint(self.d_vocab, (n, 1), generator=generator)
        return TokenBatch.of((start + torch.arange(self.n_positions + 1)) % self.d_vocab, truth={"start": start[:, 0]})


def log_odds(*shares: float) -> list[float]:
    return [math.log(share) for share in shares]


BATCH = TokenBatch.of(torch.tensor([[0, 1, 2], [2, 2, 0]]), torch.tensor([[1.0, 0.0], [1.0, 3.0]]))
OUTPUT = torch.tensor(
    [[log_odds(0.2, 0.5, 0.3), log_odds(0.9, 0.05, 0.05)], [log_odds(0.5, 0.1, 0.4), log_odds(0.8, 0.1, 0.1)]]
)


def test_loss_and_scores_by_hand() -> None:
    expected = -(math.log(0.5) + math.log(0.4) + 3 * math.log(0.8)) / 5
    task = Counting(3, 2)
    assert float(task.loss(OUTPUT, BATCH)) == pytest.approx(expected)
    scores = task.scores(OUTPUT, BATCH)
    assert tuple(scores) == task.score_names == ("cross_entropy", "accuracy")
    assert float(scores["cross_entropy"]) == pytest.approx(expected)
    assert float(scores["accuracy"]) == pytest.approx(4 / 5)


def test_scores_of_samples_by_hand() -> None:
    found = Counting(3, 2).sample_scores(OUTPUT, BATCH)
    assert list(found) == ["cross_entropy", "accuracy"]
    for sums, counts in found.values():
        assert sums.dtype == counts.dtype == np.float64
        np.testing.assert_array_equal(counts, [1, 4])
    np.testing.assert_allclose(
        found["cross_entropy"][0], [-math.log(0.5), -math.log(0.4) - 3 * math.log(0.8)], rtol=1e-6
    )
    np.testing.assert_allclose(found["accuracy"][0], [1, 3])


@given(seed=st.integers(0, 2**32), n=st.integers(1, 5), n_pos=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_samples_add_up_to_the_batch_and_unscored_positions_count_for_nothing(seed: int, n: int, n_pos: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(n, n_pos, generator=generator) * (torch.rand(n, n_pos, generator=generator) < 0.7)
    weights[0, 0] = 1.0
    batch = TokenBatch.of(torch.randint(4, (n, n_pos + 1), generator=generator), weights)
    output, task = torch.randn(n, n_pos, 4, generator=generator), Counting(4, n_pos)
    for name, (sums, counts) in task.sample_scores(output, batch).items():
        assert sums.sum() / counts.sum() == pytest.approx(float(task.scores(output, batch)[name]), abs=1e-5)
    changed = output.masked_fill((weights == 0)[..., None], 0.0)
    torch.testing.assert_close(task.loss(changed, batch), task.loss(output, batch))
    assert float(task.loss(torch.zeros_like(output), batch)) == pytest.approx(math.log(4), rel=1e-5)


def test_a_part_and_another_device_take_everything_along() -> None:
    batch = Counting(5, 4).draw(6, torch.Generator().manual_seed(0))
    part = batch.part(slice(2, 4))
    assert len(part) == 2
    assert torch.equal(part.inputs[:, 0], part.truth["start"])
    assert torch.equal(part.targets, batch.targets[2:4])
    assert torch.equal(part.weights, batch.weights[2:4])
    moved = Counting(5, 4).to(batch, torch.device("meta"))
    assert {each.device.type for each in (moved.inputs, moved.targets, moved.weights, moved.truth["start"])} == {"meta"}


@pytest.mark.parametrize(("d_vocab", "n_positions"), [(20, 9), (20, 10), (5, 23), (5, 24), (2, 3)])
def test_a_repeated_sequence_comes_twice_and_its_second_time_is_scored(d_vocab: int, n_positions: int) -> None:
    batch = Counting(d_vocab, n_positions).repeated(50, torch.Generator().manual_seed(0))
    once = (n_positions + 1) // 2
    assert batch.inputs.shape == (50, n_positions)
    whole = torch.cat([batch.inputs, batch.targets[:, -1:]], 1)
    assert torch.equal(whole[:, :-once], whole[:, once:])
    for sequence in whole[:, :once].tolist():
        for start in range(0, once, d_vocab):
            part = sequence[start : start + d_vocab]
            assert len(set(part)) == len(part)
    # Scored is what follows a token of the second time.
    assert torch.equal(batch.weights[0], torch.tensor([0.0] * once + [1.0] * (n_positions - once)))
    assert len({tuple(sequence) for sequence in whole.tolist()}) > 1


class Separated(Counting):
    def content_tokens(self) -> Tensor:
        return torch.tensor([1, 3])


def test_separators_can_be_left_out_of_random_sequences() -> None:
    task = Separated(4, 9)
    assert task.inputs_for_attention() == ["random", "repeated"]
    assert set(task.examples(5, torch.Generator().manual_seed(0), "repeated").inputs.flatten().tolist()) == {1, 3}
    drawn = task.examples(5, torch.Generator().manual_seed(0), "random")
    assert torch.equal(drawn.inputs, Separated(4, 9).draw(5, torch.Generator().manual_seed(0)).inputs)


def test_labels_and_decoding() -> None:
    task = Counting(12, 3)
    assert task.position_labels() == ["0", "1", "2"]
    assert task.decode(torch.tensor([11, 0, 3])) == "11 0 3"
    with pytest.raises(InputError, match="tokens are 0 … 11, got 12"):
        task.decode([3, 12])


def test_what_makes_no_batch_is_refused() -> None:
    with pytest.raises(InputError, match=r"with pos ≥ 1, got \(3, 1\)"):
        TokenBatch.of(torch.zeros(3, 1, dtype=torch.int64))
    with pytest.raises(InputError, match="takes 3 positions or more, got 2"):
        Counting(3, 2).repeated(1, torch.Generator())


def test_a_small_transformer_learns_to_count() -> None:
    task, config = Counting(5, 6), TrainConfig(steps=60, batch_size=16, learning_rate=1e-2)
    shape = TransformerConfig(n_layers=1, n_heads=2, d_model=16, d_mlp=32, positions="rotary", tied=True)
    model = CausalTransformer(shape, task.d_vocab, task.n_positions)
    state = TrainState.fresh(trainable(model), config)
    records = list(training_steps(state, task, training_forward(model), config, torch.device("cpu")))
    assert records[0].loss == pytest.approx(records[0].scores["cross_entropy"])
    assert records[0].loss > 1.0
    assert records[-1].loss < 0.1
    assert records[-1].scores["accuracy"] == 1.0
