"""The runner: what is computed, what is kept, and where it goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_run import small_config

from mcinterp.analysis import analyse, runner
from mcinterp.analysis.passes import attention_size
from mcinterp.analysis.registry import COMPARISONS, PASSES, select_comparisons, select_passes
from mcinterp.analysis.work import Report, Work, all_done, counted
from mcinterp.declared import Comparison, Pass, Study
from mcinterp.errors import FailedPassesError, SolverError, UsageError
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run, densify
from mcinterp.task import make_task


def _count(run: Run, steps: Sequence[int], samples: int, seed: int) -> Result:
    """A comparison that counts checkpoints."""
    rows = [{"step": step, "n": samples, "seed": seed} for step in steps]
    columns = {"step": "checkpoint", "n": "matrices", "seed": "seed"}
    return Result("count", "Counted", {}, {}, {"count": Table.of(columns, rows)})


def _odd(checkpoint: Checkpoint, **_: object) -> Result:
    """A pass that fails after the first step."""
    if checkpoint.step:
        raise SolverError("no <b>way</b>")
    return Result("odd", "Odd", {})


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMPARISONS, "count", Comparison("count", "How many?", 3, _count))
    monkeypatch.setitem(PASSES, "odd", Pass("odd", "Odd?", 3, _odd))


def _analysed(run: Run, out: Path, **settings: object) -> list[str]:
    lines: list[str] = []
    analyse(run, out, run.steps[-1:], ["count"], progress=lines.append, **settings)  # type: ignore[arg-type]
    return lines


def test_a_comparison_sees_every_checkpoint_whatever_the_steps(trained: Run, tmp_path: Path) -> None:
    assert _analysed(trained, tmp_path)[0].startswith("1/1 all steps: count ")
    stored = Result.load(tmp_path / "data" / "run" / "count")
    assert list(stored.table("count")["step"]) == trained.steps
    assert set(stored.table("count")["n"]) == {3}
    assert stored.provenance["steps"] == trained.steps
    assert not list((tmp_path / "data").glob("step-*"))


def test_a_comparison_of_the_same_is_kept(trained: Run, tmp_path: Path) -> None:
    _analysed(trained, tmp_path)
    assert _analysed(trained, tmp_path) == ["1/1 all steps: count kept"]
    assert _analysed(trained, tmp_path, samples=4)[0].endswith(" s (again: other samples)")
    assert _analysed(trained, tmp_path, seed=1)[0].endswith(" s (again: other samples, seed)")


def test_other_code_makes_results_stale(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _analysed(trained, tmp_path)
    monkeypatch.setattr(runner, "code_digest", lambda: "other")
    assert _analysed(trained, tmp_path)[0].endswith(" s (again: other code)")
    assert _analysed(trained, tmp_path) == ["1/1 all steps: count kept"]
    assert Result.load(tmp_path / "data" / "run" / "count").provenance["code"] == "other"


def test_the_code_is_that_which_numbers_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = runner.code_digest.__wrapped__
    package, own = tmp_path / "mcinterp", digest()  # not the kept one, which may be of another test's studies
    shutil.copytree(Path(runner.__file__).parents[1], package, ignore=shutil.ignore_patterns("assets", "__pycache__"))
    monkeypatch.setattr(runner, "__file__", str(package / "analysis" / "runner.py"))
    before = digest()
    assert before == own
    (package / "report" / "site.py").write_text("")
    assert digest() == before
    study = package / "studies" / "matrix_completion"
    for shown in ("views/tokens.py", "figures/tokens.py", "explorer/page.py"):
        (study / shown).write_text("")
    assert digest() == before
    (study / "task" / "masks.py").write_text("")
    assert digest() != before


def test_the_code_of_other_packages_studies_is_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declare: Callable[[Study], None]
) -> None:
    digest = runner.code_digest.__wrapped__
    before = digest()
    package = tmp_path / "a_strangers_study"
    package.mkdir()
    for name in ("__init__.py", "task.py", "views.py"):
        (package / name).write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    declare(Study("strange", "", "", package.name, (), "", ""))
    with_it = digest()
    assert with_it != before
    (package / "views.py").write_text("1")
    assert digest() == with_it
    (package / "task.py").write_text("1")
    assert digest() != with_it


def test_another_checkpoint_makes_a_comparison_stale(own_copy: Path, tmp_path: Path) -> None:
    _analysed(Run(own_copy), tmp_path)
    missing = next(step for step in range(40) if step not in Run(own_copy).steps)
    densify(own_copy, missing, missing, 1, device="cpu")
    assert _analysed(Run(own_copy), tmp_path) != ["1/1 all steps: count kept"]
    assert missing in list(Result.load(tmp_path / "data" / "run" / "count").table("count")["step"])


def test_the_run_page_shows_comparisons(trained: Run, tmp_path: Path) -> None:
    _analysed(trained, tmp_path)
    page = write_report(tmp_path).read_text()
    assert '<a href="#count">Counted</a>' in page
    assert 'href="data/run/count/count.csv"' in page
    assert (tmp_path / "data/run/count/count.csv").is_file()


def test_a_pass_that_fails_costs_no_other_and_its_page_says_why(trained: Run, tmp_path: Path) -> None:
    lines: list[str] = []
    with pytest.raises(FailedPassesError, match=r"^1 of the passes failed, all others are done: odd at step 40 \(no <"):
        analyse(trained, tmp_path, [0, 40], ["taxonomy", "odd"], 4, progress=lines.append)
    assert [line.partition(" ")[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert lines[-1] == "4/4 step 40: odd failed: no <b>way</b>"
    write_report(tmp_path)
    page = (tmp_path / "step-00000040.html").read_text()
    assert '<p class="absent">Failed: no &lt;b&gt;way&lt;/b&gt;.</p>' in page
    assert "Failed" not in (tmp_path / "step-00000000.html").read_text()


@pytest.mark.parametrize("jobs", [1, 2])
def test_work_is_done_to_its_end_whatever_fails(jobs: int) -> None:
    def piece(number: int) -> Work:
        def work(tell: Report | None) -> list[str]:
            assert tell
            tell(f"piece {number}")
            return [f"failed {number}"] if number % 2 else []

        return work

    lines: list[str] = []
    failures = all_done([piece(number) for number in range(4)], jobs, counted(lines.append, 4))
    assert sorted(failures) == ["failed 1", "failed 3"]
    assert [line.partition(" ")[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert sorted(line.partition(" ")[2] for line in lines) == [f"piece {number}" for number in range(4)]


def test_what_failed_is_tried_again(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailedPassesError):
        analyse(trained, tmp_path, [40], ["odd"])
    monkeypatch.setitem(PASSES, "odd", Pass("odd", "Odd?", 3, lambda *_, **__: Result("odd", "Odd", {})))
    analyse(trained, tmp_path, [40], ["odd"])
    assert not Result.load(tmp_path / "data/step-00000040/odd").why_unanswered


def test_a_comparison_that_fails_says_so_on_the_run_page(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Result:
        raise SolverError("not solved")

    monkeypatch.setitem(COMPARISONS, "plateau", Comparison("plateau", "What moves?", 3, fails))
    with pytest.raises(FailedPassesError, match=r"plateau at all steps \(not solved\)"):
        analyse(trained, tmp_path, [], ["plateau", "count"])
    page = write_report(tmp_path).read_text()
    assert '<p class="absent">Failed: not solved.</p>' in page
    assert '<a href="#count">Counted</a>' in page


def test_passes_and_comparisons_share_their_names() -> None:
    assert [entry.name for entry in select_comparisons(["count", "ablation"])] == ["count"]
    assert [entry.name for entry in select_passes(["count", "probes"])] == ["probes"]
    assert "count" in [entry.name for entry in select_comparisons()]
    with pytest.raises(UsageError, match="did you mean 'count'"):
        select_comparisons(["cuont"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_to_do_is_done(jobs: int) -> None:
    """As where a study asks for no pass of a run without comparisons."""
    assert all_done([], jobs, None) == []


def test_what_stands_starts_no_process(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def analysed(*steps: int, jobs: int = 2) -> list[str]:
        lines: list[str] = []
        names = ["taxonomy", "patching", "count"]
        analyse(trained, tmp_path, steps, names, 8, jobs=jobs, progress=lines.append)
        return [line.partition(" ")[2] for line in lines]

    def started(*_: object) -> list[str]:
        raise AssertionError("a process was started")

    assert len(analysed(0, 40, jobs=1)) == 5
    monkeypatch.setattr("mcinterp.analysis.work._in_parallel", started)
    kept = [f"step {step}: {name} kept" for step in (0, 40) for name in ("taxonomy", "patching")]
    assert analysed(0, 40) == ["all steps: count kept", *kept]
    (tmp_path / "data/step-00000040/patching/result.json").unlink()
    assert [line.partition(" 0.")[0] for line in analysed(0, 40)] == ["all steps: count kept", *kept[:3], kept[3][:-5]]
    with pytest.raises(AssertionError, match="a process was started"):
        analyse(trained, tmp_path, [0, 40], ["taxonomy", "patching", "count"], 4, jobs=2)


def test_maps_that_take_much_are_told_of_before_they_are_made(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = small_config(task={"rows": 20, "cols": 20}, model={"n_layers": 4, "n_heads": 8})
    families = len(make_task(large.task).inputs_for_attention())
    gigabytes = 3 * 4 * families * 32 * 400**2 / 1e9
    assert f" × 32 heads × 400 × 400 positions take {gigabytes:.1f} GB" in PASSES["attention"].costs(large)
    assert PASSES["attention"].costs(trained.config) == PASSES["ablation"].costs(large) == ""
    lines: list[str] = []
    analyse(trained, tmp_path / "little", [trained.steps[-1]], ["attention"], samples=4, progress=lines.append)
    monkeypatch.setattr(attention_size, "MUCH", 1)
    told: list[str] = []
    analyse(trained, tmp_path / "much", [trained.steps[-1]], ["attention"], samples=4, progress=told.append)
    assert told[0].startswith("attention: ")
    assert len(told) == len(lines) + 1
