"""Sequences as a person looks at them: each token coloured by whether the model saw it coming."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from torch import Tensor

from mcinterp.task.inside import LabelledPositions, LabelledTokens
from mcinterp.task.offers import Shown, ShownForm


class _Labelled(LabelledPositions, LabelledTokens, Protocol):
    """What positions and tokens are called."""


class ShownTokens:
    """What tasks of next tokens offer of single samples, given the true tokens before each."""

    def shown_form(self: _Labelled) -> ShownForm:
        """The tokens in a line."""
        labels = self.position_labels()
        return ShownForm(labels, (1, len(labels)), "−log p of the right next token, nats", tokens=self.token_labels())

    def shown_examples(self, answers: Float[Tensor, "n pos d_vocab"], batch: Any) -> Shown:
        """Each token, the next one where it is scored, the most probable next one, and the right one's probability."""
        scored = (batch.weights > 0).cpu().numpy()
        right = answers.double().log_softmax(-1).gather(-1, batch.targets[..., None])[..., 0].cpu().numpy()
        return Shown(
            truth=np.where(scored, batch.targets.cpu().numpy(), np.nan),
            given=batch.inputs.double().cpu().numpy(),
            answer=answers.argmax(-1).double().cpu().numpy(),
            error=np.where(scored, -right, np.nan),
            probability=np.where(scored, np.exp(right), np.nan),
        )
