"""The page of a replication: verdicts by seed, shares, figures and what failed, from stored results alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accessible import serious_violations
from forged_seeds import decided, finding, of_seeds, single

from mcinterp.errors import CheckpointError, UsageError
from mcinterp.report import write_replication_report
from mcinterp.report.replication import claim_sentence, replication_sentences
from mcinterp.results import Result
from mcinterp.study import Claim, Number
from mcinterp.study.over_seeds import over_seeds

HIGH, LOW, ACROSS = Number(0.9, 0.8, 1.0, 64), Number(0.1, 0.0, 0.2, 64), Number(0.5, 0.4, 0.6, 64)


def rising(*numbers: Number, failed: dict[int, str] | None = None) -> Result:
    return over_seeds(of_seeds(*(decided(finding(number)) for number in numbers)), failed or {})


def mixed() -> Result:
    """One claim that holds everywhere, one in some seeds, one nowhere; a seed failed."""
    seeds: list[list[Claim]] = [
        [
            decided(finding(HIGH, control=0.0), name="rises"),
            decided(finding(number), finding(single(value), "a <b>count</b>"), name="sometimes"),
            decided(finding(LOW), name="never", reported="0.9 <of> 1"),
        ]
        for number, value in ((HIGH, 0.8), (LOW, math.nan), (ACROSS, 0.9))
    ]
    return over_seeds(of_seeds(*seeds), {4: "the loss became <i>inf</i>"})


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replication")
    mixed().save(folder / "data" / "replication")
    return write_replication_report(folder)


def test_the_papers_own_number_stands_with_the_claim(page: Path) -> None:
    written = page.read_text(encoding="utf-8")
    assert written.count("The paper's own: ") + written.count("The paper&#39;s own: ") == 1
    assert "own: 0.9 &lt;of&gt; 1." in written


@pytest.mark.parametrize(
    ("result", "first", "second"),
    [
        (rising(HIGH, HIGH, HIGH), "Of 1 claim, 1 holds in all 3 seeds.", "Decided by means over seeds, 1 holds."),
        (rising(LOW, LOW), "Of 1 claim, 1 holds in none.", "Decided by means over seeds, 1 does not hold."),
        (rising(HIGH, LOW), "Of 1 claim, 1 holds in some of them.", "Decided by means over seeds, 1 is undecided."),
        (rising(HIGH), "Of 1 claim, 1 holds in the one seed.", "Decided by means over seeds, 1 is undecided."),
        (
            mixed(),
            "Of 3 claims, 1 holds in some of them, 2 hold in none.",
            "Decided by means over seeds, 3 are undecided.",
        ),
    ],
)
def test_the_sentences_count_the_claims(result: Result, first: str, second: str) -> None:
    assert replication_sentences(result) == [first, second]


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (
            rising(HIGH, HIGH, HIGH, HIGH, HIGH),
            "It holds in 5 of 5 seeds, a share of 1.00 [0.48, 1.00]. Decided by means over seeds, it holds.",
        ),
        (
            rising(HIGH, LOW, ACROSS, failed={9: "no"}),
            "It holds in 1 of 4 seeds, a share of 0.25 [0.01, 0.81], does not hold in 1, is undecided in 2. Decided by "
            "means over seeds, it is undecided.",
        ),
        (rising(LOW), "It holds in 0 of 1 seed, a share of 0.00 [0.00, 0.97], does not hold in 1. Decided by"),
    ],
)
def test_a_claims_sentence_has_its_share_with_the_interval(result: Result, sentence: str) -> None:
    assert claim_sentence(result.table("claims").iloc[0]).startswith(sentence)


def test_the_page_leads_to_every_seed_that_was_carried_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for seed in range(3):
        assert f'href="seed-{seed}/index.html"' in text
        assert f'href="seed-{seed}/paper.html#sometimes"' in text
    assert "seed-4/" not in text
    assert "Seed 4 failed, and counts as undecided: the loss became &lt;i&gt;inf&lt;/i&gt;" in text
    assert "A &lt;paper&gt;" in text
    assert "a &lt;b&gt;count&lt;/b&gt;" in text
    assert "Sometimes: holds in 0 of 4 seeds" in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert "nothing: of it: 0 (from −0.1 to 0.1)" in text
    assert text.count("the seed failed") == 3
    for name in ("claims", "verdicts", "findings", "values", "seeds"):
        assert f'href="data/replication/{name}.csv"' in text


def test_the_page_is_the_same_again(page: Path) -> None:
    before = page.read_bytes()
    assert write_replication_report(page.parent).read_bytes() == before


def test_a_report_of_a_run_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no replication"):
        write_replication_report(tmp_path)
    (tmp_path / "data" / "training").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds the report of a run"):
        write_replication_report(tmp_path)


def test_a_bar_shows_seeds_mean_and_where_the_rule_holds(tmp_path: Path) -> None:
    rising(HIGH, LOW, ACROSS, failed={5: "no"}).save(tmp_path / "data" / "replication")
    text = write_replication_report(tmp_path).read_text(encoding="utf-8")
    (bar,) = re.findall(r'<svg class="bar".*?</svg>', text, re.DOTALL)
    for kind in ("mark holds", "mark fails", "mark open", "mean", "allowed"):
        assert bar.count(f'class="{kind}"') == 1, kind
    assert "only 3 of 4 seeds have a value" in text


def test_a_finding_without_a_value_has_no_figure(tmp_path: Path) -> None:
    rising(single(math.nan), single(math.nan)).save(tmp_path / "data" / "replication")
    text = write_replication_report(tmp_path).read_text(encoding="utf-8")
    assert "not measured" in text
    assert 'class="mean"' not in text
    assert "0 of 2 seeds" in text


@pytest.mark.parametrize(("width", "scheme"), [(480, "dark"), (1400, "light")])
def test_the_page_draws_offline_and_does_not_scroll_sideways(
    page: Path, opened: Callable[..., Any], width: int, scheme: str
) -> None:
    with opened(page, width, scheme=scheme) as shown:
        assert shown.locator("svg.bar").count() == 4
        shown.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_violations(shown) == []
