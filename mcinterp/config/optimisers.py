"""Which optimisers there are, and what of a configuration each reads; torch is not needed to know that.

The rules themselves are in `mcinterp.training.optimisers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mcinterp.config.base import LARGEST
from mcinterp.declared import OptimiserKind, Setting, resolved
from mcinterp.errors import nearest_name
from mcinterp.installed import studies

CHOSEN = ("beta1", "beta2", "weight_decay")
"""Fields of training that some optimisers read and others do not."""


def _check_stages(settings: Mapping[str, Any]) -> None:
    """See that k-Adam has a stage, and that each is of two decays."""
    stages, eps = settings["stages"], settings["eps"]
    if not stages or not all(len(decays) == 2 and all(0.0 <= one < 1.0 for one in decays) for decays in stages):
        given = [list(decays) for decays in stages]
        raise ValueError(f"stages must be [beta1, beta2] for each stage, all from 0 to below 1, got {given}")
    if eps < 0.0:
        raise ValueError(f"eps must be at least 0, got {eps:g}")


BUILT_IN: Mapping[str, OptimiserKind] = {
    "adam": OptimiserKind(("beta1", "beta2")),
    "adamw": OptimiserKind(("beta1", "beta2", "weight_decay")),
    # It reads neither, but runs of earlier versions hold any values of them, and are to open.
    "sgd": OptimiserKind(("beta1", "beta2")),
    "k-adam": OptimiserKind(
        ("weight_decay",), {"stages": ((0.9, 0.999), (0.0, 0.999)), "eps": 1e-8}, check=_check_stages
    ),
}


def optimiser_kinds() -> dict[str, OptimiserKind]:
    """Every optimiser by name: the package's own, and those that studies bring."""
    return {**BUILT_IN, **{name: kind for study in studies().values() for name, kind in study.optimisers.items()}}


def check_fields(optimiser: str, changed: Mapping[str, Any]) -> None:
    """See that an optimiser reads what was given to it.

    Args:
        optimiser: its name.
        changed: of `CHOSEN`, what is not as by default: field → value.

    Raises:
        ValueError: naming the first field that it does not read, and the optimisers that do.
    """
    kinds = optimiser_kinds()
    for name, value in changed.items():
        if name not in kinds[optimiser].fields:
            readers = " or ".join(repr(other) for other, kind in kinds.items() if name in kind.fields)
            raise ValueError(f"{name} is that of optimiser {readers}, got {value} for {optimiser!r}")


def own_settings(optimiser: str, given: Any) -> tuple[tuple[str, Setting], ...]:
    """What was given of an optimiser's own settings, by name in order.

    Raises:
        ValueError: for what is no mapping, an unknown setting, a value of another type than the default's, or values
            that the optimiser cannot work with.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"must map settings of the optimiser to values, got {given!r:.80}")
    kind = optimiser_kinds()[optimiser]
    defaults = kind.settings
    for name in given:
        if name not in defaults:
            known = nearest_name(str(name), defaults) if defaults else "; it has none"
            raise ValueError(f"{name!s:.60} is not a setting of optimiser {optimiser!r}{known}")
    own = {name: _like(defaults[name], name, given[name]) for name in sorted(given)}
    if kind.check is not None:
        resolved(kind.check)({**defaults, **own})
    return tuple(own.items())


def _like(default: Setting, name: str, value: Any) -> Setting:
    """The value, of the type of the default; whole numbers and YAML's `1e-3`, a string by its rules, may be floats."""
    if isinstance(default, tuple):
        return _lists(default, name, value)
    if type(default) is float and type(value) in (int, str):
        with suppress(ValueError, OverflowError):
            value = float(value)
    if type(value) is not type(default):
        expected = f"of type {type(default).__name__}, as its default {default!r}"
        raise ValueError(f"{name} must be {expected}, got {value!r:.80}")
    if isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST:g} in size, got {value!r:.80}")
    checked: Setting = value
    return checked


def _lists(default: tuple[tuple[float, ...], ...], name: str, value: Any) -> tuple[tuple[float, ...], ...]:
    """Lists of numbers, as many as one likes and of any lengths."""
    lists: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(one, list | tuple) and all(type(each) in (int, float) for each in one) for one in lists):
        raise ValueError(f"{name} must be lists of numbers, as its default {[*map(list, default)]}, got {value!r:.80}")
    if not all(abs(each) <= LARGEST for one in lists for each in one):
        raise ValueError(f"{name} must be at most {LARGEST:g} in size, got {value!r:.80}")
    return tuple(tuple(map(float, one)) for one in lists)
