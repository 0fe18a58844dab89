"""Which algorithm answers are like: planted answers of which it is known, an independent slow count, and a real run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import cvxpy
import numpy as np
import pytest
import torch
from torch import Tensor

from mcinterp import oracle_distances
from mcinterp.analysis import analyse
from mcinterp.analysis.mixture import mixture_of_products, mixture_weights
from mcinterp.analysis.passes.oracle_mixtures import ALL, NULLS, OTHERS, SINGLE
from mcinterp.analysis.passes.oracles import Bench, _nearest, compared
from mcinterp.analysis.registry import COMPARISONS, defined_for
from mcinterp.analysis.runner import comparison_folder
from mcinterp.config import TaskSection, parse_config
from mcinterp.declared import Study, TaskKind
from mcinterp.errors import InputError, UnansweredError
from mcinterp.report import write_report
from mcinterp.report.views.oracles import sentences, view
from mcinterp.results import Result
from mcinterp.runs import Run, train
from mcinterp.task.next_token import TokenBatch
from mcinterp.task.offers import OracleKind, WithOracles
from mcinterp.task.oracle_tokens import LATE, OracleTokens

K = 3
TEXT = """
task: {kind: two-chains, length: 24}
model: {architecture: transformer, n_layers: 1, n_heads: 2, d_model: 16, d_mlp: 32}
training: {steps: 20, batch_size: 16, learning_rate: 1.0e-2, checkpoints: 3, dense_checkpoints: 0}
"""
CHAINS = torch.tensor(
    [[[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]], [[0.1, 0.2, 0.7], [0.7, 0.1, 0.2], [0.2, 0.7, 0.1]]]
)
CHAINS = CHAINS.double()


class ChainsConfig(TaskSection):
    younger: ClassVar[dict[str, Any]] = {}

    kind: Literal["two-chains"] = "two-chains"
    length: int = 24

    @property
    def d_vocab(self) -> int:
        return K

    @property
    def n_positions(self) -> int:
        return self.length


class Chains(OracleTokens):
    """Sequences of one of two Markov chains, each with the same law of all tokens."""

    oracle_kinds: Mapping[str, OracleKind] = {
        "which chain": OracleKind("the rows of both chains by how probable the tokens so far make them"),
        "counted": OracleKind("how often each token has followed the last one, and once more"),
        "mean row": OracleKind("the last token's row, of both chains alike", null=True),
        "uniform": OracleKind("all tokens alike", null=True),
    }

    def __init__(self, config: ChainsConfig) -> None:
        super().__init__(K, config.length)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        chain = torch.randint(2, (n,), generator=generator)
        tokens = [torch.randint(K, (n,), generator=generator)]
        for _ in range(self.n_positions):
            tokens.append(torch.multinomial(CHAINS[chain, tokens[-1]], 1, generator=generator)[:, 0])
        return TokenBatch.of(torch.stack(tokens, 1), truth={"chain": chain})

    def oracles(self, batch: TokenBatch) -> Mapping[str, Tensor]:
        x = batch.inputs
        steps = CHAINS[:, x[:, :-1], x[:, 1:]].log().cumsum(-1)
        posterior = torch.cat([torch.zeros(2, len(x), 1), steps], -1).softmax(0)
        pairs = torch.zeros(*x.shape, K, K, dtype=torch.float64)
        for place in range(1, x.shape[1]):
            pairs[:, place] = pairs[:, place - 1]
            pairs[torch.arange(len(x)), place, x[:, place - 1], x[:, place]] += 1
        counts = pairs.gather(2, x[:, :, None, None].expand(*x.shape, 1, K))[:, :, 0] + 1
        return {
            "which chain": (posterior[..., None] * CHAINS[:, x]).sum(0),
            "counted": counts / counts.sum(-1, keepdim=True),
            "mean row": CHAINS.mean(0)[x],
            "uniform": torch.full((*x.shape, K), 1 / K, dtype=torch.float64),
        }


@pytest.fixture(scope="module")
def bench() -> Bench:
    task = Chains(ChainsConfig())
    return Bench.of(task, task.draw(64, torch.Generator().manual_seed(0)))


def noise(bench: Bench, seed: int = 1) -> Tensor:
    """Probabilities that have to do with nothing."""
    return torch.randn(*bench.batch.inputs.shape, K, generator=torch.Generator().manual_seed(seed)).double().softmax(-1)


def told(bench: Bench, points: Tensor) -> Result:
    return compared(bench, {100: points}, noise(bench), 0)


def main(result: Result, table: str) -> Any:
    frame = result.table(table)
    return frame[frame["context"] == LATE] if "context" in frame else frame


def test_a_task_with_algorithms_offers_what_is_asked_for(bench: Bench) -> None:
    assert isinstance(bench.task, WithOracles)
    assert bench.oracles.keys() == bench.task.oracle_kinds.keys()
    for points in bench.oracles.values():
        torch.testing.assert_close(points.sum(-1), torch.ones(points.shape[:2], dtype=torch.float64))


@pytest.mark.parametrize("planted", list(Chains.oracle_kinds))
def test_answers_of_an_algorithm_are_nearest_to_it_at_no_distance(bench: Bench, planted: str) -> None:
    result = told(bench, bench.oracles[planted])
    row = main(result, "nearest").iloc[0]
    assert (row["nearest"], row["verdict"], row["null"]) == (planted, "nearest", Chains.oracle_kinds[planted].null)
    distances = main(result, "distances").set_index("oracle")
    assert distances.loc[planted, "distance"] == pytest.approx(0, abs=1e-12)
    assert distances.loc[planted, "untrained"] > 0.1
    weights = result.table("weights").set_index("oracle")
    assert weights.loc[planted, ["weight", "first_half", "second_half"]].tolist() == pytest.approx([1] * 3, abs=1e-4)


def test_what_is_answered_to_another_sequence_is_far_unless_nothing_is_seen(bench: Bench) -> None:
    distances = main(told(bench, bench.oracles["which chain"]), "distances").set_index("oracle")
    assert distances.loc["which chain", "control_low"] > 0.1
    assert distances.loc["uniform", "control"] == distances.loc["uniform", "distance"]


def test_a_mixture_is_taken_apart_and_leaves_less_than_one(bench: Bench) -> None:
    points = 0.35 * bench.oracles["which chain"] + 0.65 * bench.oracles["counted"]
    result = told(bench, points)
    weights = result.table("weights").set_index("oracle")["weight"]
    assert weights[["which chain", "counted"]].tolist() == pytest.approx([0.35, 0.65], abs=1e-4)
    left = result.table("mixtures").set_index("base")
    assert left.loc[ALL, "left"] == pytest.approx(0, abs=1e-7)
    assert left.loc[ALL, "gain_low"] > 0
    assert left.loc[SINGLE, "gain"] == 0
    for control in (NULLS, OTHERS):
        assert left.loc[control, "left_low"] > left.loc[ALL, "left_high"]
    assert "less than the best one alone" in sentences(result)[2]
    assert len(sentences(result)) == 3


def test_answers_that_look_at_nothing_are_told_to_be_so(bench: Bench) -> None:
    result = told(bench, 0.5 * bench.oracles["mean row"] + 0.5 * bench.oracles["uniform"])
    assert main(result, "nearest").iloc[0]["null"]
    assert "which looks at nothing but the last token" in sentences(result)[0]
    assert sentences(result)[-1] == "That what looks at the context explains more than what does not is not shown."


def test_algorithms_that_agree_are_not_told_apart(bench: Bench) -> None:
    """Halfway between two: which of them is nearer is decided by the samples alone."""
    twice = Bench(
        bench.task, bench.batch, {**bench.oracles, "mean row": bench.oracles["uniform"]}, bench.others, bench.contexts
    )
    result = told(twice, bench.oracles["uniform"])
    row = main(result, "nearest").iloc[0]
    assert (row["margin"], row["verdict"]) == (0, "not told apart")
    assert "not told apart between" in sentences(result)[0]
    assert "no algorithm is told apart" in sentences(result)[1]


def test_what_the_samples_do_not_decide_is_left_undecided(bench: Bench) -> None:
    """Two algorithms on either side of the answers, each as far from them but for the noise."""
    tilt = 0.5 * torch.randn(bench.n, 24, K, generator=torch.Generator().manual_seed(3)).double()
    far, answers = bench.oracles["which chain"], bench.oracles["uniform"]
    oracles = {"which chain": tilt.softmax(-1), "counted": (-tilt).softmax(-1), "mean row": far, "uniform": far}
    result = told(Bench(bench.task, bench.batch, oracles, oracles, bench.contexts), answers)
    row = main(result, "nearest").iloc[0]
    assert {row["nearest"], row["second"]} == {"which chain", "counted"}
    assert row["margin_low"] < 0 < row["margin_high"]
    assert row["verdict"] == "not told apart"
    assert "are not told apart between" in sentences(result)[0]


@pytest.mark.parametrize("tied", [2, 4])
def test_of_algorithms_that_are_equally_near_one_is_named_in_one_batch_of_twenty_or_fewer(
    bench: Bench, tied: int
) -> None:
    """The margin is that of the samples' own nearest, so a two-sided interval of two that tie errs on either side."""
    generator, names, named, batches = torch.Generator().manual_seed(8), list(bench.oracles), 0, 100
    far = bench.oracles["which chain"][:, :12]
    where, sequences = {LATE: np.ones((bench.n, 12))}, bench.task.draw(bench.n, generator)
    for _ in range(batches):
        # How far an answer is varies from sample to sample, not only from place to place.
        tilts = 0.5 * torch.randn(tied, bench.n, 1, K, generator=generator).double().expand(-1, -1, 12, -1)
        oracles = {name: (tilts[at].softmax(-1) if at < tied else far) for at, name in enumerate(names)}
        equal = torch.full_like(far, 1 / K)
        rows = list(
            Bench(bench.task, sequences, oracles, oracles, where).rows(
                0, equal, dict.fromkeys(names, 0 * where[LATE]), {"seed": 0}
            )
        )
        named += next(_nearest(rows, 0))["verdict"] == "nearest"
    assert named <= 11  # more than so many of 100 come out in 1 of 200 where 5 % do


