"""What goes into the explorer's file, what is refused, and that nothing hostile comes out of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import Forge
from small_gpt import small_gpt_config

from mcinterp.config import load_preset
from mcinterp.errors import InputError
from mcinterp.report import write_report
from mcinterp.results import Result
from mcinterp.runs import Run
from mcinterp.studies.matrix_completion.explorer.explorable import MAX_STEPS, explorable
from mcinterp.studies.matrix_completion.explorer.mask_words import mask_words
from mcinterp.studies.matrix_completion.explorer.page import SCRIPTS, explorer_page, write_explorer

TINY = Path(__file__).parents[4] / "checkpoints" / "tiny"
EVIL = "\"'><script>window.hacked=1</script></script><img src=x onerror='window.hacked=2'>{{7*7}}\u202egnp.exe"


@pytest.fixture(scope="module")
def found(trained_folder: Path) -> Result:
    return explorable(Run(trained_folder))


def data(page: str, opening: str) -> str:
    (text,) = re.findall(f"<script {opening}>(.*?)</script>", page, flags=re.DOTALL)
    return str(text)


def unpacked(page: str, step: int) -> np.ndarray:
    """A step's parameters as the page's text has them."""
    model = json.loads(data(page, 'type="application/json" id="model"'))
    texts = [data(page, f'type="text/plain" {which}') for which in (f'data-weights="{step}"', 'id="common"')]
    sources = [np.frombuffer(base64.b64decode(text), "<f4") for text in texts]
    read, parts = [0, 0], []
    for index, length in enumerate(model["runs"]):
        parts.append(sources[index % 2][read[index % 2] : read[index % 2] + length])
        read[index % 2] += length
    assert read == [len(source) for source in sources]
    return np.concatenate(parts)


def test_the_file_holds_every_weight_exactly(found: Result, trained_folder: Path) -> None:
    run, page = Run(trained_folder), explorer_page(found)
    assert found.facts["steps"] == run.spread_steps(MAX_STEPS)
    for step in found.facts["steps"]:
        weights = dict(sorted(run.checkpoint(step).weights.items()))
        expected = np.concatenate([weight.numpy().ravel() for weight in weights.values()])
        np.testing.assert_array_equal(unpacked(page, step), expected)
        assert found.facts["parameters"] == [[name, list(weight.shape)] for name, weight in weights.items()]


def test_it_holds_the_heads_mean_outputs(found: Result, trained_folder: Path) -> None:
    run, page = Run(trained_folder), explorer_page(found)
    for step in found.facts["steps"]:
        checkpoint = run.checkpoint(step)
        model, inputs = checkpoint.encoder, checkpoint.sample(512, 0).inputs
        cache = model.run_with_cache(inputs)[1]
        expected = [cache["z", layer].mean(0).flatten() for layer in range(model.cfg.n_layers)]
        held = np.frombuffer(base64.b64decode(data(page, f'type="text/plain" data-means="{step}"')), "<f4")
        np.testing.assert_allclose(held, np.concatenate(expected), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "nothing masked"),
        ("masked-rows:2@1,4@3", "rows 2 and 4, all but 2,1 and 4,3"),
        ("masked-rows:2@0", "row 2, all but 2,0"),
        ("column-run:2@0-4,3", "longest observed run in column 2"),
        ("checkerboard", "checkerboard"),
        ("one-per-row", "all but one entry a row"),
        ("block:0-1,0-2", "block of rows 0 to 1, columns 0 to 2"),
        ("mine", "mine"),
    ],
)
def test_masks_have_names_that_are_said(name: str, words: str) -> None:
    assert mask_words(name) == words


def test_one_checkpoint_alone_is_all_in_common(trained: Run) -> None:
    page = explorer_page(explorable(trained, [trained.steps[-1]]))
    assert len(unpacked(page, trained.steps[-1])) == sum(w.numel() for w in trained.checkpoint("last").weights.values())


def test_it_is_a_pure_function_of_what_was_gathered(found: Result, tmp_path: Path) -> None:
    found.save(tmp_path / "stored")
    assert explorer_page(Result.load(tmp_path / "stored")) == explorer_page(found)


@pytest.mark.skipif(not TINY.exists(), reason="the shipped run is not here")
def test_eight_checkpoints_of_tiny_are_under_12_mb(tmp_path: Path) -> None:
    run = Run(TINY)
    found = explorable(run)
    assert len(found.facts["steps"]) == 8
    assert {run.steps[0], *run.select_steps("auto")} <= set(found.facts["steps"])
    assert write_explorer(found, tmp_path / "new" / "explore.html").stat().st_size < 12e6


def test_the_policy_lets_only_its_own_scripts_run(found: Result) -> None:
    page = explorer_page(found)
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert len(scripts) == len(SCRIPTS)
    assert re.search("script-src ([^;]+);", policy)[1].split() == [f"'sha256-{digest}'" for digest in digests]
    assert not re.search(r"https?:|\*", policy)
    assert not re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?!data:)', page)
    assert all("type=" in tag for tag in re.findall(r"<script [^>]*>", page))


def test_hostile_names_stay_text(found: Result, opened: Callable[..., Any], tmp_path: Path) -> None:
    facts = {**found.facts, "run": EVIL, "statement": EVIL, "config_hash": EVIL}
    masks = {"5x5": [EVIL, *found.facts["masks"]["5x5"][1:]]}
    hostile = replace(found, facts={**facts, "masks": masks}, provenance={"versions": {EVIL: EVIL}})
    with opened(write_explorer(hostile, tmp_path / "explore.html")) as page:
        assert page.get_by_role("heading", level=1).inner_text().count("<script>") == 1
        assert page.get_by_label("Mask", exact=True).inner_text().count("<script>") == 1
        assert page.evaluate("window.hacked") is None
        assert page.locator("img").count() == 0
        assert "\\u202egnp.exe" in page.title()
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.content())
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=x></p>')")


@pytest.mark.parametrize("preset", ["gpt", "delayed-switch", "identity-mapping"])
def test_other_tasks_are_refused_in_a_sentence(preset: str, tmp_path: Path) -> None:
    config = small_gpt_config() if preset == "gpt" else load_preset(preset)
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    with pytest.raises(
        InputError, match=f"encoders that complete matrices .* this run has task.kind {config.task.kind}"
    ):
        explorable(Run(tmp_path))


def test_weights_that_no_page_holds_are_refused(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("mcinterp.studies.matrix_completion.explorer.explorable"), "MAX_BYTES", 100_000)
    with pytest.raises(InputError, match=r"the weights of \d checkpoints take .* MB, .* --steps"):
        explorable(trained)


def test_a_folder_is_no_file(found: Result, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; the explorer is one file"):
        write_explorer(found, tmp_path)


def test_the_index_leads_to_an_explorer_that_is_there(found: Result, tmp_path: Path) -> None:
    folder = Forge(steps=(1000,), n_heads=1).write(tmp_path)
    assert "explore.html" not in write_report(folder).read_text()
    write_explorer(found, folder / "explore.html")
    assert '<a href="explore.html">' in write_report(folder).read_text()
