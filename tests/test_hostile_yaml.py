"""YAML, sweeps and results made to harm: keys given twice, endless aliases, names that lead elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import small_config

from mcinterp.config import parse_config
from mcinterp.errors import CheckpointError, ConfigError, InputError
from mcinterp.results import Result, Table
from mcinterp.runs import Run, Sweep

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\ntask: {rows: *b}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("task: {rows: 3, rows: 4}", "rows is given twice, again in line 1"),
        ("task: {rows: 3}\nmodel: {}\ntask: {rows: 4}", "task is given twice, again in line 3"),
        (LAUGHS, "*a in line 2 is an alias: write it out"),
        ("task: &t {rows: 3}\nmodel: {<<: *t}", "*t in line 2 is an alias"),
        ("[" * 3000, "nested too deeply"),
        ("task: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("task: !!python/name:os.system", "could not determine a constructor"),
        ("? {a: 1}\n: 2", "unhashable"),
    ],
)
def test_yaml_that_is_more_than_plain_data_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "here.yaml")
    assert str(caught.value).startswith("here.yaml is not valid YAML: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    if "\n" not in text:
        with pytest.raises(ConfigError):
            parse_config("", "here.yaml", [f"task.rows={text}"])


def test_what_is_written_has_no_aliases() -> None:
    assert parse_config(small_config().to_yaml(), "again") == small_config()


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "a/b", "..", ".", "", ".hidden", "a\\b", "a\nb", "\u202ecod"])
def test_a_sweeps_runs_lie_in_its_folder(tmp_path: Path, name: str) -> None:
    record = {"name": "s", "fields": [], "runs": {name: {"varied": {}, "config": small_config().model_dump()}}}
    (tmp_path / "sweep.yaml").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="is no name of a run"):
        Sweep.load(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/secret", "a/b", ".secret", ""])
def test_a_results_tables_lie_in_its_folder(tmp_path: Path, name: str) -> None:
    table = Table.of({"x": "a number"}, [{"x": 1}])
    with pytest.raises(InputError, match="is no name of a file"):
        Result("r", "R", {}, tables={name: table}).save(tmp_path / "data" / "r")
    Result("r", "R", {}, tables={"t": table}).save(tmp_path / "data" / "r")
    (tmp_path / "data" / "secret.csv").write_text("x\n2\n")
    file = tmp_path / "data" / "r" / "result.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "tables": {name: {"x": "a number"}}}))
    with pytest.raises(CheckpointError, match="is no name of a table"):
        Result.load(tmp_path / "data" / "r")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"tables": [1]}', '{"tables": {"t": 3}}', "3", '"x"'])
def test_strange_records_are_refused(tmp_path: Path, text: str, own_copy: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(CheckpointError, match="cannot be read"):
        Result.load(tmp_path)
    (own_copy / "step-00000040" / "checkpoint.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"checkpoint\.json (cannot be read|lacks)"):
        Run(own_copy).checkpoint("last")
