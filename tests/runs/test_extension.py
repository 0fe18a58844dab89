"""A run that is extended in place is the run of so many steps from the start."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from small_run import interrupt_at, small_config

from mcinterp.analysis import analyse
from mcinterp.analysis.runner import analysed_steps
from mcinterp.errors import ConfigError
from mcinterp.results import Result
from mcinterp.runs import Run, densify, train
from mcinterp.runs.retrain import retraining
from mcinterp.runs.verify import verify

STEPS = 70


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Seventy steps from the start."""
    return train(tmp_path_factory.mktemp("runs") / "straight", small_config(training={"steps": STEPS}), "cpu")


def assert_same(run: Run, straight: Run) -> None:
    assert run.metrics.drop(columns="seconds").equals(straight.metrics.drop(columns="seconds"))
    common = set(run.steps) & set(straight.steps)
    assert {0, STEPS} <= common
    for step in common:
        assert run.checkpoint(step).digest == straight.checkpoint(step).digest
    states = [safetensors.torch.load_file(each.path / "training-state.safetensors") for each in (run, straight)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_it_is_bit_identical_to_a_longer_run(own_copy: Path, straight: Run) -> None:
    before = Run(own_copy)
    saved = {step: before.checkpoint(step).digest for step in before.steps}
    run = train(own_copy, small_config(training={"steps": STEPS}), "cpu")
    assert run.finished
    assert_same(run, straight)
    assert {step: run.checkpoint(step).digest for step in saved} == saved
    assert run.config.training.extended == (40,)
    assert verify(run) == []
    assert train(own_copy, small_config(training={"steps": STEPS}), "cpu").steps == run.steps
    assert densify(own_copy, 38, 42, 1, "cpu") == [38, 39, 41, 42]
    assert Run(own_copy).checkpoint(39).digest != Run(own_copy).checkpoint(41).digest


def test_twice_and_stopped_on_the_way_it_is_the_same(own_copy: Path, straight: Run) -> None:
    train(own_copy, small_config(training={"steps": 55}), "cpu", interrupt_at(47))
    assert Run(own_copy).steps[-1] == 48
    run = train(own_copy, small_config(training={"steps": STEPS}), "cpu")
    assert run.config.training.extended == (40, 55)
    assert_same(run, straight)
    assert retraining(run, "mlp").training.extended == ()


def test_only_its_own_earlier_lengths_are_its_own(own_copy: Path, straight: Run) -> None:
    config = small_config(training={"steps": STEPS})
    train(own_copy, config, "cpu")
    foreign = small_config(training={"steps": 41})
    assert small_config().hash in Run(own_copy).config.known_as
    assert foreign.hash not in Run(own_copy).config.known_as
    assert straight.config.known_as == {config.hash} == {straight.config.hash}


def test_its_report_goes_on_too(own_copy: Path, tmp_path: Path) -> None:
    analyse(Run(own_copy), tmp_path / "out", [40], ["ablation"], 4)
    run = train(own_copy, small_config(training={"steps": STEPS}), "cpu")
    analyse(run, tmp_path / "out", [40, STEPS], ["ablation"], 4)
    assert analysed_steps(tmp_path / "out") == [40, STEPS]
    told = Result.load(tmp_path / "out" / "data" / "training")
    assert told.facts["config_hash"] == run.config.hash


def test_a_schedule_that_ends_with_the_run_forbids_it(tmp_path: Path) -> None:
    cosine = {"schedule": "cosine", "steps": 10}
    train(tmp_path / "run", small_config(training=cosine), "cpu")
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    sentence = r"^run run cannot be extended from 10 to 20 steps: on a cosine schedule.* --from .*/run$"
    with pytest.raises(ConfigError, match=sentence):
        train(tmp_path / "run", small_config(training={**cosine, "steps": 20}), "cpu")
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before


def test_fewer_steps_other_fields_and_excerpts_are_refused(own_copy: Path) -> None:
    for other in ({"steps": 30}, {"steps": STEPS, "seed": 3}):
        with pytest.raises(ConfigError, match="stands with another configuration"):
            train(own_copy, small_config(training=other), "cpu")
    (own_copy / "excerpt.yaml").write_text("of: short\n")
    with pytest.raises(ConfigError, match="it is an excerpt"):
        train(own_copy, small_config(training={"steps": STEPS}), "cpu")
    assert Run(own_copy).config.training.steps == 40


def test_a_new_run_of_an_extended_ones_configuration_is_no_extended_one(own_copy: Path, tmp_path: Path) -> None:
    extended = train(own_copy, small_config(training={"steps": 45}), "cpu").config
    assert train(tmp_path / "new", extended, "cpu").config.training.extended == ()
