"""The command line: the only place that prints. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed or interrupted, 2 wrong usage (a command, option, configuration or name that does not fit).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path

import typer

from mcinterp.cli import analysis, explore, listing, study, sweep, training
from mcinterp.errors import ConfigError, InputError, McinterpError, UsageError
from mcinterp.launch import is_main, refuse_several

TOGETHER = ("train", "densify", "retrain")
"""Commands that several processes may run together."""

app = typer.Typer(
    name="mcinterp",
    help="Train a transformer through its sudden drop, and take every checkpoint apart.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    training.demo,
    training.train,
    training.densify,
    training.retrain,
    training.excerpt,
    sweep.sweep,
    study.reproduce,
    analysis.report,
    analysis.analyze,
    analysis.ablate,
    analysis.switch,
    explore.explore,
    listing.presets,
    listing.passes,
    listing.runs,
    listing.show_config,
):
    app.command()(command)


def main() -> None:
    """Run the command line; the package's own errors become one sentence on stderr.

    Of several processes that train together, the main one speaks.
    """
    try:
        if sys.argv[1:2] and sys.argv[1] not in TOGETHER:
            refuse_several(f"mcinterp {sys.argv[1]}")
        with nullcontext() if is_main() else _silence():
            app()
    except (UsageError, ConfigError, InputError) as error:
        _fail(str(error), 2)
    except McinterpError as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)


@contextmanager
def _silence() -> Iterator[None]:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _fail(message: str, code: int) -> None:
    if is_main():
        print(f"mcinterp: {message}", file=sys.stderr)
    sys.exit(code)
