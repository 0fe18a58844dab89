"""The gallery has a picture of every study, and its page says what the pictures say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from forged import Forge

from mcinterp.installed import own_studies

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", GALLERY / "draw.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_study_has_a_picture_with_its_caption(draw: ModuleType) -> None:
    assert draw.PICTURES.keys() == own_studies().keys()
    page = (GALLERY / "index.md").read_text(encoding="utf-8")
    for study in draw.PICTURES:
        assert "<title>" in (GALLERY / f"{study}.svg").read_text(encoding="utf-8")
        assert f"]({study}.svg)](../studies/{study}.md)" in page


def test_where_nothing_is_stored_the_page_stays_as_it_is(
    draw: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (GALLERY / "index.md").read_bytes()
    draw.main(str(tmp_path))
    assert (GALLERY / "index.md").read_bytes() == before
    assert capsys.readouterr().err.startswith(f"gallery: 0 of {len(draw.PICTURES)} studies have results in {tmp_path};")


def test_results_say_whose_they_are(draw: ModuleType, tmp_path: Path) -> None:
    data = Forge(steps=(1000,)).write(tmp_path, []) / "data"
    assert draw.study_in(data) == "matrix-completion"
    assert draw.study_in(tmp_path) == ""
    assert list(draw.views(tmp_path)) == []  # the result that its picture shows is not there
