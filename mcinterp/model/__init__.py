"""What answers: an encoder with a scalar read-out, a causal transformer, linear or recurrent networks; interventions.

This is the only folder that imports transformer_lens.
"""

import warnings

# transformer_lens imports tqdm's notebook bar, which complains in Jupyter where ipywidgets is not installed.
warnings.filterwarnings("ignore", message="IProgress not found")

from mcinterp.model.encoder import MatrixEncoder  # noqa: E402
from mcinterp.model.gpt import MatrixGPT  # noqa: E402
from mcinterp.model.heads import Head, HeadSet  # noqa: E402
from mcinterp.model.interventions import Intervention, intervene  # noqa: E402
from mcinterp.model.linear import LinearNetwork  # noqa: E402
from mcinterp.model.plain import PlainModel  # noqa: E402
from mcinterp.model.recurrent import RecurrentNetworks  # noqa: E402

__all__ = [
    "Head",
    "HeadSet",
    "Intervention",
    "LinearNetwork",
    "MatrixEncoder",
    "MatrixGPT",
    "Model",
    "PlainModel",
    "RecurrentNetworks",
    "intervene",
]

Model = MatrixEncoder | MatrixGPT | PlainModel
"""A model that a run may train: a module with `weights` and `move`. The first two also have `complete`,
`complete_from`, `read`, and hooks by the same names, which is what passes ask for."""
