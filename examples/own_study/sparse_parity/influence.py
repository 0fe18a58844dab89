"""The pass: how much each bit of the input matters to the answer."""

from __future__ import annotations

import torch

from mcinterp.analysis.statistics import interval_columns, mean_estimate
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint

COLUMNS = {
    "bit": "which bit, from 1",
    "in_parity": "whether the right answer changes with it",
    "n": "samples",
    "seed": "seed of the batch",
    **interval_columns("influence", "mean square of half the answer's change: 0 for none, 1 where 1 and −1 swap"),
    **interval_columns("control", "control: the same with the change of another sample as one of the factors"),
}


@torch.no_grad()
def influence(checkpoint: Checkpoint, samples: int = 1024, seed: int = 0) -> Result:
    """Flip each bit of an input and see how far the answer moves.

    With f the answer and x ⊕ i the input with bit i flipped, the influence of the bit is E[d²] for
    d = (f(x) − f(x ⊕ i)) / 2.
    x and x ⊕ i are equally probable, so that E[d] = 0 whatever the network: with the d of two samples that know nothing
    of each other, E[d d′] has to be 0 too. That is the control.

    Args:
        checkpoint: what to look at.
        samples: inputs, at least 2.
        seed: of the inputs.

    Returns:
        table `influence`, a row a bit.
    """
    task, batch = checkpoint.task, checkpoint.sample(samples, seed)
    answers = checkpoint.model(batch.inputs)
    rows = []
    for bit in range(batch.inputs.shape[1]):
        other = task.flipped(batch, bit)
        half = ((answers - checkpoint.model(other.inputs)) / 2).double().cpu()
        rows.append(
            {
                "bit": bit + 1,
                "in_parity": bool((other.targets != batch.targets).any()),
                "n": samples,
                "seed": seed,
                **mean_estimate((half * half).numpy()).columns("influence"),
                **mean_estimate((half * half.roll(1)).numpy()).columns("control"),
            }
        )
    settings = {"samples": samples, "seed": seed}
    return Result("influence", "Influence of each bit", settings, tables={"influence": Table.of(COLUMNS, rows)})
