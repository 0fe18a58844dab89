"""What answers: a HookedEncoder with a scalar read-out or a causal HookedTransformer, heads, and interventions.

This is the only folder that imports transformer_lens.
"""

import warnings

# transformer_lens imports tqdm's notebook bar, which complains in Jupyter where ipywidgets is not installed.
warnings.filterwarnings("ignore", message="IProgress not found")

from mcinterp.model.encoder import MatrixEncoder  # noqa: E402
from mcinterp.model.gpt import MatrixGPT  # noqa: E402
from mcinterp.model.heads import Head, HeadSet  # noqa: E402
from mcinterp.model.interventions import Intervention, intervene  # noqa: E402

__all__ = ["Head", "HeadSet", "Intervention", "MatrixEncoder", "MatrixGPT", "Model", "intervene"]

Model = MatrixEncoder | MatrixGPT
"""A model that a run may train: `complete`, `complete_from`, `read`, `weights`, `move`, and hooks by the same names."""
