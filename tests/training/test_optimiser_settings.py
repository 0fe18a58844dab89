"""Settings of optimisers in a configuration, and what is refused of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from small_linear import linear_config
from two_speeds import TwoSpeeds

from mcinterp.config import parse_config
from mcinterp.declared import Study
from mcinterp.errors import ConfigError
from mcinterp.model.build import build_model
from mcinterp.model.plain import trainable
from mcinterp.runs import Run, load_sweep, train
from mcinterp.training.loop import TrainState


@pytest.mark.usefixtures("two_speeds")
def test_settings_of_its_own_are_hashed_read_and_varied(tmp_path: Path) -> None:
    plain = linear_config(optimiser="two-speeds")
    assert (plain.training.setting("slow"), plain.training.setting("every")) == (0.9, 3)
    other = linear_config(optimiser="two-speeds", optimiser_settings="{slow: 1e-1, every: 2}")
    assert (other.training.setting("slow"), other.training.setting("every")) == (0.1, 2)
    assert other.hash != plain.hash
    assert {other: 1}[parse_config(other.to_yaml(), "again")] == 1
    assert "training.optimiser_settings.slow: None in the run, 0.1 asked for" in plain.differences(other)
    state = TrainState.fresh(trainable(build_model(other)), other.training)
    assert isinstance(state.optimiser, TwoSpeeds)
    assert (state.optimiser.slow, state.optimiser.every, state.optimiser.quick) == (0.1, 2, 0.9)
    (tmp_path / "g.yaml").write_text(
        yaml.safe_dump({"base": plain.model_dump(), "grid": {"training.optimiser_settings.every": [2, 4]}})
    )
    assert [run.config.training.setting("every") for run in load_sweep(tmp_path / "g.yaml").runs] == [2, 4]
    assert load_sweep(tmp_path / "g.yaml").runs[0].name == "every=2"


@pytest.mark.usefixtures("two_speeds")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{optimiser: two-spedes}",
            "optimiser: there is no optimiser 'two-spedes'; did you mean 'two-speeds'?",
        ),
        ("{optimiser: adamv, weight_decay: 1}", "there is no optimiser 'adamv'; did you mean 'ada"),
        ("{optimiser: adamv, optimiser_settings: {a: 1}}", "there is no optimiser 'adamv'"),
        ("{weight_decay: 0.1}", "training: weight_decay is that of optimiser 'adamw' or 'k-adam', got 0.1 for 'adam'"),
        (
            "{optimiser: sgd, weight_decay: 1}",
            "weight_decay is that of optimiser 'adamw' or 'k-adam', got 1.0 for 'sgd'",
        ),
        (
            "{optimiser: two-speeds, beta2: 0.5}",
            "beta2 is that of optimiser 'adam' or 'adamw' or 'sgd', got 0.5 for 'two-speeds'",
        ),
        ("{optimiser_settings: {a: 1}}", "optimiser_settings: a is not a setting of optimiser 'adam'; it has none"),
        (
            "{optimiser: two-speeds, optimiser_settings: {slwo: 1}}",
            "slwo is not a setting of optimiser 'two-speeds'; did you mean 'slow'?",
        ),
        (
            "{optimiser: two-speeds, optimiser_settings: {every: 1.5}}",
            "every must be of type int, as its default 3, got 1.5",
        ),
        (
            "{optimiser: two-speeds, optimiser_settings: {slow: fast}}",
            "slow must be of type float, as its default 0.9, got 'fast'",
        ),
        ("{optimiser: two-speeds, optimiser_settings: {slow: .nan}}", "slow must be at most 1e+30 in size, got nan"),
        ("{optimiser: two-speeds, optimiser_settings: {every: true}}", "every must be of type int"),
        ("{optimiser: two-speeds, optimiser_settings: 3}", "must map settings of the optimiser to values, got 3"),
        ("{optimiser: 3}", "training.optimiser = 3: input should be a valid string"),
        ("{weight_decay: -1, optimiser: adamw}", "training.weight_decay = -1.0: input should be greater than or equal"),
    ],
)
def test_what_an_optimiser_does_not_read_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"training: {text}", "here.yaml")
    assert sentence in str(caught.value)


def test_plain_descent_of_earlier_versions_may_hold_any_decay_rates_of_adam() -> None:
    assert parse_config("training: {optimiser: sgd, beta1: 0.5, beta2: 0.5}", "x").training.beta1 == 0.5


def test_settings_are_varied_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text("base: tiny\ngrid: {training.optimiser_settings: [{}]}")
    with pytest.raises(ConfigError, match=r"training\.optimiser_settings holds several values; vary one of them, as "):
        load_sweep(tmp_path / "g.yaml")


@pytest.mark.usefixtures("two_speeds")
def test_a_run_of_an_optimiser_that_is_not_there_says_so(tmp_path: Path, declare: Callable[[Study], None]) -> None:
    run = train(tmp_path / "run", linear_config(optimiser="two-speeds", steps=2), "cpu")
    declare(Study("for-tests", "", "", "", (), "", ""))
    with pytest.raises(ConfigError, match="there is no optimiser 'two-speeds'; valid: adam, adamw, k-adam, sgd"):
        _ = Run(run.path).config
