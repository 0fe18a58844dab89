"""A task of next tokens that says no more than how it is drawn is answered by every general pass, and reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor

from mcinterp.analysis import ablation, analyse, compare_checkpoints, head_taxonomy
from mcinterp.analysis.registry import COMPARISONS, PASSES, defined_for, without
from mcinterp.analysis.runner import comparison_folder, step_folder
from mcinterp.config import RunConfig, TaskSection, parse_config
from mcinterp.declared import Study, TaskKind
from mcinterp.errors import InputError, UsageError
from mcinterp.installed import architectures
from mcinterp.report import write_report
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run, train
from mcinterp.runs.retrain import retrain
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion
from mcinterp.task import inside, offers
from mcinterp.task.next_token import NextToken, TokenBatch

TEXT = """
task: {kind: cycle, n_tokens: 6, length: 9}
model: {architecture: transformer, n_layers: 2, n_heads: 2, d_model: 16, d_mlp: 32}
training: {steps: 30, batch_size: 16, learning_rate: 1.0e-2, checkpoints: 4, dense_checkpoints: 0}
"""


class CycleConfig(TaskSection):
    younger: ClassVar[dict[str, Any]] = {}

    kind: Literal["cycle"] = "cycle"
    n_tokens: int = 6
    length: int = 9

    @property
    def d_vocab(self) -> int:
        return self.n_tokens

    @property
    def n_positions(self) -> int:
        return self.length


class Cycle(NextToken):
    """Each token is the one before plus a stride that is the sequence's own."""

    def __init__(self, config: CycleConfig) -> None:
        super().__init__(config.n_tokens, config.length)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        start, stride = (torch.randint(self.d_vocab, (n, 1), generator=generator) for _ in range(2))
        return TokenBatch.of((start + stride * torch.arange(self.n_positions + 1)) % self.d_vocab)


def study(kind: TaskKind) -> Study:
    return Study("cycles", "Cycles", "nowhere", "test_offers", (), "", "", tasks={"cycle": kind})


@pytest.fixture
def config(declare: Callable[[Study], None]) -> RunConfig:
    declare(study(TaskKind("test_offers:CycleConfig", "test_offers:Cycle", ("transformer",))))
    return parse_config(TEXT, "here.yaml")


@pytest.fixture
def run(config: RunConfig, tmp_path: Path) -> Run:
    return train(tmp_path / "cycle", config, "cpu")


def test_inputs_of_an_even_length_are_as_good(config: RunConfig) -> None:
    """Every family of inputs then has as many positions too."""
    even = config.model_copy(update={"task": config.task.model_copy(update={"length": 8})})
    checkpoint = Checkpoint.untrained(even, seed=0)
    maps = PASSES["attention"].run(checkpoint, {}, 4, 0).arrays["maps"]
    assert maps.shape[-2:] == (8, 8)
    uniform = PASSES["taxonomy"].run(checkpoint, {}, 4, 0).table("scores")["uniform"]
    assert uniform.abs().max() < 1e-6


def test_what_it_offers_decides_what_it_is_asked(config: RunConfig) -> None:
    inside_of_heads = {"attention", "taxonomy", "ablation", "patching", "causal-tracing"}
    several = {"course", "examples", "plateau", "formation", "switching", "components"}
    assert defined_for(config) == inside_of_heads | several
    assert without("probes", PASSES["probes"].asks, config) == (
        "probes asks for probe_targets, which neither task cycle nor model transformer offers"
    )


def test_what_passes_ask_for_is_described() -> None:
    described = {
        name
        for offer in [*vars(offers).values(), *vars(inside).values()]
        if getattr(offer, "_is_protocol", False)
        for name in vars(offer)
    }
    described |= {name for kind in architectures().values() for name in kind.offers}
    of_the_base = [entry for entry in (*PASSES.values(), *COMPARISONS.values()) if "studies" not in str(entry.function)]
    assert {name for entry in of_the_base for name in entry.asks} <= described


def test_tasks_offer_what_they_seem_to() -> None:
    both = (offers.Exemplified, offers.Scored, inside.Attended, offers.Compared, inside.LabelledPositions)
    both += (inside.LabelledTokens, offers.AnswerMeasured, inside.Classified, inside.Conditioned)
    tasks: tuple[Any, Any] = (MatrixCompletion(TaskConfig()), Cycle(CycleConfig()))
    for task in tasks:
        assert [offer.__name__ for offer in both if not isinstance(task, offer)] == []
        assert isinstance(task.head_classes(), inside.HeadClasses)
    matrices, cycle = tasks
    for offer in (
        offers.Contrasted,
        inside.ShownTokens,
        inside.GroupedPositions,
        inside.Probed,
        inside.ClassifiedUnder,
    ):
        assert isinstance(matrices, offer)
    assert isinstance(cycle, offers.Decoded)
    assert isinstance(cycle, offers.Contrasted)
    assert isinstance(cycle, offers.Traced)
    assert not isinstance(matrices, offers.Traced)
    assert not isinstance(cycle, inside.Probed)


