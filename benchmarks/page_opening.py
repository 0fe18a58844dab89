"""How soon a report's pages show something: python benchmarks/page_opening.py REPORT [ROUNDS].

REPORT is the folder of a report. Its index, last step, first head, claims and explorer are opened in Chromium from the
disk, as far as they are there; so are the same pages of report.html, where the report is also in one file. Prints the
milliseconds from the start of the navigation until the first figure is painted (where a page has none, its first
table), over rounds after one that is not counted. Needs playwright and a Chromium (MCINTERP_BROWSER names one).
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
KINDS = {"index": "index.html", "step": "step-*.html", "head": "head-*.html", "claims": "paper.html"}
KINDS |= {"explorer": "explore.html"}
WATCH = """(() => {
    const figures = ".main-svg, .circuitsvis canvas, .heads canvas, .tile canvas, #answered td";
    const some = () => document.querySelector(".plot, .attention, .tile, #answered");
    const drawn = () => document.querySelector(some() ? figures : "main td");
    const look = () => {
        if (!document.body || document.getElementById("unpacking") || !drawn()) return requestAnimationFrame(look);
        // What stands in this frame is painted at its end.
        requestAnimationFrame(() => { window.shown = performance.now(); });
    };
    requestAnimationFrame(look);
})();"""
"""Run in each page before its own scripts: keeps the time at which the first figure was painted."""


def main(report: str, rounds: str = "7") -> None:
    """Print one row a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("MCINTERP_BROWSER", "/usr/bin/chromium"), args=ARGUMENTS
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.add_init_script(WATCH)
        rows = [
            {"page": kind, "in": where, "MB": size / 1e6, "n": int(rounds), **times(page, address, int(rounds))}
            for kind, where, size, address in addresses(Path(report).resolve())
        ]
        browser.close()
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=(".1f", ".1f", ".1f", ".0f", ".0f", ".0f", ".0f")))


def addresses(report: Path) -> list[tuple[str, str, int, str]]:
    """Kind, 'folder' or 'one file', bytes of the file, and address, of every page that is there."""
    whole = report / "report.html"
    found = []
    for kind, pattern in KINDS.items():
        pages = sorted(report.glob(pattern))
        for path in pages[-1:] if kind == "step" else pages[:1]:
            found.append((kind, "folder", path.stat().st_size, path.as_uri()))
            if whole.is_file():
                found.append((kind, "one file", whole.stat().st_size, f"{whole.as_uri()}?{path.name}"))
    return found


def times(page: Any, address: str, rounds: int) -> dict[str, float]:
    """Median, least and most milliseconds until the first figure is painted."""
    taken = []
    for _ in range(rounds + 1):
        page.goto("about:blank")
        page.goto(address)
        while page.evaluate("window.shown === undefined"):
            page.wait_for_timeout(20)
        taken.append(page.evaluate("window.shown"))
    counted = np.array(taken[1:])
    return {"median, ms": np.median(counted), "least": counted.min(), "most": counted.max()}


if __name__ == "__main__":
    main(*sys.argv[1:])
