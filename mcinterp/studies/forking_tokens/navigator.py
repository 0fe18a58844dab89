"""Ways through a graph, node by node, whose outcome is whether the goal is reached; see `texts.Texts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from mcinterp.analysis.skewed_t import Floats
from mcinterp.language.hooked import language_of_task
from mcinterp.language.model import LanguageModel
from mcinterp.runs import Checkpoint
from mcinterp.studies.forking_tokens.task import END, NODE
from mcinterp.studies.forking_tokens.texts import Ints
from mcinterp.studies.stepwise_inference.task import PROMPT, GraphNavigation

VALID, NONE, INVALID = "valid path", "NOPATH", "invalid"
LABEL = "label"
"""Kind of the tokens PATH and NOPATH."""
QUESTIONS = 30


@dataclass(frozen=True)
class NavigatorTexts:
    """Answers to questions whose goal is farther from the start than any that was trained on, and can be reached.

    The graph's law is that of a text that never loses its goal where it can keep it: a valid path while the goal can
    still be reached over edges from where the text is, and none from then on.

    Attributes:
        task: that the model was trained on.
        model: that writes.
        starts: goal and start of each question.
        limit: most tokens of an answer.
        outcomes: a path of edges to the goal and PATH; NOPATH; all else that is over.
        prune: prefixes with a smaller probability are not followed.
    """

    task: GraphNavigation
    model: LanguageModel
    starts: Sequence[tuple[int, ...]]
    limit: int
    prune: float = 2e-6
    outcomes: tuple[str, ...] = field(default=(VALID, NONE, INVALID), init=False)

    @classmethod
    def of(cls, checkpoint: Checkpoint, seed: int) -> NavigatorTexts:
        """Those of a checkpoint.

        Args:
            checkpoint: of a model that writes steps.
            seed: of the questions, which are drawn from all that there are.
        """
        task: GraphNavigation = checkpoint.task
        far = task.held_out & task.paths.reach & (task.paths.shortest > task.config.longest)
        pairs = far.nonzero()
        order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed))[:QUESTIONS]
        questions = [(goal, start) for start, goal in pairs[order].tolist()]
        model = language_of_task(checkpoint.model, task, checkpoint.run_name)
        return cls(task, model, questions, task.n_positions - PROMPT + 1)

    def outcome(self, tokens: Ints) -> int:
        """Valid path, NOPATH or invalid, by the label before the end and the nodes before it."""
        label = int(tokens[-2])
        if label == self.task.no_path:
            return 1
        return 0 if label == self.task.path and self._there(tokens[:-2]) else 2

    def kind(self, tokens: Sequence[int]) -> str:
        """Node, label or end."""
        last = int(tokens[-1])
        return NODE if last < self.task.n_nodes else LABEL if last in (self.task.path, self.task.no_path) else END

    def truth(self, tokens: Sequence[int]) -> Floats:
        """A valid path while there is a way from where the text is, else none."""
        tokens = [int(token) for token in tokens if token not in self.model.end_tokens]
        said = tokens[-1] in (self.task.path, self.task.no_path)
        can = tokens[-1] == self.task.path and self._there(tokens[:-1]) if said else self._reaches(tokens)
        return np.array([can, not can, 0, 0], dtype=np.float64)

    def _nodes(self, tokens: Sequence[int] | Ints) -> tuple[int, list[int]]:
        """The goal, and the nodes from the start on."""
        goal, *nodes = (int(token) for token in tokens)
        return goal, nodes

    def _on_edges(self, nodes: Sequence[int]) -> bool:
        edges = self.task.graph.edges
        inside = all(node < self.task.n_nodes for node in nodes)
        return inside and all(bool(edges[one, other]) for one, other in pairwise(nodes))

    def _reaches(self, tokens: Sequence[int]) -> bool:
        goal, nodes = self._nodes(tokens)
        return self._on_edges(nodes) and bool(self.task.paths.reach[nodes[-1], goal])

    def _there(self, tokens: Sequence[int] | Ints) -> bool:
        goal, nodes = self._nodes(tokens)
        return self._on_edges(nodes) and nodes[-1] == goal
