"""The inputs that are followed through all checkpoints: chosen once, and answered by the models themselves.

Every number of an encoder is held against a slow computation in test_every_number.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_gpt import small_gpt_config
from small_run import small_config
from torch import Tensor

from mcinterp.analysis import examples
from mcinterp.analysis.passes.examples import _Drawn, _ranked
from mcinterp.errors import InputError, UnansweredError
from mcinterp.runs import Run, train
from mcinterp.task.next_token import NextToken, TokenBatch


class Counting(NextToken):
    """Four tokens, of which none is scored after the first position."""

    def __init__(self) -> None:
        super().__init__(4, 3)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        return TokenBatch.of(torch.tensor([[0, 1, 2, 3]]).expand(n, -1), torch.tensor([[1.0, 0.0, 1.0]]).expand(n, -1))


def logits(*rows: list[float]) -> Tensor:
    return torch.tensor([rows])


def test_tokens_are_right_where_a_hand_made_model_gives_them_most() -> None:
    task = Counting()
    batch = task.draw(1, torch.Generator())
    # Right with ½, wrong but not scored, wrong with ⅒.
    answers = logits(
        [-9e9, np.log(0.5), np.log(0.3), np.log(0.2)], [9.0, 0, 0, 0], [np.log(0.9), -9e9, -9e9, np.log(0.1)]
    )
    shown = task.shown_examples(answers, batch)
    np.testing.assert_array_equal(shown.given, [[0, 1, 2]])
    np.testing.assert_array_equal(shown.truth, [[1, np.nan, 3]])
    np.testing.assert_array_equal(shown.answer, [[1, 0, 0]])
    np.testing.assert_allclose(shown.probability, [[0.5, np.nan, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(shown.error, [[np.log(2), np.nan, np.log(10)]], rtol=1e-6)
    assert task.shown_form().tokens == ["0", "1", "2", "3"]


def test_the_inputs_are_the_same_at_every_step_and_answered_by_its_model(trained: Run) -> None:
    result = examples(trained, samples=12, seed=4)
    inputs, answers = result.table("inputs"), result.table("answers")
    assert sorted(inputs["example"].unique()) == ["best", "structured", "typical", "worst"]
    assert "step" not in inputs
    for step in trained.steps:
        checkpoint = trained.checkpoint(step)
        for name, own in inputs.groupby("example"):
            truth = torch.tensor(own["truth"].to_numpy(), dtype=torch.float32).view(1, 5, 5)
            given = torch.tensor(own["given"].notna().to_numpy()).view(1, 5, 5)
            expected = checkpoint.model.complete(checkpoint.task.batch(truth, given).inputs)[0].double().numpy()
            rows = answers[(answers["step"] == step) & (answers["example"] == name)]
            np.testing.assert_allclose(rows["answer"], expected, atol=1e-6)
            np.testing.assert_allclose(rows["error"], expected - own["truth"].to_numpy(), atol=1e-6)
    again = examples(trained, trained.steps[:1] + trained.steps[-1:], 12, 4)
    assert again.table("inputs").equals(inputs)


def test_the_structured_input_has_the_first_structured_mask(trained: Run) -> None:
    result = examples(trained, samples=6)
    own = result.table("inputs").query("example == 'structured'")
    hidden = own["given"].isna().to_numpy().reshape(5, 5)
    name = result.table("chosen").set_index("example").loc["structured", "inputs"]
    assert name == trained.checkpoint("last").task.inputs_for_attention()[1] == "masked-rows:2@1,4@3"
    kept = np.zeros((5, 5), bool)
    kept[2, 1] = kept[4, 3] = True
    np.testing.assert_array_equal(hidden, np.isin(np.arange(5), (2, 4))[:, None] & ~kept)


def ranked(values: list[float]) -> dict[str, int]:
    batch = TokenBatch.of(torch.zeros(len(values), 2, dtype=torch.int64))
    return {each.name: each.sample for each in _ranked(_Drawn(batch, "x", np.array(values)))}


@pytest.mark.parametrize(
    ("values", "typical", "best", "worst"),
    [
        ([3.0, 1.0, 2.0], 2, 1, 0),
        ([3.0, 1.0, 2.0, 4.0], 2, 1, 3),
        ([np.nan, 3.0, np.nan, 1.0, 2.0], 4, 3, 1),
        ([5.0, 5.0, 5.0, 5.0], 1, 0, 0),
        ([2.0, 1.0, 1.0, 2.0], 2, 1, 0),
        ([np.nan, 7.0], 1, 1, 1),
    ],
)
def test_the_median_the_smallest_and_the_largest(values: list[float], typical: int, best: int, worst: int) -> None:
    assert ranked(values) == {"typical": typical, "best": best, "worst": worst}


def test_an_input_that_would_be_shown_twice_is_shown_once(trained: Run) -> None:
    chosen = examples(trained, samples=2).table("chosen")
    assert list(chosen["example"]) == ["typical", "worst", "structured"]
    assert not chosen.duplicated(["inputs", "sample"]).any()


def test_without_masked_entries_the_observed_ones_are_told(tmp_path: Path) -> None:
    config = small_config(task={"p_mask": 0.0}, training={"steps": 4})
    result = examples(train(tmp_path / "run", config, "cpu"), samples=4)
    assert result.facts["score"] == "L_obs"
    assert result.table("inputs").query("example == 'typical'")["given"].notna().all()
    assert result.table("scores")["score"].notna().all()
    assert result.table("heads")["rise"].notna().all()


def test_where_nothing_is_scored_there_is_no_example(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    task = type(trained.checkpoint("last").task)
    monkeypatch.setattr(
        task, "sample_scores", lambda self, answers, batch: {"masked": (np.zeros(len(batch)), np.zeros(len(batch)))}
    )
    monkeypatch.setattr(task, "sample_score_kinds", {"masked": task.sample_score_kinds["masked"]})
    with pytest.raises(UnansweredError, match="examples: nothing is scored in any of 3 matrices"):
        examples(trained, samples=3)


def test_a_gpt_answers_values(tmp_path: Path) -> None:
    run = train(tmp_path / "run", small_gpt_config(training={"steps": 4}), "cpu")
    result = examples(run, samples=4)
    checkpoint = run.checkpoint("last")
    chosen = result.table("chosen").set_index("example").loc["typical"]
    batch = checkpoint.sample(4, 0)
    expected = checkpoint.model.complete(batch.inputs)[int(chosen["sample"])].double().numpy()
    rows = result.table("answers").query(f"example == 'typical' and step == {run.steps[-1]}")
    np.testing.assert_allclose(rows["answer"], expected, atol=1e-6)
    assert result.facts["tokens"] is None
    assert result.table("answers")["probability"].isna().all()


def test_too_few_samples_are_refused(trained: Run) -> None:
    with pytest.raises(InputError, match="examples: samples must be at least 2, got 1"):
        examples(trained, samples=1)


def test_heads_are_told_by_the_inputs_that_rise_most(trained: Run) -> None:
    heads: Any = examples(trained, samples=10).table("heads")
    for _, own in heads.groupby("head"):
        assert own["rank"].tolist() == [1, 2, 3]
        assert own["rise"].is_monotonic_decreasing
        assert (own["mean_rise"] <= own["rise"].max()).all()
        np.testing.assert_allclose(own["rise"], own["ablated"] - own["clean"])
