"""Examples of inputs on the pages: drawn as stored, flicked through, told place by place, and safe."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from accessible import serious_violations
from forged import Forge

from mcinterp.analysis import examples, training_summary
from mcinterp.analysis.passes.examples import COLUMNS
from mcinterp.analysis.passes.head_examples import COLUMNS as HEAD_COLUMNS
from mcinterp.notebook import show
from mcinterp.report import write_report
from mcinterp.report.drawn_samples import short
from mcinterp.report.views.examples import Examples, view
from mcinterp.report.views.head.examples import examples_section
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.matrix_completion.explorer.places import explorer_place

Opened = Callable[..., AbstractContextManager[Any]]
EVIL = "</script><img src=x onerror='window.hacked=1'>\u202e"


def tokens(labels: list[str]) -> Result:
    """Two checkpoints of a hand-made sequence 0 1 2, of which 1 is not scored; 2 is right at the last step alone."""
    chosen = {"example": "typical", "how": "by hand", "inputs": "as in training", "sample": 0, "n": 1, "seed": 0}
    inputs = [("0", 0, np.nan), ("1", 1, 2)]
    answers = [(1, 0, 0.25), (9, 2, 0.75)]
    facts = {
        "chosen_at": 9,
        "score": "cross-entropy",
        "score_words": "cross-entropy",
        "score_spelled": "",
        "sample_names": ["sequence", "sequences"],
        "shape": [1, 2],
        "hidden": "hidden",
        "error": "nats",
        "tokens": labels,
    }
    rows = {
        "chosen": [{**chosen, "score": 0.3}],
        "inputs": [{"example": "typical", "place": p, "given": g, "truth": t} for p, g, t in inputs],
        "answers": [
            {"step": step, "example": "typical", "place": place, "answer": answer, "error": 1.0, "probability": sure}
            for step, said, p in answers
            for place, answer, sure in (("0", 1, np.nan), ("1", said, p))
        ],
        "scores": [{"step": step, "example": "typical", "score": -np.log(p)} for step, _, p in answers],
    }
    tables = {name: Table.of(columns, rows[name]) for name, columns in COLUMNS.items()}
    return Result("examples", "What it answers", {}, facts, tables)


def test_a_right_token_and_a_wrong_one() -> None:
    shown = Examples(tokens(["a", "b", "c"]))
    early, late = (str(section.drawing) for step in (1, 9) if (section := shown.at(step)))
    for page, kind, mark in ((early, "wrong", "✗ a"), (late, "right", "✓ .75")):
        assert re.findall(r'class="token (\w+)"', page) == [kind]
        assert f"<b>c</b><small>{mark}</small>" in page
        assert page.index("<b>a</b></span>") < page.index("<b>b</b></span>") < page.index("<b>c</b>")
    assert shown.at(5) is None


def test_names_of_tokens_are_no_elements() -> None:
    result = tokens([EVIL, EVIL, EVIL])
    for page in (str(view(result, {}).drawing), str(Examples(result).at(1).drawing)):
        assert "<img" not in page
        assert page.count("</script>") == 1
        assert "\u202e" not in page
    assert "&lt;img" in str(view(result, {}).drawing)


def test_a_token_beyond_the_vocabulary_is_told_by_its_number() -> None:
    assert "<b>2</b>" in str(Examples(tokens(["a", "b"])).at(9).drawing)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.403, ".40"), (-0.403, "−.40"), (0.0, ".00"), (-0.001, ".00"), (1.0, "1.0"), (-9.94, "−9.9"), (12.3, "12"),
     (0.996, "1.0"), (np.nan, "·")],
)  # fmt: skip
def test_a_number_fits_its_cell(value: float, text: str) -> None:
    assert short(value) == text


@pytest.fixture(scope="module")
def stored(trained_folder: Path) -> Result:
    return examples(Run(trained_folder), samples=8)


def test_colours_have_one_scale_for_all_steps(stored: Result) -> None:
    form = Examples(stored).form
    largest = max(stored.table("answers")["answer"].abs().max(), stored.table("inputs")["truth"].abs().max())
    assert form.scale == pytest.approx(largest)
    shares = (-2, -1, -0.2, -0.05, 0, 0.05, 0.2, 1, 2)
    assert "".join(form.level(share * largest) for share in shares) == "aaefffgkk"
    assert form.level(np.nan) == "-"


def test_every_answer_is_drawn_as_it_is_stored(stored: Result) -> None:
    shown = Examples(stored)
    for step in shown.steps:
        page = str(shown.at(step).drawing)
        parts = page.split('<div class="example">')[1:]
        for part, name in zip(parts, stored.table("chosen")["example"], strict=True):
            rows = stored.table("answers").query(f"step == {step} and example == '{name}'")
            panel = re.search(r'data-panel="answer">(.*?)</svg>', part)[1]
            assert re.findall(r">([^<>]+)</text>", panel) == [short(value) for value in rows["answer"]]
            hidden = stored.table("inputs").query(f"example == '{name}'")["given"].isna()
            assert re.findall(r'class="[^"]*asked" data-at="(\d+)"', panel) == [
                str(at) for at in np.flatnonzero(hidden)
            ]


def test_a_notebook_draws_the_last_step(stored: Result) -> None:
    cell = show(stored)._repr_html_()
    assert cell.count('data-panel="answer"') == 4
    assert ".examples .panels" in cell
    assert ".mcinterp-cell .examples .controls { display: none; }" in cell


def test_what_a_head_page_says(stored: Result) -> None:
    section = examples_section(Examples(stored), "L0H1")
    rows = stored.table("heads").query("head == 'L0H1'")
    assert section.title == "Where this head matters most"
    assert "n = 8 fresh matrices, seed 0" in section.sentences[0]
    assert "selected as the largest of 8, so not an average" in section.sentences[1]
    assert "median rise of the layer's other heads" in section.sentences[1]
    assert [f"matrix {sample}" in section.drawing for sample in rows["sample"]] == [True] * 3
    assert section.drawing.count('data-panel="without L0H1"') == 3
    assert examples_section(Examples(stored), "L7H7") is None


def changed(result: Result, **values: float) -> Result:
    table = result.tables["heads"]
    return replace(result, tables={**result.tables, "heads": Table(table.frame.assign(**values), table.columns)})


def test_a_head_without_which_nothing_rises_or_that_is_alone(stored: Result) -> None:
    falls = examples_section(Examples(changed(stored, rise=-0.1)), "L0H1").sentences[1]
    assert falls == "It rises on none of them; shown is where it falls least, selected from 8."
    alone = examples_section(Examples(changed(stored, other_rise=np.nan)), "L0H1")
    assert alone.sentences[1].endswith("the layer has no other head to compare with.")
    assert "other heads" not in alone.drawing


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.1, 0.3, "raises"), (-0.3, -0.1, "lowers"), (-0.1, 0.3, "does not measurably change"), (np.nan, np.nan, "does")],
)
def test_the_mean_says_no_more_than_its_interval(stored: Result, low: float, high: float, said: str) -> None:
    result = changed(stored, mean_rise=(low + high) / 2, mean_rise_low=low, mean_rise_high=high)
    first = examples_section(Examples(result), "L0H1").sentences[0]
    assert first.startswith(f"At step 40, uniform attention of L0H1 alone {said}")


def test_a_result_without_heads_says_nothing_of_them(stored: Result) -> None:
    tables = {name: table for name, table in stored.tables.items() if name not in HEAD_COLUMNS}
    assert examples_section(Examples(replace(stored, tables=tables)), "L0H1") is None


def test_the_address_of_an_example_holds_it() -> None:
    truth, given = np.array([0.25, -1.5, 0.0, 2.0]), np.array([0.25, np.nan, np.nan, 2.0])
    place = parse_qs(explorer_place(80, (2, 2), truth, given, "L1H0"))
    assert [float(value) for value in place["values"][0].split(",")] == truth.tolist()
    assert (place["mask"], place["step"], place["rows"], place["cols"]) == (["1001"], ["80"], ["2"], ["2"])
    assert place["head"] == place["ablated"] == ["L1H0"]
    padded = explorer_place(
        8, (2, 3), np.array([1, 2, np.nan, 3, 4, np.nan]), np.array([1, np.nan, np.nan, 3, 4, np.nan])
    )
    assert padded == "step=8&rows=2&cols=2&values=1,2,3,4&mask=1011"


@pytest.fixture(scope="module")
def folder(trained_folder: Path, stored: Result, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A report of a forged run with the examples of a real one, and an explorer beside it."""
    forge = Forge(steps=tuple(Run(trained_folder).steps[-2:]), n_heads=2)
    folder = forge.write(tmp_path_factory.mktemp("examples"))
    training_summary(Run(trained_folder), list(forge.steps)).save(folder / "data" / "training")
    stored.save(folder / "data" / "run" / "examples")
    (folder / "explore.html").write_text("<!doctype html>")
    write_report(folder)
    return folder


