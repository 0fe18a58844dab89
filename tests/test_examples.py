"""The examples run as they are, on the trained run kept for the tests."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "data" / "tiny"
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SHOWN = {
    "explore_attention": [
        "CircuitsVis",
        "mine: 4 of 25 entries masked",
        "Under the mine mask (drawn:",
        "Run tiny",
        "tiny, step 16,000",
        "Group ablations",
        "masked_delta",
    ],
    "ablation_table": ["Group ablations", "within the range of", "no control: no other group", "no verdict: too few"],
    "bring_your_own_checkpoint": ["CircuitsVis", "my BERT, step 16,000", "Group ablations"],
}


def test_the_script_prints_a_table(tmp_path):
    script, file = ROOT / "examples" / "ablation_table.py", tmp_path / "table.tex"
    done = subprocess.run([sys.executable, script, TINY, file], capture_output=True, text=True, check=True)
    latex = file.read_text(encoding="utf-8")
    assert latex.startswith("\\begin{table}")
    assert "$L_{\\mathrm{mask}}$ [95 \\%]" in latex
    assert re.search(r"& (row|column) & no heads & -- & -- ", latex)
    assert "L_mask stays at" in done.stdout
    assert "| all " in done.stdout


def test_every_notebook_is_looked_at():
    assert {path.stem for path in NOTEBOOKS} == SHOWN.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_says_what_each_cell_does(path):
    cells = nbformat.read(path, as_version=4).cells
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    assert path.stat().st_size < 20_000
    assert all(len(cell.source.splitlines()) <= 20 for cell in cells)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the notebooks write lands here."""
    return tmp_path_factory.mktemp("written")


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def answered(request, folder):
    """A notebook's name, and what its cells answered, as HTML and as text."""
    nbclient = pytest.importorskip("nbclient")
    path = request.param
    book = nbformat.read(path, as_version=4)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")  # of the Jupyter client, about its own event loop
        patch.setenv("MCINTERP_RUN", str(TINY))
        patch.setenv("MCINTERP_OUT", str(folder))
        nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    html = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    text = "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)
    return path.stem, html, text


def test_a_notebook_runs_and_its_cells_show_what_they_made(answered, folder):
    name, html, text = answered
    assert [words for words in SHOWN[name] if words not in html] == []
    if name == "ablation_table":
        table = (folder / "ablation.tex").read_text(encoding="utf-8")
        assert r"\begin{tabular}" in table
        assert "−" not in table
        assert r"95 \%" in table
        assert table in text
