"""Every column of every table of every pass and comparison against slow computations from the definitions.

The judges (`slow_*.py`) are numpy, matrix by matrix and head by head, with intervals by numerical differentiation; they
share no code with the passes but the drawing of matrices, masks and groups. They themselves are held against Hugging
Face's BERT and GPT-2.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from slow_answers import slow_positions, slow_probes, slow_shift, slow_sizes, slow_tokens
from slow_attention import Rows, slow_attention, slow_maps, traces
from slow_circuits import slow_circuits
from slow_completions import slow_algorithm, slow_generation, slow_nuclear
from slow_course import slow_course
from slow_examples import slow_examples
from slow_heads import slow_ablation, slow_patching
from slow_runs import slow_embeddings, slow_plateau
from slow_shelf import slow_shelf
from slow_stairs import slow_stairs
from slow_statistics import assert_table
from slow_switching import slow_components, slow_switching
from slow_taxonomy import slow_block_arrays, slow_formation, slow_taxonomy
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.analysis import PASSES, linear_probes
from mcinterp.analysis.registry import COMPARISONS, defined_for
from mcinterp.config import RunConfig
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run, retrain
from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig
from mcinterp.studies.matrix_completion.convert import to_bert
from mcinterp.studies.matrix_completion.passes.nuclear_norm import nuclear_norm
from mcinterp.studies.matrix_completion.passes.position_sensitivity import position_sensitivity

pytestmark = pytest.mark.no_cover

N, SEED = 8, 5
TINY = Path(__file__).parents[1] / "data" / "tiny"
Slow = Callable[..., Mapping[str, Rows]]

SLOW_PASSES: dict[str, Slow] = {
    "attention": slow_attention,
    "taxonomy": slow_taxonomy,
    "ablation": slow_ablation,
    "patching": slow_patching,
    "circuits": slow_circuits,
    "probes": slow_probes,
    "tokens": slow_tokens,
    "positions": slow_positions,
    "shift": slow_shift,
    "algorithm": slow_algorithm,
    "nuclear": slow_nuclear,
    "sizes": slow_sizes,
    "generation": slow_generation,
}
SLOW_COMPARISONS: dict[str, Slow] = {
    "course": slow_course,
    "examples": slow_examples,
    "embeddings": slow_embeddings,
    "plateau": slow_plateau,
    "formation": slow_formation,
    "switching": slow_switching,
    "shelf": slow_shelf,
    "stairs": slow_stairs,
    "components": slow_components,
}
OF_OTHER_TASKS = {
    "oracles": "test_oracles.py: no task of matrices knows algorithms in the form that is asked for",
    "causal-tracing": "test_causal_tracing.py: no task of matrices is one of next tokens",
}
ELSEWHERE = {
    ("nuclear", "solver"): "test_nuclear_pass.py: the solver's own certificates",
    ("nuclear", "regularised", "reference_difference"): "the same",
}
"""What is not computed here, and where it is."""
FEWER: dict[str, Callable[[Checkpoint], Result]] = {
    "probes": lambda checkpoint: linear_probes(checkpoint, 40, N, SEED),
    "positions": lambda checkpoint: position_sensitivity(checkpoint, 3, N, SEED),
    "nuclear": lambda checkpoint: nuclear_norm(checkpoint, N, N, (0.05,), (0.002, 0.05), 4, SEED),
}
"""Passes that are asked for less than by default, for the slow side's sake."""
SAMPLES = {"probes": 40}


def shaken(checkpoint: Checkpoint, size: float) -> Checkpoint:
    """The same with every parameter moved, biases and LayerNorms too, so that leaving one out shows."""
    generator = torch.Generator().manual_seed(11)
    weights = {
        name: weight if "token_type" in name or name == "unembed.b_U" else weight + size * noise
        for name, weight in checkpoint.weights.items()
        for noise in [torch.randn(weight.shape, generator=generator)]
    }
    return replace(checkpoint, weights=weights)


@pytest.fixture(scope="module")
def encoder(random_checkpoint: Checkpoint) -> Checkpoint:
    return shaken(random_checkpoint, 0.2)


@pytest.fixture(scope="module")
def gpt() -> Checkpoint:
    return shaken(Checkpoint.untrained(small_gpt_config(model={"init_std": 0.8}), seed=3), 0.2)


@pytest.fixture(scope="module")
def mixed() -> Checkpoint:
    config = RunConfig(
        task=TaskConfig(rows=5, cols=4, rank=2, v_min=-3.0, v_max=3.0, sizes=((4, 3), (3, 4), (5, 4))),
        model=ModelConfig(n_layers=2, n_heads=3, d_model=12, d_mlp=24, init_std=0.5),
    )
    return Checkpoint.untrained(config, seed=3)


