"""Runs made of others' checkpoints: the same weights give the same numbers, and nothing more is claimed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from exported import LAYOUTS
from small_gpt import small_gpt_config

import mcinterp
from mcinterp import Checkpoint, Run, TrainingError, import_run
from mcinterp.report import write_report
from mcinterp.runs.excerpt import excerpt
from mcinterp.runs.verify import verify

TINY = Path(__file__).parents[2] / "data" / "tiny"


def task_of(run: Run, layout: str) -> dict[str, Any]:
    """What has to be said of a layout: the authors' train.yaml says it."""
    return {} if layout == "authors" else {"task": run.config.task}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_weights_at_the_same_steps(
    layout: str, folders: dict[str, Path], trained: Run, tmp_path: Path
) -> None:
    run = import_run(folders[layout], tmp_path / "run", **task_of(trained, layout))
    assert run.steps == trained.steps[1:]
    assert run.config.model.model_dump(exclude={"init_std"}) == trained.config.model.model_dump(exclude={"init_std"})
    for step in run.steps:
        own, theirs = trained.checkpoint(step).weights, run.checkpoint(step).weights
        assert own.keys() == theirs.keys()
        assert all(torch.equal(own[name], theirs[name]) for name in own)
    assert verify(run) == []


def test_the_authors_configuration_is_read(folders: dict[str, Path], trained: Run, tmp_path: Path) -> None:
    config = import_run(folders["authors"], tmp_path / "run").config
    assert config.task.model_dump() == {**trained.config.task.model_dump(), "tokens": "truncate"}
    assert (config.training.batch_size, config.training.learning_rate, config.training.steps) == (8, 0.001, 40)


def test_loss_and_scores_are_those_of_fresh_samples_at_each_checkpoint(imported: Run, trained: Run) -> None:
    """Measured apart from the package's own: every checkpoint on the next samples of one generator."""
    generator, metrics = torch.Generator().manual_seed(0), imported.metrics.set_index("step")
    for step in imported.steps:
        checkpoint = trained.checkpoint(step)
        batch = checkpoint.task.draw(512, generator)
        error = (checkpoint.model.complete(batch.inputs).reshape(batch.targets.shape) - batch.targets).square()
        expected = [error.mean(), error[~batch.masked].mean(), error[batch.masked].mean()]
        assert metrics.loc[step, ["loss", "observed_mse", "masked_mse"]].tolist() == pytest.approx(
            list(map(float, expected)), rel=1e-4
        )
        assert imported.checkpoint(step).metrics["loss"] == metrics.loc[step, "loss"]


@pytest.mark.parametrize(
    ("ask", "table"),
    [
        (lambda run: mcinterp.ablation(run.checkpoint(40), ["all", "L0H1"], ["uniform"], 32), "ablation"),
        (lambda run: mcinterp.switch(run.checkpoint(run.steps[-2]), run.checkpoint(40), ["mlp"], 32), "switching"),
        (lambda run: mcinterp.head_taxonomy(run.checkpoint(40), 16), "heads"),
        (lambda run: mcinterp.model_switching(run, run.steps[-2:], samples=16), "exchange"),
    ],
)
def test_analyses_give_the_numbers_of_the_run_that_it_was(
    ask: Callable[[Run], Any], table: str, imported: Run, trained: Run
) -> None:
    ours, theirs = ask(trained).table(table), ask(imported).table(table)
    numbers = ours.select_dtypes("number").columns
    assert len(numbers) > 3
    np.testing.assert_allclose(theirs[numbers], ours[numbers], rtol=1e-5, atol=1e-7)


def test_embeddings_are_compared_with_a_loss_that_was_measured(imported: Run, trained: Run) -> None:
    steps = imported.steps[-2:]
    ours, theirs = (mcinterp.embeddings(run, steps, samples=64) for run in (trained, imported))
    pd.testing.assert_frame_equal(ours.table("tokens"), theirs.table("tokens"))
    pd.testing.assert_frame_equal(ours.table("positions"), theirs.table("positions"))
    assert theirs.facts["loss_source"] == "n = 512 fresh samples, seed 0"
    loss = theirs.table("lead").set_index("measure").loc["loss"]
    batch = trained.checkpoint(40).sample(512, 0)
    error = (trained.checkpoint(40).model.complete(batch.inputs).reshape(batch.targets.shape) - batch.targets).square()
    assert loss["last"] == pytest.approx(float(error[batch.masked].mean()), rel=1e-4)


def test_it_is_compared_with_the_run_that_it_was(imported: Run, trained: Run) -> None:
    both = mcinterp.compare_checkpoints(trained.checkpoint(40), imported.checkpoint(40), samples=32)
    differences = both.table("errors").filter(regex="^difference(_low|_high)?$")
    assert differences.size == 9
    assert float(differences.abs().max(axis=None)) < 1e-6
    runs = mcinterp.compare_runs([trained, imported]).table("runs")
    assert runs["found"].tolist() == [False, False]


