"""How a section is read: what it shows, what to conclude and what not. The documentation has the same texts."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from mcinterp.installed import studies

FOLDER = "reading"
_PARAGRAPH = re.compile(r"\*\*(.+?)\.\*\*\s+(.+)", re.DOTALL)


@cache
def reading_of(name: str) -> tuple[tuple[str, str], ...]:
    """What each paragraph on a pass or comparison is about, and the paragraph; none where nobody wrote any."""
    own = (study.package for study in studies().values() if name in study.views)
    file = resources.files(next(own, "mcinterp.report")) / FOLDER / f"{name}.md"
    return paragraphs(file.read_text(encoding="utf-8")) if file.is_file() else ()


def paragraphs(text: str) -> tuple[tuple[str, str], ...]:
    """The paragraphs of a text, each of which begins with what it is about in bold and a full stop."""
    found = (_PARAGRAPH.fullmatch(part.strip()) for part in text.strip().split("\n\n"))
    return tuple((match[1], " ".join(match[2].split())) for match in found if match)
