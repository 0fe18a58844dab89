"""The page of a comparison: sentences of real and of edited results, figures, and the page in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from accessible import serious_violations
from drawn import draw_all
from markupsafe import escape
from planted_runs import plant_run
from planted_sweep import PLATEAU, planted_curve
from small_gpt import small_gpt_config
from small_run import small_config

import mcinterp
from mcinterp.analysis import compare_checkpoints, compare_runs
from mcinterp.analysis.compare.comparing import Compared, compare
from mcinterp.errors import CheckpointError
from mcinterp.report import write_comparison_report
from mcinterp.report.figures import aligned_figure, by_step_figure, classes_figure, pair_maps_figure, similarity_figure
from mcinterp.report.views import aligned as aligned_view
from mcinterp.report.views import compare as compare_view
from mcinterp.report.views.same_run import changed_heads
from mcinterp.results import Result, Table
from mcinterp.runs import Checkpoint, Run

TINY = Path(__file__).parents[1] / "data" / "tiny"
NAN = float("nan")
A4 = 703
"""Width between the margins of a sheet, in CSS pixels."""


@pytest.fixture(scope="module")
def pair() -> Result:
    """Of two runs, as heads of one are told beside themselves."""
    run = Run(TINY)
    other = replace(run.checkpoint(4915), run_name="other")
    return compare_checkpoints(run.checkpoint("last"), other, 16, labels=("tiny@16000", "tiny@4915"))


@pytest.fixture(scope="module")
def steps() -> Result:
    run = Run(TINY)
    return compare_checkpoints(run.checkpoint("last"), run.checkpoint(4915), 16)


def test_a_head_of_one_run_is_told_beside_itself_the_most_changed_first(steps: Result) -> None:
    changed = steps.table("changed")
    assert len(changed) == 16
    assert changed["score"].is_monotonic_increasing
    cells = steps.table("similarity").set_index(["head_a", "head_b"])["score"]
    assert all(row["score"] == pytest.approx(cells[row["head"], row["head"]]) for _, row in changed.iterrows())
    below = changed["score_high"] < changed["resampled_low"]
    assert (below == changed["changed"]).all()
    assert below.any()
    view = compare_view.view(steps, {})
    assert not any("untrained" in sentence for sentence in changed_heads(steps))
    first = changed[changed["changed"]].iloc[0]["head"]
    assert f"change them: {first} (" in " ".join(view.sentences)
    names = [note.text for shown in view.figures for note in shown.figure.layout.annotations]
    assert [name.partition(":")[0] for name in names] == changed["head"].tolist()
    none = edited(steps, "changed", {"changed": False})
    assert changed_heads(none)[0].startswith("No head of tiny@16000 attends measurably otherwise")


def test_two_models_that_only_share_a_name_are_not_two_steps_of_one_run() -> None:
    models = [Checkpoint.untrained(small_config(), seed) for seed in (1, 2)]
    assert "changed" not in compare_checkpoints(models[0], models[1], 8).tables


@pytest.fixture(scope="module")
def unlike() -> Result:
    a = replace(Checkpoint.untrained(small_config(), 1), run_name="small")
    b = replace(Checkpoint.untrained(small_config(task={"rows": 4}), 1), run_name="flat")
    return compare_checkpoints(a, b, 8)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("planted")
    drops = {"one": (2000, 0.02), "two": (1800, 0.01), "three": (2300, 0.02), "flat": (None, PLATEAU)}
    return [
        plant_run(folder / name, planted_curve(drop, last, seed), seed)
        for seed, (name, (drop, last)) in enumerate(drops.items())
    ]


@pytest.fixture(scope="module")
def runs(planted: list[Run]) -> Result:
    return compare_runs(planted, samples=4)


@pytest.fixture(scope="module")
def folder(planted: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with three pairs and the curves of four runs."""
    out = tmp_path_factory.mktemp("comparison") / "page"
    compare([Compared(run, None, run.name) for run in planted], out, samples=8)
    write_comparison_report(out)
    return out


