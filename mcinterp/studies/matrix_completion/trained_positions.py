"""How many positions a table of position embeddings was trained on: BERT's has 512, whatever the inputs were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from mcinterp.errors import CheckpointError

REFERENCE = 0.25
"""The last part of the table, against which rows are held: where that was trained on too, nothing stands out."""
FEWEST = 16
"""Rows that the reference must have."""
FAR = 6.0
"""Rows stand out by so many standard deviations of the reference's squared norm, on a logarithmic scale."""
CLEAR = 0.9
"""Of the rows before the last that stands out so many must, or nothing is concluded."""
MARGIN = 5
"""Told by norms, the two numbers may differ by one row in so many: the last that were trained may hardly have moved."""


def check_positions(table: Tensor, n_positions: int, moments: Tensor | None, source: str) -> None:
    """See that a table of position embeddings, (positions, d_model), was trained on inputs of a length.

    Args:
        table: as saved.
        n_positions: length of the inputs that will be asked of it.
        moments: Adam's second moments of the table where they were saved with it: 0 in rows that were never asked for.
        source: of the weights, for the sentence.

    Raises:
        CheckpointError: if it has fewer rows, or was plainly trained on another number.
    """
    if len(table) < n_positions:
        raise CheckpointError(
            f"{source} have {len(table)} positions, fewer than the {n_positions} of the task: {_CURE}"
        )
    asked = _asked(moments) if moments is not None and moments.shape == table.shape else None
    trained = asked or _standing_out(table)
    if trained and abs(trained - n_positions) > (0 if asked else n_positions // MARGIN):
        raise CheckpointError(
            f"{source} have {len(table)} positions, of which {trained} were trained, and the task has {n_positions}: "
            f"{_CURE}"
        )


_CURE = "say the size of the matrices that they were trained on (n_positions is rows × columns)"


def second_moments(record: Mapping[str, Any], names: list[str], name: str) -> Tensor | None:
    """Adam's second moments of a parameter, where the optimiser's state was saved beside the weights.

    Args:
        record: what stands beside the weights in their file.
        names: of the weights in their order, which is that of the optimiser.
        name: of the parameter among them.
    """
    for state in record.values():
        of_all = state.get("state") if isinstance(state, Mapping) else None
        own = of_all.get(names.index(name)) if isinstance(of_all, Mapping) and name in names else None
        found = own.get("exp_avg_sq") if isinstance(own, Mapping) else None
        if isinstance(found, Tensor):
            return found
    return None


def _asked(moments: Tensor) -> int | None:
    """Rows that ever had a gradient; None where none had, as before the first update."""
    rows = moments.any(1).nonzero()
    return int(rows.max()) + 1 if len(rows) else None


def _standing_out(table: Tensor) -> int | None:
    """Rows up to the last that training has plainly moved; None where that cannot be told."""
    reference = int(len(table) * REFERENCE)
    if reference < FEWEST:
        return None
    logs = np.log(table.double().square().sum(1).clamp_min(1e-300).numpy())
    centre, spread = logs[-reference:].mean(), logs[-reference:].std()
    out = np.abs(logs - centre) > FAR * spread
    trained = int(out.nonzero()[0].max()) + 1 if out.any() else 0
    return trained if trained and out[:trained].mean() >= CLEAR else None
