"""When heads take their classes: runs with planted heads, the taxonomy of each checkpoint, and what is said of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from planted_runs import plant_run

from mcinterp import head_formation, head_taxonomy
from mcinterp.config import RunConfig, TaskSection, parse_config
from mcinterp.declared import Study, TaskKind
from mcinterp.errors import InputError
from mcinterp.model.build import build_model
from mcinterp.report.views.formation import sentences, view
from mcinterp.results import Result
from mcinterp.runs import Run
from mcinterp.runs.checkpoint import save_checkpoint
from mcinterp.task.next_token import NextToken, TokenBatch

D_VOCAB, LENGTH = 6, 10
STEPS = (1, 10, 20, 30)
TEXT = f"""
task: {{kind: noise, length: {LENGTH}}}
model: {{architecture: transformer, n_layers: 1, n_heads: 2, d_model: 32, d_mlp: 8}}
training: {{steps: {STEPS[-1]}, batch_size: 4}}
"""
TINY = Path(__file__).parents[1] / "data" / "tiny"


class NoiseConfig(TaskSection):
    younger: ClassVar[dict[str, Any]] = {}

    kind: Literal["noise"] = "noise"
    length: int = LENGTH

    @property
    def d_vocab(self) -> int:
        return D_VOCAB

    @property
    def n_positions(self) -> int:
        return self.length


class Noise(NextToken):
    """Nothing to learn: tokens are uniform."""

    def __init__(self, config: NoiseConfig) -> None:
        super().__init__(D_VOCAB, config.length)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        return TokenBatch.of(torch.randint(D_VOCAB, (n, self.n_positions + 1), generator=generator))


@pytest.fixture
def config(declare: Callable[[Study], None]) -> RunConfig:
    kind = TaskKind("test_formation:NoiseConfig", "test_formation:Noise", ("transformer",))
    declare(Study("noises", "Noises", "nowhere", "test_formation", (), "", "", tasks={"noise": kind}))
    return parse_config(TEXT, "here.yaml")


@torch.no_grad()
def planted(config: RunConfig, looks_back: bool, worse: bool) -> Any:
    """A model whose second head looks at the position before it or not, and whose answers are worse or not."""
    model = build_model(config)
    attention = model.blocks[0].attn
    positions = torch.eye(LENGTH, 32)
    model.pos_embed.W_pos.copy_(positions)
    model.embed.W_E.mul_(0.01)
    attention.W_Q.zero_(), attention.W_K.zero_()
    if looks_back:
        width = config.model.d_head
        attention.W_K[1] = 20 * positions[:, :width].new_tensor(np.eye(32, width))
        attention.W_Q[1] = 20 * positions.new_tensor(np.eye(32, width, -1))
    model.unembed.b_U[0] = 3.0 if worse else 0.0
    return model


def run_of(folder: Path, config: RunConfig, models: Mapping[int, Any]) -> Run:
    run = plant_run(folder, np.full(STEPS[-1], 1.0), 0, config)
    for step, model in models.items():
        save_checkpoint(run.folder(step), model, step, config, {})
    return run


def test_a_head_that_turns_before_the_loss_is_said_to(config: RunConfig, tmp_path: Path) -> None:
    stages = zip(STEPS, [(False, False), (True, False), (True, True), (True, True)], strict=True)
    run = run_of(tmp_path / "run", config, {step: planted(config, *how) for step, how in stages})
    found = head_formation(run, samples=32)
    scores = found.table("scores")
    assert set(scores[scores["member"]]["head"]) == {"L0H1"}
    followed = scores[scores["followed"]].set_index("step")
    assert set(followed["class"]) == {"previous"}
    assert followed.loc[1, "score"] == pytest.approx(0, abs=1e-6)
    assert (followed.loc[list(STEPS[1:]), "score"] > 0.95).all()
    lead = found.table("lead").set_index("measure")
    assert (lead.loc["loss", "onset_after"], lead.loc["loss", "onset"]) == (10, 20)
    assert lead.loc["previous (L0H1)", "onset"] == 10
    assert lead.loc["previous (L0H1)", "verdict"] == "before"
    said = sentences(found, {})
    assert "heads have one class: previous (L0H1)" in said[0]
    assert "What moves before it: previous (L0H1) (by 0 to 19 steps)." in said[1]
    assert len(view(found, {}).figures) == 2


def test_one_that_turns_after_it_is_not(config: RunConfig, tmp_path: Path) -> None:
    stages = zip(STEPS, [(False, False), (False, True), (True, True), (True, True)], strict=True)
    run = run_of(tmp_path / "run", config, {step: planted(config, *how) for step, how in stages})
    assert head_formation(run, samples=32).table("lead").set_index("measure")["verdict"].to_dict() == {
        "loss": "the loss",
        "previous (L0H1)": "after",
    }


def test_where_no_head_has_a_class_nothing_is_followed(config: RunConfig, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", config, {step: planted(config, False, False) for step in STEPS})
    found = head_formation(run, samples=8)
    assert not found.table("scores")[["member", "followed"]].to_numpy().any()
    assert found.table("lead")["measure"].tolist() == ["loss"]
    said = sentences(found, {})
    assert said[0].endswith("no head has a class.")
    assert said[1].startswith("There is nothing to follow beside the loss")
    assert len(view(found, {}).figures) == 1


def test_scores_are_those_of_the_taxonomy_at_every_checkpoint() -> None:
    run = Run(TINY)
    found = head_formation(run, samples=6, seed=3)
    for step in run.steps:
        taxonomy = head_taxonomy(run.checkpoint(step), samples=6, seed=3).table("scores")
        own = found.table("scores").query("step == @step").merge(taxonomy, on=["class", "head"], suffixes=("", "_of"))
        assert len(own) == len(taxonomy)
        for column in ("score", "score_low", "score_high", "threshold"):
            np.testing.assert_allclose(own[column], own[f"{column}_of"], atol=1e-9)
    loss = found.table("loss").set_index("step")["loss"]
    task, batch = run.checkpoint("last").task, run.checkpoint("last").sample(6, 3)
    for step in run.steps:
        model = run.checkpoint(step).model
        with torch.no_grad():
            sums, counts = task.sample_scores(model.answers(model(batch.inputs)), batch)["masked"]
        assert loss[step] == pytest.approx(sums.sum() / counts.sum(), rel=1e-5)


def test_members_are_chosen_on_other_samples() -> None:
    run = Run(TINY)
    found = head_formation(run, samples=6, seed=3)
    other = head_taxonomy(run.checkpoint("last"), samples=6, seed=4).table("heads").set_index("head")
    last = found.table("scores").query("step == @run.steps[-1]")
    for kind in found.facts["kinds"]:
        labels = last[(last["kind"] == kind) & last["member"]].set_index("head")["class"]
        assert labels.to_dict() == {h: c for h, c in other[kind].items() if c not in ("none", "ambiguous")}


def test_one_checkpoint_moves_nothing_and_one_sample_has_no_interval() -> None:
    run = Run(TINY)
    found: Result = head_formation(run, run.steps[-1:], samples=4)
    assert not found.table("lead")["moved"].any()
    with pytest.raises(InputError, match="at least 2"):
        head_formation(run, samples=1)
