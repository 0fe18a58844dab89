"""Results: declared columns, and load∘save as the identity."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcinterp.errors import CheckpointError, InputError
from mcinterp.results import Result, Table

COLUMNS = {"head": "the head", "score": "a score, no unit", "n": "samples", "fits": "whether it fits"}
ROWS = [
    {"head": "L0H0", "score": 0.1, "n": 3, "fits": True},
    {"head": "none", "score": float("nan"), "n": 4, "fits": False},
    {"head": "NA", "score": 1e-300, "n": 5, "fits": True},
]


def example() -> Result:
    return Result(
        name="example",
        title="An example: × and −",
        settings={"n": 3, "mask": "rows:3,6"},
        facts={"axes": {"maps": ["layer", "head"]}, "classes": ["a", "b"]},
        tables={"heads": Table.of(COLUMNS, ROWS), "empty": Table.of({"x": "nothing"}, [])},
        arrays={"maps": np.arange(6, dtype=np.float32).reshape(2, 3), "observed": np.array([True, False])},
        provenance={"step": 4, "digest": "abc"},
    )


def test_load_after_save_is_the_identity(tmp_path: Path) -> None:
    result = example()
    result.save(tmp_path / "deep" / "folder")
    again = Result.load(tmp_path / "deep" / "folder")
    assert (again.name, again.title) == (result.name, result.title)
    assert (again.settings, again.facts, again.provenance) == (result.settings, result.facts, result.provenance)
    assert again.tables.keys() == result.tables.keys()
    for name, table in result.tables.items():
        assert again.tables[name].columns == table.columns
    pd.testing.assert_frame_equal(again.table("heads"), result.table("heads"))
    assert list(again.table("empty").columns) == ["x"]
    assert again.arrays.keys() == result.arrays.keys()
    for name, array in result.arrays.items():
        assert again.arrays[name].dtype == array.dtype
        assert np.array_equal(again.arrays[name], array)


@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_to_the_last_bit(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    folder = tmp_path_factory.mktemp("result") / "r"
    table = Table.of({"x": "a number"}, [{"x": value} for value in values])
    Result("r", "R", {}, tables={"t": table}).save(folder)
    assert Result.load(folder).table("t")["x"].tolist() == values


def test_infinities_and_nans_come_back(tmp_path: Path) -> None:
    values = [float("inf"), float("-inf"), float("nan"), 0.0]
    Result("r", "R", {}, tables={"t": Table.of({"x": "a number"}, [{"x": value} for value in values])}).save(
        tmp_path / "r"
    )
    assert np.array_equal(Result.load(tmp_path / "r").table("t")["x"], values, equal_nan=True)


def test_words_that_look_like_missing_values_stay_words(tmp_path: Path) -> None:
    words = ["none", "NA", "nan", "null", "None", "N/A"]
    Result("r", "R", {}, tables={"t": Table.of({"x": "a word"}, [{"x": word} for word in words])}).save(tmp_path / "r")
    assert Result.load(tmp_path / "r").table("t")["x"].tolist() == words


def test_saving_again_replaces_what_was_there(tmp_path: Path) -> None:
    example().save(tmp_path / "r")
    Result("example", "Without tables", {}).save(tmp_path / "r")
    assert [file.name for file in (tmp_path / "r").iterdir()] == ["result.json"]
    assert Result.load(tmp_path / "r").tables == {}
    assert [entry.name for entry in tmp_path.iterdir()] == ["r"]


def test_a_failed_save_leaves_the_old_result(tmp_path: Path) -> None:
    example().save(tmp_path / "r")
    with pytest.raises(TypeError):
        Result("example", "Not JSON", {"n": object()}).save(tmp_path / "r")
    assert Result.load(tmp_path / "r").title == example().title
    assert [entry.name for entry in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize("row", [{"x": 1}, {"x": 1, "y": 2, "z": 3}, {}])
def test_rows_must_have_the_declared_columns(row: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"a row has columns .*, declared are \['x', 'y'\]"):
        Table.of({"x": "one", "y": "two"}, [{"x": 1, "y": 2}, row])


def test_columns_are_in_the_declared_order() -> None:
    table = Table.of({"x": "one", "y": "two"}, [{"y": 2, "x": 1}])
    assert list(table.frame.columns) == ["x", "y"]
    assert table.frame.iloc[0].tolist() == [1, 2]


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(InputError, match="the example result has no table 'head'; did you mean 'heads'"):
        example().table("head")


def test_the_html_escapes_what_it_shows() -> None:
    table = Table.of({"x": "a word"}, [{"x": "<b>cell</b>"}])
    html = Result("r", "<script>title</script>", {}, tables={"<i>name</i>": table})._repr_html_()
    for raw in ("<script>", "<i>", "<b>"):
        assert raw not in html


def damage_json(folder: Path) -> None:
    (folder / "result.json").write_text("{")


def lose_a_table(folder: Path) -> None:
    (folder / "heads.csv").unlink()


def lose_the_arrays(folder: Path) -> None:
    (folder / "arrays.npz").unlink()


def cut_the_arrays(folder: Path) -> None:
    file = folder / "arrays.npz"
    file.write_bytes(file.read_bytes()[:-30])


def rename_a_column(folder: Path) -> None:
    file = folder / "heads.csv"
    file.write_text(file.read_text().replace("score", "mark"))


def add_a_field(folder: Path) -> None:
    file = folder / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "extra": 1}))


def lose_a_field(folder: Path) -> None:
    record = json.loads((folder / "result.json").read_text())
    del record["tables"]
    (folder / "result.json").write_text(json.dumps(record))


def another_kind(folder: Path) -> None:
    (folder / "result.json").write_text("[]")


DAMAGES = [
    damage_json,
    lose_a_table,
    lose_the_arrays,
    cut_the_arrays,
    rename_a_column,
    add_a_field,
    lose_a_field,
    another_kind,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_results_are_refused_and_named(tmp_path: Path, damage: object) -> None:
    example().save(tmp_path / "r")
    damage(tmp_path / "r")
    with pytest.raises(CheckpointError, match=f"the result in {tmp_path / 'r'} cannot be read"):
        Result.load(tmp_path / "r")


def test_a_missing_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        Result.load(tmp_path / "absent")


def test_arrays_of_objects_are_never_unpickled(tmp_path: Path) -> None:
    example().save(tmp_path / "r")
    np.savez(tmp_path / "r" / "arrays.npz", maps=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError, match="cannot be read"):
        Result.load(tmp_path / "r")
