"""Every model that a run may train."""

from mcinterp.model.encoder import MatrixEncoder
from mcinterp.model.gpt import MatrixGPT
from mcinterp.model.plain import PlainModel

Model = MatrixEncoder | MatrixGPT | PlainModel
"""A module with `weights` and `move`. The first two also have `complete`, `complete_from`, `read`, and hooks by the
same names, which is what passes ask for."""
