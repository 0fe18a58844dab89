"""How the site is made of the pages beside this file: `make docs`."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

import mcinterp  # noqa: E402

project = "mcinterp"
copyright = "the mcinterp authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
exclude_patterns = ["**.ipynb_checkpoints"]
html_theme = "furo"
html_title = "mcinterp"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

# The notebooks are run where they are shown, on the run that comes with the repository; one that fails fails the site.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_ipywidgets_js: dict[str, Any] = {}
os.environ.setdefault("MCINTERP_RUN", str(ROOT / "checkpoints" / "tiny"))

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 100
default_role = "code"
# Without the network nothing is known of other packages' names.
nitpick_ignore_regex = [("py:.*", ".*")]

_MARKS = re.compile(r"(`[^`]*`)|([|*])")


def _notebooks() -> None:
    """Copy the examples here, where Sphinx looks for pages."""
    (HERE / "notebooks").mkdir(exist_ok=True)
    for notebook in (ROOT / "examples").glob("*.ipynb"):
        shutil.copyfile(notebook, HERE / "notebooks" / notebook.name)


def _plain(app: Any, what: str, name: str, shown: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text but for backticks: |x| and a * b mean nothing else in them."""
    lines[:] = [_MARKS.sub(lambda found: found[1] or rf"\{found[2]}", line) for line in lines]


def _fields(app: Any, what: str, name: str, shown: Any, options: Any, lines: list[str]) -> None:
    """A configuration's fields, with what they mean and their defaults."""
    fields = getattr(shown, "model_fields", {}) if what == "class" else {}
    if fields:
        lines.append("")
    for field, about in fields.items():
        known = isinstance(about.default, int | float | str | tuple) or about.default is None
        default = f" Default: `{about.default!r}`." if known and not about.is_required() else ""
        lines.append(f":ivar {field}: {_MARKS.sub(lambda f: f[1] or chr(92) + f[2], about.description)}{default}")


def _signature(
    app: Any, what: str, name: str, shown: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """A configuration's fields are listed below it; its signature need not."""
    return ("(**fields)", "") if what == "class" and hasattr(shown, "model_fields") else None


def _public(app: Any, env: Any, node: Any, content: Any) -> Any:
    """A signature's names are those of the modules that define them; the public ones are described as `mcinterp`'s."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or name not in mcinterp.__all__:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", f"mcinterp.{name}", node, content)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    _notebooks()
    app.connect("autodoc-process-docstring", _plain, priority=100)
    app.connect("autodoc-process-docstring", _fields, priority=900)
    app.connect("autodoc-process-signature", _signature)
    app.connect("missing-reference", _public)
