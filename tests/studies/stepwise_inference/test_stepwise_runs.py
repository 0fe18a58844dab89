"""The whole study, shortened: networks train, are measured once, and are shown; sentences hold whatever was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judging import TRUTHS, contradictions, forged

from mcinterp.config import RunConfig, load_preset
from mcinterp.errors import TrainingError
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.stepwise_inference import exemplars, runs, study, views
from mcinterp.studies.stepwise_inference.config import NavigationConfig
from mcinterp.studies.stepwise_inference.task import GraphNavigation
from mcinterp.study import Setting, find_study, reproduce
from mcinterp.task import make_task

SMALL = {
    "navigator": (
        *("task.layers=5", "task.width=5", "task.nodes=20", "task.longest=3", "task.edge_probability=0.5"),
        *("task.forward_probability=0.2", "training.steps=40", "training.batch_size=16", "training.checkpoints=4"),
        *("model.d_model=16", "model.n_heads=2", "model.d_mlp=16", "training.warmup_steps=5", "training.seed=0"),
    ),
    "motifs": (
        *("task.motifs=7", "task.longest=4", "task.positions_for=5", "training.steps=10", "training.warmup_steps=2"),
        *("model.d_model=16", "model.n_heads=2", "model.d_mlp=16", "training.batch_size=8"),
    ),
}
NAMES = {"accuracy", "temperature", "order", "exemplars"}


def preset(name: str) -> RunConfig:
    return load_preset(name, list(SMALL[name]))


@pytest.fixture(scope="module")
def patched() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for module in (study, runs):
            monkeypatch.setattr(module, "load_preset", preset)
        monkeypatch.setattr(exemplars, "PROMPTS", 10)
        monkeypatch.setattr(exemplars, "CONFLICTS", 6)
        yield


def setting(folder: Path, said: list[str]) -> Setting:
    watch = lambda steps, activity: nullcontext(None)  # noqa: E731
    return Setting("navigator", folder / "run", folder / "out", 1, None, "cpu", said.append, watch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, patched: None) -> Path:
    path = tmp_path_factory.mktemp("stepwise")
    said: list[str] = []
    reproduce(find_study("stepwise-inference"), setting(path, said))
    assert "11 variants: 11 trained, 0 kept" in said
    write_report(path / "out")
    return path


def loaded(folder: Path, name: str) -> Result:
    return Result.load(folder / "out" / "data" / "study" / name)


def test_all_is_trained_on_the_same_graph_and_the_same_number_of_pairs(folder: Path, patched: None) -> None:
    run = Run(folder / "run")
    configs = runs.variants(run.config)
    tasks = {name: make_task(each.task) for name, each in configs.items() if isinstance(each.task, NavigationConfig)}
    own = GraphNavigation(run.config.task)  # type: ignore[arg-type]
    assert tasks["direct"].graph.edges.equal(own.graph.edges)
    assert tasks["bernoulli-direct"].graph.edges.equal(tasks["bernoulli-stepwise"].graph.edges)
    assert tasks["long-direct"].pairs.start.equal(tasks["long-stepwise"].pairs.start)
    frame = loaded(folder, "accuracy").table("accuracy")
    trained = frame[frame["graph"] == "hierarchical"].groupby("longest")["trained"].first()
    assert trained[3] >= trained[4] >= 0.8 * trained[3]
    assert {each.training.seed for each in configs.values()} == {0}


def test_tables_have_what_claims_and_pages_read(folder: Path) -> None:
    accuracy = loaded(folder, "accuracy").table("accuracy")
    assert set(zip(accuracy["graph"], accuracy["longest"], strict=True)) == {
        ("hierarchical", 3),
        ("hierarchical", 2),
        ("hierarchical", 4),
        ("bernoulli", 2),
    }
    shares = accuracy[["lied", "misstep", "astray", "valid", "walker", "closure", "shown", "coverage"]]
    assert ((shares >= 0) & (shares <= 1)).all().all()
    np.testing.assert_allclose(accuracy["gap"], accuracy["stepwise"] - accuracy["direct"], atol=1e-9)
    np.testing.assert_allclose(accuracy["lead"], accuracy["stepwise"] - accuracy["walker"], atol=1e-9)
    np.testing.assert_allclose(accuracy["stitched"], accuracy["valid"] - accuracy["hits"], atol=1e-9)
    steering = loaded(folder, "exemplars").table("steering")
    assert set(steering["motifs"]) <= {2, 3, 4, 5}
    conflicts = loaded(folder, "exemplars").table("conflicts")
    np.testing.assert_allclose(conflicts[["first", "second", "neither"]].sum(axis=1), 1)
    assert loaded(folder, "order").table("steps")["step"].iloc[0] == 0


def test_what_stands_is_neither_trained_nor_measured_again(
    folder: Path, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (folder / "out/data/study" / name / "result.json").stat().st_mtime_ns for name in NAMES}
    said: list[str] = []
    reproduce(find_study("stepwise-inference"), setting(folder, said))
    assert "11 variants: 0 trained, 11 kept" in said
    assert before == {name: (folder / "out/data/study" / name / "result.json").stat().st_mtime_ns for name in NAMES}


def test_the_page_shows_all_four_and_the_claims(folder: Path) -> None:
    assert "Of 11 claims" in (folder / "out" / "index.html").read_text(encoding="utf-8")
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for name in NAMES:
        assert f'id="{name}"' in page
    assert ">nan" not in page


def test_where_no_pair_has_a_few_paths_it_is_said(folder: Path) -> None:
    found = loaded(folder, "temperature")
    empty = {name: Table(table.frame.iloc[:0], table.columns) for name, table in found.tables.items()}
    section = views.temperature(replace(found, tables=empty), {})
    assert section.sentences == ["No held-out pair has a few paths, all of them trained on."]


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("truth", TRUTHS)
def test_sentences_say_no_more_than_their_intervals(folder: Path, name: str, truth: str) -> None:
    changed = forged(loaded(folder, name), truth, "gap", "raw", "bias", "later", "primacy", "value")
    words = {
        "gap": ("more than without", "less than without"),
        "raw": ("longer than", "shorter than"),
        "bias": ("longer", "shorter"),
        "later": ("later", "earlier"),
        "primacy": ("the first", "the second"),
    }
    plain = (
        "^The gap in the hierarchical graph less that",
        "the gap of shorter paths less that of the longest",
        "no longer than",
    )
    wrong, said = contradictions(lambda: getattr(views, name)(changed, {}).sentences, words, plain)
    assert not wrong
    if name != "order" or truth != "missing":
        assert said


def test_another_task_is_refused() -> None:
    with pytest.raises(TrainingError, match="must be of graph-navigation, got one of motif-navigation"):
        runs.variants(load_preset("motifs"))


def test_the_papers_graphs_can_be_asked() -> None:
    config = load_preset("navigator-paper")
    task = GraphNavigation(config.task)  # type: ignore[arg-type]
    assert (len(task.graph), int(task.graph.depth.max())) == (200, 9)
    named = runs.variants(config)
    assert named["bernoulli-stepwise"].task.n_nodes == 200  # type: ignore[attr-defined]
    assert named["long-stepwise"].task.longest == 9  # type: ignore[attr-defined]
