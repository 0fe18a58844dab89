"""Inputs that a pass is asked to look at in place of those that the task draws, given as the task takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcinterp.errors import InputError, nearest_name
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint
from mcinterp.task.inside import Conditioned

FACT = "condition"
"""The fact of a result that says on which inputs it was made, where these are not those that the task draws."""


@dataclass(frozen=True)
class Condition:
    """A family of inputs; by default those that the task draws, of which results say nothing.

    Attributes:
        kind: what the task calls such a choice, as an argument and as a column.
        name: of the family.
        family: as the task takes it.
        choice: what it chooses of `checkpoint.sample`.
        spelled: a name by which it can be given again.
        words: the family's inputs in a sentence.
    """

    kind: str = ""
    name: str = ""
    family: Any = None
    choice: Mapping[str, Any] = field(default_factory=dict)
    spelled: str = ""
    words: str = ""

    @classmethod
    def of(cls, what: str, task: Any, inputs: Mapping[str, Any]) -> Condition:
        """What was given to an analysis as arguments that it knows nothing of.

        Args:
            what: the analysis.
            task: of the checkpoint.
            inputs: the arguments by name.

        Raises:
            InputError: if the task takes no such argument, or several families are given.
        """
        found = families_given(what, task, inputs)
        if not found:
            return cls()
        if len(found) > 1:
            raise InputError(
                f"{what}: one {task.family_words.one} at a time, got {len(found)}: {', '.join(found):.200}"
            )
        (name, family), *_ = found.items()
        words = task.family_words.under.replace("{}", name)
        choice = task.attention_choice(family)
        return cls(task.condition, name, family, choice, task.spelled_inputs(family), words)

    @property
    def told(self) -> dict[str, str] | None:
        """Name of the family, and the name by which it can be given again; None for what the task draws."""
        return {self.name: self.spelled} if self.kind else None

    def stated(self, result: Result, checkpoint: Checkpoint) -> Result:
        """A result that says on which inputs it was made: in its settings, its facts and a column of every table."""
        if not self.kind:
            return result
        batch = int(result.settings["samples"]), int(result.settings["seed"])
        shown = checkpoint.task.shown_beside(checkpoint.sample(*batch, **self.choice))
        pictured = {name: np.asarray(values).tolist() for name, values in shown.items()}
        fact = {"name": self.name, "spelled": self.spelled, "words": self.words, "shown": pictured}
        return replace(
            result,
            settings={**result.settings, self.kind: self.name},
            facts={**result.facts, FACT: {**fact, "task": checkpoint.config.task.kind}},
            tables={name: self._stated(table) for name, table in result.tables.items()},
        )

    def _stated(self, table: Table) -> Table:
        meaning = f"what the inputs are: {self.spelled}"
        return Table(table.frame.assign(**{self.kind: self.name}), {**table.columns, self.kind: meaning})


def families_given(what: str, task: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The families of inputs that were given by arguments that the analysis knows nothing of, by name; none for None.

    Raises:
        InputError: if the task takes no such argument.
    """
    taken = [task.condition] if isinstance(task, Conditioned) else []
    for name in inputs:
        if name not in taken:
            raise InputError(f"{what} takes no argument {name!r:.80}{nearest_name(name, taken) if taken else ''}")
    given = {name: value for name, value in inputs.items() if value is not None}
    return dict(task.named_inputs(given[task.condition])) if given else {}


def families(task: Any, names: Any) -> dict[str, Any]:
    """Families of inputs by name, each as `attention_choice` takes it; None for the task's own choice."""
    given = task.inputs_for_attention() if names is None else names
    return dict(task.named_inputs(given)) if isinstance(task, Conditioned) else {name: name for name in given}
