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
    from mcinterp.model.rank_one import EditedPrompt, RankOneEdit, ValueSearch, edited, key_covariance, rank_one_edit

# transformer_lens imports tqdm's notebook bar, which complains in Jupyter where ipywidgets is not installed.
warnings.filterwarnings("ignore", message="IProgress not found")

__all__ = [
    "CausalTransformer",
    "EditedPrompt",
    "Encoder",
    "Head",
    "HeadSet",
    "Intervention",
    "Model",
    "PlainModel",
    "RankOneEdit",
    "ValueSearch",
    "edited",
    "intervene",
    "key_covariance",
    "rank_one_edit",
]

_FILE_OF = {
    "CausalTransformer": "causal",
    "EditedPrompt": "rank_one",
    "Encoder": "encoder",
    "Head": "heads",
    "HeadSet": "heads",
    "Intervention": "interventions",
    "Model": "kinds",
    "PlainModel": "plain",
    "RankOneEdit": "rank_one",
    "ValueSearch": "rank_one",
    "edited": "rank_one",
    "intervene": "interventions",
    "key_covariance": "rank_one",
    "rank_one_edit": "rank_one",
}


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'mcinterp.model' has no attribute {name!r}")
    return getattr(import_module(f"mcinterp.model.{_FILE_OF[name]}"), name)
