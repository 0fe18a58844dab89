"""The example of a study in a package of its own: right where the answer is known, and as good as the built-in ones."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from listings import entries
from sparse_parity import STUDY
from sparse_parity import study as own
from sparse_parity.claims import AFTER, BEFORE, LEARNING, parity_claims
from sparse_parity.config import ParityConfig
from sparse_parity.influence import COLUMNS, influence
from sparse_parity.study import COLUMNS as COURSE
from sparse_parity.task import SparseParity
from sparse_parity.views import influence as shown
from torch import Tensor

import mcinterp
from mcinterp.analysis import PASSES
from mcinterp.config import RunConfig, load_config, parse_config
from mcinterp.declared import Study
from mcinterp.errors import ConfigError
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run
from mcinterp.study import Evidence, Setting, replicate, replication

pytestmark = pytest.mark.no_cover

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_study"
PACKAGE = Path(mcinterp.__file__).parents[1]


@pytest.fixture
def small(declare: Callable[[Study], None]) -> RunConfig:
    declare(STUDY)
    return parse_config("{task: {kind: sparse-parity, bits: 6, of: 2}, model: {architecture: one-layer}}", "here.yaml")


@pytest.fixture
def checkpoint(small: RunConfig) -> Checkpoint:
    return Checkpoint.untrained(small, 1)


def test_the_target_is_the_product_of_the_first_bits() -> None:
    task = SparseParity(ParityConfig(bits=5, of=3))
    batch = task.draw(500, torch.Generator().manual_seed(0))
    assert set(batch.inputs.unique().tolist()) == {-1.0, 1.0}
    assert (batch.targets == batch.inputs[:, 0] * batch.inputs[:, 1] * batch.inputs[:, 2]).all()
    assert task.scores(torch.zeros(500), batch)["parity_mse"] == 1
    assert task.scores(batch.targets, batch) == {"parity_mse": 0, "wrong": 0}
    assert task.scores(-batch.targets, batch) == {"parity_mse": 4, "wrong": 1}


@pytest.mark.parametrize("bit", range(5))
def test_a_flipped_bit_changes_the_target_where_it_is_one_of_the_parity(bit: int) -> None:
    task = SparseParity(ParityConfig(bits=5, of=3))
    batch = task.draw(50, torch.Generator().manual_seed(0))
    flipped = task.flipped(batch, bit)
    assert (flipped.targets == batch.targets * (-1 if bit < 3 else 1)).all()
    assert (flipped.inputs != batch.inputs).sum() == 50
    assert torch.equal(task.flipped(flipped, bit).inputs, batch.inputs)


def test_a_parity_of_more_bits_than_there_are_is_refused(small: RunConfig) -> None:
    with pytest.raises(ConfigError, match="task: of must be at most bits, got the parity of 3 of 2 bits"):
        parse_config("{task: {kind: sparse-parity, bits: 2}, model: {architecture: one-layer}}", "here.yaml")


def answering(checkpoint: Checkpoint, answer: Callable[[Tensor], Tensor]) -> Result:
    checkpoint.model.forward = answer
    return influence(checkpoint, 2000, 3)


def test_influences_are_those_that_are_known_by_hand(checkpoint: Checkpoint) -> None:
    for answer, expected in (
        (lambda x: x[:, 0] * x[:, 1], [1, 1, 0, 0, 0, 0]),
        (lambda x: x[:, 4], [0, 0, 0, 0, 1, 0]),
        (lambda x: 0.5 * x[:, 2] + 7, [0, 0, 0.25, 0, 0, 0]),
        (lambda x: torch.ones(len(x)), [0] * 6),
    ):
        table = answering(checkpoint, answer).table("influence")
        assert table["influence"].tolist() == expected
        assert table["in_parity"].tolist() == [True, True, False, False, False, False]
        assert (table["control"].abs() < 0.12).all()  # five standard errors
        assert ((table["control_low"] <= 0) & (table["control_high"] >= 0)).all()


def test_influences_are_sums_of_squares_of_the_networks_fourier_coefficients(checkpoint: Checkpoint) -> None:
    cube = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6)))
    answers = checkpoint.model(cube).double()
    subsets = [s for n in range(7) for s in itertools.combinations(range(6), n)]
    coefficients = {s: float((answers * cube[:, list(s)].prod(1)).mean()) for s in subsets}
    table = influence(checkpoint, 20_000, 0).table("influence")
    for bit in range(6):
        exact = sum(value**2 for s, value in coefficients.items() if bit in s)
        row = table.iloc[bit]
        assert row["influence"] == pytest.approx(exact, abs=2 * (row["influence_high"] - row["influence_low"]))
        assert exact > 1e-3


@pytest.mark.parametrize(
    ("answer", "value"), [(lambda x: x[:, 0] * x[:, 1], "1.00"), (lambda x: torch.zeros(len(x)), "0")]
)
def test_the_section_says_what_the_numbers_are(
    checkpoint: Checkpoint, answer: Callable[[Tensor], Tensor], value: str
) -> None:
    result = answering(checkpoint, answer)
    section = shown(result, {})
    (figure,) = section.figures
    assert section.sentences[0].startswith(f"The influence of bits of the parity goes from {value} [")
    assert section.sentences[1].startswith("The influence of other bits goes from 0 [")
    assert [bar["name"] for bar in figure.figure.data] == ["bits of the parity", "other bits"]


def evidence(**changes: dict[str, float]) -> Evidence:
    """Results of a network that learned the parity as claimed, with some numbers changed."""
    bits = [{"bit": bit, "in_parity": bit <= 2, "n": 100, "seed": 0, **spread("control", 0.0)} for bit in range(1, 5)]
    early = [row | spread("influence", 0.01) | spread("influence", **changes.get("early", {})) for row in bits]
    late = [row | spread("influence", 0.99 if row["in_parity"] else 0.01) for row in bits]
    late[1] |= spread("influence", **changes.get("inside", {}))
    late[3] |= spread("influence", **changes.get("outside", {})) | spread("control", **changes.get("control", {}))
    parity = {"asked": "parity", "plateau": 1.0, "fall": 0.4, "halved": 1000.0, "last": 0.01}
    single = {"asked": "single bit", "plateau": np.nan, "fall": np.nan, "halved": 20.0, "last": 0.01}
    courses = [parity | changes.get("parity", {}), single | changes.get("single", {})]
    return Evidence(
        {
            BEFORE: Result("influence", "", {}, tables={"influence": Table.of(COLUMNS, early)}),
            AFTER: Result("influence", "", {}, tables={"influence": Table.of(COLUMNS, late)}),
            LEARNING: Result("learning", "", {}, tables={"learning": Table.of(COURSE, courses)}),
        }
    )


def spread(column: str, value: float | None = None, by: float = 0.01) -> dict[str, float]:
    """A value with its interval; nothing without a value."""
    return {} if value is None else {column: value, f"{column}_low": value - by, f"{column}_high": value + by}


def test_every_claim_holds_of_a_network_that_learns_as_claimed() -> None:
    assert {claim.name: claim.verdict for claim in parity_claims(evidence())} == {
        "sudden": "holds",
        "few bits": "holds",
    }


@pytest.mark.parametrize(
    ("claim", "verdict", "changes"),
    [
        ("sudden", "does not hold", {"parity": {"plateau": 0.7}}),
        ("sudden", "does not hold", {"parity": {"fall": 3.0}}),
        ("sudden", "does not hold", {"parity": {"last": 0.9}}),
        ("sudden", "undecided", {"parity": {"plateau": np.nan, "fall": np.nan}}),
        ("sudden", "undecided", {"single": {"halved": 900.0}}),
        ("sudden", "undecided", {"single": {"halved": np.nan}}),
        ("sudden", "does not hold", {"parity": {"plateau": np.nan, "fall": np.nan, "halved": np.nan, "last": 1.0}}),
        ("few bits", "does not hold", {"early": {"value": 0.5}}),
        ("few bits", "undecided", {"early": {"value": 0.1}}),
        ("few bits", "does not hold", {"inside": {"value": 0.2}}),
        ("few bits", "undecided", {"inside": {"value": 0.8}}),
        ("few bits", "does not hold", {"outside": {"value": 0.6}}),
        ("few bits", "undecided", {"outside": {"value": 0.1}}),
        ("few bits", "undecided", {"control": {"value": 0.5}}),
        ("few bits", "undecided", {"control": {"value": -0.5}}),
        ("few bits", "undecided", {"control": {"value": 0.0, "by": 0.3}}),
    ],
)
def test_forged_numbers_change_the_verdict(claim: str, verdict: str, changes: dict[str, dict[str, float]]) -> None:
    assert {found.name: found.verdict for found in parity_claims(evidence(**changes))}[claim] == verdict


def test_without_results_nothing_is_decided() -> None:
    assert [claim.verdict for claim in parity_claims(Evidence({}))] == ["undecided", "undecided"]


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example, without a look at the network."""
    source = tmp_path_factory.mktemp("source") / "own_study"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("installed") / "site"
    how = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "install", *how], check=True, capture_output=True)
    return target


