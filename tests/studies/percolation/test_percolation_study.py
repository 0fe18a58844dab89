"""The whole study, shortened: networks train, are measured once, and are shown; sentences hold whatever was found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from judging import TRUTHS, contradictions, forged

from mcinterp.config import RunConfig, load_preset
from mcinterp.errors import TrainingError
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.percolation import drops, graphs, order, runs, shift, study, views
from mcinterp.studies.percolation.exam import CONDITIONED, GRAMMAR, TYPES, UNSCRAMBLED, Exam
from mcinterp.studies.percolation.runs import CLASS_FREE, ONE, PRESET, TWO, Network
from mcinterp.studies.percolation.task import TypedLanguage
from mcinterp.study import Setting, find_study, reproduce
from mcinterp.task import make_task

SMALL = (
    *("task.entities=3", "task.descriptors=8", "training.steps=24", "training.batch_size=16", "training.checkpoints=3"),
    *("training.warmup_steps=4", "model.d_model=16", "model.d_mlp=16", "model.n_layers=1", "training.seed=0"),
    "training.learning_rate=1.0e-2",
)
NAMES = ("graphs", "order", "drops", "shift", "connected")


def preset(name: str) -> RunConfig:
    return load_preset(name, list(SMALL))


@pytest.fixture(scope="module")
def patched() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(study, "load_preset", preset)
        monkeypatch.setattr(runs, "SEEDS", 1)
        monkeypatch.setattr(graphs, "PEAK_SCALES", np.linspace(0.8, 1.6, 5))
        yield


def setting(folder: Path, said: list[str], name: str = "typed-language") -> Setting:
    watch = lambda steps, activity: nullcontext(None)  # noqa: E731
    return Setting(name, folder / "run", folder / "out", 1, 16, "cpu", said.append, watch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, patched: None) -> Path:
    path = tmp_path_factory.mktemp("percolation")
    said: list[str] = []
    reproduce(find_study("percolation"), setting(path, said))
    assert "14 variants: 14 trained, 0 kept" in said
    write_report(path / "out")
    return path


def loaded(folder: Path, name: str) -> Result:
    return Result.load(folder / "out" / "data" / "study" / name)


def test_settings_differ_in_what_they_are_compared_in_and_in_nothing_else() -> None:
    base = load_preset("typed-language")
    configs = runs.variants(base)
    named = {role: configs[role, 2] for role in runs.ROLES}
    assert {config.training.seed for (_, number), config in configs.items() if number == 2} == {base.training.seed + 1}
    sizes = [config.task for role, config in named.items() if role.startswith("pairs, K")]
    assert [task.descriptors for task in sizes] == [20, 40, 80, 160, 320]  # type: ignore[attr-defined]
    assert {(task.entities, task.share, task.language) for task in sizes} == {(15, 0.3, "pairs")}  # type: ignore[attr-defined]
    wider = [config.task for role, config in named.items() if role.startswith("pairs, E")]
    assert [(task.entities, task.descriptors) for task in wider] == [(30, 80), (60, 80)]  # type: ignore[attr-defined]
    batches = [config for role, config in named.items() if role.startswith("pairs, batch")]
    assert [config.training.batch_size for config in batches] == [32, 128]
    assert [named[role].task.degree for role in (ONE, TWO)] == [1, 2]  # type: ignore[attr-defined]
    assert named[CLASS_FREE].task.graph == "class-free"  # type: ignore[attr-defined]
    others = [config for role, config in named.items() if not role.startswith("pairs, batch")]
    assert {(config.training.learning_rate, config.training.batch_size) for config in others} == {(1e-3, 64)}
    assert {config.model for config in named.values()} == {base.model}


def test_every_seed_draws_another_graph_and_the_paper_has_a_preset() -> None:
    configs = runs.variants(load_preset("typed-language"))
    one, two = (make_task(configs["pairs, K × 1", number].task) for number in (1, 2))
    assert not one.pairs.equal(two.pairs)
    paper = load_preset("language-paper")
    assert (paper.task.classes, paper.task.entities, paper.task.descriptors) == (10, 90, 1800)  # type: ignore[attr-defined]
    assert len(runs.variants(paper)) == 44


def test_what_stands_is_neither_trained_nor_measured_again(folder: Path, patched: None) -> None:
    before = {name: (folder / "out/data/study" / name / "result.json").stat().st_mtime_ns for name in NAMES}
    said: list[str] = []
    reproduce(find_study("percolation"), setting(folder, said))
    assert "14 variants: 0 trained, 14 kept" in said
    assert before == {name: (folder / "out/data/study" / name / "result.json").stat().st_mtime_ns for name in NAMES}


def test_random_graphs_alone_train_nothing(tmp_path: Path, patched: None) -> None:
    said: list[str] = []
    found = reproduce(find_study("percolation"), setting(tmp_path, said, "exact"))
    assert said == ["measuring: graphs"]
    verdicts = found.table("claims").set_index("claim")["verdict"]
    assert set(verdicts.drop(["a formal transition", "the threshold √(EK)"])) == {"undecided"}
    assert not (tmp_path / "run").exists()


def test_tables_have_what_was_trained(folder: Path) -> None:
    steps = loaded(folder, "order").table("steps")
    assert set(steps["network"]) == {f"{PRESET} (1)"}
    assert steps["step"].iloc[0] == 0
    times = loaded(folder, "shift").table("times")
    pairs = times[times["language"] == "pairs"]
    assert pairs["threshold"].tolist() == pytest.approx(np.sqrt(pairs["entities"] * pairs["descriptors"]).tolist())
    np.testing.assert_allclose(pairs["drawn_half"], pairs["half"] * pairs["batch"] / 4)
    assert times[times["language"] == "full"]["drawn_half"].isna().all()
    graph = loaded(folder, "connected").table("graphs")
    assert set(graph["role"]) == {ONE, TWO, CLASS_FREE, PRESET}
    assert graph[graph["role"] == ONE]["largest"].max() < graph[graph["role"] == TWO]["largest"].max()
    typed, free = (graph[graph["role"] == role]["step"].max() for role in (PRESET, CLASS_FREE))
    assert typed <= free == 12


def test_of_strings_as_they_were_drawn_all_is_right_and_spoilt_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    task = TypedLanguage(preset("typed-language").task)  # type: ignore[arg-type]
    exam, generator = Exam(task, 40, 0), torch.Generator().manual_seed(0)
    drawn = {which: task.asked(torch.full((40,), which), generator) for which in range(3)}
    texts = {which: torch.cat([b.inputs[:, task.begin + 1 :], b.targets[:, -1:]], 1) for which, b in drawn.items()}
    asked = {tuple(prompt.tolist()): which for which in range(3) for prompt in exam.prompts[which]}

    def write(model: object, prompts: list[torch.Tensor], *rest: object) -> list[torch.Tensor]:
        return [row.clone() for row in texts[asked[tuple(prompts[0].tolist())]]]

    monkeypatch.setattr("mcinterp.studies.percolation.exam.generate", write)
    monkeypatch.setattr("mcinterp.studies.percolation.exam.reach_of", lambda checkpoint: np.ones(12))
    checkpoint = type("Fake", (), {"model": None, "task": task})()
    shares = {name: exam.of(checkpoint).share(name) for name in order.MEASURES}
    assert shares == dict.fromkeys(order.MEASURES, 1.0)
    texts[1][:5, 0] = task.vocabulary.entity
    texts[2] = texts[2].roll(1, 0)
    texts[0][:8, 0] = task.vocabulary.descriptor
    worse = exam.of(checkpoint)
    assert worse.share(GRAMMAR) == 0.8
    assert worse.share(TYPES) == 1
    assert worse.share(UNSCRAMBLED) < 1
    assert worse.share(CONDITIONED) < 0.5
    texts[0][10:] = task.vocabulary.descriptor
    few = exam.of(checkpoint)
    assert few.share(GRAMMAR) == 0.05
    assert math.isnan(few.share(TYPES))
    texts[0][:] = task.vocabulary.descriptor
    none = exam.of(checkpoint)
    assert math.isnan(none.share(TYPES))
    assert math.isnan(float(none.estimate(TYPES).value))
    assert none.share(GRAMMAR) == 0


def test_a_planted_drop_is_found_and_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(PRESET, 1, Run(folder / "run"))
    steps = np.arange(1, 601)
    rng = np.random.default_rng(0)
    late = np.clip((steps > 300) * 0.9 + 0.01 * rng.normal(size=600), 0, 1)
    flat = np.clip(0.1 + 0.01 * rng.normal(size=600), 0, 1)
    planted = {name: late if name in ("unscrambled", "conditioned") else flat for name in drops.CURVES}
    frame = pd.DataFrame({"step": steps, **planted})
    monkeypatch.setattr(Run, "metrics", property(lambda self: frame))
    found = drops.drops([network], [])
    shares = found.table("shares").set_index(["task", "counted"])["found"]
    assert shares["unscramble", "strings"] == shares["conditional", "strings"] == 1
    assert shares["unscramble", "tokens"] == shares["conditional", "tokens"] == shares["reach", "entities"] == 0
    errors = found.table("errors")
    np.testing.assert_allclose(errors["unscrambled"].iloc[[10, 50]], [1, 0.1], atol=0.02)


def test_slopes_are_those_that_were_planted(folder: Path) -> None:
    rows = [
        {"role": f"pairs, K × {size}", "trained": seed, "descriptors": k, "batch": 64, "entities": 15}
        | {"onset": (1 + 0.1 * seed) * 10 * k**0.4, "half": 5.0 * k, "closed_onset": k**0.57, "closed_half": 2.0 * k}
        for size, k in zip(("1/2", "1", "2", "4", "8"), (20, 40, 80, 160, 320), strict=True)
        for seed in (0, 1)
    ]
    family = shift.Family("sizes", "descriptors", tuple(row["role"] for row in rows))
    found = {(row["event"], row["part"]): row for row in shift._slopes(family, rows)}
    assert found["onset", "all"]["slope"] == pytest.approx(0.4)
    assert found["onset", "all"]["closed"] == pytest.approx(0.57)
    assert found["half", "all"]["slope"] == pytest.approx(1)
    assert found["onset", "bend"]["slope"] == pytest.approx(0, abs=1e-9)
    rows[0]["onset"] = math.nan
    assert math.isnan(next(iter(shift._slopes(family, rows)))["slope"])


def test_the_page_shows_every_result_and_no_hole(folder: Path) -> None:
    assert "Of 14 claims" in (folder / "out" / "index.html").read_text(encoding="utf-8")
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for name in NAMES:
        assert f'id="{name}"' in page
    assert ">nan" not in page
    assert "NaN" not in page


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("truth", TRUTHS)
def test_sentences_say_no_more_than_their_intervals(folder: Path, name: str, truth: str) -> None:
    changed = forged(loaded(folder, name), truth, "later", "slope", "reach")
    words = {
        "later": ("later than", "earlier than"),
        "slope": ("a larger power", "a smaller power"),
        "reach": ("more than|above", "less than|below"),
    }
    plain = ("over the lower, the one less the other", "the upper half")
    wrong, said = contradictions(lambda: getattr(views, name)(changed, {}).sentences, words, plain)
    assert not wrong
    assert said == {"graphs": 0, "order": 3, "drops": 0, "shift": 2, "connected": 2}[name]


def test_two_descriptors_are_told_beside_one(folder: Path) -> None:
    found = forged(loaded(folder, "connected"), "above", "reach", rows=lambda frame: frame["role"] == TWO)
    found = forged(found, "null", "reach", rows=lambda frame: frame["role"] == ONE)
    assert "more than the 0 [0, 0]" in views.connected(found, {}).sentences[0]


def test_where_nothing_emerges_it_is_said(folder: Path) -> None:
    found = loaded(folder, "shift")
    frame = found.table("ratios").assign(over=math.nan, drawn=math.nan)
    tables = {**found.tables, "ratios": Table(frame, found.tables["ratios"].columns)}
    assert views.shift(replace(found, tables=tables), {}).sentences[-1].startswith("In no setting of pairs only")


def test_another_task_is_refused() -> None:
    with pytest.raises(TrainingError, match="must be of typed-language, got one of"):
        runs.language(load_preset("tiny"))
