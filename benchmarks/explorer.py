"""How fast the live explorer answers: python benchmarks/explorer.py [RUN] [CLICKS].

Writes the page of a run, opens it in Chromium, and prints for each kind of change the milliseconds that the page itself
measures: until everything is computed, and from the input event until it is painted. Needs playwright and a Chromium
(MCINTERP_BROWSER names one).
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mcinterp

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main(run: str = "checkpoints/tiny", clicks: str = "40") -> None:
    """Print one row a kind of change."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = mcinterp.write_explorer(mcinterp.explorable(mcinterp.Run(run)), Path(folder) / "explore.html")
        browser = driver.chromium.launch(
            executable_path=os.environ.get("MCINTERP_BROWSER", "/usr/bin/chromium"), args=ARGUMENTS
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(path.as_uri())
        rows = [measure(page, name, act, int(clicks)) for name, act in changes(page).items()]
        browser.close()
        print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".1f"))
        print(f"the page takes {path.stat().st_size / 1e6:.2f} MB")


def changes(page: Any) -> dict[str, Callable[[int], None]]:
    """What is done, as functions of how many times it was done before."""
    entries, heads = page.locator("#given td.entry"), page.locator("button.head")
    last = page.locator("#curve .mark").count() - 1

    def slide(i: int) -> None:
        page.locator("#step").focus()
        page.keyboard.press("ArrowLeft" if (i // max(1, last)) % 2 == 0 else "ArrowRight")

    def type_digit(i: int) -> None:
        entries.nth(i % entries.count()).focus()
        page.keyboard.type(str(i % 10))

    return {
        "mask an entry": lambda i: entries.nth(7 * i % entries.count()).click(),
        "type a value": type_digit,
        "slide a step": slide,
        "ablate a head": lambda i: heads.nth(5 * i % heads.count()).click(),
        "new matrix": lambda i: page.locator("#draw").click(),
    }


def measure(page: Any, name: str, act: Callable[[int], None], n: int) -> dict[str, object]:
    """Do it `n` times after three that are not counted."""
    times = []
    for i in range(n + 3):
        page.evaluate("document.getElementById('timing').title = ''")
        act(i)
        page.wait_for_selector("#timing:not([title=''])", state="attached")
        words = page.locator("#timing").get_attribute("title").replace(",", "").split()
        times.append((float(words[2]), float(words[6])))
    computed, painted = np.array(times[3:]).T
    return {
        "change": name,
        "n": n,
        "computed, median ms": np.median(computed),
        "painted, median ms": np.median(painted),
        "painted, 95th percentile": np.percentile(painted, 95),
        "painted, least": painted.min(),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
