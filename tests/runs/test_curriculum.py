"""A run that begins with another run's weights: all of them train, on a task of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from small_run import interrupt_at, small_config

from mcinterp.cli import main
from mcinterp.config import RunConfig, load_preset
from mcinterp.errors import CheckpointError, ConfigError
from mcinterp.runs import Run, train
from mcinterp.runs.start import further, keep_start

HARDER = {"rank": 2}


def begun(folder: Path, origin: Run, config: RunConfig) -> RunConfig:
    config = further(config, origin)
    keep_start(folder, origin)
    return config


def test_everything_goes_on_from_the_other_runs_weights(own_copy: Path, tmp_path: Path) -> None:
    origin = Run(own_copy)
    config = begun(tmp_path / "harder", origin, small_config(task=HARDER))
    run = train(tmp_path / "harder", config, "cpu")
    donor, first, last = (each.weights for each in (origin.checkpoint("last"), *map(run.checkpoint, ("first", "last"))))
    assert all(torch.equal(donor[name], first[name]) for name in donor)
    still = {name for name in first if torch.equal(first[name], last[name])}
    assert still == {"embed.token_type_embed.W_token_type"}
    assert run.config.task.rank == 2
    assert (run.config.start.step, run.config.start.digest) == (40, origin.checkpoint("last").digest)


def test_it_may_be_stopped_and_goes_on_to_the_last_bit(own_copy: Path, tmp_path: Path) -> None:
    origin, paths = Run(own_copy), [tmp_path / name for name in ("straight", "stopped")]
    configs = [begun(path, origin, small_config(task=HARDER)) for path in paths]
    straight = train(paths[0], configs[0], "cpu")
    assert not train(paths[1], configs[1], "cpu", interrupt_at(17)).finished
    # The run that stands says itself where it began, so that the other run is not needed any more.
    stopped = train(paths[1], Run(paths[1]).config, "cpu")
    a, b = straight.checkpoint("last").weights, stopped.checkpoint("last").weights
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_weights_of_another_shape_are_refused_before_anything_is_written(own_copy: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"run copy: embed\.embed\.W_E is .*the configuration|run copy"):
        begun(tmp_path / "other", Run(own_copy), small_config(task={"v_min": -3.0}))
    assert not (tmp_path / "other").exists()


@pytest.mark.needs_study("identity-mapping")
def test_another_kind_of_model_is_refused_in_a_sentence(own_copy: Path, tmp_path: Path) -> None:
    sentence = r"begins with copy: start: the weights .* of an encoder or transformer, not of a 'linear'"
    with pytest.raises(ConfigError, match=sentence):
        begun(tmp_path / "other", Run(own_copy), load_preset("identity-mapping"))
    assert not (tmp_path / "other").exists()


def test_a_run_that_stands_without_them_is_not_changed(own_copy: Path, tmp_path: Path) -> None:
    config = small_config(task=HARDER)
    train(tmp_path / "fresh", config, "cpu")
    with pytest.raises(ConfigError, match=r"start\.component: None in the run, 'everything' asked for"):
        train(tmp_path / "fresh", begun(tmp_path / "fresh", Run(own_copy), config), "cpu")
    assert not (tmp_path / "fresh" / "start.safetensors").exists()


def test_from_the_command_line(own_copy: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    folder = tmp_path / "harder"
    (own_copy.parent / "harder.yaml").write_text(small_config(task=HARDER).to_yaml())
    words = ["mcinterp", "train", "--config", str(own_copy.parent / "harder.yaml"), "--run", str(folder)]
    monkeypatch.setattr(sys, "argv", [*words, "--from", str(own_copy)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    assert capsys.readouterr().out.strip() == str(folder)
    start = Run(folder).config.start
    assert start is not None
    assert (start.component, start.reinitialised) == ("everything", False)
