"""Heads, masks, steps and components as people write them: what is meant, or one sentence about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from near_valid import changed_text, junk

from mcinterp.errors import CheckpointError, InputError, McinterpError, UsageError, nearest_name
from mcinterp.model import Head, HeadSet
from mcinterp.model.components import Component
from mcinterp.runs import Checkpoint, Run
from mcinterp.runs.checkpoint import LARGEST_SEED
from mcinterp.runs.device import resolve_device
from mcinterp.studies.matrix_completion.head_scores import CLASSES
from mcinterp.studies.matrix_completion.task.masks import observed_mask

LONG = "9" * 5000
HEADS = ["all", "none", "layer:1", "L1H0,L0H1", " L0H0 , L1H1 ", *CLASSES]
MASKS = ["none", "rows:3,4", "cols:0,2", "block:1-3,2-4", "checkerboard", "one-per-row"]
MASKS += ["masked-rows:2@1,4@3", "column-run:2@0-4"]
COMPONENTS = ["none", "everything", "mlp", "mlp:1", "layer:0", "mlp+read-out", "everything-but:attention"]
COMPONENTS += ["attention-qkv", "tokens", "positions", "layer-norms"]


def one_sentence(error: McinterpError) -> str:
    text = str(error)
    assert text.strip()
    assert "\n" not in text
    assert len(text) < 1000
    return text


@settings(max_examples=400)
@given(changed_text(HEADS, [",", ":", "H", "L", LONG, "²", "-", "1"]))
@example(f"L{LONG}H0")
@example(f"layer:{LONG}")
def test_heads_are_read_or_refused(text: str) -> None:
    classes = {name: [Head(0, 1)] for name in CLASSES}
    try:
        heads = HeadSet.parse(text, 2, 2, classes)
    except InputError as error:
        one_sentence(error)
        return
    assert set(heads) <= {Head(layer, head) for layer in range(2) for head in range(2)}
    assert list(heads) == sorted(set(heads))
    assert HeadSet.parse(f" {text} ", 2, 2, classes) == heads


@settings(max_examples=400)
@given(changed_text(MASKS, ["@", "-", ",", ":", "0", LONG, "²", " "]), st.integers(1, 6), st.integers(1, 6))
@example(f"rows:{LONG}", 5, 5)
@example("masked-rows:2@1,2@3", 5, 5)
def test_masks_are_drawn_or_refused(name: str, rows: int, cols: int) -> None:
    try:
        observed = observed_mask(name, rows, cols)
    except InputError as error:
        one_sentence(error)
        return
    assert observed.shape == (rows, cols)
    assert observed.dtype == torch.bool


def test_a_row_that_is_named_twice_is_refused() -> None:
    with pytest.raises(InputError, match="row 2 is given twice"):
        observed_mask("masked-rows:2@1,2@3", 5, 5)


@settings(max_examples=200)
@given(junk.filter(lambda value: not isinstance(value, str)))
@example(np.zeros((2, 3)))
@example(np.array([["a", "b", "c"]] * 2))
@example(torch.zeros(2, 3))
@example([[True], [True, False]])
@example([[True, False, None]] * 2)
def test_masks_drawn_by_hand_are_taken_or_refused(mask: Any) -> None:
    with pytest.raises(InputError) as caught:
        observed_mask(mask, 2, 3)
    one_sentence(caught.value)


@settings(max_examples=200)
@given(changed_text(COMPONENTS, ["+", ":", "0", LONG, "everything-but:"]))
def test_components_are_read_or_refused(parameters: list[str], text: str) -> None:
    try:
        component = Component.parse(text, parameters)
    except InputError as error:
        one_sentence(error)
        return
    assert set(component.parameters) <= set(parameters)


@pytest.fixture(scope="module")
def parameters(trained_folder: Path) -> list[str]:
    return list(Run(trained_folder).checkpoint("last").weights)


@settings(max_examples=300)
@given(changed_text(["auto", "all", "first", "last", "0", "0,last", "40,0", "first,last"], [",", LONG, "²", "-", " "]))
@example("all,0")
@example(LONG)
def test_steps_are_chosen_or_refused(trained_folder: Path, text: str) -> None:
    run = Run(trained_folder)
    try:
        steps = run.select_steps(text)
    except (UsageError, CheckpointError) as error:
        one_sentence(error)
        return
    assert steps == sorted(set(steps))
    assert set(steps) <= set(run.steps)
    assert steps


@settings(max_examples=100)
@given(junk)
@example("40")
def test_a_step_is_opened_or_refused(trained_folder: Path, step: Any) -> None:
    try:
        assert Run(trained_folder).checkpoint(step).step in Run(trained_folder).steps
    except (UsageError, CheckpointError) as error:
        one_sentence(error)


@settings(max_examples=150)
@given(junk, junk)
@example(10**30, 0)
@example(2, 2**63 - 1)
@example(2, -1)
def test_a_batch_is_drawn_or_refused(trained_folder: Path, n: Any, seed: Any) -> None:
    checkpoint = Run(trained_folder).checkpoint("last")
    try:
        batch = checkpoint.sample(n, seed)
    except InputError as error:
        one_sentence(error)
        return
    assert len(batch) == n
    assert 0 <= seed <= LARGEST_SEED + 1


@settings(max_examples=150)
@given(
    changed_text(
        ["cpu", "cuda", "cuda:0", "mps", "meta", "auto", "xpu", "privateuseone", "mkldnn", "xla"],
        [":", "0", LONG, "\udcff"],
    )
)
@example("meta")
@example("\udcff")
@example("")
def test_a_device_is_there_or_refused(name: str) -> None:
    try:
        device = resolve_device(name)
    except InputError as error:
        one_sentence(error)
        return
    assert (torch.ones(2, device=device) + 1).sum().item() == 4


@given(st.text(max_size=12))
def test_the_nearest_name_never_fails(name: str) -> None:
    assert nearest_name(name, ["attention", "probes"]).startswith("; ")


@pytest.mark.parametrize("name", ["ATTENTION", "Attention", " attention", "attentoin"])
def test_the_nearest_name_is_found_in_any_case(name: str) -> None:
    assert nearest_name(name, ["attention", "probes"]) == "; did you mean 'attention'?"


@pytest.mark.parametrize("samples", [0, 1, -3, 2.5, "8", None])
def test_a_checkpoint_gives_no_batch_of_a_strange_size(samples: Any, trained_folder: Path) -> None:
    if samples != 1:
        with pytest.raises(InputError, match="samples must be a whole number, at least 1"):
            Run(trained_folder).checkpoint("last").sample(samples)
    else:
        assert len(Checkpoint.sample(Run(trained_folder).checkpoint("last"), 1)) == 1