@pytest.fixture(scope="module")
def small(planted: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two runs, also in a single file."""
    out = tmp_path_factory.mktemp("comparison") / "small"
    compare([Compared(run, None, run.name) for run in planted[:2]], out, samples=8)
    write_comparison_report(out, single_file=True)
    return out


def edited(result: Result, name: str, change: dict[str, Any], **where: Any) -> Result:
    """The result with values of some rows of a table changed."""
    frame = result.table(name).copy()
    rows = np.logical_and.reduce([frame[column] == value for column, value in where.items()] or [frame.index >= 0])
    for column, value in change.items():
        frame[column] = frame[column].astype(object if isinstance(value, str | bool) else float)
        frame.loc[rows, column] = value
    return replace(result, tables={**result.tables, name: Table(frame, result.tables[name].columns)})


def told(result: Result, words: str) -> str:
    """The one sentence with these words."""
    (sentence,) = (text for text in compare_view.sentences(result) if words in text)
    return sentence


def said(result: Result, words: str) -> str:
    (sentence,) = (text for text in aligned_view.sentences(result) if words in text)
    return sentence


def test_errors_are_told_by_their_difference(pair: Result) -> None:
    row = pair.table("errors").iloc[0]
    sentence = told(pair, "L_mask")
    assert "for tiny@16000 and" in sentence
    assert (
        "for tiny@4915 on the same samples (n = 16 fresh matrices, seed 0): tiny@4915's is higher (difference"
        in sentence
    )
    assert row["difference_low"] > 0
    masked = {"entries": "masked"}
    lower = edited(pair, "errors", {"difference": -0.2, "difference_low": -0.3, "difference_high": -0.1}, **masked)
    assert "tiny@4915's is lower (difference −0.20 [−0.30, −0.10], paired)" in told(lower, "L_mask")
    unclear = edited(pair, "errors", {"difference_low": -0.3, "difference_high": 0.1}, **masked)
    assert "does not measurably differ" in told(unclear, "L_mask")
    same = edited(pair, "errors", dict.fromkeys(("difference", "difference_low", "difference_high"), 0.0), **masked)
    assert "is the same (" in told(same, "L_mask")
    absent = edited(pair, "errors", {"a_mse": NAN}, **masked)
    assert not any("L_mask" in text for text in compare_view.sentences(absent))


ALIKE = {"score": 0.9, "score_low": 0.8, "score_high": 0.95}
APART = {"score": 0.1, "score_low": 0.05, "score_high": 0.15}


def test_heads_are_told_by_their_control(pair: Result) -> None:
    def heads(found: dict[str, float], untrained: dict[str, float]) -> str:
        result = edited(pair, "controls", found, what="A and B")
        return told(edited(result, "controls", untrained, what="A and an untrained model"), "Paired by what")

    alike = heads(ALIKE, APART)
    assert "16 pairs of heads have a mean score of 0.90 [0.80, 0.95]" in alike
    assert "with an untrained model it is 0.10 [0.05, 0.15]: on average they are more alike than that." in alike
    assert "they are less alike than those of an untrained model" in heads(APART, ALIKE)
    wide = {"score": 0.3, "score_low": 0.1, "score_high": 0.5}
    assert "on average they are not measurably more alike than that" in heads(wide, APART)
    exact = {"score": 0.12, "score_low": 0.11, "score_high": 0.13}
    assert "on average they are as alike as that, to within 0.05" in heads(exact, {**exact, "score": 0.115})


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.2, 0.3, "on average paired heads do similar things"),
        (-0.2, 0.1, "what paired heads do is not measurably alike"),
    ],
)
def test_what_heads_do_is_told_by_its_control(pair: Result, low: float, high: float, words: str) -> None:
    effect = {"effect": (low + high) / 2, "effect_low": low, "effect_high": high}
    others = {"effect": 0.0, "effect_low": -0.05, "effect_high": 0.05}
    result = edited(pair, "controls", effect, what="A and B")
    result = edited(result, "controls", others, what="A and B given other matrices")
    sentence = told(result, "without either head")
    assert sentence.endswith(f"0.00 [−0.05, 0.05] when tiny@4915 is given other matrices: {words}.")
    nothing = edited(pair, "controls", dict.fromkeys(effect, NAN), what="A and B")
    assert not any("without either head" in text for text in compare_view.sentences(nothing))


def test_pairs_above_an_untrained_model_are_named(pair: Result) -> None:
    matches = pair.table("matches")
    none = edited(pair, "matches", {"above_untrained": False})
    assert told(none, "highest of an untrained").startswith("No pair's score lies measurably above")
    head, other = matches.loc[3, ["head_a", "head_b"]]
    one = edited(
        edited(none, "matches", {"above_untrained": True}, head_a=head), "matches", {"score": 0.87}, head_a=head
    )
    assert told(one, "highest of an untrained").startswith("1 of 16 pairs lies measurably above")
    assert told(one, "highest of an untrained").endswith(f": {head} ↔ {other} (0.87).")
    every = edited(pair, "matches", {"above_untrained": True})
    assert told(every, "highest of an untrained").startswith("16 of 16 pairs lie measurably above")
    assert told(every, "highest of an untrained").endswith(") and 11 more.")


def test_whether_the_control_holds_is_said(pair: Result) -> None:
    assert told(pair, "heads shuffled") == (
        "Control: paired with itself, its heads shuffled, every head of tiny@16000 finds itself, with score 1."
    )
    shuffled = {"what": "A and itself, heads shuffled"}
    twins = edited(pair, "controls", {"found": 14.0}, **shuffled)
    assert "only 14 of 16 themselves: some of its heads attend alike" in told(twins, "heads shuffled")
    broken = edited(pair, "controls", {"found": 3.0, "lowest": 0.4}, **shuffled)
    assert told(broken, "heads shuffled").startswith("The control fails, so that the pairs cannot be trusted")


def test_classes_are_told_beside_chance(pair: Result) -> None:
    yes = replace(edited(pair, "matches", {"classes_agree": "yes"}), facts={**pair.facts, "agreement_by_chance": 0.125})
    assert told(yes, "has a class") == (
        "Of 16 pairs in which a head has a class, 16 have the same on both sides; pairs made at random would have it "
        "in 12.5 %."
    )
    assert "a head has a class, 0 have the same" in told(
        edited(pair, "matches", {"classes_agree": "no"}), "has a class"
    )
    assert told(edited(pair, "matches", {"classes_agree": "none"}), "class") == "No head of a pair has a class."


def test_the_same_weights_are_said_to_be() -> None:
    checkpoint = Run(TINY).checkpoint("last")
    result = compare_checkpoints(checkpoint, checkpoint, 8)
    first, *_ = compare_view.sentences(result)
    assert first.startswith("tiny@16000 (A) and tiny@16000 (B) have the same weights")
    assert "16 of 16 pairs have the same layer and number, 16 the same layer" in told(result, "layer and number")
    assert "is the same (" in told(result, "L_mask")


def test_heads_that_attend_uniformly_are_not_told_of(pair: Result) -> None:
    silent = edited(pair, "matches", {"score": NAN, "above_untrained": False})
    assert compare_view.sentences(silent)[-1].startswith("The heads attend uniformly")


def test_what_cannot_be_compared_is_said(unlike: Result) -> None:
    sentences = compare_view.sentences(unlike)
    assert sentences[0].startswith(
        "The two cannot be given the same inputs: the task of small@0 has rows 5, that of flat@0 rows 4. So no answers "
        "are compared and no heads paired."
    )
    assert "% of that of answering 0, and" in sentences[1]
    assert len(sentences) == 3
    section = compare_view.view(unlike, {})
    assert section.figures == []
    assert [table.caption for table in section.tables] == [
        "Mean squared errors (A: small@0, B: flat@0)",
        "Heads of each class (A: small@0, B: flat@0)",
        "Where the configurations differ (A: small@0, B: flat@0)",
    ]


def test_sequences_say_nothing_of_classes() -> None:
    models = [Checkpoint.untrained(small_gpt_config(), seed) for seed in (1, 2)]
    result = compare_checkpoints(models[0], models[1], 8)
    assert not any("class" in text for text in compare_view.sentences(result))
    assert len(compare_view.view(result, {}).figures) == 2


def test_figures_hold_the_numbers(pair: Result) -> None:
    figure = similarity_figure(pair)
    cells, dots = figure.data
    matches, facts = pair.table("matches"), pair.facts
    order = [facts["heads_b"].index(head) for head in matches["head_b"]]
    np.testing.assert_allclose(np.array(cells.z, dtype=float), pair.arrays["similarity"][:, order])
    assert (list(dots.y), list(dots.x)) == (matches["head_a"].tolist(), matches["head_b"].tolist())
    maps, worst = pair_maps_figure(pair), matches["score"].idxmin()
    best = matches.sort_values("score", ascending=False, kind="stable").iloc[0]
    own = pair.arrays["maps_a"][facts["heads_a"].index(best["head_a"])]
    partner = pair.arrays["maps_b"][facts["heads_b"].index(best["head_b"])]
    largest = max(own.max(), partner.max())
    assert len(maps.data) == 8 * 2
    for drawn, shares in zip(maps.data, (own / largest, partner / largest), strict=False):
        np.testing.assert_allclose(np.array(drawn.z, dtype=float), 100 * shares, atol=0.5)
    assert [trace.x0 for trace in maps.data[:2]] == [0, 26]
    assert maps.layout.yaxis.scaleanchor == "x"
    names = [annotation.text for annotation in maps.layout.annotations]
    assert names[0].startswith(f"{best['head_a']} ↔ {best['head_b']}: ")
    assert len(names) == 8
    assert pair_maps_figure(pair, 14, 16).layout.annotations[1].text.startswith(f"{matches['head_a'][worst]} ↔ ")


def test_maps_of_many_heads_are_folded_and_light(tmp_path: Path) -> None:
    config = small_config(model={"n_layers": 5, "n_heads": 4})
    models = [Checkpoint.untrained(config, seed) for seed in (1, 2)]
    result = compare_checkpoints(*models, 8)
    result.save(tmp_path / "data" / "compared-checkpoints")
    text = write_comparison_report(tmp_path).read_text()
    figures = re.findall(r'<script type="application/json" data-plot="([^"]+)">(.*?)</script>', text)
    assert len(figures) == 1 + 3  # who is like whom, and 20 pairs by 8
    before, _, _ = text.partition("2 more figures</summary>")
    assert [name in before for name, _ in figures] == [True, True, False, False]
    cells = 8 * 2 * result.arrays["maps_a"].shape[-1] ** 2
    assert len(figures[1][1]) < 2 * cells + 16000


def test_axes_are_called_as_the_sentences_call_them_with_decimal_ticks(runs: Result) -> None:
    figures = [view.figure for view in aligned_view.view(runs, {}).figures]
    assert figures[0].layout.yaxis.title.text == "L_mask"
    wide = edited(runs, "curves", {"value": 1e-5}, run="one")
    axes = [json.loads(view.json)["layout"]["yaxis"] for view in aligned_view.view(wide, {}).figures]
    assert {axis["tickformat"] for axis in axes if axis.get("type") == "log"} == {",~r"}


def test_drops_are_told(runs: Result) -> None:
    table = runs.table("runs").set_index("run")
    assert said(runs, "falls fastest") == (
        "3 of 4 runs drop; L_mask falls fastest at these steps: "
        + "; ".join(f"{run} at {round(table.loc[run, 'steepest']):,}" for run in ("one", "two", "three"))
        + "."
    )
    assert said(runs, "Left out").startswith(
        "Left out of the alignment and of all averages, without a drop: flat (no drop"
    )
    assert "high, on average 0.0999" in said(runs, "plateaus")
    assert "(n = 3 runs)" in said(runs, "plateaus")
    assert "The mean step of the fastest fall is" in said(runs, "fastest fall is")
    assert "needs three" not in said(runs, "fastest fall is")


@pytest.mark.parametrize(
    ("aligned", "by_step", "words"),
    [
        (1.05, 2.5, "factor of 1.05 when aligned, of 2.50 by step: they differ in when they drop, and hardly in how."),
        (1.6, 2.5, "aligning them makes them more alike, but how they drop differs too."),
        (1.6, 1.5, "aligning them hardly changes how alike they are."),
    ],
)
def test_what_aligning_does_is_said_whichever_way(runs: Result, aligned: float, by_step: float, words: str) -> None:
    facts = {**runs.facts, "spread": {"aligned": aligned, "by_step": by_step}}
    assert said(replace(runs, facts=facts), "Across the drops").endswith(words)
    assert not any("Across" in text for text in aligned_view.sentences(replace(runs, facts={**facts, "spread": {}})))


def test_without_a_drop_nothing_is_aligned(planted: list[Run], tmp_path: Path) -> None:
    again = plant_run(tmp_path / "again", planted_curve(None, PLATEAU, 7), 7)
    result = compare_runs([planted[3], again], samples=0)
    assert aligned_view.sentences(result) == [
        "Neither run shows a sudden drop of L_mask, so that nothing can be aligned."
    ]
    assert len(aligned_view.view(result, {}).figures) == 1
    one = compare_runs([planted[3], planted[0]], samples=0)
    assert aligned_view.sentences(one)[0].startswith("1 of 2 runs drops;")
    assert len(aligned_view.sentences(one)) == 2


def test_two_runs_are_lines_without_a_band(planted: list[Run]) -> None:
    result = compare_runs(planted[:2], samples=0)
    figure = aligned_figure(result, "masked_mse")
    assert [trace.name for trace in figure.data] == ["one", "two"]
    captions = [view.caption for view in aligned_view.view(result, {}).figures]
    assert any("a band over runs needs three of them" in caption for caption in captions)
    assert "An interval over runs needs three of them." in said(result, "fastest fall is")


def test_three_runs_have_a_band_and_all_are_drawn_by_step(runs: Result) -> None:
    band, *lines, mean = aligned_figure(runs, "masked_mse").data
    table = runs.table("aligned").query("score == 'masked_mse'")
    assert list(band.y)[: len(table)] == table["value_high"].tolist()
    assert list(band.y)[len(table) :] == table["value_low"].tolist()[::-1]
    assert [trace.name for trace in lines] == ["one", "two", "three"]
    assert list(mean.y) == table["value"].tolist()
    by_step = by_step_figure(runs)
    assert [trace.name for trace in by_step.data] == ["one", "two", "three", "flat"]
    assert len(by_step.layout.shapes) == 3
    curve = runs.table("curves").query("run == 'flat' and score == 'masked_mse'")
    assert list(by_step.data[3].y) == curve["value"].tolist()


def test_classes_over_aligned_steps(runs: Result) -> None:
    drawn = edited(runs, "classes", {"heads": 2.0, "share": 0.5}, **{"class": "identity"})
    figure = classes_figure(drawn, "family")
    assert {trace.name for trace in figure.data} >= {"identity"}
    assert not any(trace.name == "none" for trace in figure.data)
    assert [trace.name for trace in figure.data if trace.y == (None,)] == ["one", "two", "three"]
    traces = [trace for trace in figure.data if trace.name == "identity"]
    assert [list(trace.y) for trace in traces] == [[0.5]] * 3


def test_the_page_depends_on_the_stored_results_alone(folder: Path) -> None:
    index = (folder / "index.html").read_text()
    assert [path.name for path in sorted((folder / "data").iterdir())] == [
        "compared-checkpoints",
        "compared-checkpoints-2",
        "compared-checkpoints-3",
        "compared-runs",
    ]
    assert re.findall(r'<section id="([^"]+)"', index) == [
        "compared-checkpoints",
        "compared-checkpoints-2",
        "compared-checkpoints-3",
        "compared-runs",
        "provenance",
    ]
    links = re.findall(r'href="(data/[^"]+)"', index)
    assert len(links) > 20
    assert all((folder / link).is_file() for link in links)
    write_comparison_report(folder)
    assert (folder / "index.html").read_text() == index
    stored = Result.load(folder / "data" / "compared-checkpoints-2")
    for sentence in compare_view.sentences(stored):
        assert str(escape(sentence)) in index


def test_in_a_single_file_everything_is_in_it(small: Path) -> None:
    text = (small / "report.html").read_text()
    assert not re.search(r"<(script|link)[^>]+(src|href)=\"(?!data:)", text)
    packed = set(re.findall(r'data-part="([^"]+)"', text))
    assert packed >= {path.relative_to(small).as_posix() for path in (small / "data").rglob("*.csv")}
    assert packed >= {"index.html", "assets/plotly.min.js"}


def test_a_report_beside_it_is_linked(small: Path, tmp_path: Path) -> None:
    assert "../one/" not in (small / "index.html").read_text()
    data = shutil.copytree(small / "data", tmp_path / "here" / "data")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "index.html").write_text("")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "step-00004000.html").write_text("")
    text = write_comparison_report(data.parent).read_text()
    assert 'href="../one/index.html"' in text
    assert 'href="../two/step-00004000.html"' in text


def test_without_a_comparison_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no comparison; make one with mcinterp compare"):
        write_comparison_report(tmp_path)


def test_names_cannot_break_the_page(folder: Path, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    stored = Result.load(folder / "data" / "compared-checkpoints")
    hostile = replace(
        stored,
        title=evil,
        facts={**stored.facts, "a": {**stored.facts["a"], "label": evil, "run": "../../etc"}},
        provenance={**stored.provenance, "compared": [evil, "b"]},
    )
    hostile.save(tmp_path / "data" / "compared-checkpoints")
    text = write_comparison_report(tmp_path).read_text()
    assert "<script>alert" not in text
    figures = [json.loads(each) for each in re.findall(r'data-plot="[^"]+">(.*?)</script>', text)]
    assert "&lt;script&gt;" in json.dumps(figures)


def test_a_notebook_shows_both(pair: Result, runs: Result) -> None:
    for result, view in ((pair, compare_view), (runs, aligned_view)):
        shown = mcinterp.show(result)
        assert list(shown.section.sentences) == view.sentences(result)
        assert len(shown.figures) == len(shown.section.figures) >= 2
        assert shown._repr_html_().count("Plotly.newPlot") == len(shown.figures)


def test_tables_keep_their_declared_columns(pair: Result, runs: Result) -> None:
    for result in (pair, runs):
        for name, table in result.tables.items():
            assert list(table.frame.columns) == list(table.columns), name
            assert isinstance(table.frame, pd.DataFrame)


@pytest.mark.parametrize("width", [480, 1400])
def test_the_page_draws_offline_and_does_not_scroll_sideways(
    small: Path, opened: Callable[..., Any], width: int
) -> None:
    with opened(small / "index.html", width) as page:
        assert draw_all(page) == 2 + 5
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation(small: Path, opened: Callable[..., Any], scheme: str) -> None:
    with opened(small / "index.html", scheme=scheme) as page:
        draw_all(page)
        assert serious_violations(page) == []


def test_on_paper_no_table_is_cut_and_colours_are_kept(small: Path, opened: Callable[..., Any]) -> None:
    with opened(small / "index.html", A4) as page:
        page.emulate_media(media="print")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= A4
        assert page.locator("nav.contents").is_hidden()
        kept = "getComputedStyle(document.querySelector('td .swatch, td')).printColorAdjust"
        assert page.evaluate(kept) == "exact"
