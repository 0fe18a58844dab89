"""`mcinterp fork` as a person meets it: on a folder of Hugging Face's, on a run, and on stored samples."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_models import folder

from mcinterp.config import parse_config
from mcinterp.language import forks as sampling
from mcinterp.language.stored import SAMPLES, ForkPosition
from mcinterp.results import Result
from mcinterp.runs import train

Cli = Callable[..., tuple[int, str, str]]
FEW = ("--samples", "4", "--length", "5", "--limit", "3", "--device", "cpu")
ASKED = ("--prompt", "the answer is", "--outcome", "[a-m]")
WALKS = """
task: {kind: free-walk, layers: 3, width: 3, p: 0.4}
model: {architecture: transformer, n_layers: 1, n_heads: 2, d_model: 16, d_mlp: 32}
training: {steps: 60, batch_size: 16, learning_rate: 0.01, checkpoints: 2, replay_states: 1, dense_checkpoints: 0}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "gpt")
    # What the library says while it writes.
    capsys.readouterr()
    return tmp_path


def test_a_folder_of_hugging_faces(cli: Cli, here: Path) -> None:
    code, out, err = cli("fork", "gpt", *ASKED, *FEW)
    assert (code, out) == (0, "reports/fork-gpt/index.html\n")
    first = " ".join(err.split())
    result = Result.load(here / "reports/fork-gpt/data/forks")
    tokens = result.table("tokens")
    branches = int(tokens["branches"].sum())
    assert first.startswith(
        f"a text of {len(tokens)} tokens with {branches} branches: {4 * branches} samples (4 a branch)"
    )
    assert f"{4 * branches:,} of {4 * branches:,} samples" in first
    page = (here / out.strip()).read_text(encoding="utf-8")
    assert 'class="prompt">the answer is</span>' in page
    assert len(re.findall('class="token( fork)?" style', page)) == len(tokens)
    assert '"stackgroup":"law"' in page
    assert '"type":"sankey"' in page
    assert result.provenance["seed"] == result.settings["seed"] == 0
    assert (here / "reports/fork-gpt/data/forks/laws.csv").is_file()


def test_stopped_it_goes_on_and_ends_as_one_that_was_not(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("fork", "gpt", *ASKED, *FEW, "--out", "whole")
    stored = sampling.store_position

    def interrupted(path: Path, at: ForkPosition) -> None:
        if at.position == 2:
            raise KeyboardInterrupt
        stored(path, at)

    with monkeypatch.context() as patch:
        patch.setattr(sampling, "store_position", interrupted)
        code, _, err = cli("fork", "gpt", *ASKED, *FEW, "--out", "stopped")
    assert code == 1
    assert "stopped; what is done is kept, and the same command goes on from there" in " ".join(err.split())
    assert len((here / "stopped/samples" / SAMPLES).read_text().splitlines()) == 2
    assert cli("fork", "gpt", *ASKED, *FEW, "--out", "stopped")[0] == 0
    for file in ("samples/samples.jsonl", "data/forks/tokens.csv", "data/forks/laws.csv"):
        assert (here / "stopped" / file).read_bytes() == (here / "whole" / file).read_bytes()


def test_other_words_for_the_outcome_sample_nothing_anew(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("fork", "gpt", *ASKED, *FEW)
    monkeypatch.setattr(sampling, "store_position", lambda *_: pytest.fail("sampled anew"))
    assert cli("fork", "gpt", "--prompt", "the answer is", "--outcome", "[n-z]", *FEW)[0] == 0
    # The report is a folder of stored samples, too, and needs no model.
    shutil.rmtree(here / "gpt")
    code, out, _ = cli(
        "fork", "reports/fork-gpt", "--outcome", "[n-z]", "--out", "again", "--distinct", "--single-file"
    )
    assert (code, out) == (0, "again/report.html\n")
    assert Result.load(here / "again/data/forks").facts["distinct"]
    assert (here / "again/index.html").is_file()


def test_a_run_of_this_package(cli: Cli, here: Path) -> None:
    train(here / "checkpoints" / "walks", parse_config(WALKS, "walks"), "cpu")
    words = ("--prompt", "0.0", "--outcome", r"(\S+) END", *FEW[:2], "--device", "cpu")
    code, out, _ = cli("fork", "walks", *words)
    assert (code, out) == (0, "reports/fork-walks/index.html\n")
    result = Result.load(here / "reports/fork-walks/data/forks")
    assert result.facts["of"]["model"] == "walks, step 60"
    assert result.table("tokens")["token"].str.startswith('" ').all()
    code, out, _ = cli("fork", "walks@0", *words)
    assert (code, out) == (0, "reports/fork-walks-0/index.html\n")
    assert Result.load(here / "reports/fork-walks-0/data/forks").facts["of"]["model"] == "walks, step 0"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("fork", "gpt", "--outcome", "a"), 2, "say with --prompt what the model goes on from"),
        (("fork", "gpt", "--prompt", "a"), 2, "Missing option '--outcome'"),
        (("fork", "gpt", "--prompt", "a", "--outcome", "("), 2, "'(' is no regular expression: "),
        (("fork", "gpt", "--prompt", "", "--outcome", "a"), 2, "--prompt ''"),
        (("fork", "nowhere", *ASKED), 1, "there is no run at nowhere"),
        (("fork", "empty", *ASKED), 1, "empty is no run (it has no config.yaml), no model of Hugging Face's"),
        (("fork", "gpt", *ASKED, "--samples", "1"), 2, "Invalid value for '--samples'"),
        (("fork", "stored", *ASKED), 2, "stored holds stored samples: leave out --prompt"),
        (("fork", "stored", "--outcome", "a", "--limit", "3"), 2, "stored holds stored samples: leave out --limit"),
        (("fork", "stored", "--outcome", "a"), 2, "a change is between two positions; 0 were sampled"),
        (("fork", "broken", *ASKED), 1, "broken cannot be opened as a causal language model"),
        (("fork", "tiny", *ASKED), 2, "fork asks for a model of next tokens; task matrix-completion is none"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    cli: Cli, here: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    (here / "empty").mkdir()
    (here / "stored").mkdir()
    (here / "stored" / "text.json").write_text(json.dumps({"prompt": "", "tokens": ["a"]}))
    (here / "broken").mkdir()
    (here / "broken" / "config.json").write_text('{"model_type": "gpt2"}')
    shutil.copytree(Path(__file__).parent / "data" / "tiny", here / "checkpoints" / "tiny")
    found, out, err = cli(*words)
    assert (found, out) == (code, "")
    assert sentence in " ".join(err.split())
    assert "Traceback" not in err
