"""Words that are one token of a model each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcinterp.errors import InputError
from mcinterp.language.model import StateModel


def read_words(path: Path) -> list[str]:
    """The words in a file, one a line; empty lines are left out.

    Raises:
        InputError: if it cannot be read, or is no text.
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8") from None


def single_tokens(model: StateModel, words: Sequence[str], least: int) -> list[int]:
    """The token of each word, with a blank before it where that is one token, as within a sentence.

    Raises:
        InputError: for a word that is several tokens, two words of the same token, or fewer words than are needed.
    """
    if len(words) < least:
        raise InputError(f"the graph has {least} nodes, each with a word of its own, and there are {len(words)} words")
    tokens = [_token(model, word) for word in words]
    for place, token in enumerate(tokens):
        if token in tokens[:place]:
            raise InputError(f"{words[place]!r:.80} and {words[tokens.index(token)]!r:.80} are the same token")
    return tokens


def _token(model: StateModel, word: str) -> int:
    ways = [model.read(text) for text in (f" {word}", word)]
    found = next((tokens[0] for tokens in ways if len(tokens) == 1), None)
    if found is None:
        parts = ", ".join(repr(model.spell([token])) for token in ways[0])
        raise InputError(
            f"{word!r:.80} is {len(ways[0])} tokens of this model ({parts:.200}); a node's word must be one"
        )
    return found
