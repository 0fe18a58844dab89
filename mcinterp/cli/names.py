"""Names that commands take, to tell a wrong one at once: what they stand for takes seconds to load.

They are those of `PASSES`, `COMPARISONS`, `METHODS`, `CLASSES` and `STUDIES`; a test keeps them the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mcinterp.config import ModelConfig, load_config
from mcinterp.errors import UsageError, nearest_name

PASSES = (
    "attention",
    "taxonomy",
    "ablation",
    "patching",
    "circuits",
    "probes",
    "tokens",
    "positions",
    "shift",
    "algorithm",
    "nuclear",
    "sizes",
    "generation",
    "embeddings",
    "plateau",
    "switching",
    "components",
)
METHODS = ("uniform", "zero", "mean", "resample")
CLASSES = (
    "row",
    "column",
    "identity",
    "masked-row",
    "observed-copy",
    "mask-ignore",
    "longest-contiguous-column",
    "input-processing",
)
STUDIES: Mapping[str, tuple[str, ...]] = {
    "matrix-completion": ("tiny", "7x7-rank1", "small", "paper", "paper-12-layer"),
    "ghost-points": ("delayed-switch", "exact"),
    "identity-mapping": ("identity-mapping",),
}
"""Each with its presets."""


def check_names(what: str, names: Iterable[str] | None, known: Iterable[str]) -> None:
    """Refuse a name that is none of those known.

    Raises:
        UsageError: naming it and the nearest.
    """
    known = list(known)
    for name in names or ():
        if name not in known:
            raise UsageError(f"no {what} is called {name!r:.80}{nearest_name(name, known)}")


def check_heads(names: Iterable[str] | None, config: Path) -> None:
    """Refuse sets of heads that the model of a configuration file does not have.

    Raises:
        InputError: for a name that is none, or a head that there is not.
    """
    model = load_config(config).model
    if isinstance(model, ModelConfig):
        from mcinterp.model.heads import HeadSet

        for name in names or ():
            HeadSet.parse(name, model.n_layers, model.n_heads, dict.fromkeys(CLASSES, ()))
