"""How tokens are spelled: by names, by a Hugging Face tokenizer's file, or where there is neither by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from mcinterp.errors import CheckpointError, InputError, nearest_name


class Spelling(Protocol):
    """From texts to tokens and back."""

    def read(self, text: str) -> list[int]:
        """The tokens of a text.

        Raises:
            InputError: for a text that has none.
        """
        ...

    def spell(self, tokens: Sequence[int]) -> str:
        """The text of tokens that stand together."""
        ...


class NamedTokens:
    """Tokens with names, between which there are blanks.

    Args:
        names: of the tokens 0, 1, ….
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._ids = {name: token for token, name in enumerate(names)}

    def read(self, text: str) -> list[int]:
        """The tokens of these names.

        Raises:
            InputError: for a name that no token has, with the nearest, or none at all.
        """
        words = text.split()
        unknown = next((word for word in words if word not in self._ids), None)
        if unknown is not None:
            # Of many names only a close one is told.
            near = nearest_name(unknown, self._ids)
            raise InputError(f"no token is called {unknown!r:.80}{near if len(near) < 200 else ''}")
        if not words:
            raise InputError(f"{text!r:.80} has no tokens; give names of tokens with blanks between them")
        return [self._ids[word] for word in words]

    def spell(self, tokens: Sequence[int]) -> str:
        """The names, with a blank between each two."""
        return " ".join(self._names[token] for token in tokens)


class NumberedTokens(NamedTokens):
    """Tokens that are called by their numbers.

    Args:
        d_vocab: how many there are.
    """

    def __init__(self, d_vocab: int) -> None:
        super().__init__([str(token) for token in range(d_vocab)])


class TokenizerFile:
    """What a file tokenizer.json says, which holds data and no code.

    Args:
        path: of the file.

    Raises:
        CheckpointError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more precise
            raise CheckpointError(f"{path} is no tokenizer: {str(error).partition(chr(10))[0]:.200}") from None

    def read(self, text: str) -> list[int]:
        """The tokens of a text, with those that the tokenizer puts around it left out.

        Raises:
            InputError: for a text that has none.
        """
        tokens = [int(token) for token in self._tokenizer.encode(text, add_special_tokens=False).ids]
        if not tokens:
            raise InputError(f"{text!r:.80} has no tokens")
        return tokens

    def spell(self, tokens: Sequence[int]) -> str:
        """The text, with special tokens, such as one that ends it."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))
