"""What a page says first of a model of matrices, on planted truths; and the one that is shipped, on its page."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forged import SCORE_FACTS, Forge
from pages import browser, opened

from mcinterp.analysis import analyse
from mcinterp.config import load_preset
from mcinterp.report import write_report
from mcinterp.report.story import Told, story_of, story_of_step
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.matrix_completion.baselines.candidates import CANDIDATES
from mcinterp.studies.matrix_completion.baselines.completion import CompletionSettings
from mcinterp.studies.matrix_completion.findings import nearest
from mcinterp.studies.matrix_completion.known_answers import KINDS, ZERO
from mcinterp.task import make_task

__all__ = ["browser", "opened"]

TINY = Path(__file__).parents[4] / "checkpoints" / "tiny"
STEP, FORGE = 1000, Forge()
Row = Mapping[str, Any]


def table(*rows: Row) -> Table:
    return Table.of({name: name for name in rows[0]}, rows)


def ends(name: str, value: float, half: float) -> dict[str, float]:
    return {name: value, f"{name}_low": value - half, f"{name}_high": value + half}


def course(observed: float, masked: float, size: float, half: float = 1e-4) -> Result:
    """At one step: errors as shares of those of answering 0, which are 0.1, and the mean square of the answers."""
    scores = [
        {"step": STEP, "score": name, "n": 64, "seed": 0, **ends("value", 0.1 * share, half), "zero": 0.1}
        | ends("gained", 0.1 * (1 - share), half)
        | ends("of_zero", share, 10 * half)
        for name, share in (("observed", observed), ("masked", masked))
    ]
    known = {"step": STEP, "answers": ZERO, "distance": 0.1 * size}
    uniform = {"step": STEP, "n": 64, "seed": 0, **ends("clean", 0.1, half), **ends("uniform", 0.1, half)}
    uniform |= {**ends("change", 0.0, 0.0), **ends("ratio", 1.0, half)}
    tables = {"scores": table(*scores), "known": table(known), "uniform": table(uniform)}
    return Result("course", "", {}, dict(SCORE_FACTS), tables)


def test_of_a_run_it_is_told_where_its_answers_are_one_number_a_matrix() -> None:
    made = {"course": course(0.004, 1.0, 0.004)}
    for facts, said in (
        ({"state": "shelf", "first": 800, "last": 1200}, "; from step 800 to 1,200 mostly by one number a matrix"),
        ({"state": "shelf", "first": 800, "last": 800}, "; at step 800 mostly by one number a matrix"),
        ({"state": "none", "first": None, "last": None}, f"(step {STEP:,})"),
    ):
        told = Told(FORGE.training(), compared=made | {"shelf": Result("shelf", "", {}, facts)})
        (one,) = (one for one in story_of(told) if one.about == "before")
        assert one.sentence.endswith(said)
        of_step = [one for one in story_of_step(told, STEP) if one.about == "before"]
        assert all(one.sentence.endswith(f"(step {STEP:,})") for one in of_step)
        assert of_step


@pytest.mark.parametrize(
    ("made", "sentence", "state"),
    [
        (course(0.004, 1.0, 0.004), "It copies observed entries and answers about 0 at masked ones: ", "found"),
        (course(0.004, 1.0, 0.9), "It copies observed entries and answers masked ones no better than by 0: ", "found"),
        (course(0.004, 0.4, 0.9), "It copies observed entries and answers masked ones better than by 0: ", "found"),
        (course(0.7, 1.4, 2.0), "It does not copy observed entries and answers masked ones worse than by 0: ", "found"),
        (course(0.05, 1.0, 0.0), "Whether it copies observed entries is not told, and answers about 0", "undecided"),
    ],
)
def test_before_the_drop_is_told_what_it_answers(made: Result, sentence: str, state: str) -> None:
    found = story_of(Told(FORGE.training(), compared={"course": made}))
    (one,) = (one for one in found if one.about == "before")
    assert one.sentence.startswith(sentence)
    assert one.state == state
    assert one.question == "What did it do before?"
    assert one.evidence.href == "#course"


def algorithm(*left: tuple[str, float, float]) -> Told:
    """Candidates with the share that each leaves, and the half-width of how far it is behind the first."""
    rows = [
        {"candidate": name, "defined": 1.0, "n": 64, "unexplained": share, "control_scaled_unexplained": 1.0}
        | ends("behind", share - left[0][1], half)
        for name, share, half in left
    ]
    result = Result("algorithm", "", {}, {}, {"candidates": table(*rows)})
    return Told(steps={STEP: {"algorithm": result}}, pages={STEP: "page.html"})


def test_the_nearest_completion_is_told_apart_or_not() -> None:
    sure = nearest(algorithm(("minors", 0.1, 0.0), ("zero", 1.0, 0.1), ("row mean", 0.3, 0.1)))
    assert sure
    assert sure.sentence == "Minors: it leaves 10.0 % of its answers at masked entries"
    assert (sure.state, sure.evidence.href) == ("found", "page.html#algorithm")
    alike = nearest(algorithm(("minors", 0.1, 0.0), ("row mean", 0.12, 0.1), ("least squares", 5e4, 6e4)))
    assert alike
    assert alike.sentence.endswith("; 1 of 2 others are as near")
    assert alike.state == "undecided"
    none = nearest(algorithm(("zero", 1.0, 0.0), ("row mean", 5.0, 1.0)))
    assert none
    assert (none.state, none.number) == ("no change", "100 %")
    assert nearest(Told()) is None


def test_known_answers_are_those_of_the_candidates_and_leave_the_rest_of_a_batch() -> None:
    task = make_task(load_preset("tiny").task)
    batch = task.sample(16, torch.Generator().manual_seed(3))
    known, shape = task.known_answers(batch), (-1, *batch.shape)
    assert known.keys() == KINDS.keys()
    seen, observed = (batch.targets * batch.observed).double().view(shape), batch.observed.view(shape)
    for name, other in known.items():
        wanted = CANDIDATES[name].complete(seen, observed, CompletionSettings(1)).nan_to_num(nan=0.0).flatten(1)
        np.testing.assert_allclose(other.targets, wanted, atol=1e-3)
        assert torch.equal(other.inputs, batch.inputs)
    assert not known[ZERO].targets[batch.masked].any()


@pytest.mark.no_cover
def test_a_stranger_finds_five_answers_on_the_first_screen(tmp_path: Path, opened: Any) -> None:
    """When did it drop, what did it do before, what does it need after, which heads matter, does the account hold."""
    run = Run(TINY)
    analyse(run, tmp_path, [run.steps[-1]], ["course", "taxonomy", "ablation"], samples=64)
    write_report(tmp_path)
    stored = {name: Result.load(tmp_path / "data" / place) for name, place in PLACES.items()}
    index: AbstractContextManager[Any] = opened(tmp_path / "index.html")
    with index as page:
        page.set_viewport_size({"width": 1400, "height": 900})
        shown = {about: page.locator(f"#finding-{about}") for about in ("drop", "before", "need", "heads", "account")}
        for found in shown.values():
            box = found.bounding_box()
            assert box["y"] + box["height"] < 900
        said = {about: found.locator(".said").inner_text() for about, found in shown.items()}
        assert page.evaluate("document.documentElement.scrollHeight") <= 8 * 900
    assert_true(said, stored)


PLACES = {
    "training": "training",
    "course": "run/course",
    "ablation": "step-00016000/ablation",
    "taxonomy": "step-00016000/taxonomy",
}


def assert_true(said: Mapping[str, str], stored: Mapping[str, Result]) -> None:
    """Every number of the sentences is that of the stored tables."""
    steepest = stored["training"].table("transitions").iloc[0]["steepest"]
    assert said["drop"] == f"L_mask falls abruptly once, fastest at step {round(steepest):,}."
    scores = stored["course"].table("scores").set_index(["step", "score"])
    before = scores.loc[2272]
    assert before.loc["observed", "of_zero_high"] < 0.05
    assert abs(before.loc["masked", "of_zero"] - 1) < 0.02
    known = stored["course"].table("known").set_index(["step", "answers"])
    assert known.loc[(2272, "zero"), "distance"] < 0.05 * before.loc["masked", "zero"]
    ratio = before.loc["masked", "of_zero"]
    copies = "It copies observed entries and answers about 0 at masked ones"
    assert said["before"] == f"{copies}: L_mask is {ratio:.2f} times that of answering 0 (step 2,272)."
    ablated = stored["ablation"].table("ablation").query("method == 'uniform'").set_index("group")
    needs = "It needs attention: with the attention of every head made uniform, L_mask is"
    assert said["need"] == f"{needs} {ablated.loc['all', 'masked_ratio']:.2f} times as large."
    single = ablated[[len(heads) == 4 for heads in ablated["heads"]]].loc[lambda rows: rows.index == rows["heads"]]
    most = single["masked_delta"].idxmax()
    labels = stored["taxonomy"].table("heads").set_index("head").loc[most, ["family", "group"]]
    classes = ", ".join(label for label in labels if label != "none")
    assert said["heads"].startswith(f"{most} ({classes}) most: without it alone, L_mask is ")
    assert f"{single.loc[most, 'masked_ratio']:.2f} times" in said["heads"]
    assert said["account"] == "Not decided in this report: mcinterp reproduce matrix-completion decides it."


def test_a_step_page_is_told_by_the_studys_own_rules() -> None:
    told = Told(FORGE.training(), {STEP: {}}, {"course": course(0.004, 0.4, 0.9)}, pages={STEP: "page.html"})
    found = story_of_step(told, STEP)
    assert found[0].question == "What does it answer?"
    assert found[0].sentence.startswith("It copies observed entries and answers masked ones better than by 0")
