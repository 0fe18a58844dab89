"""Many edits one after the other, each of the network that the ones before have left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
import torch

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.model.rank_one import edited
from mcinterp.results import Result, Table
from mcinterp.studies.knowledge_editing.answers import Network, answered
from mcinterp.studies.knowledge_editing.distortion import DISTORTIONS, LOSSES, Damage
from mcinterp.studies.knowledge_editing.editing import Editor, questions
from mcinterp.studies.knowledge_editing.prompts import answers_after

SEQUENCES = "sequences"
REPEATS, LENGTH, DISTANCE = 5, 10, 1
"""Sequences of so many edits, each to the neighbour of the right answer."""
MEASURES = {
    "held": "share of the edits so far whose question alone has its target as answer",
    **{name: meaning for name, meaning in DISTORTIONS.items() if name != "r_others"},
    **LOSSES,
}
SEQUENCE_COLUMNS = {
    "network": "own, or of another width",
    "edits": "made so far",
    "n": "sequences",
    **{name: each for key, meaning in MEASURES.items() for name, each in interval_columns(key, meaning).items()},
}
GROWTH_COLUMNS = {
    "network": "own, or of another width",
    "measure": "R or loss, as in the table of edits",
    "n": "sequences",
    **interval_columns("growth", "after the last edit less after the first, paired over sequences"),
}


def sequences(networks: Mapping[str, Network], seed: int) -> Result:
    """Edit fact after fact, several times from the beginning.

    Keys' second moment is that of the network before its first edit, as in published practice.

    Args:
        networks: by name.
        seed: of the choice of facts and contexts.

    Returns:
        tables `sequences` (by number of edits) and `growth` (from the first to the last).
    """
    rows = [row for name, network in networks.items() for row in _of_network(name, network, seed)]
    frame = pd.DataFrame(rows)
    tables = {
        "sequences": Table.of(SEQUENCE_COLUMNS, list(_means(frame))),
        "growth": Table.of(GROWTH_COLUMNS, list(_growth(frame))),
    }
    settings = {"sequences": REPEATS, "edits": LENGTH, "distance": DISTANCE, "seed": seed}
    return Result(SEQUENCES, "Many edits, one after the other", settings, {"edits": LENGTH}, tables)


def _of_network(name: str, network: Network, seed: int) -> Iterator[dict[str, Any]]:
    editor, damage = Editor.of(network, seed), Damage(network, answered(network))
    for repeat in range(REPEATS):
        for row in _sequence(editor, damage, torch.Generator().manual_seed(seed + repeat)):
            yield {"network": name, "sequence": repeat, **row}


def _sequence(editor: Editor, damage: Damage, chance: torch.Generator) -> Iterator[dict[str, Any]]:
    """What is measured after every edit."""
    network, before = editor.network, damage.before
    about, asked_for = torch.zeros_like(before.right), []
    with ExitStack() as made:
        chosen = questions(network, before, LENGTH, right=True, held_out=False, generator=chance)
        for number, asked in enumerate(chosen, 1):
            target = editor.target(asked, DISTANCE)
            made.enter_context(edited(network.model, editor.edit(asked, target)))
            about |= damage.about(asked.entity, asked.relation)
            asked_for.append((asked.prompts[0].tokens, target))
            after, answers = answered(network), answers_after(network, [tokens for tokens, _ in asked_for]).argmax(-1)
            held = np.mean([int(answer) == target for answer, (_, target) in zip(answers, asked_for, strict=True)])
            bent = damage.distortions(after, asked.entity)
            yield {"edits": number, "held": float(held), **bent, **damage.losses(after, about)}


def _means(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for (network, edits), rows in frame.groupby(["network", "edits"], sort=False):
        means = {
            name: value
            for key in MEASURES
            for name, value in mean_estimate(np.asarray(rows[key], dtype=np.float64)).columns(key).items()
        }
        yield {"network": network, "edits": edits, "n": len(rows), **means}


def _growth(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for network, rows in frame.groupby("network", sort=False):
        ends = [rows[rows["edits"] == number].set_index("sequence") for number in (1, rows["edits"].max())]
        for measure in MEASURES:
            values = np.asarray(ends[1][measure] - ends[0][measure], dtype=np.float64)
            growth = mean_estimate(values).columns("growth")
            yield {"network": network, "measure": measure, "n": len(values), **growth}
