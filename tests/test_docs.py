"""The documentation keeps step with the package: a page for everything that has a name. Sphinx is not needed for it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

import mcinterp
from mcinterp.analysis import COMPARISONS, PASSES
from mcinterp.cli import app
from mcinterp.studies.matrix_completion.task.tokens import value_token

pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PARTS = ("Question", "Definition", "What to conclude", "What not to conclude", "Controls", "Where")
PAGES = [
    *(("passes", name, entry) for name, entry in PASSES.items()),
    *(("comparisons", name, entry) for name, entry in COMPARISONS.items()),
]
WRITTEN = sorted(path for path in DOCS.rglob("*.md"))
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize(("folder", "name", "entry"), PAGES)
def test_every_pass_and_comparison_has_a_page(folder: str, name: str, entry: object) -> None:
    path = DOCS / folder / f"{name}.md"
    assert path.is_file(), f"write {path.relative_to(ROOT)}: {', '.join(PARTS)}"
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# `{name}`: ")
    found = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
    assert [part for part in found if part in PARTS] == list(PARTS)
    assert f"\n{name}\n" in (DOCS / folder / "index.md").read_text(encoding="utf-8"), f"{folder}/index.md lacks {name}"


@pytest.mark.parametrize(("folder", "name", "entry"), PAGES)
def test_a_page_says_the_default_number_of_matrices(folder: str, name: str, entry: object) -> None:
    text = (DOCS / folder / f"{name}.md").read_text(encoding="utf-8")
    where = text[text.index("**Where.**") :]
    assert re.search(rf"\b{entry.samples:,}\b", where), f"{entry.samples:,} matrices"  # type: ignore[attr-defined]


def test_there_is_no_page_of_something_that_is_gone() -> None:
    for folder, known in (("passes", PASSES), ("comparisons", COMPARISONS)):
        assert {path.stem for path in (DOCS / folder).glob("*.md")} - {"index"} == known.keys()


def test_every_command_is_described() -> None:
    described = re.findall(r"^### `mcinterp (\S+)`$", (DOCS / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(described) == sorted(COMMANDS)


def _commands_shown() -> Iterator[tuple[str, list[str]]]:
    for path in [*WRITTEN, ROOT / "README.md"]:
        for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["mcinterp"]:
                    yield path.name, words[1:]


@pytest.mark.parametrize(("page", "words"), list(_commands_shown()))
def test_every_command_that_is_shown_is_one(page: str, words: list[str]) -> None:
    # Making the context refuses unknown options and words too many.
    assert COMMANDS[words[0]].make_context(words[0], words[1:]).args == []


def test_every_public_name_is_in_the_api() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE)) | set(re.findall(r"`([A-Z]+)`", text))
    assert set(mcinterp.__all__) == named


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(DOCS)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) + re.findall(r"^```{\w+} (\.\./\S+)", text, re.M):
        assert (path.parent / target).exists(), target


def test_what_a_kind_of_task_needs_is_where_the_page_says() -> None:
    rows = re.findall(r"^\| `(\S+)` \| `(\w+)` \|", (DOCS / "extending/add-a-task.md").read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 7
    for file, name in rows:
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text(encoding="utf-8")), f"{file} has no {name}"


def test_the_pass_of_the_example_runs_and_has_its_section(tmp_path: Path) -> None:
    script, run = ROOT / "examples" / "add_a_pass.py", ROOT / "tests" / "data" / "tiny"
    done = subprocess.run([sys.executable, script, run, tmp_path], capture_output=True, text=True, check=True)
    page = (tmp_path / "step-00016000.html").read_text(encoding="utf-8")
    assert done.stdout.strip() == str(tmp_path / "index.html")
    assert "At masked entries the even part of the answers makes" in page
    assert "This pass was not run" in page  # the others


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))


@pytest.mark.usefixtures("examples")
def test_the_pass_of_the_example_is_right_where_the_answer_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from add_a_pass import negation

    checkpoint = mcinterp.Run(ROOT / "tests" / "data" / "tiny").checkpoint("last")
    encoder = type(checkpoint.encoder)

    def row(complete: object, entries: str = "masked") -> tuple[float, float]:
        monkeypatch.setattr(encoder, "complete", complete)
        table = negation(checkpoint, 64).table("negation").set_index("entries")
        return table.loc[entries, "even_share"], table.loc[entries, "control_share"]

    centre = value_token(0.0, checkpoint.config.task)
    assert row(lambda self, tokens: torch.ones(tokens.shape)) == (1.0, 1.0)
    odd, control = row(lambda self, tokens: (tokens - centre).float(), "observed")
    assert odd == 0.0
    assert control == pytest.approx(0.5, abs=0.1)
    assert row(lambda self, tokens: torch.randn(tokens.shape))[0] == pytest.approx(0.5, abs=0.1)


@pytest.mark.usefixtures("examples")
def test_the_task_of_the_example_drops() -> None:
    from add_a_task import SparseParity, trained

    task = SparseParity()
    batch = task.draw(64, torch.Generator().manual_seed(0))
    assert (batch.targets == batch.inputs[:, 0] * batch.inputs[:, 1] * batch.inputs[:, 2]).all()
    metrics = trained(task, mcinterp.TrainConfig(steps=3000, batch_size=128, learning_rate=1e-3))
    found = mcinterp.find_transition(metrics["step"], metrics["parity_mse"])
    assert found.found
    assert found.plateau == pytest.approx(1.0, abs=0.2)
    assert metrics["wrong"].tail(100).mean() < 0.02
