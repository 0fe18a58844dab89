"""What single edits do to everything that they are not about, by distance, beside changes that are no edits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.model.rank_one import RankOneEdit, WeightChange, edited
from mcinterp.results import Result, Table
from mcinterp.studies.knowledge_editing.answers import Answers, Network, answered
from mcinterp.studies.knowledge_editing.contrasts import CONTRAST_COLUMNS, EXPLAINED_COLUMNS, contrasts, explained
from mcinterp.studies.knowledge_editing.distortion import DISTORTIONS, LOSSES, Damage
from mcinterp.studies.knowledge_editing.editing import STEP, STEPS, STOP, Editor, Question, questions
from mcinterp.studies.knowledge_editing.prompts import answers_after

EDITS = "edits"
FACTS = 20
"""That are edited in each network: so many that the interval of a share of 1 of all edits lies above 95 %."""
DISTANCES = (1, 2, 4, 8)
SIXTH = 6
"""Distances stay below this part of the cycle, whose other side is half of it away."""
SURE = math.exp(-STOP)
"""An edit to an answer that is this sure, in the mean over the prompts, takes no step."""
EDIT, PRESENT, CORRECTIVE, NONE = "edit", "present answer", "corrective", "none"
VALUE, KEY, MATRIX, TUNED = "random value", "random key", "random matrix", "fine-tuned"
METHODS = {
    EDIT: "a rank-one edit to another answer",
    PRESENT: "one to the answer that the network gives already",
    CORRECTIVE: "one to the right answer of a held-out fact that the network has wrong",
    VALUE: "the edit's key with a random change of the value, as long as the edit's",
    KEY: "a random key with the edit's change of the value, scaled to the edit's mean square effect on the layer",
    MATRIX: "random key and value whose outer product has the edit's norm",
    TUNED: "gradient descent on the same weights for the one fact",
    NONE: "no change",
}
OWN = {
    "success": "whether the target is the most probable answer to the question alone",
    "contexts": "share of walks, none of which the edit was made for, after which it is",
    "unedited": "the same share before the change",
    "moved": "‖δ‖ / ‖v‖: by how much the value of the key moves",
    "size": "norm of the change of the weights over theirs",
    "steps": "steps of Adam that the value took",
    "loss": "mean −log p(target) with the new value, nats",
}
MEASURES = {**DISTORTIONS, **LOSSES}
_ABOUT = {
    "network": "own, or of another width",
    "method": "; ".join(f"{name}: {meaning}" for name, meaning in METHODS.items()),
    "distance": "places between old and new answer along the edited order",
}
EDIT_COLUMNS = {
    **_ABOUT,
    "entity": "of the fact",
    "relation": "of the fact",
    "target": "the new answer",
    "sure": "geometric mean of the probability of the target over the prompts, before",
    "rank": "eigenvalues of the keys' second moment above 1e-6 of the largest",
    **OWN,
    **MEASURES,
}
SUMMARY_COLUMNS = {
    **_ABOUT,
    "n": "edited facts",
    **{
        name: each
        for key, meaning in {**OWN, **MEASURES}.items()
        for name, each in interval_columns(key, meaning).items()
    },
}


def distances(network: Network) -> list[int]:
    """Those that are small beside the cycle."""
    return [distance for distance in DISTANCES if distance * SIXTH <= network.task.config.entities]


@dataclass(frozen=True)
class Tried:
    """A network whose facts are edited one at a time, and put back.

    Attributes:
        name: of the network.
        editor: of it.
        damage: against what it answers.
    """

    name: str
    editor: Editor
    damage: Damage

    @classmethod
    def of(cls, name: str, network: Network, seed: int) -> Tried:
        """With what it answers now."""
        return cls(name, Editor.of(network, seed), Damage(network, answered(network)))

    @property
    def network(self) -> Network:
        """Which."""
        return self.editor.network

    @property
    def before(self) -> Answers:
        """What it answers."""
        return self.damage.before

    def rows(self, seed: int) -> Iterator[dict[str, Any]]:
        """Every edit and every control, by fact."""
        chance = torch.Generator().manual_seed(seed)
        for asked in questions(self.network, self.before, FACTS, right=True, held_out=False, generator=chance):
            yield from self._edits(asked, chance)
        for asked in questions(self.network, self.before, FACTS, right=False, held_out=True, generator=chance):
            target = self.editor.target(asked, 0)
            yield self._row(CORRECTIVE, 0, asked, target, self.editor.edit(asked, target))

    def _edits(self, asked: Question, chance: torch.Generator) -> Iterator[dict[str, Any]]:
        present = self.editor.target(asked, 0)
        yield self._row(NONE, 0, asked, present, None)
        yield self._row(PRESENT, 0, asked, present, self.editor.edit(asked, present))
        for distance in distances(self.network):
            target = self.editor.target(asked, distance)
            edit = self.editor.edit(asked, target)
            yield self._row(EDIT, distance, asked, target, edit)
        controls: Mapping[str, Callable[[RankOneEdit, torch.Generator], WeightChange]] = {
            VALUE: self.editor.random_value,
            KEY: self.editor.random_key,
            MATRIX: self.editor.random_matrix,
            TUNED: lambda _, __: self.editor.fine_tuned(asked, target),
        }
        for method, control in controls.items():
            yield self._row(method, distance, asked, target, control(edit, chance))

    def _row(
        self, method: str, distance: int, asked: Question, target: int, change: WeightChange | None
    ) -> dict[str, Any]:
        labels, network = self.network.task.token_labels(), self.network
        before = answers_after(network, [prompt.tokens for prompt in asked.prompts])[:, target]
        unseen_before = answers_after(network, asked.unseen).argmax(-1) == target
        with edited(network.model, *([] if change is None else [change])):
            after, bare = answered(network), answers_after(network, [asked.prompts[0].tokens])
            unseen = answers_after(network, asked.unseen).argmax(-1) == target
        return {
            "network": self.name,
            "method": method,
            "distance": distance,
            "entity": labels[asked.entity],
            "relation": labels[int(network.relation_token(torch.tensor(asked.relation)))],
            "target": labels[target],
            "sure": float(before.log().mean().exp()),
            "success": float(bare.argmax(-1)[0] == target),
            "contexts": float(unseen.double().mean()),
            "unedited": float(unseen_before.double().mean()),
            **_told(network, change),
            **self.damage.of(after, asked.entity, asked.relation),
        }


def _told(network: Network, change: WeightChange | None) -> dict[str, float]:
    """How large a change is, and how its value was found."""
    nan = float("nan")
    weights = network.model.blocks[network.layer].mlp.W_out
    size = 0.0 if change is None else float(change.outer.norm() / weights.norm())
    if not isinstance(change, RankOneEdit):
        return {"moved": nan, "size": size, "steps": nan, "loss": nan, "rank": nan}
    moved = float(change.change.norm()) / change.value_norm
    return {"moved": moved, "size": size, "steps": change.steps, "loss": change.loss, "rank": change.rank}


def edits(networks: Mapping[str, Network], seed: int) -> Result:
    """Edit facts of networks one at a time.

    Args:
        networks: by name, the study's own first.
        seed: of the choice of facts, contexts and controls.

    Returns:
        tables `edits` (every one), `summary` (means over facts), `contrasts` (paired differences) and `explained` (what
        goes with the loss of recall).
    """
    rows = [row for name, network in networks.items() for row in Tried.of(name, network, seed).rows(seed)]
    table = Table.of(EDIT_COLUMNS, rows)
    frame, own = table.frame, next(iter(networks.values()))
    tables = {
        "summary": Table.of(SUMMARY_COLUMNS, list(_summary(frame))),
        "contrasts": Table.of(CONTRAST_COLUMNS, list(contrasts(frame, distances(own), seed))),
        "explained": Table.of(EXPLAINED_COLUMNS, list(explained(frame, seed))),
        "edits": table,
    }
    facts = {
        "nearest": distances(own)[0],
        "farthest": distances(own)[-1],
        "layer": own.layer,
        "search": {"steps": STEPS, "step": STEP, "stop": STOP},
        "ridge": 0.0,
        "sure": SURE,
        "networks": list(networks),
    }
    return Result(EDITS, "What single edits do", {"facts": FACTS, "seed": seed}, facts, tables)


def _summary(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for (network, method, distance), rows in frame.groupby(["network", "method", "distance"], sort=False):
        means = {
            name: value
            for key in {**OWN, **MEASURES}
            for name, value in mean_estimate(np.asarray(rows[key], dtype=np.float64)).columns(key).items()
        }
        yield {"network": network, "method": method, "distance": distance, "n": len(rows), **means}
