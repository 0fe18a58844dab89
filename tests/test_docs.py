"""The documentation keeps step with the package: a page for everything that has a name. Sphinx is not needed for it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

import mcinterp
from mcinterp.analysis import COMPARISONS, PASSES
from mcinterp.cli import app
from mcinterp.declared import Study
from mcinterp.installed import own_studies
from mcinterp.report.views.reading import reading_of
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
INCLUDED = re.compile(r"^```{include} (\S+)\n```$", re.MULTILINE)
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def whole(path: Path) -> str:
    """The text of a page with what it includes."""
    text = path.read_text(encoding="utf-8")
    return INCLUDED.sub(lambda found: (path.parent / found[1]).read_text(encoding="utf-8").strip(), text)


@pytest.mark.parametrize(("folder", "name", "entry"), PAGES)
def test_every_pass_and_comparison_has_a_page(folder: str, name: str, entry: object) -> None:
    path = DOCS / folder / f"{name}.md"
    assert path.is_file(), f"write {path.relative_to(ROOT)}: {', '.join(PARTS)}"
    text = whole(path)
    assert text.startswith(f"# `{name}`: ")
    found = re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE)
    assert [part for part in found if part in PARTS] == list(PARTS)
    assert f"\n{name}\n" in (DOCS / folder / "index.md").read_text(encoding="utf-8"), f"{folder}/index.md lacks {name}"


@pytest.mark.parametrize(("folder", "name", "entry"), PAGES)
def test_a_page_and_the_report_tell_how_to_read_it_in_the_same_words(folder: str, name: str, entry: object) -> None:
    told = reading_of(name)
    assert [about for about, _ in told] == ["What is shown", "What to conclude", "What not to conclude"]
    page = " ".join(whole(DOCS / folder / f"{name}.md").split())
    assert [about for about, text in told if f"**{about}.** {text}" not in page] == []


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


def _described(page: Path) -> set[str]:
    """Public names that a page describes."""
    text = page.read_text(encoding="utf-8")
    return set(re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE)) | set(re.findall(r"`([A-Z]+)`", text))


def test_every_public_name_is_in_the_api() -> None:
    described = [_described(page) for page in (DOCS / "api.md", *(DOCS / "studies").glob("*.md"))]
    assert set(mcinterp.__all__) == set.union(*described)
    assert sum(map(len, described)) == len(mcinterp.__all__)  # none twice


@pytest.mark.parametrize("study", own_studies().values(), ids=lambda study: study.name)
def test_every_study_has_a_page_with_its_names_and_its_command(study: Study) -> None:
    page = DOCS / "studies" / f"{study.name}.md"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# `{study.name}`: ")
    assert study.title in text
    assert study.source in text
    assert re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE) == ["Question", "What was built"]
    assert f"\nmcinterp reproduce {study.name}" in text
    assert _described(page) == set(study.exports)


def test_there_is_no_page_of_a_study_that_is_gone() -> None:
    assert {path.stem for path in (DOCS / "studies").glob("*.md")} - {"index"} == own_studies().keys()


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(DOCS)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) + re.findall(r"^```{\w+} (\.\./\S+)", text, re.M):
        assert (path.parent / target).exists(), target


def test_the_picture_of_the_layers_is_that_which_is_held() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    held = [name for layer in layers for name in layer.split(" : ")]
    picture = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```")[1].partition("mcinterp/\n")[2]
    lines = [
        re.split(r" {3,}", line.strip())[0] for line in picture.splitlines() if line.startswith("  ") and line[2] != " "
    ]
    drawn = [name for line in lines for name in re.findall(r"(\w+)(?:/|\.py)", line)]
    assert drawn == held


def test_every_file_of_the_examples_package_is_shown() -> None:
    text = (DOCS / "extending" / "add-a-study.md").read_text(encoding="utf-8")
    package = ROOT / "examples" / "own_study"
    files = [package / "pyproject.toml", *package.glob("sparse_parity/*.py"), *package.glob("sparse_parity/presets/*")]
    assert [str(file) for file in files if f"../../{file.relative_to(ROOT)}" not in text] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(DOCS)))
def test_what_is_shown_of_a_file_begins_and_ends_in_it(path: Path) -> None:
    shown = re.findall(r"^```{literalinclude} (\S+)\n((?::.*\n)*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    for file, options in shown:
        text = (path.parent / file).read_text(encoding="utf-8")
        places = re.findall(r'^:(?:start-at|end-before): "(.*)"$', options, re.MULTILINE)
        assert [place for place in places if place not in text] == [], file


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
