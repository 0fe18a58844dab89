"""Every pass on the smallest and the emptiest that there can be: an answer or a sentence, and no warning."""

from __future__ import annotations

import pytest
from small_run import small_config

from mcinterp.analysis import PASSES
from mcinterp.analysis.registry import defined_for
from mcinterp.errors import InputError
from mcinterp.runs import Checkpoint

pytestmark = pytest.mark.no_cover

SHAPES: dict[str, dict[str, dict[str, object]]] = {
    "nothing masked": {"task": {"p_mask": 0.0}},
    "all masked": {"task": {"p_mask": 1.0}},
    "one entry": {"task": {"rows": 1, "cols": 1}},
    "one row": {"task": {"rows": 1, "cols": 4}},
    "one column": {"task": {"rows": 4, "cols": 1}},
    "full rank": {"task": {"rows": 2, "cols": 3, "rank": 2}},
    "one layer of one head of width 1": {"model": {"n_layers": 1, "n_heads": 1, "d_model": 1, "d_mlp": 1}},
}
LEAST = {"shift": 4, "algorithm": 4}
"""Passes that compare halves of their matrices."""
UNMASKED = ("nothing masked", "one entry")
"""Where no entry is masked in so few matrices, nothing is completed."""


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pass_has_an_answer(shape: str) -> None:
    checkpoint = Checkpoint.untrained(small_config(**SHAPES[shape]), seed=0)
    done = {}
    for name, each in PASSES.items():
        if each.name in defined_for(checkpoint.config):
            needed = {need: done[need] for need in each.needs}
            n = LEAST.get(name, 2)
            if name == "algorithm" and shape in UNMASKED:
                with pytest.raises(InputError, match="no entry of 4 matrices is masked"):
                    each.run(checkpoint, needed, n, 0)
                continue
            done[name] = each.run(checkpoint, needed, n, 0)
            assert done[name].tables or done[name].arrays
    assert len(done) > 8
