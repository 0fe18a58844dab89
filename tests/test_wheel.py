"""What is built of the repository: whole, and at work in a clean place, away from the repository."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from contextlib import AbstractContextManager
from email.parser import Parser
from pathlib import Path

import pytest
from processes import started

pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parents[1]
BUILT_OF = ("mcinterp", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by pip of a copy, without a look at the network."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for part in BUILT_OF:
        ignored = shutil.ignore_patterns("__pycache__")
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, source)
    how = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(made), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *how], check=True, capture_output=True)
    (built,) = made.glob("mcinterp-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages in which there is nothing but the wheel."""
    target = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def test_every_file_of_the_package_is_in_it(wheel: Path) -> None:
    files = {path for path in (ROOT / "mcinterp").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    kept = {path.relative_to(ROOT).as_posix() for path in files}
    there = zipfile.ZipFile(wheel).namelist()
    assert kept == {name for name in there if ".dist-info/" not in name}
    for kind in (".yaml", ".j2", ".css", ".js", "py.typed"):
        assert [name for name in there if name.endswith(kind)]


def test_it_says_what_it_is_and_whose(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    about = Parser().parsestr(archive.read(record).decode())
    assert (about["Name"], about["License-Expression"], about["License-File"]) == ("mcinterp", "MIT", "LICENSE")
    assert about.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert "Project-URL" not in about
    licence = archive.read(record.replace("METADATA", "licenses/LICENSE")).decode()
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")


def command(installed: Path, here: Path, *words: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A command of the wheel's package in a folder of its own."""
    env = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    code = f"import mcinterp; assert mcinterp.__file__.startswith({str(installed)!r}); import mcinterp.__main__"
    return started([sys.executable, "-c", code, *words], here, env)


def test_the_demo_reports_a_run_that_is_there(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "data" / "tiny", tmp_path / "checkpoints" / "tiny")
    with command(installed, tmp_path, "demo", "--samples", "8") as demo:
        out, err = demo.communicate(timeout=500)
    assert (demo.returncode, out) == (0, "reports/tiny/index.html\nreports/tiny/explore.html\n"), err
    assert "checkpoints/tiny is trained already" in err
    page = (tmp_path / "reports" / "tiny" / "index.html").read_text(encoding="utf-8")
    assert "What changed" in page
    assert {path.name for path in (tmp_path / "reports" / "tiny" / "assets").iterdir()} >= {"report.css", "theme.js"}


def test_the_demo_trains_a_run_that_is_not_there(installed: Path, tmp_path: Path) -> None:
    with command(installed, tmp_path, "demo") as demo:
        assert demo.stderr
        for line in demo.stderr:
            if line.startswith("training: step"):
                break
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=100)
    assert demo.returncode == 1
    assert "the same command goes on from there" in " ".join(err.split())
    assert (tmp_path / "checkpoints" / "tiny" / "config.yaml").is_file()
