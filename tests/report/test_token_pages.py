"""The report of a task of next tokens: all of it is shown, and nothing in it speaks of another task."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forged_token_pairs as pairs
import forged_tokens as forged
import plotly.graph_objects as go
import pytest
from drawn import draw_all
from forged import KIND_FACTS, SCORE_FACTS

from mcinterp.analysis.passes.taxonomy import kind_facts
from mcinterp.analysis.sample_scores import score_facts
from mcinterp.notebook import show, show_attention
from mcinterp.report import write_comparison_report, write_report
from mcinterp.report.views.changes import changes_sentence, changes_table
from mcinterp.studies.matrix_completion.head_classes import MatrixHeadClasses
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

Opened = Callable[..., Any]
OF_MATRICES = re.compile(r"\b(matri\w*|mask\w*|observed|entry|L_mask|L_obs|families|paper)\b", re.IGNORECASE)
STEP, HEAD = "step-00003000.html", "head-L1H1.html"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report; to be read only."""
    folder = forged.write(tmp_path_factory.mktemp("tokens"))
    write_report(folder)
    return folder


def text_of(path: Path) -> str:
    """What a page says, with the tooltips of its tables."""
    page = re.sub(r"<script.*?</script>", " ", path.read_text(encoding="utf-8"), flags=re.S)
    tips = " ".join(re.findall(r'(?:title|aria-label|label)="([^"]*)"', page))
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page) + tips).split())


def figures_of(path: Path) -> list[dict[str, Any]]:
    found = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', path.read_text(encoding="utf-8"), re.S)
    return [data for text in found if isinstance(data := json.loads(text), dict) and "layout" in data]


def test_every_page_is_there(pages: Path) -> None:
    heads = [f"head-{head}.html" for head in forged.HEADS]
    steps = [f"step-{step:08d}.html" for step in forged.STEPS]
    assert sorted(path.name for path in pages.glob("*.html")) == [*heads, "index.html", *steps]


def test_no_page_speaks_of_another_task(pages: Path) -> None:
    """But for the name of the column that tells families of inputs apart, which all tasks share."""
    for path in pages.glob("*.html"):
        text = text_of(path)
        assert {found.lower() for found in OF_MATRICES.findall(text)} <= {"mask"}, path.name
        assert not re.search(r"\bnan\b", text)


def test_every_figure_is_valid_and_speaks_of_the_task(pages: Path) -> None:
    counts = {path.name: len(figures_of(path)) for path in pages.glob("*.html")}
    assert counts["index.html"] == 1 + 3 + 2 + 4 + 1
    assert counts[STEP] == 1 + 1 + 2 + 2 + 2
    assert counts[HEAD] == 3
    for path in pages.glob("*.html"):
        for data in figures_of(path):
            figure = go.Figure(data)  # refuses what plotly does not know
            titles = [axis.title.text for axis in (figure.layout.xaxis, figure.layout.yaxis)]
            said = " ".join(str(text) for text in (*titles, *(trace.name for trace in figure.data)))
            assert OF_MATRICES.findall(said) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("index.html", "From step 500 to step 3,000: heads that fit a class went from 0 to 5;"),
        (
            "index.html",
            "the cross-entropy with all attention made uniform went from 2.13 times its clean value (raised) "
            "to 19.0 times its clean value (raised)",
        ),
        ("index.html", "how much nearer patching all heads brings the output to sequence than to shuffled went from"),
        ("index.html", "Cross-entropy, clean → heads ablated (attention made uniform)"),
        ("index.html", "control: heads of an unrelated sequence"),
        ("index.html", "copying, d vocab 12, length 8"),
        ("index.html", "Heads are written L1H0: layer and head, both counted from 0."),
        (
            "index.html",
            "; how many tokens are answered at all is 0.500 (share of the vocabulary), at the last checkpoint",
        ),
        (
            "index.html",
            "Step 500 with attention-qkv of step 3,000 (n = 64 fresh sequences, seed 7): the cross-entropy falls, "
            "1.60 → 1.00 (change −0.600",
        ),
        ("index.html", "), 40.0 [39.0, 41.0] % of the way to that of step 3,000."),
        (
            "index.html",
            "Controls: switching nothing changes nothing, and switching everything gives the donor, both exactly",
        ),
        ("index.html", "put back, the cross-entropy differs by up to 0.0200"),
        ("index.html", "Steps until cross entropy is at a half and at a fifth of the run's plateau: mlp 1,500 and"),
        (STEP, "On random inputs (n = 64) a head's attention has a mean entropy of 1.25 nats"),
        (
            STEP,
            "Tokens seen before receive 0.100 of the attention on average; uniform attention would give them 0.100.",
        ),
        (STEP, "Every head on all inputs"),
        (
            STEP,
            "Of 6 heads, 5 fit a class (previous 1, first 1, current 1, duplicate-token 1, induction 1); 1 fit no",
        ),
        (
            STEP,
            "Ablating all heads (uniform, n = 64 fresh sequences, seed 7) raises the cross-entropy: 0.100 → 1.90 (",
        ),
        (
            STEP,
            "brings the answers nearer to the source's sequence than to the base's: cross-entropy 0.200 to the source",
        ),
        (STEP, "With the heads of an unrelated sequence the difference is −1.20"),
        (STEP, "The previous token is best decoded after block 2: test MSE 0.100"),
        (HEAD, "L1H1 fits no class at step 500; it becomes an induction head between steps 500 and 2,000."),
        (HEAD, "On random inputs (n = 64) the attention of L1H1 has an entropy of"),
        (HEAD, "At step 3,000, on random inputs, the attention of"),
        (
            HEAD,
            "Ablating L1H1 alone (uniform, n = 64 fresh sequences, seed 7) raises the cross-entropy at step 3,000: "
            "change 0.300",
        ),
        (
            HEAD,
            "the answers are nearer to the base's sequence than to the source's at step 3,000: cross-entropy to base",
        ),
    ],
)
def test_sentences_are_in_the_words_of_the_task(pages: Path, page: str, said: str) -> None:
    assert said in text_of(pages / page)


