"""The scripts and the style sheet of a report, read from the installed packages: nothing comes from the network."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from plotly.offline import get_plotlyjs

PLOTLY, CIRCUITSVIS, STYLE = "plotly.min.js", "circuitsvis.js", "report.css"
THEME, PLACE, TABLES, FIGURES, ATTENTION = "theme.js", "place.js", "tables.js", "figures.js", "attention.js"
CELLS, MAPS, PACKED, EXAMPLES = "cells.js", "maps.js", "packed.js", "examples.js"
TILES, LARGE, WALL, VIEWER, CIRCUITSVIS_STYLE = "tiles.js", "large.js", "wall.js", "viewer.css", "circuitsvis.css"
ATTENTION_SCRIPTS = (CELLS, PACKED, TILES, LARGE, WALL, ATTENTION)
"""Of the viewer of attention, in the order in which they need each other; CircuitsVis comes when it is asked for."""
STORY, STORY_STYLE = "story.js", "story.css"
CONTENTS, DEFINITIONS, LAYOUT = "contents.js", "definitions.js", "layout.css"
SINGLE = "single.js"
"""Of a report in one file, in which alone it stands."""
STYLES = (STYLE, LAYOUT, STORY_STYLE, VIEWER, CIRCUITSVIS_STYLE, "examples.css", "claims.css")
"""Of every page."""
NAMES = (
    *(THEME, PLOTLY, CIRCUITSVIS, PLACE, CONTENTS, TABLES, DEFINITIONS, STORY, FIGURES, MAPS),
    *(*ATTENTION_SCRIPTS, EXAMPLES, *STYLES),
)


@cache
def asset(name: str) -> str:
    """The text of one asset; `package:name` is one of another package, in a folder assets of its own."""
    if name == PLOTLY:
        return _inlinable(get_plotlyjs())
    if name == CIRCUITSVIS:
        return _inlinable(_circuitsvis())
    package, _, own = name.rpartition(":")
    return (resources.files(package or "mcinterp.report") / "assets" / own).read_text(encoding="utf-8")


def _circuitsvis() -> str:
    # The package itself is not imported: that would load torch to read one file.
    spec = find_spec("circuitsvis")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("circuitsvis is not installed; a report draws attention with it")
    return (Path(spec.origin).parent / "dist" / "cdn" / "iife.js").read_text(encoding="utf-8")


def _inlinable(script: str) -> str:
    """A script that may stand inside a script element and asks for no source map."""
    script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return re.sub(r"^//# sourceMappingURL=.*$", "", script, flags=re.MULTILINE)
