"""The conclusions of the paper, each decided from stored results."""

from __future__ import annotations

from mcinterp.studies.matrix_completion.claims import behaviour, parts
from mcinterp.study.claims import Claim, Evidence


def matrix_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """The paper's eight conclusions, in its order."""
    decide = (
        behaviour.copies,
        behaviour.attends,
        behaviour.beats_nuclear,
        behaviour.is_steered,
        parts.has_groups,
        parts.is_probed,
        parts.embeds,
        parts.trains_apart,
    )
    return tuple(claim(evidence) for claim in decide)
