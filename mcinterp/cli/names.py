"""Names that commands take, to tell a wrong one at once: what they stand for takes seconds to load."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mcinterp.errors import UsageError, nearest_name
from mcinterp.installed import architectures, task_kinds

METHODS = ("uniform", "zero", "mean", "resample")
"""Those of the ablation; a test keeps them the same."""


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
    from mcinterp.config import load_config

    run = load_config(config)
    shape: Any = run.model
    if "heads" in architectures()[shape.architecture].offers:
        from mcinterp.model.heads import HeadSet

        classes = task_kinds()[run.task.kind].head_classes
        for name in names or ():
            HeadSet.parse(name, shape.n_layers, shape.n_heads, dict.fromkeys(classes, ()))
