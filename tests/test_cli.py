"""The command line as a person meets it: what goes to stdout and stderr, and exit codes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mcinterp.analysis import select_comparisons, select_passes
from mcinterp.installed import own_studies
from mcinterp.runs import Run

SHORT = ["model.d_model=16", "model.n_heads=2", "model.d_mlp=32", "training.steps=30", "training.batch_size=4"]
SHORT += ["training.warmup_steps=0"]
SET = [word for field in SHORT for word in ("--set", field)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A short run trained from the command line."""
    path = tmp_path_factory.mktemp("cli") / "short"
    words = ["train", "--preset", "tiny", "--run", str(path), "--seed", "3", "--device", "cpu", *SET]
    done = subprocess.run([sys.executable, "-m", "mcinterp", *words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(path)
    assert "step 30/30" in done.stderr
    return path


def test_train_writes_the_resolved_configuration(folder):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["training"]["seed"] == 3
    assert config["training"]["steps"] == 30
    assert config["model"]["d_model"] == 16


def test_train_again_continues_and_has_nothing_to_do(cli, folder):
    before = (folder / "metrics.csv").read_bytes()
    code, out, err = cli("train", "--preset", "tiny", "--run", str(folder), "--seed", "3", *SET)
    assert (code, out.strip()) == (0, str(folder))
    assert f"{folder} is trained already" in err.replace("\n", "")
    assert (folder / "metrics.csv").read_bytes() == before


def test_train_with_another_configuration_names_the_fields(cli, folder):
    code, out, err = cli("train", "--preset", "tiny", "--run", str(folder), "--seed", "4", *SET)
    assert code == 2
    assert out == ""
    assert "training.seed: 3 in the run, 4 asked for" in err
    assert "training.steps" not in err


def test_densify_adds_checkpoints(cli, folder):
    code, out, _ = cli("densify", str(folder), "--from", "20", "--to", "24", "--every", "2", "--device", "cpu")
    assert (code, out.split()) == (0, ["20", "22", "24"])
    assert (folder / "step-00000022" / "model.safetensors").is_file()


@pytest.mark.parametrize("format", ["csv", "json", "latex", "markdown", "table"])
def test_ablate_writes_every_format(cli, folder, format):
    words = ["--heads", "all", "--heads", "L0H0,L1H1", "--samples", "8", "--format", format, "--device", "cpu"]
    code, out, _ = cli("ablate", str(folder), *words)
    assert code == 0
    if format == "csv":
        table = pd.read_csv(io.StringIO(out))
        assert list(table["group"]) == ["all", "L0H0,L1H1"]
        assert list(table.columns[:6]) == ["step", "group", "heads", "method", "n", "seed"]
        assert (table["n"] == 8).all()
    elif format == "json":
        assert [row["group"] for row in json.loads(out)] == ["all", "L0H0,L1H1"]
    else:
        assert "L0H0,L1H1" in out
        assert out.startswith({"latex": r"\begin{tabular}", "markdown": "|", "table": "step"}[format])
    if format == "table":
        heads = ["step", "group", "method", "L_obs", "L_mask", "ratio", "L_mask delta [95 %]", "against control"]
        assert re.split(r"\s{2,}", out.splitlines()[0].strip()) == heads


@pytest.mark.parametrize("format", ["csv", "json", "latex", "markdown", "table"])
def test_a_class_without_heads_is_told_in_every_format(cli, folder, format):
    words = ["--step", "0,last", "--heads", "identity", "--heads", "none", "--samples", "8", "--format", format]
    code, out, _ = cli("ablate", str(folder), *words)
    assert code == 0
    if format in ("csv", "json"):
        table = pd.read_csv(io.StringIO(out)) if format == "csv" else pd.DataFrame(json.loads(out))
        assert list(table["heads"]) == ["no heads"] * 4
        empty, control = table[table["group"] == "identity"], table[table["group"] == "none"]
        assert empty[["masked_ratio", "masked_delta", "masked_mse"]].isna().all(axis=None)
        assert empty["masked_mse_clean"].notna().all()
        assert (control["masked_ratio"] == 1).all()
        return
    lines = [line for line in out.splitlines() if "identity" in line]
    assert len(lines) == 2
    assert all("no heads" in line and "1.00" not in line and "nan" not in line for line in lines)
    assert "nan" not in out.lower()


@pytest.mark.parametrize("format", ["csv", "json", "latex", "markdown"])
def test_ablate_writes_the_columns_that_are_asked_for(cli, folder, format):
    words = ["--heads", "all", "--samples", "8", "--format", format]
    code, out, _ = cli("ablate", str(folder), *words, "--columns", "masked_delta, group")
    assert code == 0
    head = out.splitlines()[2 if format == "latex" else 0]
    if format == "json":
        assert [list(row) for row in json.loads(out)] == [["masked_delta", "group"]]
    else:
        assert re.findall(r"L_|masked_delta|group", head) == ["L_" if format == "latex" else "masked_delta", "group"]
    code, out, err = cli("ablate", str(folder), *words, "--columns", "masked_dleta")
    assert (code, out) == (2, "")
    assert "did you mean 'masked_delta'?" in err


def test_ablate_writes_to_a_file_and_takes_several_steps(cli, folder, tmp_path):
    out = tmp_path / "table.csv"
    words = ["--step", "0,last", "--method", "zero", "--samples", "8", "--format", "csv", "--out", str(out)]
    code, stdout, _ = cli("ablate", str(folder), *words)
    assert (code, stdout) == (0, "")
    assert list(pd.read_csv(out)["step"]) == [0, 30]


@pytest.mark.no_cover
def test_report_prints_the_path_of_the_index(cli, folder, tmp_path):
    words = ["--steps", "last", "--samples", "4", "--out", str(tmp_path / "pages"), "--device", "cpu"]
    code, out, err = cli("report", str(folder), *words)
    assert code == 0
    assert Path(out.strip()) == tmp_path / "pages" / "index.html"
    assert Path(out.strip()).is_file()
    assert "step 30: probes" in err
    config = Run(folder).config
    expected = len(select_passes(config=config)) + len(select_comparisons(config=config))
    assert cli("report", str(folder), *words)[2].count("kept") == expected


def test_results_of_another_run_are_not_mixed_in(cli, folder, tmp_path):
    other, out = tmp_path / "other", tmp_path / "pages"
    assert cli("train", "--preset", "tiny", "--run", str(other), "--seed", "5", "--device", "cpu", *SET)[0] == 0
    words = ["--passes", "patching", "--samples", "8", "--out", str(out), "--device", "cpu"]
    assert cli("analyze", str(folder), "--steps", "30", *words)[0] == 0
    before = (out / "data/step-00000030/patching/patching.csv").read_bytes()
    code, _, err = cli("analyze", str(other), "--steps", "0", *words)
    assert code == 2
    assert "another configuration" in err
    assert (out / "data/step-00000030/patching/patching.csv").read_bytes() == before
    assert not (out / "data/step-00000000").exists()


def test_analyze_stores_the_same_numbers_in_parallel(cli, folder, tmp_path):
    for jobs in ("1", "2"):
        words = [
            "--steps",
            "0,30",
            "--passes",
            "patching",
            "--samples",
            "8",
            "--out",
            str(tmp_path / jobs),
            "--jobs",
            jobs,
        ]
        code, out, _ = cli("analyze", str(folder), *words)
        assert (code, out.strip()) == (0, str(tmp_path / jobs / "data"))
    tables = [(tmp_path / jobs / "data/step-00000030/patching/patching.csv").read_bytes() for jobs in ("1", "2")]
    assert tables[0] == tables[1]


def test_lists(cli, folder):
    assert "paper-12-layer" in cli("presets")[1]
    assert "taxonomy" in cli("passes")[1]
    head, _, row = cli("runs", str(folder.parent))[1].splitlines()[:3]
    assert head.split()[:3] == ["run", "steps", "checkpoints"]
    assert row.split()[:2] == [str(folder), "30/30"]
    assert yaml.safe_load(cli("show-config", "--preset", "small", "--set", "task.rank=1")[1])["task"]["rank"] == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["train", "--preset", "tinny"], 2, "did you mean 'tiny'"),
        (["train", "--preset", "tiny", "--set", "training.stepz=3"], 2, "did you mean 'steps'"),
        (["train", "--preset", "tiny", "--set", "steps=3"], 2, "section.field=value"),
        (["train", "--preset", "tiny", "--config", "x.yaml"], 2, "not both"),
        (["train"], 2, "--run"),
        (["train", "--run", "x", "--config", "missing.yaml"], 2, "missing.yaml"),
        (["report", "no-such-run"], 1, "there is no run at no-such-run"),
        (["RUN", "ablate", "--heads", "maskd-row"], 2, "did you mean 'masked-row'"),
        (["RUN", "ablate", "--heads", "L9H0"], 2, "no head L9H0"),
        (["RUN", "ablate", "--method", "unifrom"], 2, "did you mean 'uniform'"),
        (["RUN", "ablate", "--step", "17"], 1, "the nearest is"),
        (["RUN", "ablate", "--step", "newest"], 2, "'newest' is neither"),
        (["RUN", "analyze", "--passes", "probe"], 2, "did you mean 'probes'"),
        (["RUN", "ablate", "--device", "cudaa"], 2, "device 'cudaa'"),
        (["nonsense"], 2, "nonsense"),
        (["ablate"], 2, "RUN"),
    ],
)
def test_mistakes_get_one_sentence_and_their_code(cli, folder, monkeypatch, tmp_path, words, code, sentence):
    monkeypatch.chdir(tmp_path)
    if words[0] == "RUN":
        words = [words[1], str(folder), *words[2:]]
    got, out, err = cli(*words)
    assert (got, out) == (code, "")
    assert sentence in err
    assert "Traceback" not in err


def test_help_loads_no_heavy_library():
    code = """
import sys
sys.argv = ["mcinterp", "--help"]
from mcinterp.cli import main
try:
    main()
except SystemExit:
    print([name for name in ("torch", "pandas", "transformer_lens", "plotly", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_public_name_can_be_imported():
    import mcinterp

    assert all(getattr(mcinterp, name) is not None for name in mcinterp.__all__)
    assert set(mcinterp.__all__) == {*mcinterp.MODULE_OF, *mcinterp._brought(own_studies())}
    with pytest.raises(AttributeError, match="no attribute"):
        mcinterp.no_such_name  # noqa: B018
