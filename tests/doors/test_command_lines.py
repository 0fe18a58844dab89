"""Every command with words that are right, nearly right and absurd: a result or a sentence, soon, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from near_valid import changed_text

Give = Callable[..., Any]

SHORT = "checkpoints/short"
RUNS = ["checkpoints/gpt", "checkpoints/mixed", "checkpoints/identity", "checkpoints/switch", "short", "nowhere"]
LINES = [
    f"ablate {SHORT} --step last --heads all --heads L0H1 --method zero --samples 8 --seed 1 --format csv --out t.csv",
    f"ablate {SHORT} --heads masked-row --device cpu",
    f"analyze {SHORT} --steps 0,last --passes taxonomy,ablation --out new --samples 8 --jobs 2",
    f"compare {SHORT} {SHORT}@first --out new --samples 8 --seed 3 --single-file --device cpu",
    "compare checkpoints/mixed short",
    f"densify {SHORT} --from 20 --to 24 --every 2 --device cpu",
    "demo --jobs 1 --device cpu",
    f"explore {SHORT} --steps first,last --out new.html",
    f"excerpt {SHORT} new --steps 4 --trained-by hand",
    "passes",
    "presets",
    f"report {SHORT} --steps auto --single-file --out new --samples 4 --seed 3",
    f"report {SHORT} --passes embeddings,components --device cpu",
    "reproduce matrix-completion --preset tiny --run new --out new2 --jobs 2 --samples 8",
    "reproduce ghost-points --preset exact --samples 4",
    "reproduce matrix-completion --preset tiny --seeds 2 --run new --out new2 --device cpu",
    "reproduce --list",
    f"retrain {SHORT} --component mlp --component tokens --seed 1 --steps 5 --control --set training.batch_size=4",
    "runs checkpoints --verify",
    "runs checkpoints",
    "show-config --preset tiny --set task.rank=1 --set model.n_layers=1",
    "show-config --config small.yaml",
    "sweep grid.yaml --out new --jobs 2 --threads 1 --format csv --table runs --report",
    "sweep grid.yaml --summary --out new",
    f"switch {SHORT} --from first --to last --component mlp --component tokens --donor-run {SHORT} --samples 8",
    "train --preset tiny --run new --seed 3 --device cpu --set training.steps=600 --wait-for-space --kernels eager",
    f"train --config small.yaml --run new --from {SHORT}",
    "view shown --port 0 --no-browser",
]
LONG = "9" * 5000
ODD = [
    "0",
    "-1",
    "1",
    "3",
    "2.5",
    "1e3",
    "nan",
    "inf",
    LONG,
    "9" * 19,
    "²",
    "١٢",
    " ",
    "ünïcödé",
    "\udcff",
    "\u202ex",
    "--",
    "-",
    "x" * 5000,
    "..",
    ".",
    "file",
    "empty",
    "file/below",
    "/dev/null/x",
    "small.yaml",
    "wrong.yaml",
    "wrong-grid.yaml",
    *RUNS,
    "all",
    "auto",
    "first,last",
    "L9H9",
    "L0H0,",
    "tinny",
    "tiny",
    "meta",
    "cuda:7",
    "--help",
    "--debug",
    "--seed",
    "--from",
    "--samples=3",
    "--set",
    "task.rank=9",
    "start.seed=1",
    "training.steps=[",
    "component",
    "exact",
    "json",
    ",",
]
OWN = ("mcinterp: ", "Error: ")


@st.composite
def lines(draw: Callable[..., Any]) -> list[str]:
    """A command with up to three words changed, taken out, put in, doubled or swapped."""
    words = draw(st.sampled_from(LINES)).split()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(words) - 1)) if words else 0
        odd = draw(st.sampled_from(ODD))
        if not words:
            return [odd]
        change = draw(st.integers(0, 7))
        if change == 0:
            words.pop(at)
        elif change == 1:
            words.insert(at, odd)
        elif change == 2:
            words.insert(at, words[at])
        elif change == 3:
            words[at] = draw(changed_text([words[at]], [",", "=", "-", ":", LONG]))
        elif change == 4:
            words[at] = words[at].swapcase()
        else:
            words[at] = odd
    return [word.replace("\0", "") for word in words]


def assert_orderly(said: Any, words: list[str]) -> None:
    """What holds of every command, whatever its words."""
    assert said.code in (0, 1, 2), said
    for text in (said.out, said.err):
        assert "Traceback" not in text or "--debug" in words, text
        assert "Warning" not in text, text
    assert "a mistake of mcinterp itself" not in said.err, said.err
    assert "pydantic" not in said.err
    if said.code == 0:
        assert not said.began
        return
    if words[:1] not in (["runs"], ["sweep"]):  # they print what they found, of which something has failed
        assert said.out == ""
        assert said.err.strip()
    if said.code == 2:
        assert said.err.startswith("Usage: ") or said.err.splitlines()[-1].startswith(OWN), said.err
        assert said.made == ()


@settings(max_examples=200)
@given(words=lines())
def test_every_command_gives_a_result_or_a_sentence(lazy: Give, words: list[str]) -> None:
    assert_orderly(lazy(*words), words)


@pytest.mark.parametrize("line", LINES)
def test_the_commands_that_others_are_made_of_are_right(lazy: Give, line: str) -> None:
    said = lazy(*line.split())
    assert_orderly(said, line.split())
    assert said.code == 0 or said.began or line.split()[0] in ("sweep", "runs"), said.err


IDENTITY = pytest.mark.needs_study("identity-mapping")
WRONG: list[Any] = [
    ("ablate RUN --out file/x.csv", 1, "file/x.csv cannot be written: there is no folder file"),
    ("ablate RUN --out empty", 1, "empty cannot be written: it is a folder"),
    ("ablate RUN --heads all --heads L9H0", 2, "no head L9H0"),
    ("ablate RUN --heads masked-row --heads L9H0", 2, "no head L9H0"),
    ("ablate RUN --heads ALL", 2, "did you mean 'all'"),
    ("ablate RUN --method Zero", 2, "did you mean 'zero'"),
    (f"ablate RUN --heads L{LONG}H0", 2, "is neither heads"),
    (f"ablate RUN --step {LONG}", 2, "is neither a step"),
    ("ablate RUN --step all,0", 2, "all stands alone"),
    ("explore RUN --steps 3", 1, "no checkpoint at step 3"),
    ("view shwn", 1, "did you mean 'shown'"),
    ("view shown --port 70000", 2, "less than or equal to 65535"),
    ("ablate RUN --device meta", 2, "no device 'meta'; valid: auto, cpu, cuda, mps, xpu"),
    ("ablate RUN --samples 1000000000000000000000", 2, "takes at least"),
    ("ablate RUN --seed 9223372036854775808", 2, "9223372036854775807"),
    pytest.param(
        "ablate checkpoints/identity",
        2,
        "ablation asks for heads and sample_scores, which neither task iden",
        marks=IDENTITY,
    ),
    ("ablate checkpoints/gpt --heads masked-row", 2, "is neither heads such as L1H0,L2H3 nor a class"),
    ("analyze RUN --passes ,", 2, "names nothing"),
    ("analyze RUN --passes Attention", 2, "did you mean 'attention'"),
    ("analyze RUN --passes shift --samples 2", 2, "shift needs at least 4 samples, got 2"),
    ("analyze RUN --samples 2", 2, "needs at least 4 samples, got 2"),
    ("analyze checkpoints/switch --passes attention", 2, "attention asks for heads and inputs_for_attention"),
    ("compare RUN", 2, "compare needs two runs or checkpoints at least"),
    ("compare RUN short", 2, "are the same checkpoint"),
    ("compare RUN RUN@17", 1, "the nearest is"),
    (f"compare RUN RUN@{LONG}", 2, "is neither a step"),
    ("compare RUN RUN@auto", 2, "name one of them"),
    ("compare RUN checkpoints/switch", 2, "runs of two kinds of task"),
    ("compare RUN nowhere@last", 1, "there is no run at nowhere"),
    ("compare RUN RUN@0 --device meta", 2, "no device 'meta'"),
    ("compare RUN RUN@0 --out file", 1, "cannot be written"),
    ("densify RUN --from 5 --to 3 --every 1", 2, "0 ≤ from ≤ to ≤ 40"),
    (f"densify RUN --from 0 --to {10**30} --every 1", 2, "0 ≤ from ≤ to ≤ 40"),
    ("excerpt RUN file", 2, "file is there already"),
    ("excerpt RUN file/below", 1, "cannot be written"),
    ("excerpt nowhere new", 1, "there is no run at nowhere"),
    ("report nowhere", 1, "there is no run at nowhere"),
    ("report shrot", 1, "did you mean checkpoints/short"),
    ("report RUN --out file", 1, "cannot be written"),
    ("reproduce matrix-completoin", 2, "did you mean 'matrix-completion'"),
    ("reproduce ghost-points --preset Exact", 2, "did you mean 'exact'"),
    ("reproduce ghost-points --preset exact --run new", 2, "has no run"),
    ("reproduce ghost-points --preset exact --seeds 2", 2, "has no run; leave out --seeds"),
    ("reproduce matrix-completion --seeds 0", 2, "greater than or equal to 1"),
    ("reproduce matrix-completion --seeds -3", 2, "greater than or equal to 1"),
    ("reproduce matrix-completion --seeds 2000", 2, "less than or equal to 1000"),
    ("retrain RUN --component mlp --component Tokens", 2, "did you mean 'tokens'"),
    (f"retrain RUN --seed {2**63}", 2, "seed must be in 0"),
    (f"retrain RUN --steps {10**13}", 2, "training.steps"),
    pytest.param("retrain checkpoints/identity", 2, "attention has no parameters to train", marks=IDENTITY),
    ("runs nowhere", 1, "there is no run at nowhere"),
    ("runs empty --verify", 1, "there is no run at empty"),
    ("show-config --preset Tiny", 2, "did you mean 'tiny'"),
    ("show-config --set training.learning_rate=1e300", 2, "must be at most 1e+30"),
    ("sweep grid.yaml --threads 100000", 2, "threads"),
    ("sweep wrong-grid.yaml", 2, "rank 9 exceeds"),
    ("sweep grid.yaml --jobs 0", 2, "jobs"),
    ("switch RUN --from first --donor-run checkpoints/gpt", 2, "models of different shapes"),
    pytest.param(
        "switch checkpoints/identity --from first", 2, "switching asks for components and sample_scores", marks=IDENTITY
    ),
    ("train --preset tiny --run new --device meta", 2, "device 'meta'"),
    ("train --preset tiny --run new --from RUN --device cudaa", 2, "no device 'cudaa'; did you mean 'cuda'"),
    ("train --preset tiny --run new --set training.batch_size=1000000000000", 2, "takes at least"),
    ("train --preset tiny --run new --set model.d_model=8000000", 2, "takes at least"),
    ("train --config identity.yaml --run new", 2, "identity.yaml"),
]


@pytest.mark.parametrize(("line", "code", "sentence"), WRONG)
def test_what_is_wrong_is_told_before_anything_begins(lazy: Give, line: str, code: int, sentence: str) -> None:
    words = line.replace("RUN", SHORT).split()
    said = lazy(*words)
    assert_orderly(said, words)
    assert said.code == code, said.err
    assert sentence in " ".join(said.err.split()), said.err
    assert not said.began
    assert said.made == ()


def test_nothing_is_left_in_a_folder_of_runs_that_was_only_read(world: Any, lazy: Give) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.here.glob("checkpoints/*/step-*/*")}
    lazy("runs", "checkpoints", "--verify")
    lazy("report", SHORT, "--passes", "probe")
    assert before == {path: path.stat().st_mtime_ns for path in before}