@pytest.fixture(scope="module")
def pages(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two checkpoints, all that says where in training one is."""
    folder = tmp_path_factory.mktemp("report")
    files = [folders["authors"] / "grok00040.tar", folders["authors"] / "grok00001.tar"]
    imported = import_run(files, folder / "run")
    passes = ["attention", "taxonomy", "ablation", "embeddings", "plateau", "switching"]
    mcinterp.analyse(imported, folder / "report", imported.steps, passes, samples=4)
    write_report(folder / "report")
    return folder / "report"


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", page.read_text(encoding="utf-8")))


def test_its_report_has_every_page_and_claims_no_drop_or_plateau(pages: Path) -> None:
    assert {page.name for page in pages.glob("head-*.html")} == {f"head-L{i}H{j}.html" for i in (0, 1) for j in (0, 1)}
    index = text_of(pages / "index.html")
    assert "No verdict: only 2 points of L_mask, too few to find a drop or to rule" in index
    assert "measured at each checkpoint on 512 fresh samples, seed 0" in index
    assert "elsewhere; the run was imported" in index
    assert "training.learning_rate" not in index  # it is not known
    for page in pages.glob("*.html"):
        claims = re.findall(r"no drop was found|of a run without a drop|on the plateau|From the plateau", text_of(page))
        assert claims == [], page.name


def test_its_model_runs_in_a_page(imported: Run, tmp_path: Path) -> None:
    page = mcinterp.write_explorer(mcinterp.explorable(imported), tmp_path / "explore.html")
    assert page.stat().st_size > 10_000


def test_nothing_of_it_is_trained_on(imported: Run, cli: Callable[..., tuple[int, str, str]]) -> None:
    with pytest.raises(TrainingError, match=r"was imported: .* nothing of it can be replayed"):
        mcinterp.densify(imported.path, 1, 3, 1)
    with pytest.raises(TrainingError, match="nothing of it can be trained on"):
        mcinterp.train(imported.path, imported.config)
    code, out, err = cli("densify", str(imported.path), "--from", "1", "--to", "3", "--every", "1")
    assert (code, out) == (1, "")
    assert "was imported" in err


def test_a_run_begins_with_its_weights_and_it_is_copied(imported: Run, tmp_path: Path) -> None:
    copy = excerpt(imported, tmp_path / "copy", 4)
    assert copy.is_imported
    assert copy.told == imported.told
    begun = mcinterp.retrain(copy.path, "mlp", 1, 2, ["training.batch_size=4"], device="cpu")
    assert begun.finished


def test_a_curve_that_came_along_is_kept_and_decided_on(tmp_path: Path) -> None:
    """The checkpoints of the run that ships have their drop, once the curve is there; without it no verdict."""
    tiny, folder = Run(TINY), tmp_path / "files"
    folder.mkdir()
    for step in tiny.steps:
        LAYOUTS["own_names"](tiny.checkpoint(step), folder)
    table = tiny.metrics[["step", "masked_mse"]].assign(note=1)
    table.to_csv(tmp_path / "curve.csv", index=False)
    run = import_run(folder, tmp_path / "with", tiny.config, curve=tmp_path / "curve.csv", samples=32)
    assert run.config.model == tiny.config.model  # with the law of untrained controls
    assert run.transition == tiny.transition
    assert run.select_steps("auto") == tiny.select_steps("auto")
    metrics = run.metrics.set_index("step")
    assert metrics["masked_mse"].notna().sum() == len(table)
    assert metrics["loss"].dropna().index.tolist() == tiny.steps  # what it lacks was measured, at checkpoints alone
    without = import_run(folder, tmp_path / "without", tiny.config, samples=32)
    assert (without.transition.found, without.transition.confidence) == (False, "undecided")
    assert without.transitions == []


def test_steps_are_said_or_told(folders: dict[str, Path], trained: Run, tmp_path: Path) -> None:
    files = sorted(folders["hooked"].iterdir(), key=lambda file: int(file.stem))[:3]
    run = import_run(files, tmp_path / "run", trained.config.task, steps=[7, 0, 300], samples=16)
    assert run.steps == [0, 7, 300]
    first = trained.checkpoint(trained.steps[1]).weights
    assert torch.equal(run.checkpoint(7).weights["unembed.W_U"], first["unembed.W_U"])
    assert run.metrics["step"].tolist() == [0, 7, 300]


def test_a_gpt_opens_by_its_own_names(tmp_path: Path) -> None:
    config = small_gpt_config()
    first = Checkpoint.untrained(config, seed=3)
    safetensors.torch.save_file(dict(first.weights), tmp_path / "step-5.safetensors")
    run = import_run(tmp_path / "step-5.safetensors", tmp_path / "run", config, samples=4)
    own, theirs = first.weights, run.checkpoint(5).weights
    assert all(torch.equal(own[name], theirs[name]) for name in own)
    generated = mcinterp.generation(run.checkpoint(5), samples=4)
    pd.testing.assert_frame_equal(
        generated.table("generation"), mcinterp.generation(first, samples=4).table("generation")
    )
