"""The drawing libraries as a cell carries them: packed, and unpacked by the browser where no other cell has done it."""

from __future__ import annotations

import base64
import zlib
from functools import cache

from markupsafe import Markup

from mcinterp.report.assets import asset

_CARRIED = Markup(
    '<script type="text/plain" id="{id}-{name}">{packed}</script>'
    "<script>(() => {{ const libraries = (window.mcinterpLibraries ??= {{}});"
    "async function unpack(text) {{"
    "const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));"
    'const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));'
    # Where require.js is on the page a library would hide in it; as arguments, names of module systems are undefined.
    'new Function("define", "module", "exports", await new Response(stream).text()).call(window); }}'
    'window.PlotlyConfig = {{ MathJaxConfig: "local" }};'
    'libraries["{name}"] ??= window["{name}"] ? Promise.resolve() '
    ': unpack(document.getElementById("{id}-{name}").textContent); }})()</script>'
)


def carried(name: str, script: str, id: str) -> Markup:
    """What a cell needs of a library to be drawn wherever it stands, offline: `ready(name)` gives when it is there.

    Args:
        name: of the global that the library defines.
        script: name of the asset.
        id: of what is drawn.
    """
    return _CARRIED.format(id=id, name=name, packed=_packed(name, script))


def ready(name: str) -> Markup:
    """JavaScript: a promise of the library that the cell carries."""
    return Markup('window.mcinterpLibraries["{name}"]').format(name=name)


@cache
def _packed(name: str, script: str) -> str:
    # A `var` of the script is local to the function that it is run in.
    text = f"{asset(script)}\n;if (typeof {name} !== 'undefined') window.{name} = {name};"
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")
