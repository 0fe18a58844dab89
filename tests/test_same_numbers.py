"""The same command gives the same tables: to the byte on one machine, and nearly so with another number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from every_table import __file__ as every_table
from small_gpt import small_gpt_config
from small_sweep import write_grid

from mcinterp.analysis import PASSES
from mcinterp.analysis.registry import COMPARISONS
from mcinterp.runs import Run, retrain, train

pytestmark = pytest.mark.no_cover

TINY = Path(__file__).parent / "data" / "tiny"
WALL_CLOCK = "seconds"
"""The one column, and one of two entries of a result's provenance, that tells of the machine's day."""
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def written(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Path]:
    """All tables by threads and hash seed, each from a fresh process, so that nothing is left over from another."""
    folder = tmp_path_factory.mktemp("same")
    encoder = train(folder / "encoder", Run(trained_folder).config, "cpu").path
    retrain(encoder, "positions", steps=10, device="cpu")
    gpt = train(folder / "gpt", small_gpt_config(training={"steps": 4}), "cpu").path
    grid = write_grid(folder / "grid.yaml", {"training.seed": [0, 1]}, steps=20)

    def run(threads: int, hash_seed: int) -> Path:
        out = folder / f"{threads}-{hash_seed}"
        if not out.exists():
            # Threads that wait on a busy machine by spinning take minutes.
            environment = os.environ | {"OMP_WAIT_POLICY": "passive", "PYTHONHASHSEED": str(hash_seed)}
            environment |= {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"}
            words = [str(path) for path in (every_table, encoder, gpt, TINY, grid, out)]
            done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        return out

    return run


OF_OTHER_TASKS = ("causal-tracing", "oracles")
"""Asked of tasks of next tokens, of which none is here."""
PATTERNS = {
    **{name: f"*/data/step-*/{name}" for name in PASSES if name not in OF_OTHER_TASKS},
    **{name: f"*/data/run/{name}" for name in COMPARISONS if name not in OF_OTHER_TASKS},
    "training summary": "*/data/training",
    "compare": "compare/data/*",
    "ablate": "ablate.csv",
    "switch": "switch.csv",
    "sweep": "sweep/summary",
}


def files(out: Path, name: str, ending: str = "") -> dict[str, Path]:
    """What a pass, a comparison or a command wrote, by its place under `out`."""
    places = list(out.glob(PATTERNS[name]))
    paths = [path for place in places for path in (place, *place.rglob("*")) if path.is_file()]
    found = {str(path.relative_to(out)): path for path in paths if path.name.endswith(ending)}
    assert found, f"{name} wrote nothing"
    return found


def content(path: Path) -> object:
    """A file's bytes, without what a clock wrote."""
    if path.name == "result.json":
        record = json.loads(path.read_text())
        for key in (WALL_CLOCK, "threads"):
            record["provenance"].pop(key, None)
            record["facts"].pop(key, None)
        return record
    text = path.read_bytes()
    if path.suffix == ".csv" and WALL_CLOCK.encode() in text.partition(b"\n")[0].split(b","):
        return pd.read_csv(path, dtype=str).drop(columns=WALL_CLOCK).to_csv()
    return text


@pytest.mark.parametrize("name", PATTERNS)
def test_the_same_command_writes_the_same_bytes(written: Callable[[int, int], Path], name: str) -> None:
    first, again = (files(written(1, hash_seed), name) for hash_seed in (1, 2))
    assert first.keys() == again.keys()
    for place, path in first.items():
        assert content(path) == content(again[place]), place


@pytest.mark.parametrize("name", PATTERNS)
def test_another_number_of_threads_moves_no_number(written: Callable[[int, int], Path], name: str) -> None:
    one, two = (files(written(threads, 1), name, ".csv") for threads in (1, 2))
    assert one.keys() == two.keys()
    for place, path in one.items():
        frame, other = pd.read_csv(path), pd.read_csv(two[place])
        assert list(frame) == list(other)
        for column in frame.columns.drop(WALL_CLOCK, errors="ignore"):
            if frame[column].dtype.kind == "f":
                np.testing.assert_allclose(
                    other[column], frame[column], rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{place}: {column}"
                )
            else:
                assert other[column].equals(frame[column]), (place, column)
