"""The navigator's texts: outcomes, kinds and truth of answers that are written out."""

from __future__ import annotations

import numpy as np
import torch

from mcinterp.config import load_preset
from mcinterp.runs import Checkpoint
from mcinterp.studies.forking_tokens.navigator import NavigatorTexts

TEXTS = NavigatorTexts.of(Checkpoint.untrained(load_preset("fork-navigator"), 0), seed=0)
TASK = TEXTS.task


def way() -> tuple[int, list[int]]:
    """A goal, and a path to it from the first question's start."""
    goal, start = TEXTS.starts[0]
    return goal, list(TASK.paths.listed(start, goal)[0])


def test_questions_are_far_and_can_be_answered() -> None:
    assert len(set(TEXTS.starts)) == 30
    for goal, start in TEXTS.starts:
        assert TASK.paths.shortest[start, goal] > TASK.config.longest
        assert TASK.held_out[start, goal]


def test_outcomes_are_read_from_nodes_and_label() -> None:
    goal, nodes = way()
    said = {"valid path": [*nodes, TASK.path], "NOPATH": [*nodes[:2], TASK.no_path]}
    said["invalid"] = [*nodes[:-1], TASK.path]
    for name, text in said.items():
        assert TEXTS.outcomes[TEXTS.outcome(np.array([goal, *text, TASK.end]))] == name
    jump = [nodes[0], nodes[2], *nodes[3:], TASK.path, TASK.end]
    assert TEXTS.outcome(np.array([goal, *jump])) == 2
    assert TEXTS.outcome(np.array([goal, *nodes, TASK.end])) == 2


def test_the_truth_is_whether_the_goal_can_still_be_reached() -> None:
    goal, nodes = way()
    for n in range(1, len(nodes) + 1):
        assert TEXTS.truth([goal, *nodes[:n]]).tolist() == [1, 0, 0, 0]
    assert TEXTS.truth([goal, *nodes, TASK.path]).tolist() == [1, 0, 0, 0]
    assert TEXTS.truth([goal, *nodes, TASK.path, TASK.end]).tolist() == [1, 0, 0, 0]
    lost = [[*nodes[:1], nodes[2]], [*nodes[:2], TASK.no_path], [*nodes[:-1], TASK.path]]
    cannot = torch.nonzero(TASK.graph.edges[:, :].any(1) & ~TASK.paths.reach[:, goal])[0].tolist()
    for text in [*lost, cannot]:
        assert TEXTS.truth([goal, *text]).tolist() == [0, 1, 0, 0]


def test_kinds_are_nodes_labels_and_the_end() -> None:
    goal, nodes = way()
    assert [TEXTS.kind([goal, nodes[0]]), TEXTS.kind([TASK.no_path]), TEXTS.kind([TASK.end])] == [
        "node",
        "label",
        "end",
    ]
