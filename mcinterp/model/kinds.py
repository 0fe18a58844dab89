"""Every model that a run may train."""

from mcinterp.model.causal import CausalTransformer
from mcinterp.model.encoder import Encoder
from mcinterp.model.plain import PlainModel

Model = Encoder | CausalTransformer | PlainModel
"""A module with `weights` and `move`. The first two also have `complete`, `complete_from`, `read`, and hooks by the
same names, which is what passes ask for."""
