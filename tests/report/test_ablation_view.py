"""What the ablation's section says never says more than its numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from forged import Forge

from mcinterp.notebook import show
from mcinterp.report.figures.ablation import ablation_rows
from mcinterp.report.scores import Scores
from mcinterp.report.views.head.effects import ablation_sentence
from mcinterp.results import Result

STEP = 9000
CLEAN = 0.006


def changed(result: Result, where: str, **values: object) -> Result:
    """The result with other values in the rows of both tables that a query of the joined table picks."""
    tables = [result.tables[name].frame for name in ("ablation", "control")]
    joined = pd.concat([tables[0], tables[1].drop(columns=["group", "heads", "method"])], axis=1)
    rows = joined.query(where).index
    for name, value in values.items():
        for frame in tables:
            if name in frame:
                frame.loc[rows, name] = value
    return result


def change(value: float, half: float, q_value: float = 1e-4) -> dict[str, float]:
    """Columns of a change of the main score, in absolute terms and as a share of the clean one."""
    ends = {"": value, "_low": value - half, "_high": value + half}
    shares = {f"masked_share{end}": number / CLEAN for end, number in ends.items()}
    return {f"masked_delta{end}": number for end, number in ends.items()} | shares | {"q_value": q_value}


def sentences(result: Result) -> list[str]:
    return list(show(result).section.sentences)


@pytest.fixture
def result() -> Result:
    result = Forge().ablation(STEP)
    assert result.table("ablation")["masked_mse_clean"].iloc[0] == pytest.approx(CLEAN)
    return result


@pytest.mark.parametrize(
    ("value", "half", "said"),
    [
        (0.1, 0.01, "raises L_mask: 0.0060"),
        (-0.002, 0.0002, "lowers L_mask: "),
        (0.01, 0.02, "does not measurably change L_mask: "),
        (0.000024, 0.00001, "raises L_mask by a negligible 0.40 [0.23, 0.57] %: "),
        (-0.000024, 0.00001, "lowers L_mask by a negligible −0.40 [−0.57, −0.23] %: "),
        (0.00001, 0.00002, "does not measurably change L_mask (by less than 1 % either way): "),
        (0.0, 0.0, "does not change L_mask: "),
        (0.0001, 0.00008, "raises L_mask: "),  # 1.7 %, though it may be 0.3 %
    ],
)
def test_all_heads_do_what_the_interval_says(result: Result, value: float, half: float, said: str) -> None:
    text = sentences(changed(result, "group == 'all'", **change(value, half)))[0]
    assert text.startswith("Ablating all heads (uniform, n = 512 fresh matrices, seed 7) " + said)
    assert "answering 0 gives 0.111" in text


ALONE = "kind == 'head' and method == 'uniform'"


def test_heads_that_change_nothing_are_none_that_raise(result: Result) -> None:
    plain = changed(result, ALONE, **change(0.0001, 0.001, 0.9), verdict="within the range of its layer's other heads")
    said = (
        "Of 16 single heads ablated (uniform), none raises L_mask; none stands out from the other heads of its layer. "
    )
    assert sentences(plain)[1].startswith(said)


def test_one_head_is_singular_and_named(result: Result) -> None:
    plain = changed(result, ALONE, **change(0.0001, 0.001, 0.9), verdict="within the range of its layer's other heads")
    one = changed(plain, f"{ALONE} and group == 'L1H2'", **change(0.03, 0.001), verdict="hurts more than every control")
    assert (
        "1 raises L_mask; 1 stands out from the other heads of its layer: L1H2 (hurts more than every control). The "
        "largest change is 0.0300 [0.0290, 0.0310], at L1H2."
    ) in sentences(one)[1]


def test_small_and_reversed_changes_are_told_apart(result: Result) -> None:
    plain = changed(
        result, ALONE, **change(0.00002, 0.00001), verdict="beyond the range of its layer's other heads, undecided"
    )
    mixed = changed(
        plain, f"{ALONE} and group == 'L0H1'", **change(-0.002, 0.0001), verdict="helps more than every control"
    )
    mixed = changed(
        mixed, f"{ALONE} and group == 'L0H2'", **change(0.002, 0.0001), verdict="hurts more than every control"
    )
    text = sentences(mixed)[1]
    assert (
        "15 raise L_mask (14 of them by less than 1 %), 1 lowers it; 2 stand out from the other heads of their" in text
    )
    assert ": L0H1 (helps more than every control) and L0H2 (hurts more than every control)." in text


def test_a_layer_of_two_heads_gives_no_verdict(result: Result) -> None:
    few = changed(result, ALONE, verdict="no verdict: too few other heads", excess_q=np.nan)
    assert "whether one stands out is not told, with too few other heads in its layer" in sentences(few)[1]


def test_heads_and_sets_have_their_own_controls_in_figure_and_caption(result: Result) -> None:
    groups, heads = show(result).section.figures
    assert "the range of random groups of as many heads of the same layers" in groups.caption
    assert "the range of the other heads of its layer" in heads.caption
    names = [{trace.name for trace in view.figure.data} for view in (groups, heads)]
    assert "random groups of as many heads of the same layers" in names[0]
    assert "the other heads of its layer" in names[1]
    assert not names[0] & names[1] - {"uniform", "zero", "mean", "resample"}


def test_the_page_of_a_head_says_its_verdict_and_no_more_than_its_interval(result: Result) -> None:
    plain = changed(
        result, "group == 'L0H1'", **change(0.000024, 0.00001), verdict="within the range of its layer's other heads"
    )
    frame = ablation_rows(plain).query("group == 'L0H1'")
    text = ablation_sentence("L0H1", frame, Scores.of(plain))
    assert "raises L_mask by a negligible 0.40 [0.23, 0.57] % at step 9,000" in text
    assert text.endswith("; verdict: within the range of its layer's other heads.")
