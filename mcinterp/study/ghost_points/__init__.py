"""The study "A ghost mechanism: An analytical model of abrupt learning" (arXiv 2501.02378)."""

from mcinterp.study.ghost_points.claims import ghost_claims
from mcinterp.study.ghost_points.study import STUDY

__all__ = ["STUDY", "ghost_claims"]
