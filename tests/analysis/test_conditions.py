"""Passes on inputs of one's own: numbers are those of these inputs, and results say which they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mcinterp.analysis import ablation, analyse, attention_maps, head_taxonomy, patching
from mcinterp.analysis.runner import step_folder
from mcinterp.errors import InputError, UsageError
from mcinterp.notebook import show, show_attention
from mcinterp.report import write_report
from mcinterp.results import Result
from mcinterp.runs import Checkpoint, Run
from mcinterp.studies.matrix_completion.head_scores import MaskedPatterns, family_scores, masked_row_scores

N, SEED = 24, 2
MINE = np.array([[True, True, False], [False, True, False], [True, True, True], [True, False, True]])
SPELLED = "drawn:110/010/111/101"
Asked = Callable[..., Result]
ASKED: dict[str, Asked] = {
    "ablation": lambda checkpoint, **inputs: ablation(checkpoint, ["all", "L0H1"], ["zero"], N, SEED, **inputs),
    "patching": lambda checkpoint, **inputs: patching(checkpoint, ["all", "L0H1"], N, SEED, **inputs),
    "taxonomy": lambda checkpoint, **inputs: head_taxonomy(checkpoint, N, SEED, **inputs),
    "attention": lambda checkpoint, **inputs: attention_maps(checkpoint, None, N, SEED, **inputs),
}


@pytest.fixture(params=list(ASKED))
def asked(request: pytest.FixtureRequest) -> Asked:
    return ASKED[request.param]


def test_a_drawn_mask_gives_the_numbers_of_its_name(asked: Asked, random_checkpoint: Checkpoint) -> None:
    """`rows:1` with entry (1, 1) seen, by its name and drawn."""
    named = asked(random_checkpoint, mask="masked-rows:1@1")
    drawn = np.ones((4, 3), dtype=bool)
    drawn[1, [0, 2]] = False
    mine = asked(random_checkpoint, mask={"mine": pd.DataFrame(drawn)})
    for name, table in named.tables.items():
        values = table.frame.replace({"masked-rows:1@1": "mine", "the masked-rows:1@1 mask": "the mine mask"})
        pd.testing.assert_frame_equal(values, mine.table(name))


def test_the_errors_are_those_under_the_mask(random_checkpoint: Checkpoint) -> None:
    result = ASKED["ablation"](random_checkpoint, mask={"mine": MINE})
    batch = random_checkpoint.sample(N, SEED, mask=MINE)
    error = (random_checkpoint.model.complete(batch.inputs) - batch.targets).square()
    row = result.table("ablation").iloc[0]
    seen = torch.tensor(MINE).flatten()
    assert row["masked_mse_clean"] == pytest.approx(float(error[:, ~seen].mean()), rel=1e-5)
    assert row["observed_mse_clean"] == pytest.approx(float(error[:, seen].mean()), rel=1e-5)
    random = ASKED["ablation"](random_checkpoint).table("ablation").iloc[0]
    assert random["masked_mse_clean"] != pytest.approx(row["masked_mse_clean"], rel=1e-2)


def test_heads_are_scored_under_the_mask(random_checkpoint: Checkpoint) -> None:
    """Families always; groups of masked rows as the mask has a row, the second, masked but for one entry."""
    scores = head_taxonomy(random_checkpoint, N, SEED, mask=MINE).table("scores")
    _, cache = random_checkpoint.model.run_with_cache(random_checkpoint.sample(N, SEED, mask=MINE).inputs)
    patterns = torch.cat([cache[f"blocks.{layer}.attn.hook_pattern"] for layer in (0, 1)], dim=1)
    expected = family_scores(patterns, 4, 3) | masked_row_scores([MaskedPatterns(patterns, torch.tensor(MINE))])
    for name, each in expected.items():
        found = scores[scores["class"] == name]["score"]
        assert found.tolist() == pytest.approx(each.mean(0).tolist(), abs=1e-5), name


def test_without_a_masked_row_groups_keep_their_own_masks(random_checkpoint: Checkpoint) -> None:
    drawn = np.ones((4, 3), dtype=bool)
    drawn[0, 0] = False
    own, usual = (head_taxonomy(random_checkpoint, N, SEED, **inputs) for inputs in ({"mask": drawn}, {}))
    scores = [each.table("scores").set_index(["class", "head"])["score"] for each in (own, usual)]
    assert scores[0]["masked-row"].tolist() == pytest.approx(scores[1]["masked-row"].tolist())
    assert scores[0]["row"].tolist() != pytest.approx(scores[1]["row"].tolist(), abs=1e-3)
    assert own.facts["kind_words"]["family"] == ["families", "the drawn mask"]


@pytest.mark.parametrize("name", ["ablation", "patching", "taxonomy"])
def test_results_say_on_which_inputs_they_are(name: str, random_checkpoint: Checkpoint, tmp_path: Path) -> None:
    ASKED[name](random_checkpoint, mask={"mine": MINE}).save(tmp_path / name)
    result = Result.load(tmp_path / name)
    assert result.settings["mask"] == "mine"
    assert all((table.frame["mask"] == "mine").all() for table in result.tables.values())
    assert all(SPELLED in table.columns["mask"] for table in result.tables.values())
    again = ASKED[name](random_checkpoint, mask={"mine": result.facts["condition"]["spelled"]})
    pd.testing.assert_frame_equal(next(iter(again.tables.values())).frame, next(iter(result.tables.values())).frame)
    html = show(result)._repr_html_()
    assert f"Under the mine mask ({SPELLED}), not on inputs as the task draws them." in html
    assert "4 of 12 entries masked" in html
    assert "Under the" not in show(ASKED[name](random_checkpoint)).section.sentences[0]


def test_the_inputs_that_the_task_draws_are_not_mentioned(random_checkpoint: Checkpoint) -> None:
    for result in (ASKED[name](random_checkpoint, mask=None) for name in ("ablation", "patching", "taxonomy")):
        assert "condition" not in result.facts
        assert "mask" not in {*result.settings, *(name for table in result.tables.values() for name in table.columns)}


def test_maps_of_drawn_masks_are_shown_by_name_and_by_the_drawing(random_checkpoint: Checkpoint) -> None:
    result = attention_maps(random_checkpoint, {"mine": MINE, "theirs": (~MINE).tolist()}, N, SEED)
    assert result.facts["masks"] == result.settings["masks"] == ["mine", "theirs"]
    assert list(result.table("heads")["mask"].unique()) == ["mine", "theirs"]
    assert result.arrays["observed"].tolist() == [MINE.tolist(), (~MINE).tolist()]
    assert show_attention(result).mask == "mine"
    for drawn in (~MINE, (~MINE).tolist(), pd.DataFrame(~MINE), torch.tensor(~MINE), {"theirs": ~MINE}, "theirs"):
        view = show_attention(result, drawn)
        assert view.mask == "theirs"
        assert "theirs: 8 of 12 entries masked" in view._repr_html_()
        assert np.array(view.props["attention"])[1] == pytest.approx(result.arrays["maps"][1, 0, 1], abs=5e-4)


def test_a_mask_of_ones_own_stands_beside_the_random_ones(random_checkpoint: Checkpoint) -> None:
    result = attention_maps(random_checkpoint, samples=N, seed=SEED, mask=MINE)
    assert result.facts["masks"] == ["random", "drawn"]
    other = attention_maps(random_checkpoint, "rows:1", N, SEED, mask=[MINE])
    assert other.facts["masks"] == ["rows:1", "drawn"]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (MINE[::-1], "has no such mask; valid: mine"),
        (MINE.T, r"a mask must have shape \(4, 3\), got \(3, 4\)"),
        ("theirs", "has no mask 'theirs'; valid: mine"),
    ],
)
def test_a_mask_that_is_not_there_is_not_shown(random_checkpoint: Checkpoint, mask: Any, message: str) -> None:
    result = attention_maps(random_checkpoint, {"mine": MINE}, 4)
    with pytest.raises(InputError, match=message):
        show_attention(result, mask)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"maks": MINE}, "takes no argument 'maks'; did you mean 'mask'?"),
        ({"family": "repeated"}, "takes no argument 'family'; valid: mask"),
        ({"mask": MINE[:2]}, "a mask must have shape (4, 3), got (2, 3)"),
        ({"mask": MINE.astype(int)}, "a mask must be boolean (True where observed)"),
        ({"mask": MINE | True}, "a mask drawn by hand must mask something"),
        ({"mask": MINE & False}, "a mask must leave something observed"),
    ],
)
def test_what_the_task_cannot_take_is_refused(
    asked: Asked, random_checkpoint: Checkpoint, inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        asked(random_checkpoint, **inputs)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["ablation", "patching", "taxonomy"])
def test_a_result_is_of_one_mask(name: str, random_checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="one mask at a time, got 2: mine, drawn"):
        ASKED[name](random_checkpoint, mask=[{"mine": MINE}, ~MINE])


def test_a_report_shows_the_mask_under_its_name(trained: Run, tmp_path: Path) -> None:
    mine = np.ones((5, 5), dtype=bool)
    mine[2, 1:] = False
    lines: list[str] = []
    for _ in range(2):
        lines.clear()
        analyse(trained, tmp_path, [0, 40], samples=8, progress=lines.append, mask={"<mine>": mine})
    assert [line.split()[-1] for line in lines[1:]] == ["kept"] * 8
    assert {line.split()[3] for line in lines[1:]} == {"attention", "taxonomy", "ablation", "patching"}
    result = Result.load(step_folder(tmp_path, 40) / "ablation")
    assert result.provenance["inputs"] == {"<mine>": "drawn:11111/11111/10000/11111/11111"}
    write_report(tmp_path)
    said = "nder the &lt;mine&gt; mask (drawn:11111/11111/10000/11111/11111), not on inputs as the task draws them."
    page = (tmp_path / "step-00000040.html").read_text(encoding="utf-8")
    assert page.count(f"U{said}") == 3
    assert "<span>&lt;mine&gt;</span>" in page
    assert page.count("4 of 25 entries masked") >= 4
    for other in ("index.html", "head-L1H0.html"):
        text = (tmp_path / other).read_text(encoding="utf-8")
        assert f"Group ablations, Activation patching and Head taxonomy: u{said}" in text
    assert "<mine>" not in page.replace("\\u003cmine\\u003e", "")


def test_another_mask_makes_results_stale(trained: Run, tmp_path: Path) -> None:
    def how(**inputs: Any) -> str:
        lines: list[str] = []
        analyse(trained, tmp_path, [40], ["patching"], 8, progress=lines.append, **inputs)
        return lines[-1]

    how()
    assert how().endswith("kept")
    assert how(mask="rows:1").endswith("(again: other inputs)")
    assert how(mask="rows:1").endswith("kept")
    assert how(mask={"mine": "rows:1"}).endswith("(again: other inputs)")
    assert how(mask=None).endswith("(again: other inputs)")
    assert "inputs" not in Result.load(step_folder(tmp_path, 40) / "patching").provenance


def test_what_looks_at_the_tasks_own_inputs_alone_says_so(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="probes looks at the inputs that the task draws alone; valid: ablation, att"):
        analyse(trained, tmp_path, [40], ["attention", "probes"], 8, mask="rows:1")
    with pytest.raises(InputError, match="analyse takes no argument 'maks'; did you mean 'mask'"):
        analyse(trained, tmp_path, [40], ["attention"], 8, maks="rows:1")
    assert not (tmp_path / "data").exists()