def test_the_pages_have_them_in_their_places(folder: Path) -> None:
    index = (folder / "index.html").read_text()
    assert index.index('<section id="training"') < index.index('<section id="examples"') < index.index('id="changes"')
    assert index.count('<section id="examples"') == 1
    step = next(folder.glob("step-*.html")).read_text()
    assert step.index('<section id="examples"') < step.index('<section id="attention"')
    assert 'href="data/run/examples/answers.csv"' in step
    assert re.search(r'href="explore.html#step=\d+&amp;rows=5', step)
    assert "Where this head matters most" in (folder / "head-L0H1.html").read_text()


def test_an_earlier_report_or_one_without_an_answer_has_no_such_section(folder: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(folder, tmp_path / "old"))
    (old / "explore.html").unlink()
    assert 'href="explore.html' not in write_report(old).read_text()
    Result.without_answer("examples", "?", "nothing is scored").save(old / "data" / "run" / "examples")
    assert "Nothing is scored." in write_report(old).read_text()
    shutil.rmtree(old / "data" / "run" / "examples")
    assert 'id="examples"' not in write_report(old).read_text()
    assert 'id="examples"' not in next(old.glob("step-*.html")).read_text()


@pytest.mark.no_cover
def test_the_slider_shows_the_answers_of_every_step(folder: Path, stored: Result, opened: Opened) -> None:
    shown = Examples(stored)
    with opened(folder / "index.html") as page:
        slider = page.locator(".example-step")
        for at, step in enumerate(shown.steps):
            slider.fill(str(at))
            expected = [short(value) for value in stored.table("answers").query(f"step == {step}")["answer"]]
            assert page.locator("[data-panel=answer] text").all_text_contents() == expected
            levels = page.locator("[data-panel=error] g").evaluate_all("all => all.map((g) => g.classList[0].slice(2))")
            errors = stored.table("answers").query(f"step == {step}")["error"]
            assert levels == [shown.form.level(value) for value in errors]
            assert f"#step={step}&" in page.locator(".opened a").first.get_attribute("href")


