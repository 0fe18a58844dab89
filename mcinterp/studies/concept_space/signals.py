"""How much of an image, and of a prompt, a concept changes: the concept signal, from the renderer itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.studies.concept_space.config import ConceptConfig
from mcinterp.studies.concept_space.images import class_prompt, colour_of, drawn_scene, rendered, size_of
from mcinterp.studies.concept_space.judge import JUDGE_COLUMNS
from mcinterp.studies.concept_space.networks import ABOUT_COLUMNS, Family

SIGNALS = "signals"
COLOUR, SIZE = "colour", "size"
SCENES, SEED = 1000, 0
"""Places and backgrounds that a signal is averaged over, and their seed."""

SIGNAL_COLUMNS = {
    **ABOUT_COLUMNS,
    "concept": "that is changed",
    "other": "what the other concept is meanwhile",
    "n": "places and backgrounds",
    "seed": "of them",
    **interval_columns(
        "signal",
        "concept signal |∂G/∂z|: by how much the image changes with the concept, whose z goes from 0 to 1 (L2 over all "
        "values, which reach from −1 to 1); symmetric difference of z = ¼ and ¾",
    ),
    "prompt": "by how much the prompt changes likewise",
}


def concept_signals(task: ConceptConfig) -> list[dict[str, Any]]:
    """Rows of the table, without the family's columns."""
    others = {COLOUR: ("large", "small"), SIZE: ("red", "blue")}
    rows = []
    for concept, names in others.items():
        for value, other in enumerate(names):
            change = image_change(task, concept, value)
            signal = mean_estimate(change.astype(np.float64)).columns("signal")
            about = {"concept": concept, "other": other, "n": SCENES, "seed": SEED}
            rows.append({**about, **signal, "prompt": prompt_change(task, concept)})
    return rows


def image_change(task: ConceptConfig, concept: str, other: int) -> np.ndarray:
    """Twice the L2 distance of images of z = ¼ and z = ¾, by place and background, (n,)."""
    combination = torch.tensor([(0, other) if concept == COLOUR else (other, 0)]).expand(SCENES, 2)
    scene = drawn_scene(task, combination, torch.Generator().manual_seed(SEED))
    blue, small = combination.float().unbind(-1)
    plain = replace(scene, colour=colour_of(task, blue), size=size_of(task, small))
    images = []
    for z in (0.25, 0.75):
        values = torch.full((SCENES,), z)
        changed = {"colour": colour_of(task, values)} if concept == COLOUR else {"size": size_of(task, values)}
        images.append(rendered(replace(plain, **changed), task.pixels))
    change: np.ndarray = (2 * (images[1] - images[0]).norm(dim=-1)).numpy()
    return change


def prompt_change(task: ConceptConfig, concept: str) -> float:
    """L2 distance of the prompts of the concept's two values."""
    other = (1.0, 0.0) if concept == COLOUR else (0.0, 1.0)
    return float((class_prompt(task, other) - class_prompt(task, (0.0, 0.0))).norm())


def signals(families: Sequence[Family], judged: Sequence[dict[str, Any]]) -> Result:
    """The signals of every family, and how its judge did on real images."""
    rows = [{**family.about, **row} for family in families for row in concept_signals(family.task)]
    tables = {"signals": Table.of(SIGNAL_COLUMNS, rows), "judge": Table.of(JUDGE_COLUMNS, judged)}
    return Result(SIGNALS, "Concept signals, and the judge", {"scenes": SCENES}, {}, tables)
