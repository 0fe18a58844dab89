"""The conclusions of the paper, each decided from stored results."""

from __future__ import annotations

from mcinterp.studies.matrix_completion.claims import after, before, components, embeddings, heads, probes
from mcinterp.study.claims import Claim, Evidence


def matrix_claims(evidence: Evidence) -> tuple[Claim, ...]:
    """The paper's conclusions, in its order."""
    decide = (
        before.drops,
        before.copies,
        before.needs_no_attention,
        before.copies_without_attention,
        after.attends,
        after.beats_nuclear,
        after.is_steered,
        heads.has_groups,
        heads.takes_shape,
        probes.is_probed,
        embeddings.orders_tokens,
        embeddings.groups_positions,
        components.trains_apart,
        after.carries_over,
    )
    return tuple(claim(evidence) for claim in decide)
