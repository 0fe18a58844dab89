"""Stored samples: a text, and how it goes on from each of its positions along each of its branches.

A folder holds two files. `text.json` has the text: `prompt`, and `tokens`, the texts of its tokens, which joined to the
prompt are the whole; `settings` is free, and says where it comes from. `samples.jsonl` has a line a position, in any
order, of this form:

    {"position": 3, "entropy": 0.4, "branches": [{"token": " the", "probability": 0.6, "base": true,
     "continuations": ["…", …]}, …]}

That is what the text goes on with after `position` tokens, the probability of each, and for each the texts that were
sampled after it. `base`, where it is left out, is the branch whose token is the text's own; `entropy`, that of the next
token in nats, may be left out. Each sample is a text of its own in the list, also where it is the same as another:
counts are counts of samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mcinterp.errors import CheckpointError
from mcinterp.runs.files import explained, write_atomic

TEXT, SAMPLES = "text.json", "samples.jsonl"


@dataclass(frozen=True)
class Branch:
    """What a text may go on with.

    Attributes:
        token: its text.
        probability: of it.
        continuations: texts that were sampled after it.
        base: whether it is the text's own token.
    """

    token: str
    probability: float
    continuations: tuple[str, ...]
    base: bool = False


@dataclass(frozen=True)
class ForkPosition:
    """A position of a text.

    Attributes:
        position: so many tokens of the text come before it.
        branches: what it may go on with, the text's own token among them.
        entropy: of the next token, nats; None where it is not known.
    """

    position: int
    branches: tuple[Branch, ...]
    entropy: float | None = None


@dataclass(frozen=True)
class ForkSamples:
    """A text with samples from its positions.

    Attributes:
        prompt: what comes before the text.
        tokens: texts of its tokens.
        positions: those that were sampled, in order.
        settings: where it comes from.
    """

    prompt: str
    tokens: tuple[str, ...]
    positions: tuple[ForkPosition, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def before(self, position: int) -> str:
        """What the text says before a position, without the prompt."""
        return "".join(self.tokens[:position])


def is_stored(folder: Path) -> bool:
    """Whether a folder holds stored samples."""
    return (folder / TEXT).is_file()


def store_text(folder: Path, samples: ForkSamples) -> None:
    """Begin a folder: write the text without its samples."""
    record = {"prompt": samples.prompt, "tokens": list(samples.tokens), "settings": dict(samples.settings)}
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / TEXT, json.dumps(record, indent=2, ensure_ascii=False).encode())


def store_position(folder: Path, at: ForkPosition) -> None:
    """Add the samples of a position."""
    with explained(folder / SAMPLES), (folder / SAMPLES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(at), ensure_ascii=False) + "\n")


def drop_half_line(folder: Path) -> None:
    """Take away the last line where a process was killed while it wrote it."""
    path = folder / SAMPLES
    content = path.read_bytes() if path.is_file() else b""
    if content and not content.endswith(b"\n"):
        write_atomic(path, content[: content.rfind(b"\n") + 1])


def load_samples(folder: Path) -> ForkSamples:
    """Read a folder of stored samples.

    Raises:
        CheckpointError: if a file is missing or damaged, or a line is none, in a sentence that says which.
    """
    record = _read(folder / TEXT)
    try:
        text = ForkSamples(record["prompt"], tuple(record["tokens"]), (), dict(record.get("settings", {})))
        if not all(type(part) is str for part in (text.prompt, *text.tokens)):
            raise TypeError("prompt and tokens must be texts")
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / TEXT} is no text with samples: {_why(error)}") from None
    lines = _lines(folder / SAMPLES)
    positions = [_position(folder, number, line, text.tokens) for number, line in enumerate(lines, 1)]
    places = [each.position for each in positions]
    if len(set(places)) < len(places):
        raise CheckpointError(f"{folder / SAMPLES} has a position twice")
    return replace(text, positions=tuple(sorted(positions, key=lambda each: each.position)))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {_why(error)}") from None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {_why(error)}") from None


def _position(folder: Path, number: int, line: str, tokens: Sequence[str]) -> ForkPosition:
    """A line of samples.

    Raises:
        CheckpointError: if it is none.
    """
    try:
        return _parsed(json.loads(line), tokens)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder / SAMPLES}, line {number}, is no position: {_why(error)}") from None


def _parsed(record: Any, tokens: Sequence[str]) -> ForkPosition:
    position, entropy = record["position"], record.get("entropy")
    if type(position) is not int or not 0 <= position < len(tokens):
        raise ValueError(f"positions are 0 … {len(tokens) - 1}, got {position!r:.40}")
    branches = [
        Branch(str(each["token"]), float(each["probability"]), tuple(each["continuations"]), bool(each.get("base")))
        for each in record["branches"]
    ]
    if not any(branch.base for branch in branches):
        branches = [replace(branch, base=branch.token == tokens[position]) for branch in branches]
    if sum(branch.base for branch in branches) != 1:
        raise ValueError(f"one branch must be the text's own token {tokens[position]!r:.40}")
    for branch in branches:
        if not 0 < branch.probability <= 1 + 1e-9:
            raise ValueError(f"probabilities lie between 0 and 1, got {branch.probability!r:.40}")
        if not branch.continuations or not all(type(text) is str for text in branch.continuations):
            raise ValueError(f"branch {branch.token!r:.40} has no samples that are texts")
    return ForkPosition(position, tuple(branches), None if entropy is None else float(entropy))


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it does not say {error}"
    return str(getattr(error, "strerror", None) or error).partition("\n")[0][:200]
