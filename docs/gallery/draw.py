"""Draw the gallery from stored results: python docs/gallery/draw.py [REPORTS].

For every study whose results are somewhere below REPORTS (by default reports/), one figure is drawn as an SVG that
carries its caption as title; pictures of the other studies stay as they stand. index.md is then written from the
pictures. Needs playwright and a Chromium (MCINTERP_BROWSER names one); without them nothing is drawn, and a sentence
says so.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mcinterp.installed import own_studies
from mcinterp.report.assets import PLOTLY, asset
from mcinterp.report.parts import FigureView
from mcinterp.report.study import CLAIMS
from mcinterp.report.views import comparison_sections, study_sections
from mcinterp.report.views.training import study_of_run
from mcinterp.results import RECORD, Result

HERE = Path(__file__).parent
PICTURES = {
    "matrix-completion": ("run/formation", 0),
    "ghost-points": ("study/velocity", 0),
    "identity-mapping": ("study/equations", 0),
    "markov-mixtures": ("study/phases", 0),
    "stepwise-inference": ("study/accuracy", 0),
    "forking-tokens": ("study/laws", 0),
    "graph-tracing": ("study/structure", 2),
    "knowledge-editing": ("study/geometry", 0),
    "adam-dynamics": ("study/explosions", 0),
    "percolation": ("study/connected", 0),
    "concept-space": ("study/paths", 0),
}
"""Study → the result below a report's data that the picture shows, and which of its figures."""
WIDTH = 760
HEAD = """# Gallery

One picture a study, drawn from its stored results: click for what it is about. `make docs` draws those anew whose
results are in `reports/`, where a command like that below each puts them.
"""


def main(reports: str = "reports") -> None:
    """Draw what can be drawn, and write the page."""
    found = dict(views(Path(reports)))
    said = f"gallery: {len(found)} of {len(PICTURES)} studies have results in {reports}"
    try:
        if found:
            draw(found)
    except (ImportError, FileNotFoundError) as missing:
        said += f"; none was drawn, as {missing}"
    (HERE / "index.md").write_text(HEAD + "".join(map(entry, PICTURES)), encoding="utf-8")
    sys.stderr.write(f"{said}; the pictures that stand are kept\n")


def views(reports: Path) -> Iterator[tuple[str, FigureView]]:
    """Study → the figure that stands for it, of those that have results."""
    done: set[str] = set()
    for data in sorted(reports.glob("**/data")):
        study = study_in(data)
        place, at = PICTURES.get(study, ("", 0))
        if place and study not in done and (data / place / RECORD).is_file():
            done.add(study)
            yield study, figure(data, study, place, at)


def study_in(data: Path) -> str:
    """Whose claims, or else whose run, the results are about; empty where they do not say."""
    if (data / CLAIMS / RECORD).is_file():
        return str(Result.load(data / CLAIMS).facts["study"])
    trained = study_of_run(Result.load(data / "training")) if (data / "training" / RECORD).is_file() else None
    return trained.name if trained else ""


def figure(data: Path, study: str, place: str, at: int) -> FigureView:
    """One figure of a stored result, as the report has it."""
    kind, _, name = place.partition("/")
    results = {path.parent.name: Result.load(path.parent) for path in sorted((data / kind).glob(f"*/{RECORD}"))}
    if kind == "run":
        sections = comparison_sections(results, Result.load(data / "training"))
    else:
        sections = study_sections(study, {key: result for key, result in results.items() if key != "claims"})
    return next(section for section in sections if section.name == name).figures[at]


def draw(found: Mapping[str, FigureView]) -> None:
    """Write the pictures.

    Raises:
        ImportError: without playwright.
        FileNotFoundError: without a Chromium.
    """
    from playwright.sync_api import sync_playwright

    browser_path = os.environ.get("MCINTERP_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        raise FileNotFoundError("there is no Chromium: name one in MCINTERP_BROWSER")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.add_script_tag(content=asset(PLOTLY))
        for study, view in found.items():
            (HERE / f"{study}.svg").write_text(picture(page, view), encoding="utf-8")
        browser.close()


def picture(page: Any, view: FigureView) -> str:
    """A figure as SVG on white, with its caption as title."""
    script = """([figure, size]) => {
        const font = { ...figure.layout.font, family: "sans-serif" };
        const layout = { ...figure.layout, paper_bgcolor: "#fff", font };
        const data = figure.data.map((trace, i) => ({ ...trace, uid: `trace${i}` }));
        return Plotly.toImage({ data, layout }, { format: "svg", ...size });
    }"""
    address = page.evaluate(script, [json.loads(str(view.json)), {"width": WIDTH, "height": view.height}])
    svg = unquote(address.partition(",")[2])
    # Plotly names a drawing, and above its traces, by chance; the same figure is to be the same file.
    for name in set(re.findall(r'id="defs-([0-9a-f]{6})"', svg)):
        svg = svg.replace(name, "figure")
    return re.sub(r"(<svg[^>]*>)", lambda tag: f"{tag[1]}<title>{html.escape(view.caption)}</title>", svg, count=1)


def entry(study: str) -> str:
    """A study's part of the page: title, picture, caption, and the command that makes it; nothing without a picture."""
    path = HERE / f"{study}.svg"
    if not path.is_file():
        return ""
    title = re.search(r"<title>(.*?)</title>", path.read_text(encoding="utf-8"))
    caption = html.unescape(title[1]) if title else ""
    about = f"../studies/{study}.md"
    return f"""
## {own_studies()[study].title}

[![{caption}]({study}.svg)]({about})

{caption} [What it is about]({about}).

```sh
mcinterp reproduce {study}
```
"""


if __name__ == "__main__":
    main(*sys.argv[1:])
