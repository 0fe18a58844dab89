"""Configurations and sweeps from near-valid to absurd: a configuration, or one sentence about what is wrong."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from near_valid import TREES, Tree, changed_text, junk, scalars, trees

from mcinterp.config import RunConfig, parse_config, validate_config
from mcinterp.errors import ConfigError, McinterpError
from mcinterp.model import size
from mcinterp.runs import Run, load_sweep, train
from mcinterp.task import make_task

FIELDS = sorted({f"{section}.{field}" for tree in TREES for section, part in tree.items() for field in part})


def sentence_of(error: McinterpError, names: str = "") -> str:
    """What a person reads: one line that names where it is, without a library's words for classes and modules."""
    text = str(error)
    assert names in text
    assert text.strip()
    assert "\n" not in text
    assert len(text) < 2000
    assert "pydantic" not in text
    return text


def assert_usable(config: RunConfig) -> None:
    """A configuration that was let in can be written, read, hashed and asked for its task."""
    assert parse_config(config.to_yaml(), "again") == config
    assert len(config.hash) == 16
    assert make_task(config.task).score_names


@settings(max_examples=300)
@given(trees())
@example({"task": {"kind": "identity-mapping", "signals": [10**400, 1]}, "model": {"architecture": "linear"}})
@example({"task": {"v_min": -1e300, "v_max": 1e300}})
@example({"task": {"kind": None}})
@example({"task": {"kind": ["matrix-completion"]}})
@example({"model": None})
@example({"start": {}})
@example({3: {}})
def test_a_mapping_is_a_configuration_or_gets_a_sentence(tree: Tree) -> None:
    try:
        config = validate_config(tree, "here")
    except ConfigError as error:
        sentence_of(error, "here: ")
        return
    assert_usable(config)


@settings(max_examples=100)
@given(trees(), st.data())
def test_yaml_with_letters_changed_is_a_configuration_or_gets_a_sentence(tree: Tree, data: Any) -> None:
    text = data.draw(
        changed_text([yaml.safe_dump(tree)], ["\t", ":", "- ", "{", "&a ", "*a", "!!int ", "\ufeff", "\n", '"'])
    )
    with contextlib.suppress(ConfigError):
        assert_usable(parse_config(text, "here.yaml"))


words = st.builds(
    lambda field, sign, value: field + sign + value,
    changed_text(FIELDS, [".", " ", "=", "'"]),
    st.sampled_from(["=", "=", "=", " = ", "==", ":", ""]),
    scalars.map(str)
    | changed_text(["[[2, 2], [3, 3]]", "1e-3", "{a: 1}", "width", "2024-01-01"], ["[", "'", "!!binary "]),
)


@settings(max_examples=200)
@given(st.sampled_from(TREES), st.lists(words, min_size=1, max_size=2))
def test_an_override_is_applied_or_gets_a_sentence(tree: Tree, overrides: list[str]) -> None:
    try:
        assert_usable(parse_config(yaml.safe_dump(tree), "here.yaml", overrides))
    except ConfigError as error:
        sentence_of(error)


@pytest.fixture(scope="module", autouse=True)
def little_memory() -> Iterator[None]:
    """A machine that refuses early what would make these tests slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(size, "_memory", lambda: 2**25)
        yield


@settings(max_examples=40)
@given(trees())
def test_what_is_a_configuration_trains_or_says_why_not(tree: Tree) -> None:
    try:
        config = validate_config(tree, "here")
        training = config.training.model_copy(
            update={"steps": 2, "warmup_steps": 0, "checkpoints": 2, "replay_states": 1}
        )
        config = config.model_copy(update={"training": training})
        with tempfile.TemporaryDirectory() as folder:
            assert train(Path(folder) / "run", config, device="cpu").steps[-1] == 2
    except McinterpError as error:
        sentence_of(error)


def test_a_training_that_cannot_be_held_writes_nothing(tmp_path: Path) -> None:
    for overrides, part in (
        (["model.d_model=8000"], "training the configuration's model takes at least"),
        (
            ["training.batch_size=1000000000000", "model.d_model=8"],
            "a step of training.batch_size 1000000000000 takes at least",
        ),
        (["model.n_layers=1000000", "model.d_model=8"], "training the configuration's model takes"),
    ):
        with pytest.raises(McinterpError, match=part):
            train(tmp_path / "run", parse_config("", "x", overrides), device="cpu")
    assert not (tmp_path / "run").exists()


grids = st.fixed_dictionaries(
    {},
    optional={
        "base": st.sampled_from(["tiny", "tinny", "identity-mapping", "", 3, None]) | trees(),
        "set": st.dictionaries(st.sampled_from([*FIELDS, "steps", ".", "task.", "a.b.c", 3]), junk, max_size=2) | junk,
        "grid": st.dictionaries(
            st.sampled_from(
                [*FIELDS, "model.d_model,model.d_mlp", "training.seed,training.seed", "training", ",", "", 1]
            ),
            st.lists(junk, max_size=3) | junk | st.just([[8, 32], [16, 64]]) | st.just([0, 1]),
            max_size=2,
        )
        | junk,
        "gird": junk,
    },
)


@settings(max_examples=200)
@given(grids | junk)
@example({"base": "tiny", "grid": {f"training.seed{'.x' * 3000}": [1]}})
@example({"base": "tiny", "grid": {"training.seed": list(range(1000)), "training.steps": list(range(1, 1001))}})
@example({"base": "tiny", "grid": {"start": [None]}})
@example({"base": "tiny", "grid": {"training.seed": [{1: 2}, {1: 2}]}})
@example({"base": "tiny", "grid": {"task.sizes": [None, [[5, 5], [4, 4]]]}})
def test_a_grid_is_a_sweep_or_gets_a_sentence(grid: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grid.yaml"
        path.write_text(yaml.safe_dump(grid), encoding="utf-8")
        try:
            sweep = load_sweep(path)
        except ConfigError as error:
            sentence_of(error, str(path))
            return
        names = [run.name for run in sweep.runs]
        assert len(set(names)) == len(names) > 0
        assert all(len(name) <= 120 and "/" not in name and not name.startswith(".") for name in names)
        sweep.save(Path(folder))
        kept = type(sweep).load(folder)
        assert [(run.name, run.config) for run in kept.runs] == [(run.name, run.config) for run in sweep.runs]


def test_a_run_whose_configuration_was_damaged_gets_a_sentence(own_copy: Path) -> None:
    for text in ("", "task: {rows: 9}", "[", "3", "\x00"):
        (own_copy / "config.yaml").write_text(text)
        with pytest.raises(McinterpError) as caught:
            Run(own_copy).checkpoint("last")
        sentence_of(caught.value)
