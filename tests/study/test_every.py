"""All studies carried out one after the other: what stands, what fails, seeds, and the page about them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forged_seeds import ABOVE, decided, finding, of_seeds

from mcinterp.declared import Study
from mcinterp.errors import StoppedError, TrainingError
from mcinterp.report import write_overview
from mcinterp.report.overview import overview_sentences
from mcinterp.results import Result, Table
from mcinterp.study import Claim, Evidence, Finding, Number, Planned, Setting, reproduce_all
from mcinterp.study.claims import MISSING
from mcinterp.study.over_seeds import over_seeds
from mcinterp.study.replication import replication_folder

HIGH, LOW, ACROSS = Number(0.9, 0.8, 1.0, 64), Number(0.1, 0.0, 0.2, 64), Number(0.5, 0.4, 0.6, 64)
Measure = Callable[[Setting], dict[str, Result]]


def nothing(setting: Setting) -> dict[str, Result]:
    return {"study/x": Result("x", "X", {}, {}, {"x": Table.of({"a": "b"}, [])}, provenance={})}


def fails(setting: Setting) -> dict[str, Result]:
    raise TrainingError("the loss became\ninf")


def mistaken(setting: Setting) -> dict[str, Result]:
    raise ValueError("all arrays must have the same shape")


def stops(setting: Setting) -> dict[str, Result]:
    raise StoppedError("stopped")


def forged(name: str, *claims: Claim, measure: Measure = nothing) -> Study:
    def found(evidence: Evidence) -> tuple[Claim, ...]:
        return claims

    return Study(name, f"The <paper> of {name}", f"about {name}", "mcinterp", ("small",), measure, found)


RISING = forged(
    "rising",
    decided(replace(finding(HIGH), reported=0.87), name="rises", reported="0.87 of <pairs>"),
    decided(finding(HIGH), finding(ACROSS, "another number"), finding(LOW, "a third"), name="falls & rises"),
)
FLAT = forged("flat", decided(finding(HIGH), finding(ACROSS, "another number"), name="flat"))


def planned(folder: Path, *studies: Study) -> dict[str, Planned]:
    def setting(name: str) -> Setting:
        return Setting(
            "small",
            folder / name,
            folder / f"out-{name}",
            1,
            8,
            "cpu",
            lambda line: None,
            lambda n, what: nullcontext(),
        )

    return {study.name: Planned(study, setting(study.name), setting(f"{study.name}-seeds")) for study in studies}


def carried(folder: Path, *studies: Study) -> list[Result]:
    written: list[tuple[Path, bool]] = []
    found = list(
        reproduce_all(
            planned(folder, *studies), None, folder / "all", lambda one, over: written.append((one.out, over))
        )
    )
    assert all(not over for _, over in written)
    return found


def page(folder: Path, result: Result) -> str:
    result.save(folder / "all" / "data" / "overview")
    return write_overview(folder / "all").read_text(encoding="utf-8")


def test_every_study_is_there_and_each_claim_with_the_finding_that_decides(tmp_path: Path) -> None:
    first, last = carried(tmp_path, RISING, FLAT)
    assert first.table("studies")["state"].tolist() == ["decided", "not yet"]
    studies, claims = last.table("studies"), last.table("claims")
    assert studies[["study", "claims", "holds", "does_not_hold", "undecided", "seeds"]].to_numpy().tolist() == [
        ["rising", 2, 1, 1, 0, 0],
        ["flat", 1, 0, 0, 1, 0],
    ]
    assert claims[["claim", "verdict", "finding", "value"]].to_numpy().tolist() == [
        ["rises", "holds", "a number", 0.9],
        ["falls & rises", "does not hold", "a third", 0.1],
        ["flat", "undecided", "another number", 0.5],
    ]
    assert studies["machine"].str.len().gt(0).all()


def test_a_study_that_fails_costs_no_other(tmp_path: Path) -> None:
    *_, last = carried(tmp_path, forged("broken", measure=fails), FLAT)
    assert last.table("studies")[["state", "why"]].to_numpy().tolist() == [
        ["failed", "the loss became inf"],
        ["decided", ""],
    ]
    assert overview_sentences(last) == [
        "Of 1 claim of 1 paper, on one run each, 1 is undecided.",
        "The <paper> of broken failed: the loss became inf.",
    ]
    assert "The &lt;paper&gt; of broken failed" in page(tmp_path, last)


def test_a_mistake_in_a_study_costs_no_other(tmp_path: Path) -> None:
    *_, last = carried(tmp_path, forged("mistaken", measure=mistaken), FLAT)
    assert last.table("studies")[["state", "why"]].to_numpy().tolist() == [
        ["failed", "ValueError: all arrays must have the same shape"],
        ["decided", ""],
    ]


def test_one_that_is_stopped_stops_all(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        carried(tmp_path, forged("stopped", measure=stops), FLAT)


def test_a_replication_that_stands_is_told_beside_the_one_run(tmp_path: Path) -> None:
    over = over_seeds(of_seeds(*(decided(finding(number), name="flat") for number in (HIGH, HIGH, LOW))), {})
    over = replace(over, facts={**over.facts, "study": "flat"})
    over.save(replication_folder(tmp_path / "out-flat-seeds"))
    over.save(replication_folder(tmp_path / "out-rising-seeds"))  # of another study, by mistake
    *_, last = carried(tmp_path, RISING, FLAT)
    claims = last.table("claims").set_index("claim")
    assert claims.loc["flat", ["seeds", "holds_in", "over_seeds"]].tolist() == [3, 2, "undecided"]
    assert claims.loc["rises", "seeds"] == 0
    written = page(tmp_path, last)
    assert "holds in 2 of 3: 0.67 [0.09, 0.99]" in written
    assert 'href="../out-flat-seeds/index.html#flat"' in written
    assert overview_sentences(last)[1] == "Of 1 claim of 1 paper, over seeds, 1 is undecided."


def test_with_seeds_each_is_replicated_and_the_first_decided_is_the_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replicate(study: Study, setting: Setting, seeds: int, decided: Callable[[Setting], None]) -> Result:
        claims = {seed: result for seed, result in of_seeds(*([FLAT.claims(None)] * seeds)).items() if seed}  # type: ignore[operator]
        for seed, result in claims.items():
            result.save(setting.out / f"seed-{seed}" / "data" / "study" / "claims")
            decided(replace(setting, out=setting.out / f"seed-{seed}"))
        return over_seeds(claims, {0: "it failed"})

    monkeypatch.setattr("mcinterp.study.every.replicate", replicate)
    written: list[tuple[str, bool]] = []

    def write(one: Setting, over: bool) -> Any:
        written.append((one.out.name, over))

    *_, last = reproduce_all(planned(tmp_path, FLAT), 3, tmp_path / "all", write)
    assert written == [("seed-1", False), ("seed-2", False), ("out-flat-seeds", True)]
    assert last.table("studies")[["seeds", "folder", "seeds_folder"]].iloc[0].tolist() == [
        3,
        "../out-flat-seeds/seed-1",
        "../out-flat-seeds",
    ]


def test_the_page_says_what_the_paper_reports_beside_what_was_found(tmp_path: Path) -> None:
    *_, last = carried(tmp_path, RISING, FLAT)
    written = page(tmp_path, last)
    for said in (
        "Of 3 claims of 2 papers, on one run each, 1 holds, 1 does not hold and 1 is undecided.",
        "0.87 of &lt;pairs&gt;",
        'href="../out-rising/paper.html#falls-&amp;-rises"',
        "0.10 [0.00, 0.20] stays below 0.5, by 0.30 (a third); 1 of 3 findings holds.",
    ):
        assert said in written, said


def items(written: str) -> list[str]:
    """What the page has of each claim."""
    told = re.findall(r'<ol class="judged told">(.*?)</section>', written, re.DOTALL)
    return [item for part in told for item in part.split('<div class="what"><p><a href')[1:]]


def bars(item: str) -> list[str]:
    return re.findall(r'<svg class="bar"[^>]* aria-label="([^"]+)"', item)


def test_each_claim_has_the_bar_of_what_decides_it_and_the_others_folded(tmp_path: Path) -> None:
    *_, last = carried(tmp_path, RISING, FLAT)
    rises, falls, flat = items(page(tmp_path, last))
    assert bars(rises) == ["0.90 [0.80, 1.00], holds: it holds where it is at least 0.5"]
    assert "paper 0.87" in rises
    assert "Measured: a number." in rises
    shown, folded = falls.split("2 more findings")
    assert bars(shown) == ["0.10 [0.00, 0.20], does not hold: it holds where it is at least 0.5"]
    assert [bar.partition(":")[0] for bar in bars(folded)] == [
        "0.90 [0.80, 1.00], holds",
        "0.50 [0.40, 0.60], undecided",
    ]
    assert "undecided: it holds" in bars(flat)[0]


def test_the_bar_over_seeds_has_a_mark_a_seed(tmp_path: Path) -> None:
    over = over_seeds(of_seeds(*(decided(finding(number), name="flat") for number in (HIGH, HIGH, LOW))), {})
    over = replace(over, facts={**over.facts, "study": "flat"})
    over.save(replication_folder(tmp_path / "out-flat-seeds"))
    *_, last = carried(tmp_path, FLAT)
    (flat,) = items(page(tmp_path, last))
    assert re.findall(r'class="mark (\w+)"', flat.partition("</svg>")[0]) == ["holds", "holds", "fails"]
    assert "3 of 3 seeds" in flat
    assert flat.index("over seeds</span>") < flat.index("on one run</span>")


def test_the_size_comes_first_and_what_was_not_measured_last(tmp_path: Path) -> None:
    lost = Claim("lost", "It was <never> seen.", "a paper", (Finding("seen", MISSING, ABOVE, "study/y"),))
    *_, last = carried(tmp_path, forged("one", decided(finding(HIGH), name="seen"), lost))
    written = page(tmp_path, last)
    assert len(items(written)) == 1
    (section,) = re.findall(r'<section id="one".*?</section>', written, re.DOTALL)
    assert re.findall(r"<p[^>]*>(.*?)</p>", section)[0] == "Decided without a trained network."
    *_, left = section.split("<h3>Not measured</h3>")
    assert '<li id="one-lost"><b>Lost.</b> It was &lt;never&gt; seen. (a paper)</li>' in left
    assert "there is no result of y." in left
    first = re.findall(r'<p class="finding">(.*?)</p>', written)[0]
    assert first.endswith("one that does not hold here is not refuted there.")


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((HIGH,), "1 holds"),
        ((HIGH, LOW), "1 holds and 1 does not hold"),
        ((LOW, LOW, ACROSS), "2 do not hold and 1 is undecided"),
    ],
)
def test_verdicts_are_counted_as_they_are(tmp_path: Path, numbers: tuple[Number, ...], said: str) -> None:
    claims = [decided(finding(number), name=f"claim {place}") for place, number in enumerate(numbers)]
    *_, last = carried(tmp_path, forged("one", *claims))
    assert overview_sentences(last)[0].endswith(f"on one run each, {said}.")
