"""What answers: encoders with a scalar read-out, causal transformers, any plain module; interventions.

Beside studies' own models this is the only folder that imports transformer_lens. Names are loaded when they are first
used, so that heads can be read, and a wrong one refused, without it.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcinterp.model.causal import CausalTransformer
    from mcinterp.model.encoder import Encoder
    from mcinterp.model.heads import Head, HeadSet
    from mcinterp.model.interventions import Intervention, intervene
    from mcinterp.model.kinds import Model
    from mcinterp.model.plain import PlainModel

# transformer_lens imports tqdm's notebook bar, which complains in Jupyter where ipywidgets is not installed.
warnings.filterwarnings("ignore", message="IProgress not found")

__all__ = ["CausalTransformer", "Encoder", "Head", "HeadSet", "Intervention", "Model", "PlainModel", "intervene"]

_FILE_OF = {
    "CausalTransformer": "causal",
    "Encoder": "encoder",
    "Head": "heads",
    "HeadSet": "heads",
    "Intervention": "interventions",
    "Model": "kinds",
    "PlainModel": "plain",
    "intervene": "interventions",
}


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'mcinterp.model' has no attribute {name!r}")
    return getattr(import_module(f"mcinterp.model.{_FILE_OF[name]}"), name)