@pytest.fixture(scope="module")
def run(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short run with a few retrainings."""
    path = Path(shutil.copytree(trained_folder, tmp_path_factory.mktemp("numbers") / "run"))
    for component, seed, control in (("positions", 1, False), ("positions", 2, False), ("mlp", 1, True)):
        retrain(path, component, seed=seed, control=control, steps=60, device="cpu")
    return Run(path)


def passed(checkpoint: Checkpoint, name: str) -> Result:
    """A pass's result, with those of the passes it needs."""
    if name in FEWER:
        return FEWER[name](checkpoint)
    needed = [need for need in PASSES[name].needs if need in defined_for(checkpoint.config)]
    return PASSES[name].run(checkpoint, {need: passed(checkpoint, need) for need in needed}, N, SEED)


def assert_same(result: Result, slow: Mapping[str, Rows]) -> None:
    """All tables, but for the columns that are said to be checked elsewhere."""
    left_out = {key[1] for key in ELSEWHERE if key[0] == result.name and len(key) == 2}
    assert set(result.tables) == set(slow) | left_out
    for table, rows in slow.items():
        dropped = [key[2] for key in ELSEWHERE if key[:2] == (result.name, table) and len(key) == 3]
        # Two solvers agree on an optimum to their tolerances.
        tolerances = {"rel": 1e-2, "tiny": 1e-3} if result.name == "nuclear" else {}
        assert_table(result.table(table).drop(columns=dropped), rows, **tolerances)


def test_every_pass_and_comparison_has_a_slow_one() -> None:
    slow = {*SLOW_PASSES, *SLOW_COMPARISONS, *OF_OTHER_TASKS}
    assert slow == {*PASSES, *COMPARISONS}


@pytest.mark.parametrize("name", [name for name in PASSES if name in defined_for(small_config())])
def test_every_number_of_an_encoder(encoder: Checkpoint, name: str) -> None:
    if name == "nuclear":
        # So few masked entries that the minimiser is unique, and another solver finds the same.
        task = encoder.config.task.model_copy(update={"p_mask": 0.1})
        encoder = replace(encoder, config=encoder.config.model_copy(update={"task": task}))
    result = passed(encoder, name)
    assert_same(result, SLOW_PASSES[name](encoder, result, SAMPLES.get(name, N), SEED))


@pytest.mark.parametrize("name", [name for name in PASSES if name in defined_for(small_gpt_config())])
def test_every_number_of_a_gpt(gpt: Checkpoint, name: str) -> None:
    result = passed(gpt, name)
    assert_same(result, SLOW_PASSES[name](gpt, result, N, SEED))


def test_every_number_of_a_model_of_several_sizes(mixed: Checkpoint) -> None:
    result = passed(mixed, "sizes")
    assert_same(result, slow_sizes(mixed, result, N, SEED))


def test_every_number_of_the_taxonomy_where_every_class_is_scored(mixed: Checkpoint) -> None:
    result = passed(mixed, "taxonomy")
    assert not result.facts["unscored"]
    assert_same(result, slow_taxonomy(mixed, result, N, SEED))


@pytest.mark.parametrize("which", ["encoder", "gpt"])
def test_every_cell_of_the_maps(which: str, request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue(which)
    result = passed(checkpoint, "attention")
    assert_same_arrays(result, slow_maps(checkpoint, result, N, SEED))


def test_every_block_of_the_taxonomy(encoder: Checkpoint) -> None:
    result = passed(encoder, "taxonomy")
    slow = slow_block_arrays(encoder, N, SEED)
    assert result.facts["axes"].keys() == slow.keys()
    assert_same_arrays(result, slow)


def assert_same_arrays(result: Result, slow: Mapping[str, np.ndarray]) -> None:
    assert result.arrays.keys() == slow.keys()
    for name, array in slow.items():
        nearly = 1e-2 if name.endswith(("lows", "highs", "_low", "_high")) else 1e-7  # as in assert_table
        np.testing.assert_allclose(result.arrays[name], array, rtol=nearly, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", SLOW_COMPARISONS)
def test_every_number_of_a_run(run: Run, name: str) -> None:
    result = COMPARISONS[name].run(run, run.steps, N, SEED)
    assert_same(result, SLOW_COMPARISONS[name](run, result, N, SEED))


@pytest.mark.parametrize("name", ["course", "examples", "embeddings", "plateau", "formation"])
def test_every_number_of_a_run_with_a_drop(name: str) -> None:
    run = Run(TINY)
    result = COMPARISONS[name].run(run, run.steps, N, SEED)
    assert_same(result, SLOW_COMPARISONS[name](run, result, N, SEED))


@torch.no_grad()
def test_the_slow_encoder_is_hugging_faces(encoder: Checkpoint) -> None:
    bert, read_out = to_bert(encoder.model)
    batch = encoder.sample(N, SEED)
    theirs = bert.double()(batch.inputs, output_attentions=True, output_hidden_states=True)
    answers = read_out.double()(theirs.last_hidden_state)[..., 0]
    for index, trace in enumerate(traces(encoder, batch)):
        assert trace.output == pytest.approx(answers[index].numpy(), abs=1e-9)
        for (layer, head), pattern in trace.patterns.items():
            np.testing.assert_allclose(pattern, theirs.attentions[layer][index, head], atol=1e-9)
        for own, other in zip(trace.resid, theirs.hidden_states, strict=True):
            np.testing.assert_allclose(own, other[index], atol=1e-9)


@torch.no_grad()
def test_the_slow_gpt_is_the_hooked_one(gpt: Checkpoint) -> None:
    """Which test_gpt.py holds against Hugging Face's GPT-2."""
    batch = gpt.sample(N, SEED)
    logits, cache = gpt.gpt.run_with_cache(batch.inputs)
    for index, trace in enumerate(traces(gpt, batch)):
        assert trace.logits == pytest.approx(logits[index].numpy(), abs=1e-4)
        for (layer, head), pattern in trace.patterns.items():
            np.testing.assert_allclose(pattern, cache[f"blocks.{layer}.attn.hook_pattern"][index, head], atol=1e-5)
