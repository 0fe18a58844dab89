"""Grid files: what they mean, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_run import small_config

from mcinterp.config import load_preset
from mcinterp.errors import CheckpointError, ConfigError
from mcinterp.runs import Sweep, load_sweep
from mcinterp.runs.grid import short_names


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "g.yaml").write_text(text)
    return tmp_path / "g.yaml"


def test_every_combination_is_a_run_the_last_field_varying_fastest(tmp_path: Path) -> None:
    sweep = load_sweep(
        written(
            tmp_path,
            "base: tiny\nset: {training.steps: 7, training.warmup_steps: 0}\n"
            "grid: {model.n_layers: [2, 1], 'task.rows,task.cols': [[4, 5], [6, 6]], training.seed: [0, 3]}",
        )
    )
    expected = [(layers, *size, seed) for layers in (2, 1) for size in ((4, 5), (6, 6)) for seed in (0, 3)]
    assert [tuple(run.varied.values()) for run in sweep.runs] == expected
    assert sweep.fields == ("model.n_layers", "task.rows", "task.cols", "training.seed")
    assert sweep.runs[0].name == "n_layers=2,rows=4,cols=5,seed=0"
    for run in sweep.runs:
        layers, rows, cols, seed = run.varied.values()
        fields = {"model.n_layers": layers, "task.rows": rows, "task.cols": cols, "training.seed": seed}
        changes = [f"{field}={value}" for field, value in fields.items()]
        assert run.config == load_preset("tiny", [*changes, "training.steps=7", "training.warmup_steps=0"])


def test_the_base_may_be_a_mapping_and_floats_are_resolved(tmp_path: Path) -> None:
    base = yaml.safe_dump({"base": small_config().model_dump()})
    sweep = load_sweep(written(tmp_path, base + "grid: {training.learning_rate: [1e-3, 1, 0.00002]}"))
    assert [run.name for run in sweep.runs] == ["learning_rate=0.001", "learning_rate=1", "learning_rate=2e-05"]
    assert [run.varied["training.learning_rate"] for run in sweep.runs] == [1e-3, 1.0, 2e-5]
    assert sweep.runs[0].config == small_config()


def test_names_do_not_depend_on_which_other_fields_vary(tmp_path: Path) -> None:
    config = small_config()
    assert short_names(["training.seed"], config) == {"training.seed": "seed"}
    one = load_sweep(written(tmp_path, "base: tiny\ngrid: {training.seed: [0, 1]}"))
    more = load_sweep(written(tmp_path, "base: tiny\ngrid: {training.seed: [1, 5, 0]}"))
    assert {run.name: run.config for run in one.runs}.items() <= {run.name: run.config for run in more.runs}.items()


def test_long_names_are_cut_and_stay_apart(tmp_path: Path) -> None:
    fields = [f"{section}.{name}" for section in ("task", "model", "training") for name in _numbers(section)]
    axes = {field: [_value(field)] for field in fields if field != "training.seed"} | {"training.seed": [0, 1]}
    sweep = load_sweep(written(tmp_path, yaml.safe_dump({"base": "tiny", "grid": axes}, sort_keys=False)))
    names = [run.name for run in sweep.runs]
    assert len(set(names)) == 2
    assert all(len(name) <= 120 for name in names)


def _numbers(section: str) -> list[str]:
    tree = load_preset("tiny").model_dump()[section]
    return [name for name, value in tree.items() if isinstance(value, int | float)]


def _value(field: str) -> object:
    section, name = field.split(".")
    return load_preset("tiny").model_dump()[section][name]


def test_what_was_declared_can_be_read_back(tmp_path: Path) -> None:
    sweep = load_sweep(written(tmp_path, "base: tiny\ngrid: {task.factors: [uniform, gaussian], training.seed: [0]}"))
    sweep.save(tmp_path)
    assert Sweep.load(tmp_path) == sweep
    (tmp_path / "sweep.yaml").write_text("name: x\nruns: 3\n")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Sweep.load(tmp_path)
    with pytest.raises(CheckpointError, match="there is no sweep at"):
        Sweep.load(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("grid: {training.seed: [0]}", r"g\.yaml: base is missing or empty"),
        ("base: tiny", r"g\.yaml: grid is missing or empty"),
        ("base: tiny\ngird: {}", r"g\.yaml: gird is not a key of a grid; did you mean 'grid'\?"),
        ("base: tinny\ngrid: {training.seed: [0]}", r"base: no preset is called 'tinny'; did you mean 'tiny'\?"),
        ("base: [1]\ngrid: {training.seed: [0]}", "base must be the name of a preset, or the sections"),
        ("base: {model: 3}\ngrid: {training.seed: [0]}", "base must be the name of a preset, or the sections"),
        ("- 1", "must hold the keys base and grid"),
        ("a: [", "is not a valid grid"),
        ("base: tiny\ngrid: [1]", "grid must map fields"),
        ("base: tiny\nset: [1]\ngrid: {training.seed: [0]}", "set must map fields"),
        ("base: tiny\ngrid: {seed: [0]}", "combination seed = 0: seed must look like section.field"),
        ("base: tiny\nset: {seed: 0}\ngrid: {training.seed: [0]}", r"g\.yaml, set: seed must look like section.field"),
        ("base: tiny\ngrid: {training.sed: [0]}", r"combination training.sed = 0: .*did you mean 'seed'\?"),
        ("base: {task: {row: 5}}\ngrid: {training.seed: [0]}", r"task.row is not a field; did you mean 'rows'\?"),
        ("base: tiny\ngrid: {training.seed: []}", "training.seed has an empty list"),
        ("base: tiny\ngrid: {training.seed: 3}", "training.seed must have a list of values, got 3"),
        ("base: tiny\ngrid: {training.seed: [0, 2, 0]}", "training.seed has the value 0 twice"),
        ("base: tiny\ngrid: {training.seed: [0], training.seed: [1]}", "training.seed is given twice"),
        ("base: tiny\nset: {training.seed: 1}\ngrid: {training.seed: [0]}", "training.seed is given twice"),
        (
            "base: tiny\ngrid: {'task.rows,task.cols': [[5, 5]], task.rows: [5]}",
            "task.rows is given twice; a field stands once",
        ),
        ("base: tiny\ngrid: {'task.rows,task.cols': [[5, 5], [6]]}", r"needs lists of 2 values, got \[6\]"),
        (
            "base: tiny\ngrid: {training.learning_rate: [1e-3, 0.001]}",
            "combinations learning_rate=0.001 and learning_rate=0.001 are the same configuration",
        ),
        (
            "base: tiny\ngrid: {task.rank: [1, 7], training.seed: [4]}",
            r"g\.yaml, combination task.rank = 7, training.seed = 4: task: rank 7 exceeds the smaller side",
        ),
        ("base: tiny\ngrid: {training.seed: ['0']}", "training.seed = '0': input should be a valid integer"),
    ],
)
def test_mistakes_name_the_file_the_combination_and_the_field(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        load_sweep(written(tmp_path, text))
    assert "g.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read grid .*none\.yaml"):
        load_sweep(tmp_path / "none.yaml")


def test_the_example_is_a_grid() -> None:
    sweep = load_sweep(Path(__file__).parents[2] / "examples" / "sizes.yaml")
    assert (sweep.name, len(sweep.runs)) == ("sizes", 12)
