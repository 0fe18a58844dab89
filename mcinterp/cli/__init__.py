"""The command line: the only place that prints. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed or interrupted, 2 wrong usage (a command, option, configuration or name that does not fit).
"""

from __future__ import annotations

import sys

import typer

from mcinterp.cli import analysis, listing, study, sweep, training
from mcinterp.errors import ConfigError, InputError, McinterpError, UsageError

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
    sweep.sweep,
    study.reproduce,
    analysis.report,
    analysis.analyze,
    analysis.ablate,
    analysis.switch,
    listing.presets,
    listing.passes,
    listing.runs,
    listing.show_config,
):
    app.command()(command)


def main() -> None:
    """Run the command line; the package's own errors become one sentence on stderr."""
    try:
        app()
    except (UsageError, ConfigError, InputError) as error:
        _fail(str(error), 2)
    except (McinterpError, OSError) as error:
        _fail(str(error), 1)


def _fail(message: str, code: int) -> None:
    print(f"mcinterp: {message}", file=sys.stderr)
    sys.exit(code)
