"""The whole study on rings of 7 with few steps, through the command; forged numbers for every verdict; sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest

from mcinterp.cli import main
from mcinterp.config import load_preset
from mcinterp.results import Result, Table
from mcinterp.studies.graph_tracing import ablation as cut
from mcinterp.studies.graph_tracing import runs, sizes, structure, study, views
from mcinterp.studies.graph_tracing.claims import tracing_claims
from mcinterp.study import Evidence

SMALL = {
    "task.length": 24,
    "training.steps": 30,
    "training.warmup_steps": 5,
    "training.batch_size": 16,
    "model.d_model": 16,
    "model.d_mlp": 16,
}
CHANGES = [f"{name}={value}" for name, value in SMALL.items()]


def shrunk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(study, "load_preset", lambda name: load_preset(name, CHANGES))
    for module, names in ((runs, ("LABELLINGS", "WALKS")), (cut, ("LABELLINGS",)), (sizes, ("LABELLINGS",))):
        for name in names:
            patch.setattr(module, name, 3 if name == "LABELLINGS" else 42)
    patch.setattr(structure, "LABELLINGS", 3)


def reproduced(folder: Path, patch: pytest.MonkeyPatch) -> int:
    words = ["reproduce", "graph-tracing", "--preset", "tracing-ring7", "--run", str(folder / "run")]
    patch.setattr(sys, "argv", ["mcinterp", *words, "--out", str(folder / "out"), "--jobs", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tracing")
    with pytest.MonkeyPatch.context() as patch:
        shrunk(patch)
        assert reproduced(path, patch) == 0
    return path


def test_the_command_trains_measures_and_writes_the_page(folder: Path) -> None:
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for name in ("structure", "ablation", "sizes", "nulls"):
        assert f'id="{name}"' in page
    assert "Slide through context" in page
    assert '"method":"animate"' in page
    assert '"frames":[{' in page
    assert len(Result.load(folder / "out" / "data" / "study" / "claims").table("claims")) == 11


def test_the_same_command_trains_and_measures_nothing_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk(monkeypatch)
    monkeypatch.setattr(study, "structure", None)
    monkeypatch.setattr(study, "ablation", None)
    assert reproduced(folder, monkeypatch) == 0


def number(value: float) -> dict[str, float]:
    """A number with an interval around it."""
    return {"value": value, "value_low": value - 0.001, "value_high": value + 0.001}


def named(column: str, value: float) -> dict[str, float]:
    return {key.replace("value", column): own for key, own in number(value).items()}


# Every number that a claim rests on, so that all hold and all controls are null.
GOOD: dict[tuple[str, str, str, tuple[tuple[str, object], ...]], float] = {
    ("structure", "moments", "value", (("network", "own"), ("what", "rise"))): 0.7,
    ("structure", "moments", "value", (("network", "untrained"), ("what", "rise"))): 0.0,
    ("structure", "moments", "value", (("network", "own"), ("what", "least energy"))): 0.6,
    ("structure", "moments", "value", (("network", "own"), ("what", "fall of energy"))): 0.4,
    ("structure", "moments", "value", (("network", "own"), ("what", "geometry before accuracy"))): 1.0,
    ("structure", "moments", "value", (("network", "own"), ("what", "mixing before accuracy"))): -0.5,
    ("structure", "geometry", "above_chance", (("network", "own"), ("layer", 2), ("begin", 32))): 0.5,
    ("structure", "geometry", "energy_shuffled", (("network", "own"), ("layer", 2), ("begin", 32))): 1.0,
    ("structure", "drops", "share", (("network", "own"), ("curve", "geometry"))): 0.9,
    ("structure", "drops", "share", (("network", "own"), ("curve", "mixing alone"))): 0.1,
    **{
        ("structure", "both", column, (("network", network), ("layer", 2), ("begin", begin))): value
        for network, column, begin, value in (
            *((network, "prior_above", 32, 0.2) for network in ("own", "mostly prior")),
            *((network, "context_above", 32, 0.2) for network in ("own", "mostly prior")),
            *((network, "context_above", 0, -0.1) for network in ("own", "mostly prior")),
            *((network, "lead", 32, 0.3) for network in ("own", "mostly prior")),
            ("no prior", "prior_above", 32, -0.1),
            ("no prior", "lead", 32, -0.5),
        )
    },
    ("structure", "predictions", "mass", (("network", "own"), ("begin", 32))): 0.9,
    ("structure", "predictions", "mass", (("network", "mostly prior"), ("begin", 32))): 0.8,
    ("structure", "effects", "above_chance", (("network", "own"), ("layer", 2), ("removed", "previous node"))): 0.3,
    ("structure", "effects", "change", (("network", "own"), ("layer", 2), ("removed", "a node drawn at random"))): 0.0,
    ("ablation", "planes", "mass_fall", (("without", "plane of the geometry"),)): 0.3,
    ("ablation", "planes", "beyond_random", (("without", "plane of the geometry"),)): 0.2,
    ("ablation", "planes", "variance", (("without", "plane of the geometry"),)): 0.2,
    ("ablation", "planes", "variance", (("without", "random planes of the same variance"),)): 0.2,
    ("ablation", "effects", "first_layer_fall", (("without", "best previous-token head"),)): 0.4,
    ("ablation", "effects", "mass_fall", (("without", "best previous-token head"),)): 0.4,
    ("ablation", "effects", "first_layer_fall", (("without", "worst head of its layer"),)): 0.0,
    ("ablation", "effects", "mass_fall", (("without", "worst head of its layer"),)): 0.0,
    ("ablation", "effects", "mass_fall", (("without", "best induction head"),)): 0.2,
    ("ablation", "effects", "first_layer_fall", (("without", "best induction head"),)): 0.0,
    ("ablation", "effects", "mass_fall", (("without", "worst head of that layer"),)): 0.0,
    ("sizes", "slopes", "slope", (("of", "model"),)): 1.0,
    ("sizes", "slopes", "slope", (("of", "model less memory"),)): 0.3,
    ("sizes", "rings", "last", (("nodes", 5),)): 0.8,
}


def _table(rows: Iterable[dict[str, object]]) -> Table:
    return Table(pd.DataFrame(list(rows)), {})


def forged(changes: dict[tuple[str, str, str, str], float]) -> dict[str, str]:
    """Verdicts where some numbers are others; a number is named by result, table, column and a value of its row."""
    tables: dict[str, dict[str, dict[tuple[tuple[str, object], ...], dict[str, object]]]] = {}
    used = set()
    for (name, table, column, keys), value in GOOD.items():
        row = tables.setdefault(name, {}).setdefault(table, {}).setdefault(keys, {**dict(keys), "n": 8})
        for (other, where, which, having), changed in changes.items():
            if (other, where, which) == (name, table, column) and having in [str(key) for _, key in keys]:
                value, used = changed, used | {having}
        exact = column == "first_layer_fall" and value == 0
        row |= {column: value, f"{column}_low": value, f"{column}_high": value} if exact else named(column, value)
    assert used == {having for *_, having in changes}
    facts = {"layers": 2, "last": 32}
    results = {
        f"study/{name}": Result(name, "", {}, facts, {key: _table(rows.values()) for key, rows in own.items()})
        for name, own in tables.items()
    }
    return {claim.name: claim.verdict for claim in tracing_claims(Evidence(results))}


def test_all_hold_where_all_numbers_are_as_claimed() -> None:
    assert set(forged({}).values()) == {"holds"}


def test_without_results_nothing_is_decided() -> None:
    assert {claim.verdict for claim in tracing_claims(Evidence({}))} == {"undecided"}


@pytest.mark.parametrize(
    ("claim", "verdict", "changes"),
    [
        ("context re-organises", "does not hold", {("structure", "moments", "value", "rise"): 0.1}),
        ("context re-organises", "does not hold", {("structure", "geometry", "above_chance", "2"): -0.1}),
        ("context re-organises", "undecided", {("structure", "moments", "value", "untrained"): 0.5}),
        ("suddenly", "does not hold", {("structure", "drops", "share", "geometry"): 0.2}),
        ("suddenly", "undecided", {("structure", "drops", "share", "mixing alone"): 0.8}),
        ("suddenly", "undecided", {("structure", "drops", "share", "geometry"): 0.5}),
        ("energy falls", "does not hold", {("structure", "moments", "value", "least energy"): 1.1}),
        ("energy falls", "does not hold", {("structure", "moments", "value", "fall of energy"): 0.0}),
        ("energy falls", "undecided", {("structure", "geometry", "energy_shuffled", "2"): 0.8}),
        (
            "geometry before accuracy",
            "does not hold",
            {("structure", "moments", "value", "geometry before accuracy"): -1.0},
        ),
        ("geometry before accuracy", "undecided", {("structure", "moments", "value", "mixing before accuracy"): 2.0}),
        ("prior beside context", "does not hold", {("structure", "both", "prior_above", "own"): -0.1}),
        ("prior beside context", "does not hold", {("structure", "both", "prior_above", "mostly prior"): -0.1}),
        ("prior beside context", "undecided", {("structure", "both", "prior_above", "no prior"): 0.1}),
        ("prior beside context", "undecided", {("structure", "both", "context_above", "0"): 0.1}),
        ("prior beside context", "does not hold", {("structure", "predictions", "mass", "own"): 0.6}),
        ("context cannot dominate", "does not hold", {("structure", "both", "lead", "own"): -0.4}),
        ("context cannot dominate", "undecided", {("structure", "both", "lead", "no prior"): 0.1}),
        ("context cannot dominate", "undecided", {("structure", "predictions", "mass", "mostly prior"): 0.5}),
        ("context cannot dominate", "does not hold", {("structure", "both", "lead", "mostly prior"): -0.4}),
        (
            "geometry serves prediction",
            "does not hold",
            {("ablation", "planes", "mass_fall", "plane of the geometry"): 0.02},
        ),
        (
            "geometry serves prediction",
            "does not hold",
            {("ablation", "planes", "beyond_random", "plane of the geometry"): 0.0},
        ),
        ("geometry serves prediction", "undecided", {("ablation", "planes", "variance", "plane of the geometry"): 0.5}),
        (
            "previous-token heads",
            "does not hold",
            {("ablation", "effects", "first_layer_fall", "best previous-token head"): 0.1},
        ),
        (
            "previous-token heads",
            "does not hold",
            {("ablation", "effects", "mass_fall", "best previous-token head"): 0.1},
        ),
        (
            "previous-token heads",
            "undecided",
            {("ablation", "effects", "first_layer_fall", "worst head of its layer"): 0.3},
        ),
        ("previous-token heads", "does not hold", {("ablation", "effects", "mass_fall", "best induction head"): 0.0}),
        (
            "previous-token heads",
            "does not hold",
            {("ablation", "effects", "first_layer_fall", "best induction head"): 0.1},
        ),
        ("previous-token heads", "undecided", {("ablation", "effects", "mass_fall", "worst head of that layer"): 0.2}),
        ("more than mixing", "does not hold", {("structure", "effects", "above_chance", "previous node"): -0.1}),
        ("more than mixing", "undecided", {("structure", "effects", "change", "a node drawn at random"): 0.2}),
        ("larger graphs take more", "does not hold", {("sizes", "slopes", "slope", "model"): 0.0}),
        ("larger graphs take more", "undecided", {("sizes", "rings", "last", "5"): 0.3}),
        ("more than memory", "does not hold", {("sizes", "slopes", "slope", "model less memory"): 0.0}),
        ("more than memory", "undecided", {("sizes", "slopes", "slope", "model less memory"): 0.1}),
    ],
)
def test_forged_numbers_change_the_verdict(
    claim: str, verdict: str, changes: dict[tuple[str, str, str, str], float]
) -> None:
    assert forged(changes)[claim] == verdict


@pytest.mark.parametrize(
    ("above", "energy", "said"),
    [
        (0.3, 0.6, ("more than the 99 %", "nearer to each other than other nodes")),
        (-0.3, 1.4, ("less than the 99 %", "further apart than other nodes")),
        (0.0, 1.0, ("not certainly more than the 99 %", "as far apart as any nodes")),
        (float("nan"), float("nan"), ("beside the 99 %", "about as far apart as any nodes")),
    ],
)
def test_sentences_say_no_more_than_their_intervals(
    folder: Path, above: float, energy: float, said: tuple[str, str]
) -> None:
    result = Result.load(folder / "out" / "data" / "study" / "structure")
    frame = result.tables["geometry"].frame
    for key, value in {**named("above_chance", above), **named("energy", energy)}.items():
        frame[key] = value
    first = views.structure(result, {}).sentences[0]
    for words in said:
        assert words in first, first


def test_the_bar_of_nothing_taken_out_is_called_so(folder: Path) -> None:
    result = Result.load(folder / "out" / "data" / "study" / "ablation")
    figure = views.ablation(result, {}).figures[0].figure
    assert figure.data[0].y[0] == "nothing"


def test_planes_are_told_beside_random_ones(folder: Path) -> None:
    result = Result.load(folder / "out" / "data" / "study" / "ablation")
    frame = result.tables["planes"].frame
    for value, words in (
        (0.2, "more than without random"),
        (-0.2, "less than without random"),
        (0.0, "about as much as"),
    ):
        for key, own in named("beyond_random", value).items():
            frame[key] = own
        assert words in views.ablation(result, {}).sentences[1]
