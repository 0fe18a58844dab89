"""Chains of motifs: exemplars of links that exist in one prompt alone, and the question for a way through them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mcinterp.errors import InputError
from mcinterp.studies.stepwise_inference.config import MOTIF_SIGNS, MotifConfig
from mcinterp.studies.stepwise_inference.graphs import hierarchical_graph
from mcinterp.studies.stepwise_inference.paths import Paths
from mcinterp.task.next_token import NextToken, TokenBatch

PROMPT = 3
"""Tokens of `Q goal start`."""


@dataclass(frozen=True)
class Chains:
    """Motifs one after the other, each with a way through it.

    The link from a motif to the next, its ghost edge, is from the last node of the one way to the first of the other.

    Attributes:
        motifs: (sample, motif).
        ways: nodes, (sample, motif, layer).
    """

    motifs: Int[Tensor, "n motif"]
    ways: Int[Tensor, "n motif layer"]

    @property
    def question(self) -> Int[Tensor, "n 2"]:
        """Goal and start."""
        return torch.stack([self.ways[:, -1, -1], self.ways[:, 0, 0]], 1)


class MotifNavigation(NextToken):
    """Find the way through a chain of motifs whose links an exemplar each has shown.

    Motifs are small graphs of layers, drawn once. Ghost edges between them are drawn anew for each sample; an exemplar
    leads from a source of a motif over the ghost edge to a sink of the next. Loss and scores are over the answer, what
    follows `Q goal start`.

    Attributes:
        edges: of all motifs, (node, node).
        ways: of each motif all ways through it, nodes, (motif, way, layer); -1 where it has fewer.
        seen: whether training links the first motif to the second, (motif, motif).
        unseen: the other pairs of different motifs.
        ex, ask, end, pad: tokens; those below `n_nodes` are the nodes.
    """

    same_inputs = ("kind", "motifs", "layers", "width", "longest", "positions_for", "order")

    def __init__(self, config: MotifConfig) -> None:
        super().__init__(config.d_vocab, config.n_positions)
        self.config, self.n_nodes = config, config.motifs * config.per_motif
        self.ex, self.ask, self.end, self.pad = range(self.n_nodes, config.d_vocab)
        self.edges, self.ways = self._motifs()
        order = torch.randperm(config.motifs**2, generator=torch.Generator().manual_seed(config.chain + config.motifs))
        different = ~torch.eye(config.motifs, dtype=torch.bool)
        ranks = order.view(config.motifs, -1).where(different, config.motifs**2).flatten().argsort().argsort()
        self.unseen = ranks.view_as(different) < round(config.unseen_share * int(different.sum()))
        self.seen = different & ~self.unseen
        self._trained = {k: chains_of(k, self.seen) for k in range(2, config.longest + 1)}
        if not len(self._trained[config.longest]):
            raise InputError(f"unseen_share leaves no chain of {config.longest} of {config.motifs} motifs to train on")

    def draw(self, n: int, generator: torch.Generator) -> TokenBatch:
        """Draw `n` samples, of 2 to `longest` motifs alike, all of whose links training may have."""
        motifs = torch.randint(2, self.config.longest + 1, (n,), generator=generator)
        tokens = torch.full((n, self.n_positions + 1), self.pad)
        for k, known in self._trained.items():
            of_k = (motifs == k).nonzero()[:, 0]
            chosen = known[torch.randint(len(known), (len(of_k),), generator=generator)]
            chains = self.chains(chosen, generator)
            tokens[of_k, : self.config.length(k)] = self.written(self.prompt(chains, generator), chains)
        return TokenBatch.of(tokens, self._asked(tokens)[:, 1:].float(), {"motifs": motifs})

    def chains(self, motifs: Int[Tensor, "n motif"], generator: torch.Generator) -> Chains:
        """A way through each motif, all alike; so are their ghost edges drawn."""
        return Chains(motifs, self.through(motifs, generator))

    def prompt(self, chains: Chains, generator: torch.Generator, order: str | None = None) -> Int[Tensor, "n token"]:
        """Exemplars of every link, in the configuration's order or another, then `Q goal start`."""
        exemplars = self.links(chains, generator)
        if (order or self.config.order) == "shuffled":
            places = torch.rand(exemplars.shape[:2], generator=generator).argsort(1)
            exemplars = exemplars.gather(1, places[..., None].expand_as(exemplars))
        return self.asking(exemplars, chains)

    def links(self, chains: Chains, generator: torch.Generator) -> Int[Tensor, "n link token"]:
        """An exemplar of every link, `EX goal start path` through its two motifs over the ghost edge between them."""
        here = self.through(chains.motifs[:, :-1], generator, last=chains.ways[:, :-1, -1])
        there = self.through(chains.motifs[:, 1:], generator, first=chains.ways[:, 1:, 0])
        sign = torch.full((*here.shape[:-1], 1), self.ex)
        return torch.cat([sign, there[..., -1:], here, there], -1)

    def asking(self, exemplars: Int[Tensor, "n link token"], chains: Chains) -> Int[Tensor, "n token"]:
        """Exemplars, then `Q goal start`."""
        sign = torch.full((len(exemplars), 1), self.ask)
        return torch.cat([exemplars.flatten(1), sign, chains.question], 1)

    def through(
        self,
        motifs: Int[Tensor, "*n"],
        generator: torch.Generator,
        first: Int[Tensor, "*n"] | None = None,
        last: Int[Tensor, "*n"] | None = None,
    ) -> Int[Tensor, "*n layer"]:
        """A way through each motif, uniform among those that begin or end at a node where one is given."""
        ways = self.ways[motifs]
        fits = ways[..., 0] >= 0
        for node, place in ((first, 0), (last, -1)):
            if node is not None:
                fits = fits & (ways[..., place] == node[..., None])
        chosen = torch.multinomial(fits.flatten(0, -2).double(), 1, generator=generator).view(*motifs.shape, 1, 1)
        return ways.gather(-2, chosen.expand(*motifs.shape, 1, ways.shape[-1]))[..., 0, :]

    def written(self, prompt: Int[Tensor, "n token"], chains: Chains) -> Int[Tensor, "n token"]:
        """The prompt and its answer: the nodes after the start, and END."""
        end = torch.full((len(prompt), 1), self.end)
        return torch.cat([prompt, chains.ways.flatten(1)[:, 1:], end], 1)

    def follows(self, written: Int[Tensor, "n new"], chains: Chains, ends: bool = True) -> Bool[Tensor, " n"]:
        """Whether answers go through just these motifs, over their ghost edges, to the goal.

        Args:
            written: what comes after the prompt, PAD where it is shorter.
            chains: whose ways within motifs need not be the same.
            ends: whether END has to come right after the goal.
        """
        n, k, layers = chains.ways.shape
        if written.shape[1] < k * layers:
            return torch.zeros(n, dtype=torch.bool)
        nodes = torch.cat([chains.ways[:, 0, :1], written[:, : k * layers - 1]], 1).view(n, k, layers)
        inner = nodes.clamp_max(self.n_nodes - 1)
        along = self.edges[inner[..., :-1], inner[..., 1:]].all(-1) & (nodes < self.n_nodes).all(-1)
        links = (nodes[..., [0, -1]] == chains.ways[..., [0, -1]]).all(-1)
        there = along.all(-1) & links.all(-1)
        return there & (written[:, k * layers - 1] == self.end) if ends else there

    def leaves(self, written: Int[Tensor, "n new"], chains: Chains) -> Bool[Tensor, " n"]:
        """Whether answers leave the first motif over the chain's ghost edge, whatever comes then."""
        layers = chains.ways.shape[2]
        if written.shape[1] < layers:
            return torch.zeros(len(written), dtype=torch.bool)
        edge = torch.stack([chains.ways[:, 0, -1], chains.ways[:, 1, 0]], 1)
        return (written[:, layers - 2 : layers] == edge).all(1)

    def token_labels(self) -> list[str]:
        """Nodes by motif, layer and place in it; signs by their names."""
        per, width = self.config.per_motif, self.config.width
        nodes = (f"{node // per}.{node % per // width}.{node % width}" for node in range(self.n_nodes))
        return [*nodes, *MOTIF_SIGNS]

    def content_tokens(self) -> Tensor:
        """The nodes."""
        return torch.arange(self.n_nodes)

    def _motifs(self) -> tuple[Bool[Tensor, "node node"], Int[Tensor, "motif way layer"]]:
        """Edges of all motifs, and the ways through each."""
        config, ways = self.config, []
        edges = torch.zeros(self.n_nodes, self.n_nodes, dtype=torch.bool)
        for motif in range(config.motifs):
            graph = hierarchical_graph(config.layers, config.width, config.edge_probability, config.chain + motif)
            first, paths = motif * config.per_motif, Paths(graph)
            edges[first : first + len(graph), first : first + len(graph)] = graph.edges
            ends = [(start, len(graph) - 1 - end) for start in range(config.width) for end in range(config.width)]
            ways.append(torch.tensor([way for pair in ends for way in paths.listed(*pair)]) + first)
        return edges, torch.nn.utils.rnn.pad_sequence(ways, True, -1)

    def _asked(self, tokens: Int[Tensor, "n token"]) -> Bool[Tensor, "n token"]:
        """What is asked for: all that follows `Q goal start`."""
        question = (tokens == self.ask).cumsum(1)
        return (question.roll(PROMPT, 1) * question > 0) & (tokens != self.pad)


def chains_of(motifs: int, links: Bool[Tensor, "motif motif"]) -> Int[Tensor, "chain motif"]:
    """Every chain of so many different motifs, one linked to the next; none where there is none."""
    found = torch.arange(len(links))[:, None]
    for _ in range(motifs - 1):
        new = torch.arange(len(links)).expand(len(found), -1)
        follows = links[found[:, -1]] & (found[:, :, None] != new[:, None]).all(1)
        at, motif = follows.nonzero(as_tuple=True)
        found = torch.cat([found[at], motif[:, None]], 1)
    return found
