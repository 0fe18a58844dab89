"""What a page says of classes: nearness, several at once, what is not scored, and whole groups of positions."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from forged import Forge

from mcinterp.report.figures import position_blocks_figure, scores_figure
from mcinterp.report.numbers import interval
from mcinterp.report.views import taxonomy as page
from mcinterp.report.views.head.classes import best_sentences, class_sentence
from mcinterp.results import Result, Table

FORGE = Forge()


def forged(table: str, **cells: object) -> Result:
    """The last head with no class, and its rows of a table with other values."""
    result = FORGE.taxonomy(9000)
    head = FORGE.heads[-1]
    tables = dict(result.tables)
    named = dict.fromkeys(result.facts["kinds"], "none")
    for name, values in (("heads", named), (table, cells)):
        frame = tables[name].frame.copy()
        for column, value in values.items():
            frame.loc[frame["head"] == head, column] = value
        tables[name] = Table(frame, tables[name].columns)
    return replace(result, tables=tables)


def test_a_page_says_what_heads_without_a_class_avoid() -> None:
    said = page.view(forged("heads"), {}).sentences[-1]
    assert f"{FORGE.heads[-1]}." in said
    assert said.endswith(f"In {FORGE.heads[-1]} queries of rows 0, 2 avoid keys of row 1.")
    assert "favours or avoids whole rows or columns" in said


def test_a_page_says_where_no_head_avoids_anything() -> None:
    result = forged("blocks", n_avoided=0, avoided="none")
    assert page.view(result, {}).sentences[-1].endswith("is shown to favour or avoid whole rows or columns.")


def test_a_page_without_groups_of_positions_does_not_speak_of_them() -> None:
    result = FORGE.taxonomy(9000)
    bare = replace(result, tables={name: result.tables[name] for name in ("heads", "scores")}, arrays={})
    section = page.view(bare, {})
    assert len(section.figures) == 1
    assert not any("whole" in sentence for sentence in section.sentences)


def test_results_of_earlier_versions_are_shown() -> None:
    result = FORGE.taxonomy(9000)
    heads = result.table("heads")[["head", "family", "family_runner_up", "family_margin", "group", "group_runner_up"]]
    scores = result.table("scores").drop(columns=["least", "least_place", "everywhere"])
    tables = {"heads": Table(heads, dict.fromkeys(heads, "")), "scores": Table(scores, dict.fromkeys(scores, ""))}
    facts = {name: result.facts[name] for name in ("kinds", "kind_words", "masks")}
    section = page.view(replace(result, tables=tables, facts=facts, arrays={}), {})
    assert len(section.sentences) == 1


@pytest.mark.parametrize(
    ("low", "everywhere", "said"),
    [
        (0.60, True, "above the threshold 0.300"),
        (0.20, True, "not shown to be above the threshold 0.300"),
        (0.60, False, "above the threshold 0.300, but at row 0 below uniform attention"),
        (0.20, False, "not shown to be above the threshold 0.300, and at row 0 below uniform attention"),
    ],
)
def test_a_score_is_said_to_be_above_where_its_interval_is(low: float, everywhere: bool, said: str) -> None:
    row = {"class": "row", "score": 0.62, "score_low": low, "score_high": 0.64, "threshold": 0.3}
    found = page.scored(pd.Series({**row, "everywhere": everywhere, "least_place": "row 0"}))
    assert found.startswith("row 0.6")
    assert found.partition("], ")[2] == said


def test_the_nearest_head_without_a_class_is_told() -> None:
    result = forged("heads", family_above=5.0)
    assert f"without a family the nearest to one is {FORGE.heads[-1]}: row " in page.nearest_sentences(result)[0]


def test_heads_of_several_classes_are_counted_apart() -> None:
    result = forged("heads", family="ambiguous", family_all="row, column")
    assert "1 more than one alike" in page.sentence(result)
    section = page.view(result, {})
    assert "family all" in [column.label for column in section.tables[0].columns]
    assert FORGE.heads[-1] not in {head for heads in page.members(result).values() for head in heads}
    scores = result.table("scores")
    assert class_sentence("L1H7", "family", {9000: "ambiguous"}, scores).endswith(
        "L1H7 fits more than one family alike."
    )


def test_a_class_that_is_not_scored_is_told_with_why() -> None:
    result = FORGE.taxonomy(9000)
    result = replace(result, facts={**result.facts, "unscored": {"row": "in lists there are none"}})
    assert "Row is not scored: in lists there are none." in page.view(result, {}).sentences


def test_a_head_page_says_where_a_class_fails() -> None:
    scores = FORGE.taxonomy(9000).table("scores").assign(step=9000)
    scores = scores[(scores["head"] == FORGE.heads[0]) & (scores["kind"] == "family")].assign(everywhere=False)
    assert "at row 0 below uniform attention" in best_sentences(scores)[0]
    figure = scores_figure(FORGE.taxonomy(9000))
    assert "below uniform" not in str(figure.data[0].customdata)


def test_every_head_has_a_picture_of_its_blocks() -> None:
    figure = position_blocks_figure(FORGE.taxonomy(9000), "column")
    assert len(figure.data) == len(FORGE.heads)
    assert [note.text for note in figure.layout.annotations] == FORGE.heads
    blocks = FORGE.taxonomy(9000).arrays["column_blocks"]
    assert 2 ** figure.data[3].z[0][1] * (1 / FORGE.cols) == pytest.approx(
        max(blocks[3, 0, 1], 0.25 / FORGE.cols), 1e-2
    )
    told = interval(blocks[3, 0, 1], blocks[3, 0, 1] - 0.01, blocks[3, 0, 1] + 0.02)
    assert f"queries of column 0, keys of column 1<br>attention {told}" in figure.data[3].customdata[0][1]
