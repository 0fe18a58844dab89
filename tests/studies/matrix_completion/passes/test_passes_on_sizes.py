"""Every pass on a model of several sizes: it looks at matrices that fill the grid, never at padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcinterp.analysis import PASSES
from mcinterp.config import RunConfig
from mcinterp.errors import InputError
from mcinterp.runs import Checkpoint
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig

pytestmark = pytest.mark.no_cover

SIZES = ((3, 3), (3, 4), (5, 4))
ALONE = [name for name, entry in PASSES.items() if not entry.needs and name not in ("sizes", "taxonomy")]
"""Not taxonomy, nor ablation, which needs it: their control is an untrained model, with weights of its vocabulary."""
MODEL = ModelConfig(n_layers=2, n_heads=2, d_model=12, d_mlp=24, init_std=0.5)


@pytest.fixture(scope="module")
def mixed() -> Checkpoint:
    task = TaskConfig(rows=5, cols=4, rank=2, v_min=-4.0, v_max=4.0, sizes=SIZES)
    return Checkpoint.untrained(RunConfig(task=task, model=MODEL), seed=3)


@pytest.fixture(scope="module")
def single(mixed: Checkpoint) -> Checkpoint:
    """The same model, said to be of one size."""
    task = TaskConfig(**{**mixed.config.task.model_dump(), "sizes": None})
    checkpoint = replace(mixed, config=RunConfig(task=task, model=MODEL))
    checkpoint.__dict__["model"] = mixed.model
    return checkpoint


@pytest.mark.parametrize("name", ALONE)
def test_a_pass_gives_the_numbers_of_one_size(mixed: Checkpoint, single: Checkpoint, name: str) -> None:
    try:
        expected = PASSES[name].run(single, {}, 24, 0)
    except InputError:
        # A pass that refuses a model of one size has nothing to say of several.
        with pytest.raises(InputError):
            PASSES[name].run(mixed, {}, 24, 0)
        return
    result = PASSES[name].run(mixed, {}, 24, 0)
    assert result.tables.keys() == expected.tables.keys()
    for key, table in result.tables.items():
        untrained = [column for column in table.frame if "untrained" in column]
        frame, other = (part.frame.drop(columns=untrained) for part in (table, expected.tables[key]))
        assert frame.equals(other), key
    for key, array in result.arrays.items():
        np.testing.assert_array_equal(array, expected.arrays[key])
