"""What a command lists, an entry each, however its lines are broken."""

from __future__ import annotations

import re


def entries(output: str) -> list[str]:
    """Entries that begin at the margin, each as one line with single spaces."""
    return [" ".join(entry.split()) for entry in re.split(r"\n(?=\S)", output.strip())]
