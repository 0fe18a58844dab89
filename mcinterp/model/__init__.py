"""What answers: an encoder with a scalar read-out, a causal transformer, linear or recurrent networks; interventions.

This is the only folder that imports transformer_lens. Names are loaded when they are first used, so that heads can be
read, and a wrong one refused, without it.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcinterp.model.encoder import MatrixEncoder
    from mcinterp.model.heads import Head, HeadSet
    from mcinterp.model.interventions import Intervention, intervene
    from mcinterp.model.kinds import Model
    from mcinterp.model.plain import PlainModel
    from mcinterp.studies.ghost_points.model import RecurrentNetworks
    from mcinterp.studies.identity_mapping.model import LinearNetwork
    from mcinterp.studies.matrix_completion.gpt import MatrixGPT

# transformer_lens imports tqdm's notebook bar, which complains in Jupyter where ipywidgets is not installed.
warnings.filterwarnings("ignore", message="IProgress not found")

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

_FILE_OF = {
    "Head": "heads",
    "HeadSet": "heads",
    "Intervention": "interventions",
    "LinearNetwork": "linear",
    "MatrixEncoder": "encoder",
    "MatrixGPT": "gpt",
    "Model": "kinds",
    "PlainModel": "plain",
    "RecurrentNetworks": "recurrent",
    "intervene": "interventions",
}


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'mcinterp.model' has no attribute {name!r}")
    return getattr(import_module(f"mcinterp.model.{_FILE_OF[name]}"), name)
