"""What needs no model, or no tensor, does not wait for the library that makes one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "data" / "tiny"
GIVE = """
import sys
from mcinterp.cli import main
sys.argv = ["mcinterp", *sys.argv[1:]]
try:
    main()
except SystemExit as stopped:
    code = stopped.code or 0
loaded = [name for name in ("torch", "transformer_lens") if name in sys.modules]
print(f"exit {code}, loaded {loaded}")
"""


@pytest.mark.parametrize(
    ("words", "code", "loaded"),
    [
        (["runs", str(TINY.parent)], 0, ["torch"]),
        (["ablate", str(TINY), "--step", "77"], 1, []),
        (["report", str(TINY), "--steps", "77"], 1, []),
        (["switch", str(TINY), "--from", "77"], 1, []),
        (["compare", str(TINY), f"{TINY}@77"], 1, []),
        (["explore", str(TINY), "--steps", "all,0"], 2, []),
        (["ablate", str(TINY), "--device", "nonsense"], 2, []),
        (["train", "--preset", "tiny", "--run", "new", "--device", "cuda:x"], 2, []),
    ],
)
def test_no_model_no_wait(words: list[str], code: int, loaded: list[str], tmp_path: Path) -> None:
    given = [sys.executable, "-c", GIVE, *words]
    said = subprocess.run(given, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == f"exit {code}, loaded {loaded}"


NAMES = """
import sys
from mcinterp.cli import main
from mcinterp.installed import BUILT_IN
sys.argv = ["mcinterp", *sys.argv[1:]]
try:
    main()
except SystemExit as stopped:
    code = stopped.code or 0
declared = {f"mcinterp.studies.{folder}" for folder in BUILT_IN.values()}
opened = {name for name in sys.modules if name.startswith("mcinterp.studies.")} - declared
heavy = {"torch", "transformer_lens", "numpy", "pandas", "plotly", "scipy"} & sys.modules.keys()
print(f"exit {code}, loaded {sorted(opened | heavy)}")
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["presets"], 0),
        (["passes"], 0),
        (["reproduce", "--list"], 0),
        (["report", str(TINY), "--passes", "probe"], 2),
        (["train", "--preset", "tinny"], 2),
        (["reproduce", "matrix"], 2),
        (["reproduce", "ghost-points", "--preset", "exakt"], 2),
        (["trian"], 2),
    ],
)
def test_names_are_answered_by_declarations_alone(words: list[str], code: int, tmp_path: Path) -> None:
    given = [sys.executable, "-c", NAMES, *words]
    said = subprocess.run(given, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == f"exit {code}, loaded []"
