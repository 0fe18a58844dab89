"""What attention maps of large matrices take: python benchmarks/large.py [SIZE] [HEADS] [SAMPLES].

Plants an untrained run of SIZE × SIZE matrices with two layers of HEADS / 2 heads, measures its attention in a process
of its own, writes the report in another, and opens a page of it in Chromium (MCINTERP_BROWSER names one). Prints the
largest resident memory of both processes, the bytes of the stored arrays, of the page and of what it loads when asked,
and the heap of the page once its maps stand: those it shows first, and then those of single heads one after the other.
Fewer SAMPLES than the pass's own take less time and as much memory. Stores results/large.csv.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MEGABYTE = 1e6
WIDTH = 4
"""d_head; memory hangs on positions and heads."""


def main(size: str = "20", heads: str = "32", samples: str = "512") -> None:
    """Measure and print."""
    from measure import store

    with tempfile.TemporaryDirectory() as folder:
        run, out = Path(folder) / "large", Path(folder) / "report"
        plant(run, int(size), int(heads))
        row: dict[str, object] = {"size": int(size), "heads": int(heads), "samples": int(samples)}
        for name in ("analyze", "write"):
            start = time.perf_counter()
            row[f"{name} MB"] = apart(name, run, out, samples)
            row[f"{name} s"] = time.perf_counter() - start
        row["arrays MB"] = megabytes(out.glob("data/step-*/attention/arrays.npz"))
        row["page MB"] = megabytes(out.glob("step-*.html"))
        row["beside it MB"] = megabytes(out.glob("maps/**/*.js"))
        row |= opened(next(out.glob("step-*.html")))
    store("large", [row])


def megabytes(files: Any) -> float:
    """What files take together."""
    return sum(file.stat().st_size for file in files) / MEGABYTE


def plant(path: Path, size: int, heads: int) -> None:
    """Write a run whose one step trained next to nothing."""
    from mcinterp.config import RunConfig, TrainConfig
    from mcinterp.runs import train
    from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig

    each, width = heads // 2, heads // 2 * WIDTH
    model = ModelConfig(n_layers=2, n_heads=each, d_model=width, d_mlp=width, init_std=0.5)
    training = TrainConfig(steps=2, batch_size=2, checkpoints=2, dense_checkpoints=0)
    train(path, RunConfig(task=TaskConfig(rows=size, cols=size, rank=1), model=model, training=training), "cpu")


def apart(name: str, run: Path, out: Path, samples: str) -> float:
    """The largest resident memory of one command in a process of its own, megabytes."""
    words = [sys.executable, __file__, name, str(run), str(out), samples]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def alone(name: str, run: str, out: str, samples: str) -> None:
    """Analyse or write the report, and print the largest resident memory."""
    import mcinterp
    from mcinterp.analysis import analyse
    from mcinterp.report import write_report

    if name == "analyze":
        opened = mcinterp.Run(run, "cpu")
        analyse(opened, Path(out), opened.steps[-1:], ["attention"], int(samples))
    else:
        write_report(Path(out))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE)


def opened(page: Path) -> dict[str, object]:
    """The heap of the page, megabytes: once it stands, and after single heads were looked at."""
    from explorer import ARGUMENTS
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = os.environ.get("MCINTERP_BROWSER", "/usr/bin/chromium")
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        tab.set_default_timeout(300_000)
        tab.goto(page.as_uri(), timeout=300_000)
        found: dict[str, object] = {"heap MB": heap(tab)}
        if tab.locator(".level-choice").count():
            tab.select_option(".level-choice", "cells")
            heaps = [heap(tab)]
            for head in range(1, 4):
                tab.select_option(".head-choice", str(head))
                heaps.append(heap(tab))
            found["heap MB, head by head"] = max(heaps)
        browser.close()
    return found


def heap(tab: Any) -> float:
    """Of the page's scripts, a while after its maps stand, as it is then: what could be freed counts."""
    tab.wait_for_selector(".heads canvas")
    tab.wait_for_timeout(4000)
    session = tab.context.new_cdp_session(tab)
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / MEGABYTE


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in ("analyze", "write"):
        alone(*sys.argv[1:])
    else:
        main(*sys.argv[1:])
