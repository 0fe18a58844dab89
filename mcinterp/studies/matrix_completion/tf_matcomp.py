"""`train.yaml` of the authors' code, as a configuration of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcinterp.errors import ConfigError

_DATA = {
    "rows": ("m",),
    "cols": ("n",),
    "rank": ("train_rank", "rank"),
    "p_mask": ("train_p_mask", "p_mask"),
    "v_min": ("min_vocab",),
    "v_max": ("max_vocab",),
    "decimals": ("prec",),
}
_MODEL = {
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "d_mlp": "intermediate_size",
    "d_model": "hidden_size",
}
_TRAINING = {"steps": "epochs", "batch_size": "num_train", "learning_rate": "lr"}
_LAWS = {"gaussian_scale": "gaussian", "laplace_scale": "laplace"}


def configuration(tree: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    """The sections `task`, `model` and `training` that a file of the authors' code describes; None of another file.

    Their tokens are truncated, so that `task.tokens` is 'truncate'.

    Raises:
        ConfigError: if it is one of theirs and describes what there is not here.
    """
    data, model, train = (tree.get(name) for name in ("data", "model", "train"))
    if not (isinstance(data, Mapping) and isinstance(model, Mapping) and {"m", "n", "min_vocab"} <= data.keys()):
        return None
    for section, field, expected in ((data, "domain", "real"), (model, "position_embedding_type", "absolute")):
        if section.get(field, expected) != expected:
            raise ConfigError(f"{source}: {field} is {section[field]!r:.40}, only {expected!r} can be read")
    task = {ours: data[name] for ours, names in _DATA.items() for name in names if name in data}
    numbers = {name: _number(name, value) for name, value in task.items()}
    given = train if isinstance(train, Mapping) else {}
    return {
        "task": {"tokens": "truncate", **numbers, **_law(data, source)},
        "model": {ours: model[name] for ours, name in _MODEL.items() if name in model},
        "training": {ours: given[name] for ours, name in _TRAINING.items() if name in given},
    }


def _law(data: Mapping[str, Any], source: str) -> dict[str, Any]:
    for name, law in _LAWS.items():
        if name in data:
            return {"factors": law, "factor_scale": data[name]}
    low, high = data.get("min_val", -1.0), data.get("max_val", 1.0)
    if low != -high:
        raise ConfigError(f"{source}: factors are drawn from [{low}, {high}]; only [−a, a] can be read")
    return {"factors": "uniform", "factor_scale": high}


def _number(name: str, value: Any) -> Any:
    """Their bounds are whole numbers, which a configuration has as floats."""
    return float(value) if name in ("v_min", "v_max") and isinstance(value, int) else value
