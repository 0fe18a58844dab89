"""Trained networks of the ghost study: velocities, outcomes and revivals by definition; the whole study, shortened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mcinterp.config import RunConfig, load_preset, parse_config
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run, train
from mcinterp.studies.ghost_points import fields, networks, revival, study
from mcinterp.studies.ghost_points.config import RecurrentConfig
from mcinterp.studies.ghost_points.limits import zone
from mcinterp.studies.ghost_points.model import RecurrentNetworks
from mcinterp.studies.ghost_points.views import networks as view
from mcinterp.study import Setting, find_study, reproduce
from mcinterp.training import loop
from mcinterp.training.loop import TrainState
from mcinterp.training.transition import find_transition

SHORT = {"RATES": (1e-9, 0.05, 0.1), "GAINS": (2.0, 10.0), "RANKS": (1, 2), "SEEDS": 3, "RANK_RATE": 0.05, "POINTS": 20}
CHANGES = ("steps=120", "learning_rate=0.05", "checkpoints=5", "replay_states=3", "dense_checkpoints=4")


def planted(bias: float) -> dict[str, torch.Tensor]:
    """One unit with n = 2.5 and m = 1: velocity lowest at −1.0317 − bias: bias − 0.9048."""
    return {"m": torch.ones(1, 1, 1), "n": torch.full((1, 1, 1), 2.5), "b": torch.full((1, 1), bias)}


def test_the_velocity_is_what_a_step_of_the_network_adds() -> None:
    config = RecurrentConfig(units=5, alpha=0.2, readout="overlap", gain=2.0)
    model = RecurrentNetworks(config, networks=3, seed=4)
    with torch.no_grad():
        model.b.normal_(generator=torch.Generator().manual_seed(1))
        outputs = model(torch.full((1, 6), 0.7)).double()[0].numpy()
    overlaps = np.log(outputs / (1 - outputs)) / 2 + 1
    weights = model.weights()
    for i in range(3):
        assert fields.way_of(weights, i, 0.7)[0] == pytest.approx(0.7 * float(weights["n"][i].sum()))
        added = 0.2 * fields.velocity_of(weights, i, overlaps[:-1, i])
        np.testing.assert_allclose(np.diff(overlaps[:, i]), added, atol=1e-5)


@pytest.mark.parametrize(
    ("bias", "start", "roots", "rootless", "ghost"),
    [
        (0.88, -1.0, 2, 0, 0),
        (0.9248, -1.0, 0, 1, 1),
        (1.5, -1.0, 0, 1, 0),
        (0.9248, -0.3, 0, 1, 0),
        (-2.0, -1.0, 1, 0, 0),
        (-2.0, 0.0, 0, 0, 0),  # leads back from the start to a root below it
    ],
)
def test_roots_and_ghosts_of_planted_fields(bias: float, start: float, roots: int, rootless: int, ghost: int) -> None:
    looks = fields.looked_at(planted(bias), 0, start)
    assert (looks["roots"], looks["rootless"], looks["ghost"]) == (roots, rootless, ghost)
    if ghost:
        assert looks["lowest"] == pytest.approx(0.02, abs=1e-3)
        assert looks["at"] == pytest.approx(-1.0317 - bias, abs=0.01)
        assert looks["fastest"] == pytest.approx(bias + 0.9048, abs=1e-3)
    if roots:
        root = fields.nearest_root(planted(bias), 0, start)
        assert fields.velocity_of(planted(bias), 0, np.array(root)) == pytest.approx(0, abs=0.02)


def test_outcomes_of_curves_that_are_known() -> None:
    steps = np.arange(400)
    never = np.ones(400)
    learns = np.where(steps < 200, 1.0, 0.05)
    well = np.where(steps < 200, 1.0, 0.005)
    dies = np.where((steps < 200) | (steps > 230), 1.0, 0.2)
    half = np.where(steps < 200, 1.0, 0.45)
    found = networks.outcomes(0.8 * np.stack([never, learns, well, dies, half], axis=1))
    assert {name: there.tolist() for name, there in found.items()} == {
        "dropped": [False, True, True, True, True],
        "learned": [False, True, True, False, False],
        "strictly": [False, False, True, False, False],
        "died": [False, False, False, True, False],
    }


def test_windows_count_networks_and_not_checkpoints() -> None:
    steps = np.arange(400.0)
    drop = find_transition(steps, np.where(steps < 200, 1.0, 0.05) + 0.001 * np.sin(steps))
    none = find_transition(steps, 1 + 0.001 * np.sin(steps))
    free = {"rootless": 1.0, "ghost": 0.0, "lowest": 0.2, "fastest": 1.0}
    ghost = free | {"ghost": 1.0, "lowest": 0.05}
    rooted = free | {"rootless": 0.0, "lowest": 0.0}
    seen = {
        0: {0: rooted, 1: ghost},
        50: {0: ghost, 1: rooted},
        100: {0: free, 1: rooted},
        300: {0: free, 1: free},
        399: {0: free, 1: rooted},
    }
    found = [drop, drop, none]
    rows = {window: fields._window(window, found, seen, 0) for window in fields.WINDOWS}
    assert {row["n"] for row in rows.values()} == {2}
    assert [rows[window]["ghost"] for window in fields.WINDOWS] == [0.5, 0.5, 0, 0, 0]
    assert [rows[window]["rootless"] for window in fields.WINDOWS] == [0.5, 0.5, 0, 1, 0.5]
    assert [rows[window]["checkpoints"] for window in fields.WINDOWS] == [2, 4, 0, 4, 2]
    assert rows["plateau"]["lowest"] == 0.05
    assert rows["after"]["lowest"] == pytest.approx(0.2)
    nothing = fields._window("plateau", [none], {}, 0)
    assert np.isnan(nothing["ghost"])
    assert nothing["n"] == 0


def short(*changes: str) -> RunConfig:
    text = """
    task: {kind: delayed-switch, target: 3, networks: 3}
    model: {architecture: recurrent, units: 6, readout: overlap, gain: 6}
    training: {optimiser: sgd, steps: 20, batch_size: 1, learning_rate: 0.1, checkpoints: 2, dense_checkpoints: 0}
    """
    return parse_config(text, "here.yaml", list(changes))


def test_dead_networks_go_on_as_the_ordinary_training_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revival, "UPDATES", 30)
    monkeypatch.setattr(revival, "LOWER", (6.0, 2.0))
    monkeypatch.setattr(revival, "outcomes", lambda losses: {"died": np.array([True, False, True])})
    run = train(tmp_path / "run", short(), "cpu")
    frame = revival.revival(run).table("revival")
    assert frame["gain"].tolist() == [6.0, 2.0]
    assert frame["n"].tolist() == [2, 2]
    longer = train(tmp_path / "longer", short("training.steps=51"), "cpu")
    outputs = longer.checkpoint("last").model(longer.checkpoint("last").sample(1, 0).inputs)
    right = ((outputs[0] > 0.5) == (torch.arange(6)[:, None] > 2)).double().mean(0)
    assert frame["after"][0] == pytest.approx(float(right[[0, 2]].mean()), abs=1 / 6)
    assert frame["regained"].tolist()[0] == 0.0
    # The gradient of a network alone, from the loss as it is defined.
    expected = []
    for i in (0, 2):
        weights = {name: value[i].double().requires_grad_() for name, value in run.checkpoint("last").weights.items()}
        x, loss = torch.full((6,), -0.3, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for step in range(6):
            x = 0.5 * x + 0.5 * torch.tanh(weights["m"][:, 0] * (weights["n"][:, 0] @ x) + weights["b"])
            loss = loss + (torch.sigmoid(2 * (weights["n"][:, 0] @ x - 1)) - float(step > 2)) ** 2 / 3
        parts = torch.autograd.grad(loss, list(weights.values()))
        expected.append(float(torch.cat([part.flatten() for part in parts]).norm().log10()))
    assert frame["gradient"][1] == pytest.approx(np.mean(expected), abs=1e-4)


def test_without_dead_networks_nothing_is_revived(tmp_path: Path) -> None:
    found = revival.revival(train(tmp_path / "run", short("training.learning_rate=1e-9"), "cpu"))
    assert found.table("revival").empty
    assert view.revival(found, {}).sentences == ["No network died, so that none could be revived."]


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    """A study of few and small networks and of one exact measure."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in SHORT.items():
            monkeypatch.setattr(networks, name, value)
        monkeypatch.setattr(networks, "SEEN", {"training.checkpoints": 6, "training.dense_checkpoints": 0})
        monkeypatch.setattr(study, "MEASURES", {"zone": (zone, 20)})
        monkeypatch.setattr(study, "load_preset", lambda name: preset())
        yield monkeypatch