def test_every_pass_that_it_is_asked_has_an_answer(run: Run, tmp_path: Path) -> None:
    retrain(run.path, "mlp", steps=3, device="cpu")
    analyse(run, tmp_path / "out", [run.steps[-1]], samples=8)
    folder = step_folder(tmp_path / "out", run.steps[-1])
    for name in defined_for(run.config):
        stored = Result.load(folder / name if name in PASSES else comparison_folder(tmp_path / "out", name))
        assert not stored.why_unanswered, name
    of_the_base = {entry.name for entry in COMPARISONS.values() if "studies" not in str(entry.function)}
    assert of_the_base - {"embeddings", "oracles"} <= defined_for(run.config)
    scores = Result.load(folder / "taxonomy").table("scores")
    assert set(scores["class"]) == {"previous", "first", "current", "duplicate", "induction"}
    assert scores["uniform"].abs().max() < 1e-6
    page = write_report(tmp_path / "out").read_text(encoding="utf-8")
    assert "cross" in page


def test_ablating_nothing_changes_nothing_and_scores_are_the_tasks(run: Run) -> None:
    checkpoint = run.checkpoint("last")
    table = PASSES["ablation"].run(checkpoint, {}, 16, 3).table("ablation")
    none = table[table["group"] == "none"]
    assert (none["cross_entropy_delta"] == 0).all()
    batch = checkpoint.sample(16, 3)
    logits: Tensor = checkpoint.model.complete(batch.inputs)
    expected = float(checkpoint.task.scores(logits, batch)["cross_entropy"])
    assert table["cross_entropy_score_clean"].to_numpy() == pytest.approx(expected, rel=1e-5)


def test_patching_gives_the_answers_of_the_other_sequence_and_its_controls_are_null(run: Run) -> None:
    checkpoint = run.checkpoint("last")
    table = PASSES["patching"].run(checkpoint, {}, 16, 3).table("patching")
    assert set(table["entries"]) == {"cross_entropy"}
    batch = checkpoint.sample(16, 3)
    other = checkpoint.task.counterpart(batch)
    assert torch.equal(other.inputs[8:], batch.inputs[:8])
    assert torch.equal(other.targets[:8], batch.targets[8:])
    clean = checkpoint.task.sample_scores(checkpoint.model.complete(other.inputs), other)["cross_entropy"]
    own = table[(table["group"] == "self") & (table["direction"] == "X into X′")].iloc[0]
    assert own["score_to_base"] == pytest.approx(clean[0].sum() / clean[1].sum(), rel=1e-5)
    unrelated = table[table["group"] == "other sequence"]
    assert (unrelated["nearer_low"] <= 0).all()


def test_checkpoints_stand_side_by_side(run: Run) -> None:
    result = compare_checkpoints(run.checkpoint("first"), run.checkpoint("last"), samples=8)
    assert list(result.table("errors")["entries"]) == ["cross_entropy", "accuracy"]
    same = compare_checkpoints(run.checkpoint("last"), run.checkpoint("last"), samples=8)
    assert (same.table("errors")["difference"] == 0).all()
    assert same.table("answers")["correlation"].to_numpy() == pytest.approx(1)


def test_a_pass_that_it_cannot_answer_is_refused_by_what_is_missing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nuclear asks for answers_entries, which neither task cycle nor model trans"):
        analyse(run, tmp_path / "out", [0], ["nuclear"])


@pytest.mark.parametrize("name", ["ablation", "patching"])
def test_a_family_of_inputs_takes_the_place_of_those_that_are_drawn(name: str, run: Run) -> None:
    checkpoint = run.checkpoint("last")
    result, drawn = (PASSES[name].run(checkpoint, {}, 16, 3, inputs) for inputs in ({"family": "repeated"}, {}))
    table, other = (next(iter(one.tables.values())).frame for one in (result, drawn))
    assert (table["family"] == "repeated").all()
    assert "family" not in other
    score = next(column for column in other if column.endswith(("score_clean", "score_to_base")))
    assert table[score].iloc[0] != other[score].iloc[0]
    batch = checkpoint.sample(16, 3, family="repeated")
    if name == "ablation":
        loss = checkpoint.task.loss(checkpoint.model.complete(batch.inputs), batch)
        assert table["cross_entropy_score_clean"].iloc[0] == pytest.approx(float(loss), rel=1e-5)


def test_families_of_inputs_that_there_are_none_of_are_refused(run: Run) -> None:
    checkpoint = run.checkpoint("last")
    with pytest.raises(InputError, match="ablation takes no argument 'mask'; valid: family"):
        ablation(checkpoint, ["all"], ["zero"], 4, mask="rows:1")
    with pytest.raises(InputError, match="'repeatd' is no family of inputs; did you mean 'repeated'"):
        ablation(checkpoint, ["all"], ["zero"], 4, family="repeatd")
    with pytest.raises(InputError, match="classes have inputs of their own, which no family replaces"):
        head_taxonomy(checkpoint, 4, family="repeated")
