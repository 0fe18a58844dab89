"""The layers that train and store know of no family of tasks and models; the first needs no name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_run import interrupt_at, small_config

import mcinterp
from mcinterp.config import RunConfig, TrainConfig, parse_config
from mcinterp.runs import train
from mcinterp.studies.matrix_completion.config import TaskConfig

PACKAGE = Path(mcinterp.__file__).parent
GENERAL = [*PACKAGE.glob("training/*.py"), *PACKAGE.glob("runs/*.py"), *PACKAGE.glob("study/*.py")]
WORDS = re.compile(
    r"\b(matri\w*|rows?|cols?|columns?|mask(s|ed|ing)?|observed|ranks?|entry|entries|completion|tokens?)\b|Matrix|Mask",
    re.IGNORECASE,
)
ALLOWED = {
    "training/together.py": {"rank"},  # the number of a process, as torch.distributed calls it
    "study/__init__.py": {"matrix_completion"},  # the list of studies
    "study/claims.py": {"row", "rows", "columns", "column"},  # of tables
    "study/over_seeds.py": {"row", "rows", "columns", "column"},  # likewise
    "study/overview.py": {"row", "rows", "columns", "column"},  # likewise
}


@pytest.mark.parametrize("file", GENERAL, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_no_word_of_matrix_completion_stands_in_the_general_layers(file: Path) -> None:
    allowed = ALLOWED.get(file.relative_to(PACKAGE).as_posix(), set())
    found = {match[0] for match in WORDS.finditer(file.read_text(encoding="utf-8").replace("_", " _ "))}
    assert {word.lower() for word in found} - {part for word in allowed for part in word.split("_")} == set()


def test_encoders_train_with_plain_gradient_descent_too(tmp_path: Path) -> None:
    config = small_config(training={"optimiser": "sgd", "steps": 12})
    straight = train(tmp_path / "straight", config, "cpu")
    train(tmp_path / "stopped", config, "cpu", interrupt_at(5))
    stopped = train(tmp_path / "stopped", config, "cpu")
    assert stopped.checkpoint("last").digest == straight.checkpoint("last").digest


def test_a_section_without_a_kind_is_what_it_always_was() -> None:
    assert RunConfig.model_validate({"task": {"rows": 5}, "model": {"n_layers": 2}}).task == TaskConfig(rows=5)
    assert "optimiser: adam" in RunConfig().to_yaml()
    old = RunConfig().to_yaml().replace("  kind: matrix-completion\n", "").replace("  optimiser: adam\n", "")
    old = old.replace("  architecture: encoder\n", "")
    assert parse_config(old, "old").hash == RunConfig().hash == "404852e78ea1b2cf"
    assert RunConfig(training=TrainConfig(optimiser="sgd")).hash != RunConfig().hash