@pytest.mark.no_cover
def test_the_keys_tell_the_numbers_of_a_place(folder: Path, stored: Result, opened: Opened) -> None:
    with opened(folder / "index.html") as page:
        page.locator(".panels").first.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        told = page.locator(".told").first.text_content()
        row: Any = stored.table("answers").query(f"step == {Examples(stored).steps[-1]}").iloc[6]
        assert told.startswith("1,1: truth ")
        assert f"answer {round(row['answer'], 4):g}".replace("-", "−") in told
        assert page.url.partition("#")[0].endswith("index.html")
        page.locator(".example").nth(1).locator("[data-panel=input] [data-at='3']").hover()
        assert page.locator(".told").nth(1).text_content().startswith("0,3: truth ")
        assert page.locator(".example").nth(1).locator(".pointed").count() == 4


@pytest.mark.no_cover
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (420, "dark")])
def test_examples_fit_their_page_and_have_no_serious_violation(
    folder: Path, opened: Opened, width: int, scheme: str
) -> None:
    with opened(folder / "head-L0H1.html", width=width, scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(page) == []


@pytest.mark.no_cover
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_line_of_tokens_is_flicked_through_and_safe(tmp_path: Path, opened: Opened, scheme: str) -> None:
    folder = Forge(steps=(1, 9), n_heads=2).write(tmp_path / "tokens")
    tokens(["a", EVIL, "c"]).save(folder / "data" / "run" / "examples")
    with opened(write_report(folder), width=420, scheme=scheme) as page:
        token = page.locator(".token[data-at]")
        assert token.get_attribute("class") == "token right"
        assert serious_violations(page) == []
        page.locator(".example-step").fill("0")
        assert token.get_attribute("class") == "token wrong"
        assert token.text_content() == "c✗ a"
        page.locator(".line").focus()
        page.keyboard.press("ArrowRight")
        assert (
            page.locator(".told").text_content() == "after position 1 comes c, probability 0.25; held most probable: a"
        )
        assert page.evaluate("window.hacked") is None
