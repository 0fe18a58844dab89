"""A study's folder can be taken away, with its tests and its page: everything else works as before."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from listings import entries

pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parents[2]
NAME, FOLDER = "identity-mapping", "identity_mapping"
OF_IT = (
    f"mcinterp/studies/{FOLDER}",
    f"tests/studies/{FOLDER}",
    f"docs/studies/{NAME}.md",
    f"docs/gallery/{NAME}.svg",
)
QUICK = ("test_installed", "runs/test_seam", "training/test_optimiser_settings", "test_docs")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which all that is one study's is gone."""
    if not (ROOT / OF_IT[0]).is_dir():
        pytest.skip(f"study {NAME} is taken away already")
    copy = tmp_path_factory.mktemp("without")
    for part in ("mcinterp", "tests", "docs", "examples"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / part, copy)
    for part in OF_IT:
        shutil.rmtree(copy / part) if (copy / part).is_dir() else (copy / part).unlink()
    assert python(copy, "docs/gallery/draw.py").returncode == 0
    return copy


def python(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, as nobody's child."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    env |= {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], cwd=copy, env=env, capture_output=True, text=True, check=False)


def test_all_other_tests_are_found_and_the_quick_ones_pass(without: Path) -> None:
    # A file that cannot be imported is an error of the collection, whatever is then chosen.
    done = python(
        without, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "-k", " or ".join(Path(name).name for name in QUICK)
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = {line.split("::")[0] for line in done.stdout.splitlines() if line.startswith("PASSED ")}
    assert passed == {f"PASSED tests/{name}.py" for name in QUICK}
    left_out = re.search(r" (\d+) deselected", done.stdout)
    assert left_out
    assert int(left_out[1]) > 1000


@pytest.mark.parametrize("line", ["presets", "passes", "reproduce --list"])
def test_lists_leave_it_out_and_nothing_else(without: Path, line: str) -> None:
    here, there = (entries(python(copy, "-m", "mcinterp", *line.split()).stdout) for copy in (ROOT, without))
    assert there == [entry for entry in here if entry.split()[0] != NAME]
    assert len(there) < len(here) or line == "passes"


def test_a_report_is_written_as_before(without: Path) -> None:
    tiny = "tests/data/tiny"
    done = python(
        without, "-m", "mcinterp", *f"report {tiny} --passes tokens --steps last --samples 4 --out new".split()
    )
    assert (done.returncode, done.stdout) == (0, "new/index.html\n"), done.stderr


def test_its_own_run_says_what_is_missing(without: Path) -> None:
    done = python(without, "-m", "mcinterp", "train", "--preset", NAME)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mcinterp: no preset is called '{NAME}'; ")
    done = python(without, "-m", "mcinterp", "show-config", "--set", f"task.kind={NAME}")
    assert done.returncode == 2
    assert f"task.kind = '{NAME}': there is none; valid: " in " ".join(done.stderr.split())
