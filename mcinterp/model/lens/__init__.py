"""What TransformerLens gives mcinterp's models: the one place that decides which version's it is.

Up to 3.9 it is `HookedEncoder` and `HookedTransformer` themselves. TransformerLens 4 took them out and kept what they
stand on, `HookedRootModule` and `HookPoint`; there the modules of this folder stand in for them, under the same names
of parameters and of hook points, and with the same numbers.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from mcinterp.errors import InstallationError

REQUIRED = "transformer_lens>=3.9,<5"
"""What there has to be, as pip reads it."""

__all__ = [
    "Embed",
    "HookPoint",
    "HookedEncoder",
    "HookedTransformer",
    "HookedTransformerConfig",
    "TransformerLensKeyValueCache",
    "Unembed",
]


def _refusal(error: Exception) -> InstallationError:
    """What to install in place of a TransformerLens that has neither, or does not load."""
    try:
        found = f"transformer_lens {version('transformer_lens')}"
    except PackageNotFoundError:
        found = "no transformer_lens"
    why = str(error).strip().partition("\n")[0]
    return InstallationError(
        f"mcinterp's models need {REQUIRED}, and here is {found}, which does not give them what they stand on "
        f"({type(error).__name__}: {why}): pip install --upgrade '{REQUIRED}'"
    )


if TYPE_CHECKING:
    from transformer_lens import HookedEncoder, HookedTransformer, HookedTransformerConfig
    from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache
    from transformer_lens.components.embed import Embed
    from transformer_lens.components.unembed import Unembed
    from transformer_lens.hook_points import HookPoint
else:
    try:
        import transformer_lens
        from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache
        from transformer_lens.hook_points import HookPoint

        # Not with hasattr: what TransformerLens 4 took out raises an ImportError when it is asked for.
        if "HookedEncoder" in vars(transformer_lens):
            from transformer_lens import HookedEncoder, HookedTransformer, HookedTransformerConfig
            from transformer_lens.components.embed import Embed
            from transformer_lens.components.unembed import Unembed
        else:
            from mcinterp.model.lens.config import HookedTransformerConfig
            from mcinterp.model.lens.embeddings import Embed, Unembed
            from mcinterp.model.lens.encoder import HookedEncoder
            from mcinterp.model.lens.transformer import HookedTransformer
    except Exception as error:  # a library that is broken fails in whatever way it is broken
        raise _refusal(error) from error
