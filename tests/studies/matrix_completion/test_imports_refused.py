"""What cannot be imported is told in a sentence, and nothing is left of it; the command."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mcinterp import CheckpointError, ConfigError, Run, UsageError, import_run

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"steps": [1, 2]}, UsageError, "2 steps for 1 checkpoints"),
    ({"steps": [-1]}, UsageError, "steps must be 0 or more, got -1"),
    (
        {"overrides": ["task.rows=7", "task.cols=7"]},
        CheckpointError,
        "25 positions, fewer than the 49 of the task",
    ),
    ({"overrides": ["task.v_max=3.0"]}, CheckpointError, "the weights have 402 tokens, the task 502 .* say task.v_min"),
    (
        {"overrides": ["model.n_heads=4"]},
        CheckpointError,
        "has model.n_heads 2, and 4 was said; .* say model.n_heads=2",
    ),
    ({"overrides": ["model.d_mlp=4"]}, CheckpointError, "has model.d_mlp 32, and 4 was said"),
    ({"overrides": ["model.n_head=4"]}, ConfigError, "model.n_head is not a field; did you mean 'n_heads'"),
    (
        {"task": None},
        UsageError,
        "say what the weights were trained on: a preset, or a file with the task and the model",
    ),
    ({"task": "tinny"}, ConfigError, "cannot read configuration tinny"),
    ({"sources": "nowhere"}, UsageError, "there is nothing at nowhere"),
    ({"curve": "nowhere.csv"}, CheckpointError, "nowhere.csv cannot be read as a table"),
]


@pytest.mark.parametrize(("changed", "kind", "sentence"), WRONG)
def test_what_does_not_fit_is_told_and_nothing_is_left(
    changed: dict[str, Any],
    kind: type[Exception],
    sentence: str,
    folders: dict[str, Path],
    trained: Run,
    tmp_path: Path,
) -> None:
    given = {"sources": folders["hooked"] / "40.pt", "run": tmp_path / "run", "task": trained.config.task} | changed
    with pytest.raises(kind, match=sentence) as caught:
        import_run(**given)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_two_kinds_are_no_run(folders: dict[str, Path], trained: Run, tmp_path: Path) -> None:
    stored = torch.load(folders["hooked"] / "40.pt", weights_only=True)
    stored = {name: weight for name, weight in stored.items() if not name.startswith("blocks.1")}
    torch.save(stored, tmp_path / "step-50.pt")
    with pytest.raises(CheckpointError, match=r"step-50.pt is of another model .*model.n_layers: 2 in those, 1 in it"):
        import_run([folders["hooked"] / "40.pt", tmp_path / "step-50.pt"], tmp_path / "run", trained.config.task)
    with pytest.raises(UsageError, match="are both of step 40"):
        import_run([folders["hooked"] / "40.pt"] * 2, tmp_path / "run", trained.config.task)
    with pytest.raises(UsageError, match="is there already"):
        import_run(folders["hooked"], tmp_path, trained.config.task)


def test_a_hooked_encoder_inside_another_module_has_that_ones_read_out(
    folders: dict[str, Path], trained: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = torch.load(folders["hooked"] / "40.pt", weights_only=True)
    inside = {f"module.trunk.{name}": weight.double() for name, weight in stored.items() if weight.is_floating_point()}
    inside |= {"module.head.weight": stored["unembed.W_U"].T.double()}
    torch.save({"state_dict": inside, "global_step": 3}, tmp_path / "a.ckpt")
    run = import_run(tmp_path / "a.ckpt", tmp_path / "run", trained.config.task, samples=16)
    own, theirs = trained.checkpoint(40).weights, run.checkpoint(3).weights
    assert all(torch.equal(own[name], theirs[name]) for name in own if name != "unembed.b_U")
    assert not theirs["unembed.b_U"].any()
    assert "left out, as answers do not come through them: mlm_head.W, nsp_head.b, pooler.W, unembed.W_U" in caplog.text
    assert "nothing tells the epsilon of the LayerNorms, 1e-12 is taken" in caplog.text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"blocks.0.attn.W_gate": torch.zeros(2)}, "hold blocks.0.attn.W_gate, which an encoder here has not"),
        ({"unembed.W_U": torch.zeros(16, 402)}, r"unembed.W_U is torch.float32 \(16, 402\), expected"),
        ({"blocks.0.attn.W_Q": torch.zeros(2)}, "blocks.0.attn.W_Q is torch.float32 .*, expected 3 axes"),
        ({"embed.ln.w": torch.full((16,), torch.nan)}, "embed.ln.w holds NaN in 16 of 16 numbers"),
    ],
)
def test_hooked_weights_that_are_none_are_refused(
    change: dict[str, torch.Tensor], sentence: str, folders: dict[str, Path], trained: Run, tmp_path: Path
) -> None:
    torch.save(torch.load(folders["hooked"] / "40.pt", weights_only=True) | change, tmp_path / "step-1.pt")
    with pytest.raises(CheckpointError, match=sentence):
        import_run(tmp_path / "step-1.pt", tmp_path / "run", trained.config.task)


def test_the_command_says_what_it_did_and_prints_the_folder(
    folders: dict[str, Path], tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = cli("import", str(folders["authors"]), "--run", str(tmp_path / "theirs"), "--samples", "16")
    assert (code, out) == (0, f"{tmp_path / 'theirs'}\n")
    words = " ".join(err.split())
    assert "step 40: " in words
    assert "no verdict: only" in words
    listed = cli("runs", str(tmp_path / "theirs"))[1].splitlines()[2].split()
    assert listed[:3] == [str(tmp_path / "theirs"), "imported", str(len(Run(tmp_path / "theirs").steps))]
    code, _, err = cli("import", str(folders["hooked"]), "--run", str(tmp_path / "b"), "--steps", "1,x")
    assert (code, "'x' is no step" in err) == (2, True)
    code, _, err = cli("import", str(folders["authors"]), "--run", str(tmp_path / "b"), "--task", "tiny")
    assert (code, "do not tell how many heads a layer has" in err) == (1, True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("domain: finite", "domain is 'finite', only 'real' can be read"),
        ("position_embedding_type: relative_key", "position_embedding_type is 'relative_key'"),
        ("min_val: 0.0", r"factors are drawn from \[0.0, 1.0\]; only"),
    ],
)
def test_a_configuration_of_theirs_that_cannot_be_had_here_is_refused(
    change: str, sentence: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    name = change.partition(":")[0]
    text = (folders["authors"] / "train.yaml").read_text()
    (tmp_path / "train.yaml").write_text(re.sub(rf"{name}: [^,}}]+", change, text))
    with pytest.raises(ConfigError, match=sentence):
        import_run(folders["authors"], tmp_path / "run", tmp_path / "train.yaml")
