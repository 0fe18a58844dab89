"""What answers: a HookedEncoder with a scalar read-out, its heads, and interventions on it.

This is the only folder that imports transformer_lens.
"""

from mcinterp.model.encoder import MatrixEncoder
from mcinterp.model.heads import Head, HeadSet
from mcinterp.model.interventions import Intervention, intervene

__all__ = ["Head", "HeadSet", "Intervention", "MatrixEncoder", "intervene"]
