"""How far an edit bends what a network represents, and what of its knowledge is lost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mcinterp.studies.knowledge_editing.answers import BOTH, EDITED, RETAINED, Answers, Network
from mcinterp.studies.knowledge_editing.facts import inverses

NAN = float("nan")
DISTORTIONS = {
    "r_edited": "R of the edited order: relative change of the distances between all entities' representations",
    "r_others": "the same without the edited entity",
    "r_retained": "R of the other orders",
    "r_normalised": "R of the edited order after the final LayerNorm",
}
LOSSES = {
    "recall_edited": "share of shown facts of the edited order, right before, that are no longer right",
    "recall_retained": "the same of the other orders",
    "inverse_edited": "… of held-out facts of the edited order",
    "inverse_retained": "… of held-out facts of the other orders",
    "composed_edited": "… of held-out compositions of relations of the edited order",
    "composed_retained": "… of the other orders",
    "composed_both": "… of an edited and another order's relation",
}


def distortion(
    before: Float[Tensor, "entity relation d"], after: Float[Tensor, "entity relation d"], without: int | None = None
) -> float:
    """R = ‖D* − D‖ / ‖D‖, D the Euclidean distances between all entities for a relation; mean over the relations.

    0 for any rigid motion of all representations; |s − 1| where all are scaled by s.

    Args:
        before: representations of each entity for each relation.
        after: of the edited network.
        without: an entity that is left out.
    """
    kept = torch.arange(len(before)) != (-1 if without is None else without)
    values = []
    for own, new in zip(before[kept].unbind(1), after[kept].unbind(1), strict=True):
        old, changed = (torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") for x in (own, new))
        values.append(float((changed - old).norm() / old.norm()))
    return sum(values) / len(values)


@dataclass(frozen=True)
class Damage:
    """What became of everything that an edit is not about.

    Left out are the edited fact, its inverse, and compositions through either. Counted is what was right before.

    Attributes:
        network: as it was.
        before: what it answered.
    """

    network: Network
    before: Answers

    def of(self, after: Answers, entity: int, relation: int) -> dict[str, float]:
        """R and the losses, by name; NaN of what nothing was right of.

        Args:
            after: what the changed network answers.
            entity: whose fact was edited.
            relation: of the edited fact.
        """
        return {**self.distortions(after, entity), **self.losses(after, self.about(entity, relation))}

    def distortions(self, after: Answers, entity: int) -> dict[str, float]:
        """R, by order, without the entity, and after the final LayerNorm."""
        own = self.network.edited_order
        before, now, others_before, others_now = (
            answers.of_order(which) for which in (own, ~own) for answers in (self.before, after)
        )
        return {
            "r_edited": distortion(before.stream, now.stream),
            "r_others": distortion(before.stream, now.stream, entity),
            "r_retained": distortion(others_before.stream, others_now.stream),
            "r_normalised": distortion(before.normalised, now.normalised),
        }

    def about(self, entity: int, relation: int) -> Bool[Tensor, "entity relation"]:
        """The fact and its inverse."""
        facts = self.network.task.facts
        found = torch.zeros_like(facts.held_out)
        found[entity, relation] = True
        found[facts.answer[entity, relation], inverses(self.network.task.config)[relation]] = True
        return found

    def losses(self, after: Answers, about: Bool[Tensor, "entity relation"]) -> dict[str, float]:
        """Shares of what was right before that is right no more.

        Args:
            after: what the changed network answers.
            about: facts that the edits are about.
        """
        held_out, own = self.network.task.facts.held_out, self.network.edited_order
        counted, wrong = self.before.right & ~about, ~after.right
        found = {}
        for kind, facts in {"recall": ~held_out, "inverse": held_out}.items():
            for name, relations in {EDITED: own, RETAINED: ~own}.items():
                found[f"{kind}_{name}"] = _share(wrong, counted & facts & relations)
        entity, first, second = self.network.compositions
        through = about[entity, first] | about[self.network.task.facts.answer[entity, first], second]
        orders = self.network.composed_orders()
        for name in (EDITED, RETAINED, BOTH):
            which = torch.tensor([each == name for each in orders], dtype=torch.bool)
            found[f"composed_{name}"] = _share(~after.composed, self.before.composed & ~through & which)
        return found


def _share(of: Tensor, among: Tensor) -> float:
    return float(of[among].double().mean()) if among.any() else NAN
