"""The command line: the only place that prints. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed or interrupted, 2 wrong usage (a command, option, configuration or name that does not fit).
What failed is told in a sentence; `--debug`, anywhere among the words, also shows where it came from.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NoReturn

import typer

from mcinterp.cli import analysis, compare, explore, fork, graph_trace, importing, listing, study, sweep, training, view
from mcinterp.cli.commands import Commands
from mcinterp.cli.progress import say
from mcinterp.cli.tables import WIDEST
from mcinterp.errors import ConfigError, InputError, McinterpError, UsageError
from mcinterp.interrupt import interrupts
from mcinterp.launch import is_main, refuse_several

TOGETHER = ("train", "densify", "retrain")
"""Commands that several processes may run together."""
RESUMED = ("demo", "train", "densify", "retrain", "sweep", "reproduce", "report", "analyze", "compare", "fork")
"""Commands that keep what they have done, and go on from there."""
INTERRUPTED = 130
"""The exit code that typer gives to a command that was interrupted."""
DEBUG = "--debug"
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""What torch says then, in a RuntimeError."""


app = typer.Typer(
    name="mcinterp",
    cls=Commands,
    context_settings={"max_content_width": WIDEST},
    help="Train a transformer through its sudden drop, and take every checkpoint apart.",
    epilog=f"What fails is told in a sentence; {DEBUG}, anywhere in a command, also shows where it came from.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for heading, commands in {
    "To begin with": (training.demo, study.reproduce),
    "Train": (training.train, sweep.sweep, training.densify, training.retrain, training.excerpt, importing.import_run),
    "Take apart": (
        *(analysis.report, analysis.analyze, analysis.ablate, analysis.switch, compare.compare),
        *(fork.fork, graph_trace.graph_trace),
    ),
    "Look": (view.view, explore.explore),
    "List": (listing.presets, listing.passes, listing.runs, listing.show_config),
}.items():
    for command in commands:
        # `import` is a word of Python's own, which no function can be called.
        name = "import" if command is importing.import_run else None
        app.command(name, rich_help_panel=heading)(command)


def main() -> None:
    """Run the command line; whatever goes wrong becomes one sentence on stderr.

    Of several processes that train together, the main one speaks.
    """
    words = [word for word in sys.argv[1:] if word != DEBUG]
    _let_through_any_name()

    def interrupted() -> bool:
        return False

    try:
        _check_words(words)
        if words and words[0] not in TOGETHER:
            refuse_several(f"mcinterp {words[0]}")
        with interrupts() as interrupted, nullcontext() if is_main() else _silence(), _processes_ended(words):
            app(words)
    except (KeyboardInterrupt, SystemExit) as ended:
        if getattr(ended, "code", INTERRUPTED) != INTERRUPTED:
            raise
        _stopped(words)
    except Exception as error:  # what no layer foresaw is a mistake of the package, and still told in a sentence
        if interrupted() and not isinstance(error, McinterpError):
            _stopped(words)
        _fail(error, DEBUG in sys.argv)


def _stopped(words: Sequence[str]) -> NoReturn:
    """Say that a command was interrupted, and whether it can go on."""
    going_on = "; what is done is kept, and the same command goes on from there"
    say(f"stopped{going_on if words and words[0] in RESUMED else ''}")
    sys.exit(1)


def _check_words(words: Sequence[str]) -> None:
    """Refuse an empty word before it is taken for the current folder.

    Raises:
        UsageError: if there is one.
    """
    for before, word in zip(["", *words], words, strict=False):
        if not word.strip() or (word.startswith("--") and word.find("=") == len(word) - 1):
            given = f"{before} {word!r}".strip() if not word.strip() else word
            raise UsageError(f"{given}: an empty word, as a variable leaves that is not set")


@contextmanager
def _processes_ended(words: Sequence[str]) -> Iterator[None]:
    """Leave none behind that a command with --jobs has started, and wait for none."""
    try:
        yield
    finally:
        fanout = sys.modules.get("mcinterp.runs.fanout")
        if fanout and any(word.startswith("--jobs") for word in words):
            fanout.end_processes()


def _let_through_any_name() -> None:
    """Print names of files that are no text as the bytes they are, and letters that stdout has not as numbers."""
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        any_letter = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        reconfigure(errors="surrogateescape" if any_letter else "backslashreplace")


@contextmanager
def _silence() -> Iterator[None]:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _fail(error: Exception, debug: bool) -> None:
    """Tell what went wrong and end with the exit code that it has."""
    if is_main():
        if debug:
            traceback.print_exception(_unabridged(error))
        print(f"mcinterp: {_sentence(error)}", file=sys.stderr)
    sys.exit(2 if isinstance(error, UsageError | ConfigError | InputError) else 1)


def _sentence(error: Exception) -> str:
    if isinstance(error, McinterpError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    first = str(error).strip().partition("\n")[0]
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)
    ):
        return f"there is not enough memory for this ({first or 'no more is left'})"
    return f"a mistake of mcinterp itself, {type(error).__name__}: {first}; {DEBUG} shows where"


def _unabridged(error: BaseException) -> BaseException:
    """The same error, with those that it was made of and that its sentence stands for."""
    shown: BaseException | None = error
    while shown is not None:
        shown.__suppress_context__ = False
        shown = shown.__cause__ or shown.__context__
    return error
