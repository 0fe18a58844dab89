"""Graph tracing: walks through graphs whose nodes are given tokens anew, drawn all at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.graph_tracing import oracles
from mcinterp.studies.graph_tracing.config import TracingConfig
from mcinterp.studies.graph_tracing.oracles import Hypothesis
from mcinterp.task.batch import ScoreKind
from mcinterp.task.next_token import TokenBatch
from mcinterp.task.offers import OracleKind
from mcinterp.task.oracle_tokens import OracleTokens
from mcinterp.task.walks import edges_of, neighbours, random_walks

Nodes = Int[Tensor, "n node"]
DIRECTED, UNDIRECTED, BAYES = "directed memory", "undirected memory", "exact Bayes"


class GraphTracing(OracleTokens):
    """Say which token comes next in a walk through a graph.

    Attributes:
        shapes: the graphs.
        edges: whether two nodes of a graph are neighbours, (graph, node, node); nodes that it has not have none.
    """

    score_kinds: Mapping[str, ScoreKind] = {
        **OracleTokens.score_kinds,
        "neighbour_mass": ScoreKind("probability of the current token's neighbours", beside=True),
    }
    same_inputs = ("kind", "graphs", "order", "length")
    oracle_kinds: Mapping[str, OracleKind] = {
        DIRECTED: OracleKind("tokens that have followed the current one, alike"),
        UNDIRECTED: OracleKind("tokens that have stood beside the current one, alike"),
        BAYES: OracleKind("the exact law given all that was seen, where every graph is a ring"),
    }

    def __init__(self, config: TracingConfig) -> None:
        super().__init__(config.d_vocab, config.n_positions)
        self.config, self.shapes = config, config.shapes
        self.edges = torch.stack([edges_of(shape, config.d_vocab) for shape in self.shapes])

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` sequences, each of a graph and with tokens of its own, but for the prior's."""
        graph = torch.randint(len(self.shapes), (n,), generator=generator)
        prior = torch.rand(n, generator=generator) < self.config.prior
        graph[prior] = 0
        dealt = torch.rand(n, self.d_vocab, generator=generator).argsort(-1)
        labels = torch.where(prior[:, None], torch.arange(self.d_vocab), dealt)
        return self.walks_of(graph, labels, generator, prior)

    def walks_of(
        self, graph: Int[Tensor, " n"], labels: Nodes, generator: torch.Generator, prior: Tensor | None = None
    ) -> TokenBatch:
        """Sequences through given graphs with given tokens.

        Args:
            graph: which of `shapes` each is through.
            labels: the token of each node; those of nodes that the graph has not are never seen.
            generator: draws the nodes.
            prior: whether a sequence has the prior's tokens; kept in the batch's truth.
        """
        if self.config.order == "walk":
            nodes = random_walks(self.edges, graph, self.n_positions + 1, generator)
        else:
            nodes = self._paired(graph, generator)
        weights = torch.ones(len(graph), self.n_positions)
        if self.config.order == "pairs":
            weights[:, 1::2] = 0.0
        truth = {"graph": graph, "labels": labels, "nodes": nodes[:, :-1]}
        truth["prior"] = torch.zeros(len(graph), dtype=torch.bool) if prior is None else prior
        return TokenBatch.of(labels.gather(1, nodes), weights, truth)

    def _paired(self, graph: Int[Tensor, " n"], generator: torch.Generator) -> Int[Tensor, "n pos"]:
        """Pairs of neighbours, alike for every edge and direction: a node counts as often as it has neighbours."""
        degrees = self.edges.sum(-1).double()[graph]
        pairs = self.n_positions // 2 + 1
        firsts = torch.multinomial(degrees, pairs, replacement=True, generator=generator)
        every = graph[:, None].expand_as(firsts)
        seconds = neighbours(self.edges, every.flatten(), firsts.flatten(), generator).view_as(firsts)
        return torch.stack([firsts, seconds], -1).flatten(1)[:, : self.n_positions + 1]

    def near_tokens(self, batch: TokenBatch) -> Bool[Tensor, "n pos d_vocab"]:
        """The tokens of the current node's neighbours.

        Raises:
            InputError: of a batch that is through no graph.
        """
        if "labels" not in batch.truth:
            raise InputError("a batch of sequences that are no walks has no neighbours")
        truth = {name: known.cpu() for name, known in batch.truth.items()}
        near = self.edges[truth["graph"][:, None], truth["nodes"]]
        # From nodes to their tokens: token labels[node] is a neighbour where node is one.
        labels = truth["labels"][:, None].expand_as(near)
        return torch.zeros_like(near).scatter(-1, labels, near).to(batch.inputs.device)

    def scores(self, output: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Mapping[str, Tensor]:
        """Those of next tokens, and the probability of the neighbours; NaN of sequences that are no walks."""
        found = super().scores(output, batch)
        if "labels" not in batch.truth:
            return {**found, "neighbour_mass": torch.tensor(float("nan"))}
        mass = (output.softmax(-1) * self.near_tokens(batch)).sum(-1)
        return {**found, "neighbour_mass": (mass * batch.weights).sum() / batch.weights.sum()}

    def oracles(self, batch: TokenBatch) -> Mapping[str, Float[Tensor, "n pos d_vocab"]]:
        """The memories; and exact Bayes, where every graph is a ring."""
        one_hot = F.one_hot(batch.inputs, self.d_vocab).double()
        found = {
            DIRECTED: oracles.directed_memory(one_hot, self.config.order),
            UNDIRECTED: oracles.undirected_memory(one_hot, self.config.order),
        }
        if self.has_law:
            found[BAYES] = torch.from_numpy(self.exact_law(batch.inputs.cpu().numpy())).to(batch.inputs.device)
        return found

    @property
    def has_law(self) -> bool:
        """Whether the exact law is known: every graph is a ring."""
        return all(shape.name.startswith("ring:") for shape in self.shapes)

    def exact_law(self, tokens: Int[np.ndarray, "n pos"]) -> Float[np.ndarray, "n pos d_vocab"]:
        """P(next token | all so far) of the sequences that are drawn, on rings."""
        return oracles.bayes(torch.from_numpy(tokens), self._hypotheses(), self.d_vocab, self.config.order).numpy()

    def _hypotheses(self) -> list[Hypothesis]:
        """What a sequence may be: the prior's ring, or any ring with tokens dealt at random."""
        prior, sizes = self.config.prior, [shape.n for shape in self.shapes]
        fresh = [Hypothesis(n, (1 - prior) / len(sizes)) for n in sizes]
        known = [Hypothesis(sizes[0], prior, fixed=True)]
        return [each for each in (*known, *fresh) if each.probability > 0]