def preset(*changes: str) -> RunConfig:
    small = ("task.target=3", "model.units=8", *(f"training.{change}" for change in CHANGES))
    return load_preset("delayed-switch", [*small, *changes])


def setting(folder: Path, said: list[str]) -> Setting:
    watch = lambda steps, activity: nullcontext(None)  # noqa: E731
    return Setting("delayed-switch", folder / "run", folder / "out", 1, None, "cpu", said.append, watch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch) -> Path:
    path = tmp_path_factory.mktemp("ghosts")
    said: list[str] = []
    reproduce(find_study("ghost-points"), setting(path, said))
    assert "6 variants: 6 trained, 0 kept" in said
    write_report(path / "out")
    return path


def loaded(folder: Path, name: str) -> Result:
    return Result.load(folder / "out" / "data" / "study" / name)


def test_every_setting_is_trained_and_counted(folder: Path) -> None:
    found = loaded(folder, "networks")
    outcomes = found.table("outcomes")
    assert outcomes["sweep"].tolist() == ["rate"] * 3 + ["gain"] * 2 + ["rank"] * 2
    assert outcomes["n"].unique().tolist() == [3]
    assert outcomes["gain"].isna().tolist() == [False] * 5 + [True] * 2
    assert (outcomes["learned_low"] <= outcomes["learned"]).all()
    assert found.arrays["loss"].shape[:2] == (3, 3)
    reference = Run(folder / "run" / "variants" / "reference")
    assert np.array_equal(
        found.arrays["loss"][1, 0], reference.metrics["loss_1"].to_numpy()[found.arrays["update"].astype(int)]
    )
    # The first of the reference is the preset's own network.
    own = Run(folder / "run").metrics["switch_loss"]
    np.testing.assert_allclose(reference.metrics["loss_1"], own, atol=1e-5)


