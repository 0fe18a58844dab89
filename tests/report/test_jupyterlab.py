"""JupyterLab itself, driven in the browser: what cells show is drawn, and nothing but this machine is asked."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from processes import started

pytest.importorskip("jupyterlab", reason="jupyterlab is not installed: pip install 'mcinterp[notebook]'")

HOST = "127.0.0.1"
TINY = Path(__file__).parents[1] / "data" / "tiny"
CELLS = (
    "import os\nimport mcinterp\nrun = mcinterp.Run(os.environ['MCINTERP_RUN'])\nrun",
    "last = run.checkpoint('last')\nlast",
    "mcinterp.show_attention(mcinterp.attention_maps(last, masks=['random'], samples=8), heads=['L0H0', 'L1H0'])",
    "mcinterp.ablation(last, heads=['all', 'none'], methods=['uniform'], samples=16)",
    "mcinterp.patching(last, heads=['all'], samples=8)",
    "run.transition",
    "import numpy as np\nmine = np.ones((5, 5), dtype=bool)\nmine[2] = [False, True, False, False, False]\n"
    "maps = mcinterp.attention_maps(last, masks=[{'mine': mine}, mine.T.tolist()], samples=8)\n"
    "mcinterp.show_attention(maps, mine, heads=['L0H1'])",
    "mcinterp.show_attention(maps, mine.T.tolist(), heads=['L0H1'])",
    "mcinterp.ablation(last, heads=['all'], methods=['uniform'], samples=16, mask={'mine': mine})",
    "own = last.task.batch([np.outer([1, -0.5, 1, 0.5, 1], [0.5, 1, -1, 0.5, 1])], mine)\n"
    "last.model.complete(own.inputs).shape",
    "from pathlib import Path\nout = Path('report')\n"
    "mcinterp.analyse(run, out, [16000], ['attention', 'ablation'], samples=8, mask={'mine': mine})\n"
    "mcinterp.write_report(out)",
)


def _settle(folder: Path) -> None:
    """Settings of a JupyterLab that draws every cell, asks for no news, and is dark."""
    settings: dict[str, dict[str, Any]] = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/themes": {"theme": "JupyterLab Dark"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, values in settings.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a notebook in a JupyterLab that has nothing of this machine's settings."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in CELLS], metadata=kernel)
    (tmp_path / "books").mkdir()
    nbformat.write(notebook, tmp_path / "books" / "cells.ipynb")
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "HOME")
    places = {name: str(tmp_path / name.lower()) for name in own}
    for place in places.values():
        Path(place).mkdir()
    _settle(Path(places["JUPYTERLAB_SETTINGS_DIR"]))
    words = [
        *("--no-browser", "--allow-root", "--expose-app-in-browser", f"--ServerApp.ip={HOST}"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={tmp_path / 'books'}"),
        *(f"--IdentityProvider.token={token}", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    environment = {**os.environ, **places, "MCINTERP_RUN": str(TINY), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with (tmp_path / "log").open("w") as log:
        how = {"stdout": log, "stderr": log}
        with started([sys.executable, "-m", "jupyterlab", *words], tmp_path, environment, **how) as server:
            _wait_for(f"http://{HOST}:{port}/api?token={token}", server, tmp_path / "log")
            yield f"http://{HOST}:{port}/lab/tree/cells.ipynb?token={token}"
            server.terminate()
            server.wait(timeout=30)


def _wait_for(address: str, server: subprocess.Popen[str], log: Path) -> None:
    for _ in range(120):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()[-2000:]}")


def _run_all(page: Any) -> None:
    """Run every cell, and wait until each has its number."""
    kernel = "window.jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel"
    page.wait_for_function("window.jupyterapp && document.querySelector('.jp-Notebook')", timeout=120_000)
    page.wait_for_function(f"{kernel}?.connectionStatus === 'connected' && {kernel}.status === 'idle'", timeout=90_000)
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        "[...document.querySelectorAll('.jp-Notebook .jp-InputPrompt')].every((one) => /[0-9]/.test(one.textContent))",
        timeout=180_000,
    )


def _see_the_drawn_mask(page: Any) -> None:
    """Two views of maps under masks drawn by hand, each with its drawing, and an ablation under one of them."""
    for words in (
        "mine: 4 of 25 entries masked, the same in every sample",
        "drawn by hand: 4 of 25 entries masked",
    ):
        assert page.get_by_text(words).count() == 1
    assert page.locator("svg.mask-grid[aria-label^='mask mine']").count() == 2
    said = "Under the mine mask (drawn:11111/11111/01000/11111/11111), not on inputs as the task draws them."
    assert page.get_by_text(said).count() == 1
    assert page.get_by_text("torch.Size([1, 25])").count() == 1


def _see_it_on_the_page(page: Any, report: Path) -> None:
    """What the notebook stored, as a page that draws the mask and its maps by the name it was given."""
    page.goto((report / "step-00016000.html").as_uri())
    page.get_by_role("radio", name="mine").check(force=True)
    assert page.locator(".attention .pictures figure:visible b").inner_text() == "mine"
    assert page.locator("#ablation svg.mask-grid").count() == 1
    assert page.locator("#ablation").get_by_text("Under the mine mask").count() == 1


@pytest.mark.no_cover
def test_cells_draw_what_they_show(lab: str, browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 6400})
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda opened: asked.append(opened.url))
    page.goto(lab)
    _run_all(page)
    page.wait_for_selector(".jp-OutputArea-output canvas")
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 2")
    assert page.get_by_role("heading", name="Run tiny").count() == 1
    assert page.locator(".mcinterp-cell table").count() >= 5
    _see_the_drawn_mask(page)
    if folder := os.environ.get("MCINTERP_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{request.node.name}.png")
    outside = [url for url in asked if not url.startswith(("data:", "blob:")) and HOST not in url.split("/")[2]]
    _see_it_on_the_page(page, tmp_path / "books" / "report")
    context.close()
    assert outside == []
