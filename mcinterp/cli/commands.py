"""The list of commands in --help: by what they are for, each with a whole sentence."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from typer.core import TyperGroup


class Commands(TyperGroup):
    """Commands under the headings that they were registered with, instead of one list cut to the width."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each heading with its commands."""
        widest = max(map(len, self.commands))
        for heading, commands in groupby(self.commands.values(), _heading):
            with formatter.section(heading):
                # As wide in every list, so that sentences begin below one another.
                formatter.write_dl([(f"{command.name:{widest}}", _first(command.help or "")) for command in commands])


def _heading(command: Any) -> str:
    return str(command.rich_help_panel)


def _first(text: str) -> str:
    """Its first paragraph, on one line."""
    return " ".join(text.partition("\n\n")[0].split())