def test_the_same_call_keeps_what_stands(folder: Path) -> None:
    said: list[str] = []
    before = loaded(folder, "claims").table("findings")
    again = reproduce(find_study("ghost-points"), setting(folder, said))
    assert "6 variants: 0 trained, 6 kept" in said
    assert again.table("findings").equals(before.fillna({"control": "", "control_text": ""}))


def test_the_pages_show_the_networks(folder: Path) -> None:
    index = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "Of 13 claims" in index
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for anchor in ("networks", "fields", "revival"):
        assert f'id="{anchor}"' in page
    assert "Share of 3 networks that has learned in the end, by learning rate" in page
    assert ">nan" not in page


def test_of_untrained_networks_no_claim_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting of the study, by the ordinary trainer, but without its updates."""

    def counted(state: TrainState, *others: object) -> None:
        state.step += 1

    monkeypatch.setattr(loop, "_update", counted)
    monkeypatch.setattr(networks, "SEEDS", 6)
    monkeypatch.setattr(networks, "SEEN", {"training.checkpoints": 4, "training.dense_checkpoints": 0})
    monkeypatch.setattr(study, "MEASURES", {"zone": (zone, 20)})
    small = ["model.units=8", "training.steps=60", "training.checkpoints=3", "training.replay_states=1"]
    monkeypatch.setattr(study, "load_preset", lambda name: load_preset(name, small))
    reproduce(find_study("ghost-points"), setting(tmp_path, []))
    claims = loaded(tmp_path, "claims").table("claims").set_index("claim")["verdict"]
    assert len(claims.loc["networks learn in a drop":]) == 6
    assert "holds" not in set(claims.loc["networks learn in a drop":])
    assert not loaded(tmp_path, "networks").table("outcomes")["learned"].any()
    write_report(tmp_path / "out")
    assert "none could be revived" in (tmp_path / "out" / "paper.html").read_text(encoding="utf-8")


def test_the_sentences_read_right_where_the_numbers_are_others(folder: Path) -> None:
    found = loaded(folder, "networks")
    frame = found.table("outcomes").assign(died=0.0, learned=[0, 1, 0.5, 1, 0, 0, 1])
    said = view.networks(
        replace(found, tables=found.tables | {"outcomes": table(found, "outcomes", frame)}), {}
    ).sentences
    assert said[0] == (
        "Share of 3 networks that has learned in the end, by learning rate — 1e-09: 0%, 0.05: 100%, 0.1: 50%; none had "
        "dropped and died."
    )
    velocity = loaded(folder, "fields")
    none = velocity.table("windows").assign(n=0)
    section = view.fields(replace(velocity, tables=velocity.tables | {"windows": table(velocity, "windows", none)}), {})
    assert section.sentences == ["No network has a drop, so that there is no before and after."]
    some = velocity.table("windows").assign(n=4, checkpoints=9, rootless=0.5, ghost=0.25, lowest=np.nan)
    section = view.fields(replace(velocity, tables=velocity.tables | {"windows": table(velocity, "windows", some)}), {})
    assert section.sentences[1].startswith("Share with a ghost, a speed near zero inside such a way: 25% before")
    assert len(section.sentences) == 3


def table(result: Result, name: str, frame: object) -> Table:
    return Table(frame, result.tables[name].columns)
