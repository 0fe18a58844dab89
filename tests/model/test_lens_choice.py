"""Which TransformerLens mcinterp's models stand on, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import transformer_lens

from mcinterp.model import CausalTransformer, Encoder
from mcinterp.model.lens import REQUIRED, HookedEncoder, HookedTransformer

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "data" / "tiny"


def test_users_keep_transformer_lens_own_classes_where_it_has_them() -> None:
    own = "HookedEncoder" not in vars(transformer_lens)
    for model, base in ((Encoder, HookedEncoder), (CausalTransformer, HookedTransformer)):
        assert issubclass(model, base)
        assert issubclass(base, transformer_lens.HookedRootModule)
        assert base.__module__.startswith("mcinterp.model.lens." if own else "transformer_lens.")


def test_what_pip_is_told_is_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert REQUIRED in project["dependencies"]


def with_transformer_lens(content: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python where TransformerLens is a package of this content."""
    package = folder / "transformer_lens" / "__init__.py"
    package.parent.mkdir()
    package.write_text(content, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    return subprocess.run([sys.executable, *words], env=environment, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "ModuleNotFoundError: No module named 'transformer_lens.cache'"),
        ("raise ImportError('cannot import name AutoModel')", "ImportError: cannot import name AutoModel"),
        ("raise RuntimeError('operator torchvision::nms\\nis not there')", "RuntimeError: operator torchvision::nms)"),
    ],
)
def test_one_that_has_nothing_to_stand_on_is_told_as_that(content: str, why: str, tmp_path: Path) -> None:
    done = with_transformer_lens(content, tmp_path, "-c", "import mcinterp.model.lens")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"mcinterp.errors.InstallationError: mcinterp's models need {REQUIRED}, and here is ")
    assert f"({why}" in last
    assert last.endswith(f": pip install --upgrade '{REQUIRED}'")


def test_the_command_line_says_what_to_install(tmp_path: Path) -> None:
    done = with_transformer_lens("", tmp_path, "-m", "mcinterp", "ablate", str(TINY))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith(f"mcinterp: mcinterp's models need {REQUIRED}, and here is transformer_lens ")
