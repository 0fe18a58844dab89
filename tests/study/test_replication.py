"""A replication from training to its page: resumed seed by seed, and with seeds that fail."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forged_evidence import evidence
from small_run import interrupt_at, small_config

from mcinterp.config import RunConfig, load_preset
from mcinterp.declared import Study
from mcinterp.errors import ConfigError, StoppedError, TrainingError, UsageError
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.runs.train import Progress
from mcinterp.studies.matrix_completion.claims import matrix_claims
from mcinterp.study import Claim, Evidence, Finding, Rule, Setting, find_study, replicate, replication
from mcinterp.study.replication import replicated
from mcinterp.study.trained import changed, keep, train_preset, train_variants

CHANGES: dict[str, Any] = {"training.dense_checkpoints": 0, "training.seed": 3}
RATE = {"training.learning_rate": 1e30}
"""At which the loss diverges."""


def preset(name: str) -> RunConfig:
    return changed(small_config(), CHANGES)


def measure(setting: Setting) -> dict[str, Result]:
    """The loss in the end of a run, and of one that varies it."""
    run = train_preset(setting, preset(setting.preset))
    other = changed(run.config, {"training.seed": run.config.training.seed + 1})
    variant = train_variants(setting, run, {"other": other})["other"]
    return keep(setting, compared(own=run, other=variant), run=run.name)


def compared(**runs: Run) -> Result:
    rows = [{"run": name, "loss": run.metrics["loss"].iloc[-1]} for name, run in runs.items()]
    return Result("losses", "Losses", {}, tables={"losses": Table.of({"run": "which", "loss": "in the end"}, rows)})


def losses(evidence: Evidence) -> tuple[Claim, ...]:
    own, other = (evidence.number("study/losses", "losses", "loss", run=name) for name in ("own", "other"))
    findings = (
        Finding("loss in the end", own, Rule(low=0.0), "study/losses"),
        Finding("of another seed", other, Rule(high=0.0), "study/losses"),
    )
    return (Claim("positive", "Losses are positive.", "by definition", findings[:1]), Claim("n", "No.", "–", findings))


STUDY = Study("losses", "Losses", "nowhere", "mcinterp", ("small", "none"), measure, losses, alone=("none",), seeds=2)


@pytest.fixture(autouse=True)
def small_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "load_preset", preset)


def setting(folder: Path, said: list[str], jobs: int = 1) -> Setting:
    return Setting(
        "small", folder / "runs", folder / "out", jobs, 8, "cpu", said.append, lambda steps, activity: nullcontext(None)
    )


def stopping(folder: Path, said: list[str], when: str) -> Setting:
    """Ctrl-C in the training of which this is told."""

    @contextmanager
    def watch(steps: int, activity: str) -> Iterator[Progress]:
        said.append(activity)
        yield interrupt_at(10) if activity == when else interrupt_at()

    return replace(setting(folder, said), watch=watch)


def test_seeds_lie_so_far_apart_that_none_is_used_twice() -> None:
    configs = replicated(STUDY, "small", 3)
    assert {seed: config.training.seed for seed, config in configs.items()} == {3: 3, 5: 5, 7: 7}
    assert [len(config.differences(preset("small"))) for config in configs.values()] == [0, 1, 1]


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("matrix-completion", 1),
        pytest.param("ghost-points", 20, marks=pytest.mark.needs_study("ghost-points")),
        pytest.param("identity-mapping", 5, marks=pytest.mark.needs_study("identity-mapping")),
    ],
)
def test_seeds_of_the_studies_that_come_with_it(name: str, apart: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "load_preset", load_preset)
    study = find_study(name)
    configs = replicated(study, study.presets[0], 3)
    assert list(configs) == [0, apart, 2 * apart]
    assert configs[0] == load_preset(study.presets[0])
    assert configs[apart] == load_preset(study.presets[0], [f"training.seed={apart}"])


@pytest.mark.parametrize(
    ("preset", "seeds", "sentence"),
    [
        ("none", 2, "preset none of study losses trains nothing that a seed could change"),
        ("smal", 2, "has no preset 'smal'; did you mean 'small'"),
        ("small", 0, "at least one seed, got 0"),
        ("small", -3, "at least one seed, got -3"),
    ],
)
def test_what_cannot_be_replicated_is_refused(preset: str, seeds: int, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        replicate(STUDY, replace(setting(tmp_path, []), preset=preset), seeds)
    assert not list(tmp_path.iterdir())


def test_a_replication_stands_as_its_runs_do(tmp_path: Path) -> None:
    said: list[str] = []
    decided: list[str] = []
    found = replicate(STUDY, setting(tmp_path, said), 2, lambda one: decided.append(one.out.name))
    assert decided == ["seed-3", "seed-5"]
    runs = [Run(tmp_path / "runs" / name) for name in decided]
    assert [run.config.training.seed for run in runs] == [3, 5]
    assert [Run(run.path / "variants" / "other").config.training.seed for run in runs] == [4, 6]
    values = found.table("values")
    ends = [run.metrics["loss"].iloc[-1] for run in runs]
    assert values[values["claim"] == "positive"]["value"].tolist() == ends
    assert found.table("claims")["holds"].tolist() == [2, 0]
    assert found.table("claims")["does_not_hold"].tolist() == [0, 2]
    stored = Result.load(tmp_path / "out" / "data" / "replication")
    assert stored.table("values")["value"].tolist() == values["value"].tolist()
    assert stored.provenance["configs"] == {str(run.config.training.seed): run.config.hash for run in runs}
    assert any(line.startswith("seed 5: other: finished") for line in said)
    said.clear()
    again = replicate(STUDY, setting(tmp_path, said), 3)
    assert again.table("seeds")["seed"].tolist() == [3, 5, 7]
    assert [line for line in said if "other: finished" in line] == ["seed 7: other: finished"]


def test_a_stopped_replication_goes_on_at_the_seed_that_was_stopped(tmp_path: Path) -> None:
    said: list[str] = []
    decided: list[int | None] = []
    with pytest.raises(StoppedError, match="stopped at step"):
        replicate(STUDY, stopping(tmp_path, said, "seed 5: training"), 2, lambda one: decided.append(one.seed))
    assert decided == [3]
    assert not (tmp_path / "out" / "data").exists()
    assert not Run(tmp_path / "runs" / "seed-5").finished
    first = (tmp_path / "runs" / "seed-3" / "metrics.csv").read_bytes()
    found = replicate(STUDY, setting(tmp_path, said), 2)
    assert (tmp_path / "runs" / "seed-3" / "metrics.csv").read_bytes() == first
    assert "seed 3: 1 variants: 0 trained, 1 kept" in said
    whole = replicate(STUDY, setting(tmp_path / "whole", []), 2)
    assert found.table("values").equals(whole.table("values"))


def test_ctrl_c_while_variants_are_trained_stops_all_seeds(tmp_path: Path) -> None:
    def told(line: str) -> None:
        if line.startswith("seed 3: first"):
            os.kill(os.getpid(), signal.SIGINT)

    def interrupted(setting: Setting) -> dict[str, Result]:
        run = train_preset(setting, preset("small"))
        configs = {name: changed(run.config, {"training.seed": 90 + i}) for i, name in enumerate(("first", "second"))}
        train_variants(setting, run, configs)
        return {}

    one = replace(setting(tmp_path, []), tell=told)
    with pytest.raises(StoppedError, match=r"runs are not finished \(second\)"):
        replicate(replace(STUDY, measure=interrupted), one, 2)
    assert not (tmp_path / "runs" / "seed-5").exists()


def test_ctrl_c_while_runs_are_trained_first_stops_all_seeds(tmp_path: Path) -> None:
    def told(line: str) -> None:
        if line == "training seed-3: finished":
            os.kill(os.getpid(), signal.SIGINT)

    # One job, so that the second training has not begun; what several do is the same.
    one = replace(setting(tmp_path, []), tell=told)
    with pytest.raises(StoppedError, match="training was stopped"):
        replication._trained(one, replicated(STUDY, "small", 2))
    assert Run(tmp_path / "runs" / "seed-3").finished
    assert not (tmp_path / "runs" / "seed-5").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_training_that_fails_costs_no_other_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    """The loss of seed 5 diverges, by a learning rate of its own."""

    def diverging(study: Study, name: str, seeds: int) -> dict[int, RunConfig]:
        configs = replicated(study, name, seeds)
        return configs | {5: changed(configs[5], RATE)}

    def measured(setting: Setting) -> dict[str, Result]:
        config = changed(preset("small"), RATE if setting.seed == 5 else {})
        run = train_preset(setting, config)
        return keep(setting, compared(own=run))

    monkeypatch.setattr(replication, "replicated", diverging)
    said: list[str] = []
    found = replicate(replace(STUDY, measure=measured), setting(tmp_path, said, jobs), 3)
    states = found.table("seeds")
    assert states["state"].tolist() == ["decided", "failed", "decided"]
    assert "the loss" in states["why"][1]
    assert found.table("claims")[["holds", "undecided"]].to_numpy().tolist()[0] == [2, 1]
    assert [line for line in said if "failed" in line and line.startswith(("seed 5 ", "training seed-5"))]


def test_where_every_seed_fails_there_is_no_page(tmp_path: Path) -> None:
    def failing(setting: Setting) -> dict[str, Result]:
        raise TrainingError(f"the loss of {setting.seed} diverged")

    sentence = "no seed could be carried out .seed 3: the loss of 3 diverged; seed 5: the loss of 5 diverged"
    with pytest.raises(TrainingError, match=sentence):
        replicate(replace(STUDY, measure=failing), setting(tmp_path, []), 2)


def test_a_run_of_other_settings_is_not_replicated_over(tmp_path: Path) -> None:
    replicate(STUDY, setting(tmp_path, []), 1)
    other = replace(STUDY, measure=lambda one: train_preset(one, changed(preset("small"), {"training.steps": 30})))
    with pytest.raises(ConfigError, match=r"training\.steps"):
        replicate(other, setting(tmp_path, []), 1)


def test_the_command_prints_shares_and_the_page(
    cli: Callable[..., tuple[int, str, str]], declare: Callable[[Study], None], tmp_path: Path
) -> None:
    declare(STUDY)
    words = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--device", "cpu"]
    code, out, err = cli("reproduce", "losses", "--seeds", "2", *words)
    assert (code, out.splitlines()) == (
        0,
        [
            "positive  holds in 2 of 2 seeds  1.00 [0.16, 1.00]  over seeds: undecided",
            "n         holds in 0 of 2 seeds  0.00 [0.00, 0.84]  over seeds: undecided",
            str(tmp_path / "out" / "index.html"),
        ],
    )
    assert "seed 5: training: step 40/40" in err
    assert Run(tmp_path / "run-seeds" / "seed-5").finished
    for page in ("index.html", "seed-3/paper.html", "seed-5/index.html"):
        assert (tmp_path / "out" / page).is_file()


def test_the_command_ends_with_1_where_a_seed_failed(
    cli: Callable[..., tuple[int, str, str]],
    declare: Callable[[Study], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(setting: Setting) -> dict[str, Result]:
        if setting.seed == 5:
            raise TrainingError("the loss diverged")
        return measure(setting)

    monkeypatch.chdir(tmp_path)
    declare(replace(STUDY, measure=failing))
    code, out, err = cli("reproduce", "losses", "--seeds", "2", "--device", "cpu")
    assert (code, out.splitlines()[0]) == (
        1,
        "positive  holds in 1 of 2 seeds  0.50 [0.01, 0.99]  over seeds: undecided",
    )
    assert "seed 5 failed: the loss diverged" in err
    assert Run(tmp_path / "checkpoints" / "small-seeds" / "seed-3").finished
    page = (tmp_path / "reports" / "small-seeds" / "index.html").read_text(encoding="utf-8")
    assert "Seed 5 failed, and counts as undecided: the loss diverged" in page


def test_what_is_measured_is_called_the_same_in_every_seed() -> None:
    """Findings of several seeds are matched by their words, which hold no number of one of them."""
    with_results, without = matrix_claims(evidence()), matrix_claims(Evidence({}))
    for one, other in zip(with_results, without, strict=True):
        assert [(f.text, f.rule) for f in one.findings] == [(f.text, f.rule) for f in other.findings]
