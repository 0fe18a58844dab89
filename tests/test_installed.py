"""Studies of other packages: found by their entry points; one that cannot be used costs no other, and is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from listings import entries

from mcinterp import installed
from mcinterp.analysis.registry import COMPARISONS, PASSES
from mcinterp.config import load_preset, parse_config, preset_names
from mcinterp.config.optimisers import BUILT_IN
from mcinterp.errors import ConfigError, UsageError
from mcinterp.study import find_study

STUDY = """
from mcinterp.declared import Architecture, OptimiserKind, Pass, Study, TaskKind
kind = TaskKind("", "", ("linear",))
STUDY = Study("{name}", "A title", "nowhere", "{package}", ("{package}-run",), "", "", {fields})
"""
Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """Install a package with a module of this text, whose `STUDY` is a study by its entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(package: str, text: str | None = None, **fields: str) -> None:
        folder = tmp_path / package
        (folder / "presets").mkdir(parents=True)
        given = {"name": package, "fields": "", **fields}
        text = STUDY.format(package=package, **given) if text is None else text
        (folder / "__init__.py").write_text(text, encoding="utf-8")
        (folder / "presets" / f"{package}-run.yaml").write_text("# A preset.\n", encoding="utf-8")
        about = tmp_path / f"{package}-0.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n")
        (about / "entry_points.txt").write_text(f"[mcinterp.studies]\n{package} = {package}:STUDY\n")
        installed._found.cache_clear()

    yield install
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if name.startswith("parity_"):
            del sys.modules[name]
    installed._found.cache_clear()


def test_a_package_that_is_installed_brings_its_study(put: Put) -> None:
    before = dict(installed.studies())
    put("parity_a", fields="tasks={'parity-a': kind}")
    assert list(installed.studies()) == [*before, "parity_a"]
    assert installed.broken() == {}
    assert installed.study_of("parity-a") is find_study("parity_a")
    assert "parity_a-run" in preset_names()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import there_is_no_such_module", "ModuleNotFoundError: No module named 'there_is_no_such_module'"),
        ("STUDY = 1 / 0", "ZeroDivisionError: division by zero"),
        ("", "AttributeError: module 'parity_b' has no attribute 'STUDY'"),
        ("STUDY = {'name': 'parity_b'}", "it gives a dict, not a Study"),
    ],
)
def test_a_package_that_does_not_open_costs_no_other_study(put: Put, text: str, why: str) -> None:
    put("parity_b", text)
    put("parity_c")
    assert "parity_c" in installed.studies()
    assert "parity_b" not in installed.studies()
    sentence = f"study parity_b of parity_b:STUDY cannot be used: {why}"
    assert installed.broken() == {"parity_b": sentence}
    with pytest.raises(UsageError) as caught:
        find_study("parity_b")
    assert str(caught.value) == f"no study is called 'parity_b'; {sentence}"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ("tasks={'delayed-switch': kind}", "study ghost-points has a kind of task 'delayed-switch' too"),
        ("architectures={'encoder': 0}", "study matrix-completion has an architecture 'encoder' too"),
        ("passes=(Pass('tokens', '', 1, ''),)", "study matrix-completion has a pass 'tokens' too"),
        ("exports={'TaskConfig': ''}", "study matrix-completion has a public name 'TaskConfig' too"),
        ("passes=(Pass('ablation', '', 1, ''),)", "the package has a pass 'ablation' of its own"),
        ("passes=(Pass('switching', '', 1, ''),)", "the package has a pass 'switching' of its own"),
        ("architectures={'transformer': 0}", "the package has an architecture 'transformer' of its own"),
        ("optimisers={'adam': OptimiserKind()}", "the package has an optimiser 'adam' of its own"),
        ("passes=3", "TypeError: 'int' object is not iterable"),
    ],
)
def test_a_name_that_is_taken_is_nobody_elses(put: Put, fields: str, why: str) -> None:
    before = dict(installed.studies())
    put("parity_d", fields=fields)
    assert installed.studies() == before
    assert installed.broken()["parity_d"].endswith(f"cannot be used: {why}")


def test_two_packages_with_the_same_name_are_one_and_a_sentence(put: Put) -> None:
    put("parity_e", name="parity")
    put("parity_f", name="parity")
    assert installed.studies()["parity"].package == "parity_e"
    assert installed.broken()["parity_f"].endswith("study parity has a study 'parity' too")


def test_a_preset_of_another_package_takes_no_others_place(put: Put, tmp_path: Path) -> None:
    tiny = load_preset("tiny")
    put("parity_g")
    (tmp_path / "parity_g" / "presets" / "tiny.yaml").write_text("task: {kind: nonsense}\n")
    assert load_preset("tiny") == tiny
    text = STUDY.format(name="parity_h", package="parity_h", fields="").replace("parity_h-run", "tiny")
    put("parity_h", text)
    assert installed.broken()["parity_h"].endswith("study matrix-completion has a preset 'tiny' too")


def test_a_package_whose_files_are_nowhere_is_none(put: Put) -> None:
    put("parity_i", STUDY.format(name="parity_i", package="parity_nowhere", fields=""))
    assert "No module named 'parity_nowhere'" in installed.broken()["parity_i"]
    assert "tiny" in preset_names()


def test_a_kind_that_is_not_there_may_be_a_broken_studys(put: Put) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config("task: {kind: sparse-parity}", "here.yaml")
    there = ", ".join(sorted(installed.task_kinds()))
    told = (
        f"here.yaml: task.kind = 'sparse-parity': there is none; valid: {there}, or what a study brings that is not "
        "installed"
    )
    assert str(caught.value) == told
    put("parity_j", "import there_is_no_such_module")
    with pytest.raises(ConfigError) as caught:
        parse_config("task: {kind: sparse-parity}", "here.yaml")
    assert str(caught.value) == f"{told}; {installed.broken()['parity_j']}"
    assert "parity_j of parity_j:STUDY" in installed.broken()["parity_j"]


def test_studies_are_listed_and_broken_ones_told(put: Put, cli: Callable[..., tuple[int, str, str]]) -> None:
    put("parity_k", "STUDY = None")
    put("parity_l")
    code, out, err = cli("reproduce", "--list")
    assert code == 0
    assert entries(out)[-1] == "parity_l A title (nowhere); presets parity_l-run"
    assert "study parity_k of parity_k:STUDY cannot be used: it gives a NoneType, not a Study" in " ".join(err.split())
    code, out, err = cli("reproduce", "parity_k")
    assert (code, out) == (2, "")
    assert err.startswith("mcinterp: no study is called 'parity_k'; study parity_k of")


def test_a_package_may_be_what_imports_this_one(put: Put, tmp_path: Path) -> None:
    """In a process of its own, in which this package is loaded from within the other's declaration."""
    put("parity_m")
    code = "import parity_m; from mcinterp.installed import broken, studies; print('parity_m' in studies(), broken())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "True {}\n"


def test_the_packages_own_names_are_those_that_there_are() -> None:
    brought = {entry.name for study in installed.studies().values() for entry in (*study.passes, *study.comparisons)}
    assert set(installed.OWN["pass"]) == {*PASSES, *COMPARISONS} - brought
    assert set(installed.OWN["optimiser"]) == set(BUILT_IN)
    assert len(set(installed.OWN["pass"])) == len(list(installed.OWN["pass"]))
