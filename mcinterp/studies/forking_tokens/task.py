"""Free walks through a layered graph, with words between their nodes: uncertain at many tokens, decided at few."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mcinterp.studies.forking_tokens.config import WalkConfig
from mcinterp.studies.stepwise_inference.graphs import Graph, hierarchical_graph
from mcinterp.task.next_token import NextToken, TokenBatch

NODE, RANDOM, FOLLOWING, END = "node", "random word", "following word", "end"
"""Kinds of token."""
FIRST_LAYERS = 2
"""Walks start in any node of so many layers."""


class FreeWalk(NextToken):
    """Walks whose every step is uniform among a node's edges, up to the last layer.

    A walk is written `node a b node a b … node END`: each node but the last is followed by a word a drawn uniformly
    from `words`, and by the word b that always comes after it. So a node may decide where the walk ends up; an a is as
    uncertain as can be and decides nothing, and a b is certain. Loss and scores are of everything after the first node,
    up to the end.

    Args:
        config: shape of graph and words; the run's seed draws the graph.

    Attributes:
        graph: that is walked through.
        end_tokens: the one that ends a text.
    """

    same_inputs = ("kind", "layers", "width", "p", "words")

    def __init__(self, config: WalkConfig) -> None:
        super().__init__(config.d_vocab, config.n_positions)
        self.config = config
        self.graph: Graph = hierarchical_graph(config.layers, config.width, config.p, config.chain)
        self.end_tokens = (config.d_vocab - 1,)

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` walks; after the end comes nothing but ends, which are not scored."""
        config, device = self.config, generator.device
        end = self.end_tokens[0]
        nodes = self._walks(n, generator)
        words = torch.randint(config.words, nodes.shape, generator=generator, device=device) + config.n_nodes
        steps = torch.stack([nodes, words, words + config.words], -1)
        going_on = (nodes < (config.layers - 1) * config.width)[..., None]
        steps[..., 1:] = torch.where(going_on, steps[..., 1:], end)
        steps[nodes < 0] = end
        # After the last layer's node there are two ends more, of which one stays.
        tokens = steps.flatten(1)[:, : self.n_positions + 1]
        before = (tokens == end).cumsum(1) - (tokens == end).long()
        return TokenBatch.of(tokens, (before[:, 1:] == 0).float())

    def _walks(self, n: int, generator: torch.Generator) -> Int[Tensor, "n layer"]:
        """Nodes of walks from the first layers; −1 after the last layer."""
        config, edges = self.config, self.graph.edges.to(generator.device).float()
        first = torch.randint(FIRST_LAYERS * config.width, (n,), generator=generator, device=generator.device)
        nodes = [first]
        # A node of the last layer has no edges; it is asked for one all the same, and what is drawn is not used.
        edges[edges.sum(1) == 0] = 1.0
        for _ in range(config.layers - 1):
            last = nodes[-1].clamp_min(0)
            drawn = torch.multinomial(edges[last], 1, generator=generator)[:, 0]
            over = (nodes[-1] < 0) | (last >= (config.layers - 1) * config.width)
            nodes.append(torch.where(over, -1, drawn))
        return torch.stack(nodes, 1)

    def kind_of(self, token: int) -> str:
        """What kind of token it is."""
        config = self.config
        kinds = ((config.n_nodes, NODE), (config.n_nodes + config.words, RANDOM), (config.d_vocab - 1, FOLLOWING))
        return next((kind for below, kind in kinds if token < below), END)

    def token_labels(self) -> list[str]:
        """Nodes by layer and place, such as 3.5; words a1, a2, …, b1, b2, …; END."""
        config = self.config
        nodes = [f"{layer}.{place}" for layer in range(config.layers) for place in range(config.width)]
        words = [f"{letter}{i}" for letter in "ab" for i in range(1, config.words + 1)]
        return [*nodes, *words, "END"]

    def content_tokens(self) -> Tensor:
        """All but the end."""
        return torch.arange(self.d_vocab - 1)

    def last_nodes(self) -> Float[Tensor, "node place"]:
        """The law of the last node of a walk that is at each node, float64: the truth, without a model."""
        config, last = self.config, (self.config.layers - 1) * self.config.width
        laws = torch.zeros(config.n_nodes, config.width, dtype=torch.float64)
        laws[last:] = torch.eye(config.width, dtype=torch.float64)
        steps = self.graph.edges.double()
        for first in range(last - config.width, -1, -config.width):
            here = steps[first : first + config.width]
            laws[first : first + config.width] = here @ laws / here.sum(1, keepdim=True)
        return laws

    def least_cross_entropy(self) -> float:
        """The cross-entropy of a model that knows the graph, nats a scored token, as loss and scores are averaged."""
        config = self.config
        out = self.graph.edges.double().sum(1)
        rest = torch.zeros(config.n_nodes, dtype=torch.float64)
        for first in range((config.layers - 2) * config.width, -1, -config.width):
            here = slice(first, first + config.width)
            ahead = self.graph.edges[here].double() @ rest / out[here]
            rest[here] = out[here].log() + math.log(config.words) + ahead
        starts = FIRST_LAYERS * config.width
        n_tokens = 3 * (config.layers - 1 - self.graph.depth[:starts].double()) + 1
        return float(rest[:starts].sum() / n_tokens.sum())