def test_what_the_run_cannot_be_asked_is_not_missed(pages: Path) -> None:
    assert "at no analysed step" not in text_of(pages / HEAD)
    assert "This pass was not run" not in text_of(pages / STEP)


def test_classes_have_colours_and_a_table_of_their_own(pages: Path) -> None:
    index = (pages / "index.html").read_text(encoding="utf-8")
    assert index.count('<table class="timeline">') == 1
    assert '<span class="key" style="background:#0072B2;color:#FFFFFF">P</span> previous' in index
    assert '<span class="key" style="background:#56B4E9;color:#000000">I</span> induction' in index


def test_inputs_that_are_not_drawn_have_no_picture(pages: Path) -> None:
    page = (pages / STEP).read_text(encoding="utf-8")
    assert '<div class="pictures"' in page
    assert "<svg" not in page.partition("<main")[2]
    assert "<legend>Inputs</legend>" in page
    assert re.search(r'class="family-choice"[^>]*value="0" checked><span>random</span>', page)
    assert "Positions are written as the task names positions." in page


def test_a_task_without_changes_says_nothing_of_them() -> None:
    assert changes_sentence({500: {"probes": forged.probes(500)}}) == ""
    steps = {step: {"taxonomy": forged.taxonomy(step)} for step in forged.STEPS}
    view = changes_table(steps, dict.fromkeys(steps, "page"))
    assert [row[0].text for row in view.rows] == list(forged.CLASSES)


def test_a_score_without_a_value_is_said() -> None:
    result = forged.ablation(500)
    table = result.tables["ablation"]
    gone = [name for name in table.frame if name.startswith("cross_entropy")]
    table.frame[gone] = float("nan")
    assert show(result).section.sentences == ["Nothing was scored, so that there is no cross-entropy to change."]


def test_a_notebook_shows_them_too() -> None:
    view = show_attention(forged.attention(3000), "repeated", ["L1H2"])
    assert view.props["tokens"] == [str(place) for place in range(forged.N_POS)]
    assert "<figure" not in view._repr_html_()
    for name in (*forged.PASSES, *forged.COMPARISONS):
        result = getattr(forged, name)(3000) if name in forged.PASSES else getattr(forged, name)()
        assert "mcinterp-cell" in show(result)._repr_html_()


def test_a_comparison_is_in_the_words_of_the_task(tmp_path: Path) -> None:
    page = write_comparison_report(pairs.write(tmp_path))
    text = text_of(page)
    assert OF_MATRICES.findall(text.replace("other matrices", "")) == []
    for said in (
        "The cross-entropy is 0.100 [0.090, 0.110] for late and 1.600 [1.590, 1.610] for early on the same samples (",
        "Their answers correlate by 0.40 [0.30, 0.50] (controls: 0.10 to other sequences, 0.050 of an untrained model)",
        "Of what depends on the sequence the mean correlation is",
        "when early is given other sequences (n = 64)",
        "the other half of the sequences makes the same pair in 2",
        "over the same 64 sequences, 1 for the same attention",
        "Cross-entropies (A: late, B: early)",
        "Share of the heads of each class of classes at some checkpoints of every run",
        "Both runs drop; cross entropy falls fastest at these steps: late at 1,500; early at 900.",
    ):
        assert said in text
    assert len(figures_of(page)) == 2 + 1 + 1 + 1


def test_models_of_other_inputs_are_compared_by_their_own(tmp_path: Path) -> None:
    apart = pairs.checkpoints(shared=False)
    text = " ".join(show(apart).section.sentences)
    assert (
        "the errors of each on sequences of its own task, beside the error of guessing uniformly there, and how" in text
    )
    assert "The cross-entropy is 0.100 [0.090, 0.110] for late, 5.00 % of that of guessing uniformly, and" in text


def test_the_forged_facts_are_those_that_passes_store() -> None:
    assert score_facts(MatrixCompletion) == SCORE_FACTS
    assert kind_facts(MatrixHeadClasses(5, 5)) == KIND_FACTS
    assert forged.SCORES.keys() == SCORE_FACTS.keys()


def test_it_draws_in_a_browser_without_errors(pages: Path, opened: Opened) -> None:
    with opened(pages / STEP) as page:
        page.get_by_role("radio", name="repeated").check(force=True)
        assert page.locator(".pictures figure:visible").inner_text().startswith("repeated Here (n = 64) a head's")
        draw_all(page)
    for name in ("index.html", HEAD):
        with opened(pages / name) as page:
            assert draw_all(page) > 0
