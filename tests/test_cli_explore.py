"""`mcinterp explore` as a person meets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_gpt import small_gpt_config

from mcinterp.runs import Run

Cli = Callable[..., tuple[int, str, str]]


def steps_in(page: Path) -> list[int]:
    (text,) = re.findall(r'<script type="application/json" id="model">(.*?)</script>', page.read_text())
    return list(json.loads(text)["steps"])


def test_it_prints_the_path_of_the_page(
    cli: Cli, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = Path("reports") / trained_folder.name / "explore.html"
    assert cli("explore", str(trained_folder)) == (0, f"{expected}\n", "")
    assert steps_in(expected) == Run(trained_folder).spread_steps(8)


def test_steps_and_file_are_chosen(cli: Cli, trained_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "page.html"
    assert cli("explore", str(trained_folder), "--steps", "0,last", "--out", str(out)) == (0, f"{out}\n", "")
    assert steps_in(out) == [0, 40]


def test_mistakes_get_one_sentence_and_their_code(cli: Cli, trained_folder: Path, tmp_path: Path) -> None:
    gpt = tmp_path / "gpt"
    gpt.mkdir()
    (gpt / "config.yaml").write_text(small_gpt_config().to_yaml())
    cases = [
        ((str(gpt),), 2, "explore asks for answers_entries, which neither task matrix-sequence nor model gpt"),
        ((str(trained_folder), "--steps", "newest"), 2, "'newest' is neither"),
        ((str(trained_folder), "--steps", "17"), 1, "the nearest is"),
        ((str(trained_folder), "--out", str(tmp_path)), 2, "is a folder"),
        ((str(tmp_path / "no-run"),), 1, "there is no run"),
        ((), 2, "RUN"),
    ]
    for words, code, sentence in cases:
        got, out, err = cli("explore", *words)
        assert (got, out) == (code, "")
        assert sentence in err
        assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == [gpt]


def test_help_loads_no_heavy_library() -> None:
    code = """
import sys
sys.argv = ["mcinterp", "explore", "--help"]
from mcinterp.cli import main
try:
    main()
except SystemExit:
    print([name for name in ("torch", "pandas", "transformer_lens", "plotly", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
