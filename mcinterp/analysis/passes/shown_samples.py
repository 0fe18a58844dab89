"""Single samples as rows of tables: what the model is told and what is right, and what it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

_TOKENS = "a token by its number where the fact `tokens` names them"
PLACE = {
    "place": "name of the place in the input",
    "given": f"what the model is told there, empty where that is hidden; {_TOKENS}",
    "truth": f"what is right there, empty where nothing is asked; {_TOKENS}",
}
ANSWER = {
    "place": "name of the place in the input",
    "answer": f"what the model answers there; {_TOKENS}",
    "error": "how far the answer is off (see the fact `error`)",
    "probability": "that the model gives to what is right; empty where answers have none",
}


def input_rows(task: Any, batch: Any, sample: int = 0) -> list[dict[str, Any]]:
    """The places of one sample as columns `PLACE`."""
    shown = task.shown_examples(task.zero_answers(batch), batch)
    named = zip(task.shown_form().labels, shown.given[sample], shown.truth[sample], strict=True)
    return [{"place": place, "given": given, "truth": truth} for place, given, truth in named]


def answer_rows(task: Any, answers: Tensor, batch: Any, sample: int = 0) -> list[dict[str, Any]]:
    """What is answered to one sample as columns `ANSWER`."""
    shown = task.shown_examples(answers, batch)
    sure = np.full_like(shown.answer, np.nan) if shown.probability is None else shown.probability
    told = zip(task.shown_form().labels, shown.answer[sample], shown.error[sample], sure[sample], strict=True)
    return [dict(zip(ANSWER, each, strict=True)) for each in told]
