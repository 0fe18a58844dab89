"""The examples run as they are, on the trained run kept for the tests."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "data" / "tiny"
NOTEBOOK = ROOT / "examples" / "explore_attention.ipynb"


def test_the_script_prints_a_table():
    script = ROOT / "examples" / "ablation_table.py"
    done = subprocess.run([sys.executable, script, TINY], capture_output=True, text=True, check=True)
    assert "masked_mse stays at" in done.stdout
    assert "| all " in done.stdout


def test_the_notebook_is_stored_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


def test_the_notebook_runs_and_draws_attention(monkeypatch):
    monkeypatch.setenv("MCINTERP_RUN", str(TINY))
    nbclient = pytest.importorskip("nbclient")
    book = nbformat.read(NOTEBOOK, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the Jupyter client, about its own event loop
        nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    html = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    assert "CircuitsVis" in html
    assert "masked_delta" in html
