"""Graph tracing: the law of what is drawn, and oracles against the enumeration of every labelling."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest
import torch

from mcinterp.config.graphs import graph_named
from mcinterp.errors import InputError
from mcinterp.studies.graph_tracing.config import TracingConfig
from mcinterp.studies.graph_tracing.oracles import Hypothesis, bayes
from mcinterp.studies.graph_tracing.task import BAYES, DIRECTED, UNDIRECTED, GraphTracing


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def probability(sequence: list[int], ring: list[int], order: str) -> float:
    """Of a sequence, if the tokens stand on the ring in this order."""
    place = {token: at for at, token in enumerate(ring)}
    if any(token not in place for token in sequence):
        return 0.0
    found = 1 / len(ring)
    for at, (one, other) in enumerate(pairwise(sequence)):
        if order == "pairs" and at % 2:
            found /= len(ring)
        else:
            found *= 0.5 * ((place[one] - place[other]) % len(ring) in (1, len(ring) - 1))
    return found


def enumerated(sequence: list[int], hypotheses: list[Hypothesis], n_tokens: int, order: str) -> list[float]:
    """The law of the next token from every labelling there is."""
    weights = [0.0] * n_tokens
    for each in hypotheses:
        deals = [tuple(range(each.n))] if each.fixed else list(permutations(range(n_tokens), each.n))
        for token in range(n_tokens):
            total = sum(probability([*sequence, token], list(deal), order) for deal in deals)
            weights[token] += each.probability * total / len(deals)
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize(
    ("order", "hypotheses", "n_tokens"),
    [
        ("walk", [Hypothesis(5, 1.0)], 5),
        ("walk", [Hypothesis(5, 0.5, fixed=True), Hypothesis(5, 0.5)], 5),
        ("walk", [Hypothesis(3, 0.5), Hypothesis(5, 0.5)], 5),
        ("pairs", [Hypothesis(5, 1.0)], 5),
        ("pairs", [Hypothesis(4, 0.3, fixed=True), Hypothesis(4, 0.7)], 5),
    ],
)
def test_bayes_is_the_law_that_all_labellings_together_have(
    order: str, hypotheses: list[Hypothesis], n_tokens: int
) -> None:
    largest = max(each.n for each in hypotheses)
    config = TracingConfig(graphs=(f"ring:{largest}",), length=8, order=order)  # type: ignore[arg-type]
    tokens = GraphTracing(config).draw(3, generator(1)).inputs
    found = bayes(tokens, hypotheses, n_tokens, order)
    for sequence, laws in zip(tokens.tolist(), found, strict=True):
        for at in range(len(sequence)):
            wanted = enumerated(sequence[: at + 1], hypotheses, n_tokens, order)
            assert laws[at].tolist() == pytest.approx(wanted, abs=1e-9), (sequence, at)


@pytest.mark.parametrize("name", ["ring:7", "grid:3x3", "hex:2x4", "circulant:6"])
def test_walks_go_to_neighbours_all_alike(name: str) -> None:
    task = GraphTracing(TracingConfig(graphs=(name,), length=30))
    batch = task.draw(400, generator())
    near = task.near_tokens(batch)
    assert near.gather(-1, batch.targets[..., None]).all()
    shape = graph_named(name)
    degree = torch.tensor([sum(node in edge for edge in shape.edges) for node in range(shape.n)])
    assert torch.equal(near.sum(-1), degree[batch.truth["nodes"]])
    nodes = batch.truth["nodes"]
    counts = torch.zeros(shape.n, shape.n).index_put_((nodes[:, :-1], nodes[:, 1:]), torch.tensor(1.0), accumulate=True)
    shares = counts / counts.sum(-1, keepdim=True)
    assert (shares - task.edges[0] / degree[:, None]).abs().max() < 0.06


def test_labellings_are_fresh_but_for_the_priors_share() -> None:
    task = GraphTracing(TracingConfig(graphs=("ring:7",), length=8, prior=0.25))
    batch = task.draw(4000, generator())
    known = batch.truth["prior"]
    assert known.double().mean() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(batch.truth["labels"][known], torch.arange(7).expand(int(known.sum()), -1))
    first = torch.bincount(batch.truth["labels"][~known][:, 0], minlength=7) / (~known).sum()
    assert first.tolist() == pytest.approx([1 / 7] * 7, abs=0.03)


def test_of_pairs_the_second_is_asked_for() -> None:
    task = GraphTracing(TracingConfig(graphs=("grid:2x3",), length=10, order="pairs"))
    batch = task.draw(2000, generator())
    assert batch.weights[0].tolist() == [1.0, 0.0] * 5
    near = task.near_tokens(batch).gather(-1, batch.targets[..., None])[..., 0]
    assert near[:, ::2].all()
    assert not near[:, 1::2].all()
    # Every edge and direction alike: a node comes as often as it has neighbours.
    firsts = torch.bincount(batch.truth["nodes"][:, ::2].flatten(), minlength=6) / (5 * 2000)
    assert firsts.tolist() == pytest.approx([2 / 14, 3 / 14, 2 / 14, 2 / 14, 3 / 14, 2 / 14], abs=0.02)


def test_memories_are_those_of_loops() -> None:
    task = GraphTracing(TracingConfig(graphs=("ring:6",), length=14))
    batch = task.draw(5, generator(3))
    found = task.oracles(batch)
    for row, sequence in enumerate(batch.inputs.tolist()):
        for at, token in enumerate(sequence):
            steps = list(pairwise(sequence[: at + 1]))
            after = {two for one, two in steps if one == token}
            beside = after | {one for one, two in steps if two == token}
            for name, known in ((DIRECTED, after), (UNDIRECTED, beside)):
                allowed = known or set(range(6)) - {token}
                wanted = [1 / len(allowed) if each in allowed else 0.0 for each in range(6)]
                assert found[name][row, at].tolist() == pytest.approx(wanted)
    assert BAYES in found
    assert BAYES not in GraphTracing(TracingConfig(graphs=("grid:2x3",))).oracles(task.draw(2, generator()))


def test_sequences_that_are_no_walks_have_no_neighbours() -> None:
    task = GraphTracing(TracingConfig(graphs=("ring:7",), length=12))
    batch = task.repeated(2, generator())
    with pytest.raises(InputError, match="no walks has no neighbours"):
        task.near_tokens(batch)
    assert torch.isnan(task.scores(task.zero_answers(batch), batch)["neighbour_mass"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"graphs": ("rung:7",)}, "is no graph"),
        ({"graphs": ("grid:7",)}, "written as in grid:4x4"),
        ({"graphs": ("ring:2",)}, "sizes from 3 on"),
        ({"order": "pairs", "length": 7}, "length must be even"),
    ],
)
def test_what_cannot_be_walked_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TracingConfig(**fields)  # type: ignore[arg-type]
