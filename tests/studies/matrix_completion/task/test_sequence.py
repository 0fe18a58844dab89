"""Matrix completion as a sequence: its format, loss and scores, each against a case or a computation by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from mcinterp.errors import InputError
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.studies.matrix_completion.task.sequence import MatrixSequence, most_probable_values
from mcinterp.studies.matrix_completion.task.tokens import detokenise
from mcinterp.task import make_task

CONFIG = TaskConfig(kind="matrix-sequence", rows=2, cols=2, rank=1, v_min=-1.0, v_max=1.0, decimals=1)
TASK = MatrixSequence(CONFIG)
MATRIX = torch.tensor([[[0.5, -0.3], [0.04, 1.0]]])
OBSERVED = torch.tensor([[[True, False], [True, True]]])


def test_the_configuration_decides_the_task() -> None:
    assert type(make_task(CONFIG)) is MatrixSequence
    assert type(make_task(TaskConfig())) is MatrixCompletion


def test_a_sequence_is_masked_entries_separator_and_all_entries() -> None:
    # 21 values have the ids 1 (−1.0) to 21 (1.0), so that x is 11 + 10 x; the separator is 22.
    batch = TASK.batch(MATRIX, OBSERVED)
    assert batch.inputs.tolist() == [[16, 0, 11, 21, 22, 16, 8, 11, 21]]
    assert torch.equal(batch.targets, torch.tensor([[0.5, -0.3, 0.0, 1.0]]))
    assert batch.observed.tolist() == [[True, False, True, True]]
    assert TASK.answers(batch).tolist() == [[16, 8, 11, 21]]
    assert batch.inputs.shape[1] == CONFIG.n_positions == 9
    assert CONFIG.d_vocab == 25


def test_the_paper_has_405_tokens_and_99_positions() -> None:
    paper = TaskConfig(kind="matrix-sequence", v_min=-2.0, v_max=2.0)
    assert (paper.n_values, paper.d_vocab, paper.n_positions) == (401, 405, 99)
    batch = MatrixSequence(paper).sample(64, torch.Generator().manual_seed(0))
    assert torch.equal(batch.inputs[:, 49], torch.full((64,), 402))
    assert int(batch.inputs.max()) == 402


def test_only_values_have_a_value() -> None:
    values = detokenise(torch.arange(25), CONFIG)
    assert torch.equal(values[1:22], torch.linspace(-1, 1, 21).round(decimals=1))
    assert values[[0, 22, 23, 24]].isnan().all()
    with pytest.raises(InputError, match=r"ids must be in 0 … 24"):
        detokenise(torch.tensor([25]), CONFIG)


def test_matrices_and_masks_are_those_of_the_encoders_task() -> None:
    same = CONFIG.model_copy(update={"kind": "matrix-completion"})
    sequences = TASK.sample(5, torch.Generator().manual_seed(3))
    entries = MatrixCompletion(same).sample(5, torch.Generator().manual_seed(3))
    assert torch.equal(sequences.inputs[:, :4], entries.inputs)
    assert torch.equal(sequences.targets, entries.targets)
    assert torch.equal(sequences.observed, entries.observed)


def test_the_negative_has_the_same_mask_and_negative_values() -> None:
    batch = TASK.negated(TASK.batch(MATRIX, OBSERVED))
    assert batch.inputs.tolist() == [[6, 0, 11, 1, 22, 6, 14, 11, 1]]


def test_a_value_outside_the_vocabulary_is_refused_even_where_it_is_masked() -> None:
    with pytest.raises(InputError, match=r"1 of 4 values lie outside the vocabulary"):
        TASK.batch(torch.tensor([[[0.5, 1.7], [0.0, 0.0]]]), OBSERVED)


def random_logits(n: int) -> torch.Tensor:
    return 3 * torch.randn(n, CONFIG.n_entries, CONFIG.d_vocab, generator=torch.Generator().manual_seed(1))


def test_loss_and_scores_against_a_slow_computation() -> None:
    batch, logits = TASK.sample(7, torch.Generator().manual_seed(0)), random_logits(7)
    sums = {name: [0.0, 0] for name in ("observed", "masked")}
    right, square = {"observed": 0, "masked": 0}, {"observed": 0.0, "masked": 0.0}
    for sample in range(7):
        for entry in range(4):
            entries = "observed" if batch.observed[sample, entry] else "masked"
            token = int(batch.inputs[sample, 5 + entry])
            row = logits[sample, entry].double().tolist()
            sums[entries][0] += math.log(sum(math.exp(x) for x in row)) - row[token]
            sums[entries][1] += 1
            best = max(range(1, 22), key=row.__getitem__)
            right[entries] += best == token
            square[entries] += ((best - 11) / 10 - float(batch.targets[sample, entry])) ** 2
    scores = TASK.scores(logits, batch)
    assert tuple(scores) == TASK.score_names == tuple(TASK.score_kinds)
    assert TASK.progress_score in scores
    for entries, (total, count) in sums.items():
        assert float(scores[f"{entries}_cross_entropy"]) == pytest.approx(total / count, rel=1e-5)
        assert float(scores[f"{entries}_accuracy"]) == pytest.approx(right[entries] / count)
        assert float(scores[f"{entries}_mse"]) == pytest.approx(square[entries] / count, rel=1e-5)
    everything = sum(total for total, _ in sums.values()) / 28
    assert float(TASK.loss(logits, batch)) == pytest.approx(everything, rel=1e-5)


def test_the_loss_is_that_of_the_answer_alone() -> None:
    batch, logits = TASK.sample(3, torch.Generator().manual_seed(0)), random_logits(3)
    other_prompts = batch.inputs.clone()
    other_prompts[:, :5] = 1
    assert torch.equal(TASK.loss(logits, replace(batch, inputs=other_prompts)), TASK.loss(logits, batch))


def test_mask_and_separator_are_no_answers() -> None:
    logits = torch.zeros(25)
    logits[[0, 22, 23, 24]] = 9.0
    logits[13] = 1.0
    assert int(most_probable_values(logits, 21)) == 13


def test_where_nothing_is_masked_the_masked_scores_are_absent() -> None:
    batch = TASK.sample(2, torch.Generator().manual_seed(0), mask="none")
    scores = TASK.scores(random_logits(2), batch)
    assert scores["masked_accuracy"].isnan()
    assert not scores["observed_accuracy"].isnan()
