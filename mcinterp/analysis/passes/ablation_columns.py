"""Columns of the tables of ablations, and which of them a class without heads has no value in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mcinterp.analysis.judged import NEGLIGIBLE
from mcinterp.analysis.passes.ablation_verdicts import SIGNIFICANT
from mcinterp.analysis.sample_scores import main_score, side_by_side
from mcinterp.analysis.statistics import interval_columns
from mcinterp.model.heads import NO_HEADS

WITHOUT_HEADS = NO_HEADS
"""What the column `heads` says of a set that has none."""
_OF_THE_MODEL = re.compile(r"_clean(_low|_high)?$|(?<!_of)_zero$")
"""Columns of the model as it is, and of answers that know nothing."""


def columns(task: Any) -> dict[str, str]:
    """Columns of the table `ablation`, for a task."""
    unit, main, kinds = task.score_unit, main_score(task), task.sample_score_kinds
    scores: dict[str, str] = {}
    for name in side_by_side(task):
        for suffix, how in (("_clean", "of the model as it is"), ("", "with the heads ablated")):
            scores |= interval_columns(f"{name}_{unit}{suffix}", f"{kinds[name].meaning} {how}")
    deltas: dict[str, str] = {}
    for name in side_by_side(task):
        change = f"{name}_{unit} with the heads ablated minus that of the model as it is"
        deltas |= interval_columns(f"{name}_delta", f"{change}, paired over {task.sample_names[1]}")
    return {
        "step": "checkpoint",
        "group": "name of the set of heads",
        "heads": "its heads, layer and head from 0; of a class that has none nothing is ablated, and it has no numbers",
        "method": "uniform: equal attention at every key that a query may see; zero, mean, resample: z, the head's "
        "output before W_O, replaced by 0, by its mean over the batch, by that of another sample",
        "n": task.sample_names[1],
        "seed": "seed of the batch",
        **scores,
        f"{main}_ratio": f"{main}_{unit} with the heads ablated over that of the model as it is",
        **deltas,
        **interval_columns(
            f"{main}_share",
            f"{main}_delta as a share of {main}_{unit}_clean, whose own error the interval has in it; "
            f"below {NEGLIGIBLE} either way is called negligible",
        ),
        f"{main}_{unit}_zero": f"{kinds[main].meaning} of {task.zero_words}, on the same {task.sample_names[1]}",
        f"{main}_of_zero": f"{main}_delta as a share of {main}_{unit}_zero",
    }


def control_columns(task: Any) -> dict[str, str]:
    """Columns of the table `control`, for a task."""
    delta, own = f"{main_score(task)}_delta", columns(task)
    return {
        **{name: own[name] for name in ("group", "heads", "method")},
        "kind": "all, none (the null control), class, head or custom",
        "p_value": f"of the test that {delta} is 0, paired over {task.sample_names[1]}",
        "q_value": "p_value with the false-discovery rate controlled over all sets and methods of the table",
        "n_controls": "number of controls: of a head all other heads of its layer; of a set random groups of as many "
        "heads in the same layers, none of them its own",
        "control_delta": f"{delta} of the controls, mean",
        "control_delta_min": f"{delta} of the controls, smallest",
        "control_delta_max": f"{delta} of the controls, largest",
        **interval_columns("excess", f"{delta} minus control_delta, paired over {task.sample_names[1]}"),
        "excess_p": "that the set is one like its controls: the largest of the paired test that the excess is 0 and of "
        "t tests of the excess against how far the controls are apart, as they are and on a logarithmic scale",
        "excess_q": "excess_p with the false-discovery rate controlled over all sets and methods of the table",
        "verdict": f"hurts (helps, where the score falls) more or less than every control: {delta} is beyond the range "
        f"of the controls and excess_q below {SIGNIFICANT}; by less than {100 * NEGLIGIBLE:g} %: the interval of the "
        "excess is within that share of the clean score; else within the range, or beyond it but undecided",
    }


def unanswered(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a class without heads: as nothing was ablated, it tells of the model as it is alone."""
    done = [name for name, value in row.items() if isinstance(value, float) and not _OF_THE_MODEL.search(name)]
    return {**row, **dict.fromkeys(done, np.nan)}
