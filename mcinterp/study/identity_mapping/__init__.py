"""The study "Swing-by Dynamics in Concept Learning and Compositional Generalization" (arXiv 2410.08309)."""

from mcinterp.study.identity_mapping.claims import identity_claims
from mcinterp.study.identity_mapping.study import STUDY

__all__ = ["STUDY", "identity_claims"]
