"""What a GPT writes: planted answers, an independent count, the control, and the passes that it shares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_gpt import small_gpt_config
from small_run import small_config

from mcinterp.analysis import (
    ablation,
    analyse,
    attention_maps,
    head_taxonomy,
    linear_probes,
    patching,
    select_comparisons,
    select_passes,
    training_summary,
)
from mcinterp.analysis.registry import defined_for
from mcinterp.errors import InputError, UsageError
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, train
from mcinterp.studies.matrix_completion.passes.generation import (
    CHANCE,
    ENTRIES,
    GREEDY,
    OTHER_PROMPT,
    TEACHER_FORCED,
    ZERO,
    accuracy_rows,
    generation,
)

SEQUENCE_PASSES = ["attention", "ablation", "patching", "generation"]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return Checkpoint.untrained(small_gpt_config(model={"init_std": 0.8}), seed=3)


@pytest.fixture(scope="module")
def result(checkpoint: Checkpoint) -> Result:
    return generation(checkpoint, samples=40, seed=2)


def cell(frame: pd.DataFrame, answers: str, entries: str) -> pd.Series:
    rows = frame[(frame["answers"] == answers) & (frame["entries"] == entries)]
    assert len(rows) == 1
    return rows.iloc[0]


def rows_of(answers: Mapping[str, torch.Tensor], true: torch.Tensor, observed: torch.Tensor) -> pd.DataFrame:
    values = {name: tokens.float() for name, tokens in answers.items()}
    return pd.DataFrame(accuracy_rows(answers, values, true, true.float(), observed, step=1.0))


def test_planted_answers_have_the_accuracy_that_was_planted() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(5, 15, (50, 6), generator=generator)
    observed = torch.rand((50, 6), generator=generator) > 0.4
    # A model that copies what it sees, misses masked entries by one step, and on another prompt is wrong everywhere.
    copied = torch.where(observed, true, true + 1)
    frame = rows_of({GREEDY: copied, OTHER_PROMPT: true + 2}, true, observed)
    assert cell(frame, GREEDY, "observed")["exact"] == 1
    assert cell(frame, GREEDY, "masked")["exact"] == 0
    assert cell(frame, GREEDY, "masked")["within_one"] == 1
    assert cell(frame, GREEDY, "all")["exact"] == pytest.approx(float(observed.float().mean()))
    assert cell(frame, GREEDY, "masked")["mse"] == 1
    assert cell(frame, OTHER_PROMPT, "all")["within_one"] == 0
    assert cell(frame, OTHER_PROMPT, "all")["mse"] == 4
    assert cell(frame, GREEDY, "observed")["exact_excess_low"] == 1
    for name in ("exact_excess", "exact_excess_low", "exact_excess_high"):
        assert cell(frame, GREEDY, "masked")[name] == cell(frame, OTHER_PROMPT, "all")[name] == 0


def test_sizes_and_signs_are_told_apart() -> None:
    targets = torch.tensor([[0.3, -0.3, 0.0, 0.5], [0.2, -0.2, 0.1, -0.1]])
    values = torch.tensor([[-0.3, -0.2, 0.4, 0.0], [-0.2, -0.2, 0.1, 0.3]])
    tokens = {OTHER_PROMPT: torch.zeros(2, 4, dtype=torch.int64)}
    rows = accuracy_rows(tokens, {OTHER_PROMPT: values}, tokens[OTHER_PROMPT] + 1, targets, targets > -9, step=0.1)
    row = cell(pd.DataFrame(rows), OTHER_PROMPT, "all")
    # Sizes are wrong by 0, 1, 4, 5, 0, 0, 0, 2 steps; two entries have no sign, three of six are wrong.
    assert row["size"] == pytest.approx(5 / 8)
    assert row["sign"] == pytest.approx(3 / 6)


def test_the_interval_is_that_of_matrices_not_of_entries() -> None:
    # All entries of a matrix are right or wrong together: 50 matrices, not 300 entries, carry the mean.
    true = torch.full((50, 6), 7)
    answer = true + torch.arange(50)[:, None] % 2
    frame = rows_of({GREEDY: answer, OTHER_PROMPT: answer}, true, torch.ones(50, 6, dtype=torch.bool))
    row = cell(frame, GREEDY, "all")
    half = 2.0096 * np.sqrt(0.25 / 49)  # t of 49 degrees of freedom, as the two are as often
    assert row["exact"] == 0.5
    assert row["exact_high"] - row["exact"] == pytest.approx(half, rel=1e-3)
    assert np.isnan(cell(frame, GREEDY, "masked")["exact"])


@torch.no_grad()
def test_every_number_against_a_slow_count(checkpoint: Checkpoint, result: Result) -> None:
    frame, batch = result.table("generation"), checkpoint.sample(40, seed=2)
    model = checkpoint.gpt
    for answers in (TEACHER_FORCED, GREEDY, OTHER_PROMPT, ZERO, CHANCE):
        hits: dict[str, list[float]] = {entries: [] for entries in ENTRIES}
        squares: dict[str, list[float]] = {entries: [] for entries in ENTRIES}
        sizes: dict[str, list[bool]] = {entries: [] for entries in ENTRIES}
        signs: dict[str, list[bool]] = {entries: [] for entries in ENTRIES}
        for sample in range(40):
            true = batch.inputs[sample, 7:].tolist()
            other = batch.inputs[sample - 1]
            written: list[int] = []
            for entry in range(6):
                prompt = other[:7] if answers == OTHER_PROMPT else batch.inputs[sample, :7]
                before = true[:entry] if answers == TEACHER_FORCED else written
                logits = model(torch.tensor([[*prompt.tolist(), *before]]))[0, -1, 1:22]
                token = {ZERO: 11, CHANCE: int(other[7 + entry])}.get(answers, 1 + int(logits.argmax()))
                written.append(token)
                kind = "observed" if batch.observed[sample, entry] else "masked"
                for name in (kind, "all"):
                    hits[name].append(token == true[entry])
                    squares[name].append(((token - true[entry]) / 10) ** 2)
                    sizes[name].append(abs(abs(token - 11) - abs(true[entry] - 11)) <= 1)
                    if token != 11 != true[entry]:
                        signs[name].append((token > 11) == (true[entry] > 11))
        for entries in ENTRIES:
            row = cell(frame, answers, entries)
            assert row["exact"] == pytest.approx(np.mean(hits[entries]))
            assert row["mse"] == pytest.approx(np.mean(squares[entries]), rel=1e-4)
            assert row["size"] == pytest.approx(np.mean(sizes[entries]))
            assert row["sign"] == pytest.approx(np.mean(signs[entries]) if signs[entries] else np.nan, nan_ok=True)


def test_the_table_says_how_many_matrices_of_which_seed(result: Result, tmp_path: Path) -> None:
    frame = result.table("generation")
    assert len(frame) == 15
    assert set(frame["n"]) == {40}
    assert set(frame["seed"]) == {2}
    control = frame[frame["answers"] == OTHER_PROMPT]
    assert (control[["exact_excess", "exact_excess_low", "exact_excess_high"]] == 0).all(axis=None)
    result.save(tmp_path / "generation")
    pd.testing.assert_frame_equal(Result.load(tmp_path / "generation").table("generation"), frame)


def test_the_same_seed_gives_the_same_numbers(checkpoint: Checkpoint, result: Result) -> None:
    again = generation(checkpoint, samples=40, seed=2).table("generation")
    pd.testing.assert_frame_equal(again, result.table("generation"))
    assert not generation(checkpoint, samples=40, seed=3).table("generation").equals(again)


def test_too_few_matrices_and_encoders_are_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="samples must be at least 2"):
        generation(checkpoint, samples=1)
    with pytest.raises(InputError, match="defined for a gpt"):
        generation(Checkpoint.untrained(small_config(), seed=0), samples=4)


def test_analyses_of_encoders_refuse_a_gpt(checkpoint: Checkpoint) -> None:
    for refused, lacking in ((head_taxonomy, "head_classes"), (linear_probes, "probe_targets")):
        with pytest.raises(InputError, match=f"asks for {lacking}, which neither task matrix-sequence nor model gpt"):
            refused(checkpoint, samples=4)
    with pytest.raises(InputError, match="'column' is neither heads such as"):
        ablation(checkpoint, heads=["column"], samples=4)


def test_passes_are_selected_by_the_task() -> None:
    assert [entry.name for entry in select_passes(None, small_gpt_config())] == SEQUENCE_PASSES
    assert "generation" not in {entry.name for entry in select_passes(None, small_config())}
    # The ablation needs the taxonomy only where there is one.
    assert [entry.name for entry in select_passes(["ablation"], small_gpt_config())] == ["ablation"]
    assert [entry.name for entry in select_passes(["ablation"], small_config())] == ["taxonomy", "ablation"]
    with pytest.raises(UsageError, match="probes asks for probe_targets, which neither task matrix-sequence"):
        select_passes(["probes"], small_gpt_config())
    with pytest.raises(UsageError, match="generation asks for written_entries, which neither task matrix-completion"):
        select_comparisons(["generation"], small_config())
    assert "generation" in defined_for(small_gpt_config())
    assert "generation" not in defined_for(small_config())


def test_an_empty_ablation_and_own_patches_change_nothing(checkpoint: Checkpoint) -> None:
    ablated = ablation(checkpoint, samples=12, seed=1).table("ablation")
    assert set(ablated["group"]) == {"all", "none", "L0H0", "L0H1", "L1H0", "L1H1"}
    null = ablated[ablated["group"] == "none"]
    assert (null[["masked_delta", "masked_delta_low", "masked_delta_high"]] == 0).all(axis=None)
    assert (ablated[ablated["group"] == "all"]["total_mse"] != ablated["total_mse_clean"].iloc[0]).any()
    patched = patching(checkpoint, samples=12, seed=1).table("patching")
    batch = checkpoint.sample(12, seed=1)
    negative = checkpoint.task.negated(batch)
    error = (checkpoint.model.complete(negative.inputs) - negative.targets).square()
    own = patched[(patched["group"] == "self") & (patched["direction"] == "X into −X")].set_index("entries")
    assert own.loc["masked", "mse_to_base"] == pytest.approx(float(error[~batch.observed].mean()))
    assert own.loc["observed", "mse_to_base"] == pytest.approx(float(error[batch.observed].mean()))


@torch.no_grad()
def test_uniform_ablation_of_a_gpt_is_causal(checkpoint: Checkpoint) -> None:
    ablated = ablation(checkpoint, ["all"], ["uniform"], samples=8, seed=0).table("ablation").iloc[0]
    batch = checkpoint.sample(8, seed=0)
    causal = torch.tril(torch.ones(13, 13)) / torch.arange(1, 14)[:, None]
    hooks = [(f"blocks.{layer}.attn.hook_pattern", lambda p, hook: causal.expand_as(p)) for layer in range(2)]
    logits = checkpoint.gpt.run_with_hooks(batch.inputs, fwd_hooks=hooks)
    values = logits[:, 6:12, 1:22].argmax(-1) / 10 - 1
    assert ablated["total_mse"] == pytest.approx(float((values - batch.targets).square().mean()), rel=1e-5)


def test_attention_maps_name_the_parts_of_the_sequence(checkpoint: Checkpoint) -> None:
    maps = attention_maps(checkpoint, samples=16, seed=1)
    names = ["0,0", "0,1", "1,0", "1,1", "2,0", "2,1"]
    assert maps.facts["positions"] == [*(f"?{name}" for name in names), "sep", *(f"={name}" for name in names)]
    assert maps.arrays["maps"].shape[-2:] == (13, 13)
    assert np.abs(np.triu(maps.arrays["maps"], 1)).max() == 0
    assert maps.arrays["maps"].sum(-1) == pytest.approx(1, abs=1e-5)
    assert maps.facts["uniform_entropy"] == pytest.approx(np.mean(np.log(np.arange(1, 14))))
    frame = maps.table("heads")
    assert (frame["entropy"] < maps.facts["uniform_entropy"]).all()


def test_masked_mass_of_a_gpt_is_that_of_mask_tokens(checkpoint: Checkpoint) -> None:
    maps = attention_maps(checkpoint, masks=["rows:0"], samples=6, seed=1)
    # Entries 0 and 1 are masked in every sample: the mean over 13 queries of the attention on the first two keys.
    row = maps.table("heads").iloc[0]
    assert row["masked_mass"] == pytest.approx(maps.arrays["maps"][0, 0, 0][:, :2].sum(-1).mean(), rel=1e-5)
    expected = np.mean([min(2, q + 1) / (q + 1) for q in range(13)])
    assert maps.facts["uniform_masked_mass"] == [pytest.approx(expected)]


def test_a_head_made_uniform_has_no_distance_from_uniform(checkpoint: Checkpoint) -> None:
    flat = Checkpoint.untrained(checkpoint.config, seed=0)
    weights = {n: torch.zeros_like(w) if "W_Q" in n or "b_Q" in n else w for n, w in flat.weights.items()}
    maps = attention_maps(Checkpoint("flat", 0, flat.config, "", {}, {}, weights), samples=4)
    assert maps.table("heads")["distance_from_uniform"].max() < 1e-6
    assert maps.table("heads")["entropy"].to_numpy() == pytest.approx(maps.facts["uniform_entropy"], abs=1e-5)


def test_default_passes_leave_out_what_is_not_defined_and_say_so(tmp_path: Path) -> None:
    run = train(tmp_path / "run", small_gpt_config(training={"steps": 4}), "cpu")
    said: list[str] = []
    analyse(run, tmp_path / "out", [4], samples=8, progress=said.append)
    assert said[0].startswith("left out, not offered by matrix-sequence: ")
    assert {"taxonomy", "probes"} <= set(said[0].partition(": ")[2].split(", "))
    assert {folder.name for folder in (tmp_path / "out/data/step-00000004").iterdir()} == set(SEQUENCE_PASSES)
    with pytest.raises(UsageError, match="taxonomy asks for head_classes, which neither task matrix-sequence"):
        analyse(run, tmp_path / "out", [4], ["taxonomy"], samples=8)
    said.clear()
    analyse(run, tmp_path / "out", [4], ["generation"], samples=8, progress=said.append)
    assert said == [said[0]]
    assert said[0].endswith("kept")


def test_the_training_result_describes_the_scores_of_the_task(tmp_path: Path) -> None:
    run = train(tmp_path / "run", small_gpt_config(training={"steps": 4}), "cpu")
    summary = training_summary(run)
    assert summary.facts["progress_score"] == "masked_cross_entropy"
    assert summary.facts["loss_name"] == "cross-entropy (nats)"
    assert summary.facts["beside"] == ["observed_accuracy", "masked_accuracy", "observed_mse", "masked_mse"]
    assert summary.facts["passes"] == sorted([*SEQUENCE_PASSES, "course", "examples"])
    assert list(summary.table("curve")) == ["step", "loss", *summary.facts["score_names"]]
