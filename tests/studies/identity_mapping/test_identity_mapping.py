"""Linear networks against closed forms, and what the study says of networks that learn and of those that do not."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import torch

from mcinterp.cli import main
from mcinterp.config import load_preset
from mcinterp.errors import InputError
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.identity_mapping import equations as exact
from mcinterp.studies.identity_mapping import runs, study, views
from mcinterp.studies.identity_mapping.claims import identity_claims
from mcinterp.studies.identity_mapping.config import IdentityConfig, LinearConfig
from mcinterp.studies.identity_mapping.equations import descended, equations, learned_after, rise_of
from mcinterp.studies.identity_mapping.model import LinearNetwork
from mcinterp.studies.identity_mapping.task import IdentityMapping
from mcinterp.study import Evidence, Setting, find_study, reproduce

TASK = IdentityConfig()


def test_samples_have_the_second_moment_that_the_rates_say() -> None:
    config = IdentityConfig(signals=(1.0, 2.0, 0.5), noise=(0.5, 0.1, 2.0))
    batch = IdentityMapping(config).draw(200_000, torch.Generator().manual_seed(0))
    points = batch.inputs[:-1].double()
    moment = (points.T @ points / len(points)).numpy()
    np.testing.assert_allclose(np.diag(moment), config.rates, rtol=0.02)
    assert np.abs(moment - np.diag(np.diag(moment))).max() < 0.02
    assert batch.inputs[-1].tolist() == [1.0, 2.0, 0.5]


def test_loss_leaves_the_test_point_out_and_scores_are_of_it_alone() -> None:
    task = IdentityMapping(TASK)
    batch = task.draw(4, torch.Generator().manual_seed(0))
    output = batch.targets.clone()
    output[-1] = torch.tensor([0.5, 1.0])
    assert task.loss(output, batch) == 0
    scores = task.scores(output, batch)
    assert {name: value.item() for name, value in scores.items()} == {
        "ood_loss": 0.625,
        "learned_1": 0.5,
        "learned_2": 0.5,
    }
    output[0] += torch.tensor([3.0, 4.0])
    assert task.loss(output, batch).item() == pytest.approx(0.5 * 25 / 4)


@pytest.mark.parametrize(("layers", "symmetric"), [(1, False), (2, True), (2, False), (4, False)])
def test_networks_of_any_depth_begin_as_the_same_function(layers: int, symmetric: bool) -> None:
    config = LinearConfig(layers=layers, symmetric=symmetric, diagonal=0.02, correlation=0.9)
    weights = LinearNetwork(config, 3).matrix()
    expected = 0.02 * (0.1 * torch.eye(3) + 0.9)
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)


def test_noise_of_the_beginning_is_the_seeds_and_impossible_beginnings_are_refused() -> None:
    noisy = LinearConfig(layers=3, init_std=0.1)
    first, again, other = (LinearNetwork(noisy, 2, seed).matrix() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(InputError, match="must be at least −1/"):
        LinearNetwork(LinearConfig(layers=2, diagonal=0.1, correlation=-0.9), 3)


def test_gradient_descent_of_one_layer_is_its_closed_form() -> None:
    weights, moment = np.zeros((2, 2)), np.diag(TASK.rates)
    for _ in range(70):
        weights = weights - 0.03 * (weights - np.eye(2)) @ moment
    np.testing.assert_allclose(np.diag(weights), learned_after(TASK.rates, np.array([70.0]), 0.03)[0], rtol=1e-12)


def test_the_gradient_is_that_of_the_loss() -> None:
    factor = torch.tensor([[0.3, -0.2], [0.5, 0.7]], dtype=torch.float64, requires_grad=True)
    moment = torch.diag(torch.tensor(TASK.rates, dtype=torch.float64))
    error = factor @ factor.T - torch.eye(2)
    (0.5 * (error @ moment @ error.T).trace()).backward()
    assert factor.grad is not None
    np.testing.assert_allclose(
        -factor.grad.numpy(), exact._downhill(factor.detach().numpy(), moment.numpy()), rtol=1e-12
    )


@pytest.fixture(scope="module")
def solved() -> Result:
    return equations(TASK)


def test_the_flow_swings_as_an_independent_solver_says(solved: Result) -> None:
    moment, point = np.diag(TASK.rates), np.array([1.0, 2.0])

    def flow(_: float, flat: np.ndarray) -> np.ndarray:
        factor = flat.reshape(2, 2)
        gradient = (factor @ factor.T - np.eye(2)) @ moment
        return -((gradient + gradient.T) @ factor).ravel()

    two = solved.table("two_layers").set_index(["diagonal", "correlation"])
    for diagonal, correlation, known in ((0.02, 0.9, 0.0382), (0.02, 0.99, 0.0787), (0.1, 0.99, 0.1507)):
        values, vectors = np.linalg.eigh(diagonal * np.array([[1, correlation], [correlation, 1]]))
        start = vectors @ np.diag(np.sqrt(values)) @ vectors.T
        path = scipy.integrate.solve_ivp(flow, (0, 15), start.ravel(), rtol=1e-10, atol=1e-12, max_step=0.01).y
        factors = path.T.reshape(-1, 2, 2)
        errors = (factors @ factors.transpose(0, 2, 1) - np.eye(2)) @ point
        rise = rise_of(0.5 * np.square(errors).sum(1))
        assert two.loc[(diagonal, correlation), "rise"] == pytest.approx(rise, rel=1e-3)
        assert rise == pytest.approx(known, abs=1e-4)


def test_without_positive_correlation_nothing_rises_at_all(solved: Result) -> None:
    two = solved.table("two_layers")
    assert (two[two["correlation"] <= 0]["rise"] == 0.0).all()
    assert (two["training_rises"] == 0).all()
    assert two[two["correlation"] == 0]["deviation"].max() < 1e-8
    assert solved.facts["one_layer_deviation"] < 1e-9


def test_a_coarse_step_of_descent_swings_more_than_the_flow(solved: Result) -> None:
    model = LinearConfig(layers=2, symmetric=True, diagonal=0.02, correlation=0.99)
    assert rise_of(descended(TASK, model, 0.005, 4000)) == pytest.approx(0.080, abs=5e-4)
    assert rise_of(descended(TASK, model, 0.0005, 40_000)) == pytest.approx(0.0788, abs=2e-4)


def test_a_rise_is_measured_from_the_lowest_value_before() -> None:
    assert rise_of(np.array([4.0, 1.0, 3.0, 0.5, 1.5])) == 0.5
    assert rise_of(np.array([4.0, 3.0, 3.0, 0.0])) == 0.0


def setting(folder: Path, said: list[str]) -> Setting:
    return Setting(
        "identity-mapping", folder / "run", folder / "out", 1, None, "cpu", said.append, lambda _, __: nullcontext(None)
    )


def of(monkeypatch: pytest.MonkeyPatch, **training: object) -> None:
    """Let the study train with fewer seeds and other settings of training."""
    changes = [f"training.{name}={value}" for name, value in training.items()]
    monkeypatch.setattr(study, "load_preset", lambda name: load_preset(name, changes))
    monkeypatch.setattr(runs, "SEEDS", 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        of(monkeypatch, steps=400, batch_size=512, learning_rate=0.02)
        path = tmp_path_factory.mktemp("identity")
        reproduce(find_study("identity-mapping"), setting(path, []))
        write_report(path / "out")
    return path


def test_every_claim_holds_of_trained_networks(folder: Path) -> None:
    claims = Result.load(folder / "out" / "data" / "study" / "claims").table("claims")
    assert claims["verdict"].tolist() == ["holds"] * 4


def test_the_same_call_keeps_what_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of(monkeypatch, steps=400, batch_size=512, learning_rate=0.02)
    said: list[str] = []
    before = Result.load(folder / "out" / "data" / "study" / "claims").table("findings")
    again = reproduce(find_study("identity-mapping"), setting(folder, said))
    assert said[-1] == "19 variants: 0 trained, 19 kept"
    assert again.table("findings").equals(before.fillna({"control": "", "control_text": ""}))


def test_the_pages_show_curves_claims_and_numbers(folder: Path) -> None:
    index = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "Of 4 claims, 4 hold." in index
    assert '"name":"loss at the test point"' in index
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for anchor in ("equations", "networks"):
        assert f'id="{anchor}"' in page
        assert f'href="#{anchor}"' in page
    assert (
        "most by 0.151 of its beginning (diagonal 0.100, correlation 0.990). Without a positive correlation it never"
        in page
    )
    assert "concept 1, closed form" in page
    assert "which a smaller model does not have" not in page
    assert "nan" not in page.lower().replace("nanmean", "")


def test_of_networks_that_learn_nothing_no_claim_about_learning_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of(monkeypatch, steps=20, learning_rate=1e-9)
    claims = reproduce(find_study("identity-mapping"), setting(tmp_path, []))
    verdicts = claims.table("claims").set_index("claim")["verdict"]
    # What is left is about the equations, which are no model.
    assert verdicts[verdicts == "holds"].index.tolist() == ["no swing without correlation"]
    trained = claims.table("findings")
    assert "holds" not in set(trained[trained["evidence"] == "study/networks"]["verdict"])
    write_report(tmp_path / "out")
    assert "nan" not in (tmp_path / "out" / "paper.html").read_text(encoding="utf-8").lower()


def forged(folder: Path, table: str, changes: dict[str, object], **equal: object) -> dict[str, str]:
    """Verdicts where some cells of a table are others."""
    data = folder / "out" / "data" / "study"
    results = {f"study/{name}": Result.load(data / name) for name in ("equations", "networks")}
    key = "study/equations" if table == "two_layers" else "study/networks"
    frame = results[key].table(table).copy()
    chosen = np.ones(len(frame), dtype=bool)
    for column, value in equal.items():
        chosen &= (frame[column] == value).to_numpy()
    assert chosen.any()
    for column, value in changes.items():
        frame.loc[chosen, column] = value
    tables = {**results[key].tables, table: Table(frame, results[key].tables[table].columns)}
    results[key] = Result(key, "", {}, results[key].facts, tables)
    return {claim.name: claim.verdict for claim in identity_claims(Evidence(results))}


def ends(name: str, value: float) -> dict[str, object]:
    return {name: value, f"{name}_low": value - 0.01, f"{name}_high": value + 0.01}


ONE, WIDE, EQUAL = "one layer", "one layer, more noise along the weaker concept", "one layer, equal signals"
TWO, UNCORRELATED = "two layers, correlated", "two layers, uncorrelated"


@pytest.mark.parametrize(
    ("claim", "verdict", "table", "changes", "equal"),
    [
        ("rates", "does not hold", "rates", ends("share", 1.3), {"setting": ONE, "concept": 2}),
        ("rates", "undecided", "rates", ends("share", 1.1), {"setting": WIDE, "concept": 1}),
        ("order", "does not hold", "order", ends("measured", -0.5), {"setting": ONE}),
        ("order", "does not hold", "order", ends("measured", 0.3), {"setting": WIDE}),
        ("order", "undecided", "order", ends("measured", 0.3), {"setting": EQUAL}),
        ("swing-by", "does not hold", "swing", ends("rise", 0.0), {"setting": TWO}),
        ("swing-by", "does not hold", "swing", ends("loss_change", 0.2), {"setting": TWO}),
        ("swing-by", "undecided", "swing", ends("rise", 0.05), {"setting": UNCORRELATED}),
        ("swing-by", "does not hold", "two_layers", {"training_rises": 1}, {"diagonal": 0.1, "correlation": 0.9}),
        ("swing-by", "undecided", "two_layers", {"rise": 1e-9}, {"diagonal": 0.02, "correlation": 0.0}),
        ("no swing without correlation", "does not hold", "two_layers", {"rise": 1e-9}, {"correlation": -0.5}),
        ("no swing without correlation", "does not hold", "two_layers", {"deviation": 1e-3}, {"correlation": 0.0}),
    ],
)
def test_forged_numbers_change_the_verdict(
    folder: Path, claim: str, verdict: str, table: str, changes: dict[str, object], equal: dict[str, object]
) -> None:
    assert forged(folder, table, changes, **equal)[claim] == verdict


def test_without_results_nothing_is_decided() -> None:
    assert {claim.verdict for claim in identity_claims(Evidence({}))} == {"undecided"}


def test_the_command_carries_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of(monkeypatch, steps=20)
    words = [
        "mcinterp",
        "reproduce",
        "identity-mapping",
        "--run",
        str(tmp_path / "run"),
        "--out",
        str(tmp_path / "out"),
    ]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == ["rates", "order", "swing-by", "no swing without correlation"]
    assert Run(tmp_path / "run").finished


@pytest.mark.parametrize(
    ("rises", "largest", "without"),
    [
        ([0.0, 0.0], "From no beginning does", "never rises by more than 0.1% of it"),
        ([1e-9, 1e-6], "From no beginning does", "never rises by more than 0.1% of it"),
        ([0.02, 0.5], "rises from all 2 beginnings, most by 0.500", "rises by up to 0.0200 of it"),
        ([1e-9, 0.5], "rises from 1 of 2 beginnings, most by 0.500", "never rises by more than 0.1% of it"),
    ],
)
def test_a_rise_of_rounding_is_told_as_none(rises: list[float], largest: str, without: str) -> None:
    frame = pd.DataFrame({"rise": rises, "diagonal": 0.1, "correlation": [-0.5, 0.5]})
    assert largest in views._largest(frame)
    assert without in views._without(frame)
