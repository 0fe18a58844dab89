"""What the tables of retrained components say, for a task."""

from __future__ import annotations

from typing import Any

from mcinterp.analysis.sample_scores import main_score
from mcinterp.analysis.statistics import interval_columns

WHOLE = "whole model"
AVERAGED = 50
"""A level is reached when the curve, averaged over so many last steps, is at it."""
NEAR = 0.25
"""A plateau is the run's if its level differs from that by at most this share."""

_ABOUT = {
    "component": f"what was trained; {WHOLE}: the run itself",
    "kind": "run; component: re-initialised and trained with the rest frozen; control: trained on likewise, but not "
    "re-initialised",
    "seed": "of the retraining's weights, and of its data where these have no seed of their own",
}
TIME_COLUMNS = {
    "component": "what was trained",
    "kind": "as in table transitions",
    "n": "seeds",
    "found": "seeds whose curve drops from the run's plateau",
    "reached_half": "seeds that reach half of the run's plateau",
    "reached_fifth": "… a fifth",
    **interval_columns("start", "step at which that drop starts: mean over these seeds; no interval for one"),
    **interval_columns("half_at", "step at which half of the run's plateau is reached: mean over the seeds that do"),
    **interval_columns("fifth_at", "… a fifth, likewise"),
}


def curve_columns(task: Any) -> dict[str, str]:
    """Columns of the table `curves`, for a task."""
    scores = {name: task.score_kinds[name].meaning for name in followed(task)}
    return {
        **_ABOUT,
        "step": "middle of the stretch of steps that the line averages",
        "n": f"training {task.sample_names[1]} in the stretch",
        **interval_columns("loss", "the loss that is minimised; interval over the steps of the stretch"),
        **{key: value for name, meaning in scores.items() for key, value in interval_columns(name, meaning).items()},
    }


def followed(task: Any) -> list[str]:
    """Scores of every step that have the loss's unit."""
    return [name for name, kind in task.score_kinds.items() if not kind.beside]


def transition_columns(task: Any) -> dict[str, str]:
    """Columns of the table `transitions`, for a task."""
    score = task.score_kinds[task.progress_score].meaning
    return {
        **_ABOUT,
        "n": "seeds that this component was retrained with",
        "steps": "steps of the training",
        "done": "steps done so far",
        "warmup_steps": "steps over which the learning rate rose",
        "found": f"whether the curve of {score} has a plateau and a sudden drop",
        "plateau": "level of the flat stretch (a single curve: no interval over seeds, as the following)",
        "from_run_plateau": "whether that drop is from the run's plateau: from a level at most "
        f"{NEAR:.0%} away; components may rest at a lower level too",
        "plateau_start": "step at which it begins",
        "start": "step at which the drop starts",
        "steepest": "step of the fastest fall",
        "end": "step at which the drop ends",
        "half_at": f"first step at which the curve, averaged over the last {AVERAGED} steps, is at half of the run's "
        f"plateau (step {AVERAGED} at the earliest)",
        "fifth_at": "… at a fifth of it",
        **interval_columns(f"last_{task.score_unit}", f"the curve over the last {AVERAGED} steps; interval over these"),
        "statement": "the finding in words",
    }


def control_columns(task: Any) -> dict[str, str]:
    """Columns of the table `control`, for a task."""
    score = task.sample_score_kinds[main_score(task)].meaning
    return {
        **_ABOUT,
        "n": task.sample_names[1],
        "sample_seed": f"seed of these {task.sample_names[1]}",
        "step": "last checkpoint of the retraining",
        **interval_columns(f"donor_{task.score_unit}", f"{score} of the model that the retraining started from"),
        **interval_columns(
            "first_change", f"{score} before the first step minus that, paired: what re-initialising costs"
        ),
        **interval_columns(
            "last_change", f"{score} of the last checkpoint minus that, paired: what was not learned again"
        ),
        **interval_columns(
            "restored_change",
            "null control: the same with the original component put back, which is 0 if nothing else was trained",
        ),
    }
