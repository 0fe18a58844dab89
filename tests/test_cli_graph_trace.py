"""`mcinterp graph-trace` on a self-trained model and a random one of Hugging Face's, and the words that it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mcinterp.cli import main
from mcinterp.config import load_preset
from mcinterp.results import Result
from mcinterp.runs import train

WORDS = ("apple", "bird", "car", "egg", "house", "milk", "plane", "sand", "sun")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["mcinterp", "graph-trace", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random GPT-2 with a tokenizer of whole words, as Hugging Face's library writes them."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import GPT2Config, GPT2LMHeadModel

    path = tmp_path_factory.mktemp("models") / "random-gpt2"
    names = ["<begin>", *WORDS, "un", "known"]
    config = GPT2Config(
        vocab_size=len(names), n_positions=40, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(path)
    tokenizer = Tokenizer(WordLevel({name: place for place, name in enumerate(names)}, unk_token="<begin>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path / "tokenizer.json"))
    (path.parent / "words.txt").write_text("\n".join(WORDS))
    return path


def test_a_random_model_has_no_geometry_and_knows_no_neighbours(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--graph", "grid:3x3", "--words", folder.parent / "words.txt", "--labellings", 3, "--walks", 18)
    code, out, err = run(capsys, folder, *words, "--out", tmp_path)
    assert code == 0, err
    assert "3 labellings × 18 walks of 39 tokens: 2,160 tokens through" in err
    assert out.strip() == str(tmp_path / "index.html")
    result = Result.load(tmp_path / "data" / "graph-trace")
    assert result.facts["begins"]
    assert sorted(result.facts["labels"]) == sorted(WORDS)
    predictions = result.table("predictions")
    assert predictions["mass"].iloc[-1] == pytest.approx(2.67 / 12, abs=0.08)
    geometry = result.table("geometry")
    first = geometry[(geometry["layer"] == 0) & (geometry["begin"] == result.facts["last"])].iloc[0]
    assert first["energy_low"] < 1.1
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "random-gpt2" in page
    assert '"frames":[{' in page


def test_a_run_is_followed_by_the_names_of_its_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {"task.length": 12, "training.steps": 4, "training.warmup_steps": 1, "training.batch_size": 4}
    changes = [f"{name}={value}" for name, value in {**small, "model.d_model": 16, "model.d_mlp": 16}.items()]
    train(tmp_path / "run", load_preset("tracing-ring7", changes), "cpu")
    (tmp_path / "words.txt").write_text("\n".join(map(str, range(7))))
    words = ("--graph", "ring:7", "--words", tmp_path / "words.txt", "--labellings", 2, "--walks", 14)
    code, _, err = run(capsys, f"{tmp_path / 'run'}@last", *words, "--out", tmp_path / "out", "--single-file")
    assert code == 0, err
    result = Result.load(tmp_path / "out" / "data" / "graph-trace")
    assert not result.facts["begins"]
    assert result.settings["length"] == 12
    assert (tmp_path / "out" / "report.html").is_file()
    code, _, err = run(capsys, tmp_path / "run", *words, "--length", 13)
    assert code != 0
    assert "walks of 13 tokens are longer than the model's 12 positions" in err


@pytest.mark.parametrize(
    ("graph", "listed", "said"),
    [
        ("grid:3x3", "un known", "'un known' is 2 tokens of this model ('un', 'known')"),
        ("grid:4x4", "", "the graph has 16 nodes, each with a word of its own, and there are 9 words"),
        ("grind:3x3", "", "'grind:3x3' is no graph, as ring:11 and grid:4x4 are; did you mean 'grid'?"),
        ("grid:3x3", "apple", "'apple' and 'apple' are the same token"),
    ],
)
def test_words_and_graphs_that_do_not_fit_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], graph: str, listed: str, said: str
) -> None:
    (tmp_path / "words.txt").write_text("\n".join(filter(None, [*WORDS, listed])))
    code, _, err = run(capsys, folder, "--graph", graph, "--words", tmp_path / "words.txt")
    assert code != 0
    assert said in err
    assert "Traceback" not in err


def test_what_is_no_model_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "words.txt").write_text("a\nb\nc")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").write_text(json.dumps({"nothing": 1}))
    code, _, err = run(capsys, tmp_path / "folder", "--graph", "ring:3", "--words", tmp_path / "words.txt")
    assert code != 0
    assert "is no run" in err