def give(here: Path, beside: Path, line: str) -> tuple[int, str, str]:
    """A command in a folder, with another folder of packages beside mcinterp's."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (beside, PACKAGE))), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "mcinterp", *line.split()]
    done = subprocess.run(words, cwd=here, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, " ".join(done.stderr.split())


def names(here: Path, beside: Path) -> list[bool]:
    """Whether presets, passes and studies name the example's."""
    lists = {"presets": "sparse-parity  ", "passes": "influence ", "reproduce --list": "sparse-parity  "}
    return [name in give(here, beside, line)[1] for line, name in lists.items()]


def test_it_is_replicated_as_it_stands(
    declare: Callable[[Study], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(STUDY)
    monkeypatch.setitem(PASSES, "influence", STUDY.passes[0])
    short = load_config(EXAMPLE / "sparse_parity" / "presets" / "sparse-parity.yaml", ["training.steps=60"])
    for module in (own, replication):
        monkeypatch.setattr(module, "load_preset", lambda name: short)
    folders, said = (tmp_path / "runs", tmp_path / "out"), [""]
    setting = Setting("sparse-parity", *folders, 1, 64, "cpu", said.append, lambda steps, activity: nullcontext(None))
    found = replicate(STUDY, setting, 2)
    assert found.table("claims")[["claim", "seeds", "holds"]].to_numpy().tolist() == [
        ["sudden", 2, 0],
        ["few bits", 2, 0],
    ]
    runs = {seed: Run(tmp_path / "runs" / f"seed-{seed}") for seed in (0, 1)}
    for seed, run in runs.items():
        assert run.config.training.seed == Run(run.path / "variants" / "single-bit").config.training.seed == seed
    last = found.table("values")[lambda values: (values["claim"] == "sudden") & (values["number"] == 3)]
    assert last["value"].nunique() == 2


def test_it_is_installed_trained_reported_reproduced_and_removed(beside: Path, tmp_path: Path) -> None:
    assert names(tmp_path, beside) == [True, True, True]
    code, out, err = give(tmp_path, beside, "train --preset sparse-parity")
    assert (code, out) == (0, "checkpoints/sparse-parity\n")
    assert "parity_mse stays at 1" in err
    metrics = pd.read_csv(tmp_path / "checkpoints" / "sparse-parity" / "metrics.csv")
    assert metrics["wrong"].tail(100).mean() < 0.02
    code, out, _ = give(tmp_path, beside, "report sparse-parity --jobs 2")
    assert (code, out) == (0, "reports/sparse-parity/index.html\n")
    page = (tmp_path / "reports" / "sparse-parity" / "step-00003000.html").read_text(encoding="utf-8")
    assert "The influence of bits of the parity goes from" in page
    code, out, err = give(tmp_path, beside, "reproduce sparse-parity")
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines()] == [
        "sudden",
        "few bits",
        "reports/sparse-parity/paper.html",
    ]
    assert "training checkpoints" not in err
    page = (tmp_path / "reports" / "sparse-parity" / "paper.html").read_text(encoding="utf-8")
    assert "Of 2 claims, 2 hold." in page
    assert "The parity is learned suddenly, after a long plateau." in page
    assert "after it the bits of the parity do, and no others." in page
    shutil.rmtree(beside)
    assert names(tmp_path, beside) == [False, False, False]
    code, out, err = give(tmp_path, beside, "report sparse-parity")
    assert (code, out) == (2, "")
    assert err.startswith(
        "mcinterp: checkpoints/sparse-parity/config.yaml: task.kind = 'sparse-parity': there is none; valid: "
    )
    assert err.endswith("or what a study brings that is not installed")
    assert give(tmp_path, beside, "reproduce sparse-parity")[2].startswith(
        "mcinterp: no study is called 'sparse-parity'; "
    )
    listed = entries(give(tmp_path, beside, "runs")[1])
    assert any(entry.startswith("checkpoints/sparse-parity unreadable: ") for entry in listed)
