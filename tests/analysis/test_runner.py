"""The runner: what is computed, what is kept, and where it goes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from mcinterp.analysis import analyse, runner
from mcinterp.analysis.registry import COMPARISONS, Comparison, select_comparisons, select_passes
from mcinterp.errors import UsageError
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run, densify


def _count(run: Run, steps: Sequence[int], samples: int, seed: int) -> Result:
    """A comparison that counts checkpoints."""
    rows = [{"step": step, "n": samples, "seed": seed} for step in steps]
    columns = {"step": "checkpoint", "n": "matrices", "seed": "seed"}
    return Result("count", "Counted", {}, {}, {"count": Table.of(columns, rows)})


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMPARISONS, "count", Comparison("count", "How many?", 3, _count))


def _analysed(run: Run, out: Path, **settings: object) -> list[str]:
    lines: list[str] = []
    analyse(run, out, run.steps[-1:], ["count"], progress=lines.append, **settings)  # type: ignore[arg-type]
    return lines


def test_a_comparison_sees_every_checkpoint_whatever_the_steps(trained: Run, tmp_path: Path) -> None:
    assert _analysed(trained, tmp_path)[0].startswith("all steps: count ")
    stored = Result.load(tmp_path / "data" / "run" / "count")
    assert list(stored.table("count")["step"]) == trained.steps
    assert set(stored.table("count")["n"]) == {3}
    assert stored.provenance["steps"] == trained.steps
    assert not list((tmp_path / "data").glob("step-*"))


def test_a_comparison_of_the_same_is_kept(trained: Run, tmp_path: Path) -> None:
    _analysed(trained, tmp_path)
    assert _analysed(trained, tmp_path) == ["all steps: count kept"]
    assert _analysed(trained, tmp_path, samples=4)[0].endswith(" s (again: other samples)")
    assert _analysed(trained, tmp_path, seed=1)[0].endswith(" s (again: other samples, seed)")


def test_other_code_makes_results_stale(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _analysed(trained, tmp_path)
    monkeypatch.setattr(runner, "code_digest", lambda: "other")
    assert _analysed(trained, tmp_path)[0].endswith(" s (again: other code)")
    assert _analysed(trained, tmp_path) == ["all steps: count kept"]
    assert Result.load(tmp_path / "data" / "run" / "count").provenance["code"] == "other"


def test_the_code_is_that_which_numbers_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mcinterp"
    shutil.copytree(Path(runner.__file__).parents[1], package, ignore=shutil.ignore_patterns("assets", "__pycache__"))
    monkeypatch.setattr(runner, "__file__", str(package / "analysis" / "runner.py"))
    digest = runner.code_digest.__wrapped__
    before = digest()
    assert before == runner.code_digest()
    (package / "report" / "site.py").write_text("")
    assert digest() == before
    (package / "task" / "masks.py").write_text("")
    assert digest() != before


def test_another_checkpoint_makes_a_comparison_stale(own_copy: Path, tmp_path: Path) -> None:
    _analysed(Run(own_copy), tmp_path)
    missing = next(step for step in range(40) if step not in Run(own_copy).steps)
    densify(own_copy, missing, missing, 1, device="cpu")
    assert _analysed(Run(own_copy), tmp_path) != ["all steps: count kept"]
    assert missing in list(Result.load(tmp_path / "data" / "run" / "count").table("count")["step"])


def test_the_run_page_shows_comparisons(trained: Run, tmp_path: Path) -> None:
    _analysed(trained, tmp_path)
    page = write_report(tmp_path).read_text()
    assert '<a href="#count">Counted</a>' in page
    assert 'href="data/run/count/count.csv"' in page
    assert (tmp_path / "data/run/count/count.csv").is_file()


def test_passes_and_comparisons_share_their_names() -> None:
    assert [entry.name for entry in select_comparisons(["count", "ablation"])] == ["count"]
    assert [entry.name for entry in select_passes(["count", "probes"])] == ["probes"]
    assert "count" in [entry.name for entry in select_comparisons()]
    with pytest.raises(UsageError, match="did you mean 'count'"):
        select_comparisons(["cuont"])