def test_weights_are_judged_on_the_half_they_were_not_fitted_on(bench: Bench) -> None:
    """Of answers that change their algorithm from half to half the wrong one is then expected in both."""
    points = bench.oracles["which chain"].clone()
    points[32:] = bench.oracles["uniform"][32:]
    left = told(bench, points).table("mixtures").set_index("base").loc[ALL, "left"]
    apart = bench.apart(bench.oracles["uniform"], bench.oracles["which chain"])[:32]
    other = bench.apart(bench.oracles["which chain"], bench.oracles["uniform"])[32:]
    where = bench.main
    expected = ((apart * where[:32]).sum() + (other * where[32:]).sum()) / where.sum()
    assert left == pytest.approx(expected, rel=1e-3)


def test_distances_are_those_of_a_slow_count(bench: Bench) -> None:
    points = noise(bench, 5)
    frame = told(bench, points).table("distances")
    for context, places in {"1": [0], "2": [1], "3–4": [2, 3], "17–24": range(16, 24), LATE: range(12, 24)}.items():
        for name, wanted in bench.oracles.items():
            total = 0.0
            for sample in range(bench.n):
                for place in places:
                    for token in range(K):
                        p, q = float(wanted[sample, place, token]), float(points[sample, place, token])
                        total += p * (np.log(p) - np.log(q)) if p else 0.0
            row = frame[(frame["context"] == context) & (frame["oracle"] == name)].iloc[0]
            assert row["distance"] == pytest.approx(total / (bench.n * len(places)), rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 5, 29])
