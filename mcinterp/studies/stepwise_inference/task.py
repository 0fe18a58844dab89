"""Graph navigation: samples of paths, and of walks where there is no path, drawn all at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mcinterp.studies.stepwise_inference.config import SIGNS, NavigationConfig
from mcinterp.studies.stepwise_inference.graphs import Graph, bernoulli_graph, hierarchical_graph
from mcinterp.studies.stepwise_inference.pairs import Pairs, chosen
from mcinterp.studies.stepwise_inference.paths import Paths
from mcinterp.task.batch import ScoreKind
from mcinterp.task.next_token import NextToken, TokenBatch

PROMPT = 2
"""Tokens that a question has: the goal, then the start."""


def graph_of(config: NavigationConfig) -> Graph:
    """The graph that a configuration describes, drawn from its ground truth's seed."""
    if config.graph == "bernoulli":
        return bernoulli_graph(config.nodes, config.forward_probability, config.chain)
    return hierarchical_graph(config.layers, config.width, config.edge_probability, config.chain)


class GraphNavigation(NextToken):
    """Say whether a goal can be reached from a start: `goal start node … PATH END`, or `goal start PATH END`.

    Half of the samples have a path; theirs is uniform among all of at most `longest` edges. The others go on along
    random edges until they are as deep as the goal, at a node without edges, or `walk` edges long, and then say NOPATH.
    Both kinds are alike in how much deeper the goal is. Loss and scores are over what comes after goal and start.

    Attributes:
        graph: drawn once.
        paths: all of its paths, of any length.
        trained: paths of at most `longest` edges, whose law training has.
        pairs: those that are trained on, with the weights that they are drawn with.
        held_out: which pairs are not, of all whose goal is deeper than the start, (start, goal).
        path, no_path, end, pad: tokens; those below `n_nodes` are the nodes.
    """

    score_kinds: Mapping[str, ScoreKind] = {
        **NextToken.score_kinds,
        "label_accuracy": ScoreKind("share of answers PATH or NOPATH that are right, after true nodes", beside=True),
    }
    same_inputs = ("kind", "graph", "layers", "width", "nodes", "edge_probability", "forward_probability", "answer")

    def __init__(self, config: NavigationConfig) -> None:
        super().__init__(config.d_vocab, config.n_positions)
        self.config, self.graph = config, graph_of(config)
        self.n_nodes = len(self.graph)
        self.path, self.no_path, self.end, self.pad = range(self.n_nodes, config.d_vocab)
        self.end_tokens = (self.end,)
        self.paths, self.trained = Paths(self.graph), Paths(self.graph, config.longest)
        share, most = config.trained_share, config.trained_pairs
        picked = chosen(self.paths, config.longest, share, most, config.chain + 1)
        self.pairs = Pairs.matched(*picked, self.graph.depth)
        self.held_out = self.graph.depth > self.graph.depth[:, None]
        self.held_out[self.pairs.start, self.pairs.goal] = False
        chance = torch.Generator().manual_seed(config.chain + 2)
        by_chance = torch.rand(self.graph.edges.shape, generator=chance) < 0.5
        self.labels = by_chance if config.labels == "shuffled" else self.paths.reach

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` samples of pairs that are trained on."""
        drawn = torch.multinomial(self.pairs.weights, n, replacement=True, generator=generator)
        pairs = self.pairs.only(drawn)
        nodes = self.walked(pairs, generator) if self.config.answer == "stepwise" else pairs.start[:, None]
        return self._written(pairs, nodes, torch.rand(n, 1, generator=generator) * self.config.offset)

    def walked(self, pairs: Pairs, generator: torch.Generator) -> Int[Tensor, "pair place"]:
        """The nodes of a sample for each pair, from the start on; -1 after the last."""
        nodes = [pairs.start]
        for edge in range(self.config.most_edges):
            law = self.next_law(nodes[-1].clamp_min(0), pairs.goal, pairs.has_path, edge)
            goes_on = (law.sum(-1) > 0) & (nodes[-1] >= 0)
            after = torch.full_like(nodes[-1], -1)
            after[goes_on] = torch.multinomial(law[goes_on], 1, generator=generator)[:, 0]
            nodes.append(after)
        return torch.stack(nodes, 1)

    def next_law(
        self, current: Int[Tensor, " n"], goal: Int[Tensor, " n"], has_path: Bool[Tensor, " n"], edges: int
    ) -> Float[Tensor, "n node"]:
        """P(next node) of the samples that are trained on, after so many edges; 0 for every node where one ends."""
        left = torch.full_like(current, self.config.longest - edges)
        on_path = self.trained.next_law(current, goal, left)
        return torch.where(has_path[:, None], on_path, self.walk_law(current, goal, edges))

    def walk_law(self, current: Int[Tensor, " n"], goal: Int[Tensor, " n"], edges: int) -> Float[Tensor, "n node"]:
        """The same of a walk along random edges, which ends as deep as the goal."""
        after = self.graph.edges[current].double() / self.graph.edges[current].sum(-1, keepdim=True).clamp_min(1)
        shallower = self.graph.depth[current] < self.graph.depth[goal]
        return after * (shallower & (edges < self.config.walk))[:, None]

    def test_pairs(self, positive: Bool[Tensor, "node node"], among: Bool[Tensor, "node node"] | None = None) -> Pairs:
        """Pairs that are held out, weighted: some of those with a path, and all without one.

        Args:
            positive: which of those with a path.
            among: pairs to choose from; those that are held out from this task where left out.
        """
        among = self.held_out if among is None else among
        return Pairs.matched(among & self.paths.reach & positive, among & ~self.paths.reach, self.graph.depth)

    def prompts(self, pairs: Pairs) -> list[Tensor]:
        """What a model is asked of each pair: its goal, then its start."""
        return list(torch.stack([pairs.goal, pairs.start], 1))

    def token_labels(self) -> list[str]:
        """Nodes by layer and place in it, or by their place in the order; signs by their names."""
        if self.config.graph == "bernoulli":
            return [*map(str, range(self.n_nodes)), *SIGNS]
        width = self.config.width
        return [*(f"{node // width}.{node % width}" for node in range(self.n_nodes)), *SIGNS]

    def content_tokens(self) -> Tensor:
        """The nodes."""
        return torch.arange(self.n_nodes)

    def scores(self, output: Float[Tensor, "n pos d_vocab"], batch: TokenBatch) -> Mapping[str, Tensor]:
        """Those of next tokens, and how many answers are right."""
        answers = ((batch.targets == self.path) | (batch.targets == self.no_path)) & (batch.weights > 0)
        right = (output.argmax(-1) == batch.targets) & answers
        return {**super().scores(output, batch), "label_accuracy": right.sum() / answers.sum()}

    def _written(self, pairs: Pairs, nodes: Int[Tensor, "pair place"], begins: Float[Tensor, "pair 1"]) -> TokenBatch:
        """Samples as tokens, each at a share of the places at which it can begin."""
        n, place = len(pairs), torch.arange(self.n_positions + 1)
        tokens = torch.full((n, len(place)), self.pad)
        tokens[:, 0], tokens[:, 1 : nodes.shape[1] + 1] = pairs.goal, torch.where(nodes < 0, self.pad, nodes)
        label = PROMPT - 1 + (nodes >= 0).sum(1)
        said = torch.where(self.labels[pairs.start, pairs.goal], self.path, self.no_path)
        tokens[torch.arange(n), label], tokens[torch.arange(n), label + 1] = said, self.end
        offset = (begins * (len(place) - 1 - label[:, None])).long()
        # Moved to the right in a circle, of which the end is PAD.
        shifted = tokens.gather(1, (place - offset) % len(place))
        asked = (place >= offset + PROMPT) & (shifted != self.pad)
        truth = {"start": pairs.start, "goal": pairs.goal, "has_path": pairs.has_path, "offset": offset[:, 0]}
        return TokenBatch.of(shifted, asked[:, 1:].float(), truth)
