"""A study from training to its page, and that an untrained model is told nothing good."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from forged_evidence import evidence
from listings import entries
from small_run import small_config

from mcinterp.analysis import COMPARISONS, PASSES
from mcinterp.errors import UsageError
from mcinterp.installed import BUILT_IN, studies
from mcinterp.report import write_report
from mcinterp.report.study import claims_page, claims_sentence
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.ghost_points import study as ghost_study
from mcinterp.studies.ghost_points.limits import zone
from mcinterp.studies.matrix_completion import study as matrix_study
from mcinterp.studies.matrix_completion.claims import matrix_claims
from mcinterp.study import Evidence, Setting, find_study, reproduce
from mcinterp.study.claims import claims_result

DROP = {"transition": {"found": True, "plateau": 0.1}}


def test_an_untrained_model_is_told_nothing_good(trained: Run) -> None:
    """Even if somebody claims that there was a drop."""
    untrained = Checkpoint.untrained(trained.config, seed=3)
    results: dict[str, Result] = {"training": Result("training", "Training", {}, DROP)}
    for name in ("tokens", "taxonomy", "ablation", "positions", "nuclear", "patching", "probes"):
        earlier = {key.removeprefix("after/"): result for key, result in results.items()}
        found = PASSES[name].run(untrained, earlier, 64, 0)
        results |= {f"before/{name}": found, f"after/{name}": found}
    results["run/switching"] = COMPARISONS["switching"].run(trained, trained.steps[:2], 16, 0)
    results["run/embeddings"] = COMPARISONS["embeddings"].run(trained, trained.steps[:2], 64, 0)
    verdicts = {claim.name: claim.verdict for claim in matrix_claims(Evidence(results))}
    assert len(verdicts) == 14
    assert "holds" not in verdicts.values()
    assert verdicts["copying"] == "does not hold"


@pytest.fixture
def small_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_study, "load_preset", lambda name: small_config())


def setting(folder: Path, said: list[str], preset: str = "tiny") -> Setting:
    return Setting(
        preset, folder / "run", folder / "out", 1, 8, "cpu", said.append, lambda steps, activity: nullcontext(None)
    )


@pytest.mark.usefixtures("small_preset")
def test_from_training_to_the_page(tmp_path: Path) -> None:
    said: list[str] = []
    study = find_study("matrix-completion")
    of_seed = replace(setting(tmp_path, said), seed=4)
    claims = reproduce(study, of_seed)
    run = Run(tmp_path / "run")
    assert run.finished
    assert run.config.differences(small_config()) == small_config(training={"seed": 4}).differences(small_config())
    assert {path.name for path in (tmp_path / "run" / "retrained").iterdir() if path.is_dir()} == {
        f"{name}-seed5" for name in ("attention", "mlp", "positions", "tokens")
    }
    assert "holds" not in set(claims.table("claims")["verdict"])
    index = write_report(tmp_path / "out")
    assert 'href="paper.html"' in index.read_text()
    page = index.with_name("paper.html").read_text()
    assert "Of 14 claims" in page
    for name in ("attention-and-positions", "probes"):
        assert f'href="#{name}"' in page
        assert f'id="{name}"' in page
    said.clear()
    again = reproduce(study, of_seed)
    assert all("kept" in line for line in said if line.startswith(("step", "all", "retraining")))
    assert again.table("findings").equals(claims.table("findings"))


def test_the_page_says_every_verdict_with_its_evidence() -> None:
    found = evidence()
    results = dict(found.results)
    del results["run/components"]
    claims = matrix_claims(Evidence(results))
    steps = {key: 2000 if key.startswith("before/") else 9000 if key.startswith("after/") else None for key in results}
    facts = {"title": "A <paper>", "source": "somewhere", "preset": "tiny", "steps": steps}
    stored = claims_result("claims", "Claims", claims, facts)
    assert claims_sentence(stored) == "Of 14 claims, 13 hold, 1 is undecided, which was not measured."
    page = claims_page(stored, "a run", [])
    assert "A &lt;paper&gt;" in page
    assert 'href="step-00002000.html#tokens"' in page
    assert 'href="step-00009000.html#patching"' in page
    assert 'href="index.html#switching"' in page
    assert 'href="data/study/unclassified/result.json"' in page
    assert "there is no result of components." in page
    assert "nan" not in page
    assert "change with no head ablated: 0 (from −1e−06 to 1e−06)" in page


def test_an_unknown_study_or_preset_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'matrix-completion'"):
        find_study("matrix-competion")
    with pytest.raises(UsageError, match=r"has no preset 'tny'.*did you mean 'tiny'"):
        reproduce(find_study("matrix-completion"), setting(Path("nowhere"), [], preset="tny"))


@pytest.mark.usefixtures("small_preset")
@pytest.mark.no_cover
def test_the_command_prints_verdicts_and_the_page(cli: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    words = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--samples", "8", "--device", "cpu"]
    code, out, err = cli("reproduce", "matrix-completion", *words)
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 15)
    assert lines[0].startswith("a sudden drop ")
    assert lines[0].endswith("of 2 findings hold")
    assert Path(lines[-1]) == tmp_path / "out" / "paper.html"
    assert Path(lines[-1]).is_file()
    assert "all steps: components" in err
    code, out, _ = cli("reproduce", "--list")
    known = [name for name in BUILT_IN if name in studies()]
    assert [entry.split()[0] for entry in entries(out)] == known
    assert (code, entries(out)[0]) == (
        0,
        "matrix-completion Abrupt Learning in Transformers: A Case Study on Matrix Completion (NeurIPS 2024, "
        "arXiv 2410.22244); presets tiny, 7x7-rank1, small, paper, paper-12-layer",
    )
    assert cli("reproduce")[0] == 2
    assert cli("reproduce", "matrix")[0] == 2


def test_a_preset_without_a_run_has_a_report_of_its_own(
    cli: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ghost_study, "MEASURES", {"zone": (zone, 300)})
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("reproduce", "ghost-points", "--preset", "exact", "--samples", "5")
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 14)
    assert lines[3].split("  ")[0] == "no-learning zone"
    assert lines[3].endswith("3 of 4 findings hold")
    assert lines[-1] == "reports/ghost-points/paper.html"
    assert "zone" in err
    page = (tmp_path / "reports" / "ghost-points" / "paper.html").read_text()
    assert "there is no result of velocity" in page
    assert not (tmp_path / "checkpoints").exists()
    code, _, err = cli("reproduce", "ghost-points", "--preset", "exact", "--run", "somewhere")
    assert (code, "preset exact of study ghost-points has no run; leave out --run" in err) == (2, True)


def test_what_a_study_of_a_run_measured_itself_stands_on_its_page(tmp_path: Path) -> None:
    found = matrix_claims(evidence())
    facts = {"study": "matrix-completion", "title": "A paper", "source": "somewhere", "preset": "tiny"}
    steps = {key: 9000 if key.startswith("study/") else None for key in evidence().results}
    claims_result("claims", "Claims", found, facts | {"steps": steps}).save(tmp_path / "data" / "study" / "claims")
    evidence().results["study/unclassified"].save(tmp_path / "data" / "study" / "unclassified")
    page = (write_report(tmp_path).parent / "paper.html").read_text()
    assert 'href="#unclassified"' in page
    assert 'id="unclassified"' in page