def test_the_weights_are_those_of_a_solver(n: int) -> None:
    generator = np.random.default_rng(n)
    answers = generator.random((n, 300))
    wanted = generator.dirichlet(np.full(n, 0.3)) @ answers + 0.1 * generator.normal(size=300)
    found = mixture_weights(wanted, answers)
    assert found.sum() == pytest.approx(1)
    assert found.min() >= 0
    weights = cvxpy.Variable(n)
    squares = cvxpy.sum_squares(answers.T @ weights - wanted)
    cvxpy.Problem(cvxpy.Minimize(squares), [weights >= 0, cvxpy.sum(weights) == 1]).solve(solver=cvxpy.CLARABEL)
    np.testing.assert_allclose(found, weights.value, atol=1e-4)


def test_nothing_to_look_at_is_said(bench: Bench) -> None:
    batch = TokenBatch(bench.batch.inputs, bench.batch.targets, torch.zeros_like(bench.batch.weights), {})
    with pytest.raises(UnansweredError, match="no place of 64 sequences counts"):
        Bench.of(bench.task, batch)


@pytest.fixture
def run(declare: Callable[[Study], None], tmp_path: Path) -> Run:
    kind = TaskKind("test_oracles:ChainsConfig", "test_oracles:Chains", ("transformer",))
    declare(Study("chains", "Chains", "nowhere", "test_oracles", (), "", "", tasks={"two-chains": kind}))
    return train(tmp_path / "chains", parse_config(TEXT, "here.yaml"), "cpu")


def test_a_run_is_compared_at_every_checkpoint_and_shown(run: Run, tmp_path: Path) -> None:
    assert "oracles" in defined_for(run.config)
    with pytest.raises(InputError, match="at least 4"):
        oracle_distances(run, samples=3)
    out = tmp_path / "report"
    analyse(run, out, steps="last", passes=["oracles"], samples=16)
    result = Result.load(comparison_folder(out, "oracles"))
    assert result.table("nearest")["step"].unique().tolist() == run.steps
    assert {"1", "9–16", LATE} <= set(result.facts["contexts"])
    assert len(view(result, {}).figures) == 4
    page = write_report(out).read_text(encoding="utf-8")
    assert '<section id="oracles"' in page
    assert COMPARISONS["oracles"].question.startswith("Which known algorithm")


def test_sums_of_products_are_all_that_a_mixture_is_fitted_to() -> None:
    rng = np.random.default_rng(3)
    answers, wanted = rng.dirichlet(np.ones(4), (3, 50)).reshape(3, 200), rng.dirichlet(np.ones(4), 50).ravel()
    expected = mixture_weights(wanted, answers)
    np.testing.assert_allclose(mixture_of_products(answers @ answers.T, answers @ wanted), expected, atol=1e-5)
    doubled = np.concatenate([answers, answers[:1]])
    weights = mixture_of_products(doubled @ doubled.T, doubled @ wanted)
    np.testing.assert_allclose(weights @ doubled, expected @ answers, atol=1e-5)
    assert weights.sum() == pytest.approx(1)
