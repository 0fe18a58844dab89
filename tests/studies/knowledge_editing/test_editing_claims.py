"""Every verdict of every claim on made-up tables, and what pages say of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from forged_editing import results

from mcinterp.studies.knowledge_editing import views
from mcinterp.studies.knowledge_editing.claims import editing_claims
from mcinterp.studies.knowledge_editing.edits import DISTANCES, FACTS
from mcinterp.study.claims import Evidence, Number, Rule

CASES = {
    "knowledge is internalised": [
        ({"recall": 0.8}, "does not hold"),
        ({"inverse": 0.1}, "does not hold"),
        ({"composed": 0.2}, "undecided"),
        ({"untrained": 0.5}, "undecided"),
        ({"shuffled": 0.5}, "undecided"),
    ],
    "representations carry the cycles": [({"mode1": 0.05}, "does not hold"), ({"random": 0.2}, "undecided")],
    "the last MLP carries facts": [
        ({"site": 0.05}, "does not hold"),
        ({"site": 0.1}, "undecided"),
        ({"site_other": 0.3}, "undecided"),
    ],
    "edits succeed": [
        ({"success": 0.0}, "does not hold"),
        ({"contexts": 0.5}, "does not hold"),
        ({"unedited": 0.2}, "undecided"),
    ],
    "representations shatter": [
        ({"r_others": 0.005}, "does not hold"),
        ({"r_others": 0.02}, "undecided"),
        ({"present_less": 0.05}, "does not hold"),
        ({"none": 0.1}, "undecided"),
    ],
    "damage spreads": [
        ({"lost": -0.1}, "does not hold"),
        ({"lost": 0.0}, "undecided"),
        ({"present_third": 0.05}, "undecided"),
    ],
    "distance decides": [
        ({"farther": -0.05}, "does not hold"),
        ({"farther": 0.0}, "undecided"),
        ({"permuted": 0.4}, "undecided"),
    ],
    "distortion goes with loss": [
        ({"correlation": 0.2}, "does not hold"),
        ({"correlation": 0.5}, "undecided"),
        ({"shuffled_rho": 0.5}, "undecided"),
    ],
    "it is the edit": [({"key_less": -0.05}, "does not hold"), ({"key_less": 0.0}, "undecided")],
    "corrections harm": [
        ({"corrective": -0.05}, "does not hold"),
        ({"corrective": 0.0}, "undecided"),
        ({"untouched": 0.1}, "undecided"),
    ],
    "the same, narrower": [({"narrow": -0.05}, "does not hold"), ({"narrow": 0.0}, "undecided")],
    "edits add up": [({"growth": -0.2}, "does not hold"), ({"growth": 0.0}, "undecided")],
}


def verdicts(**changes: float) -> dict[str, str]:
    return {claim.name: claim.verdict for claim in editing_claims(Evidence(results(**changes)))}


def test_every_claim_can_hold() -> None:
    assert verdicts() == dict.fromkeys(CASES, "holds")


@pytest.mark.parametrize(
    ("claim", "changes", "verdict"), [(claim, *case) for claim, cases in CASES.items() for case in cases]
)
def test_other_verdicts(claim: str, changes: dict[str, float], verdict: str) -> None:
    assert verdicts(**changes)[claim] == verdict


def test_so_many_facts_are_edited_that_success_can_be_shown() -> None:
    edits = FACTS * len(DISTANCES)
    assert Rule(low=0.95).verdict(Number.share(edits, edits)) == "holds"


def test_without_results_all_is_undecided() -> None:
    claims = editing_claims(Evidence({}))
    assert {claim.verdict for claim in claims} == {"undecided"}


@pytest.mark.parametrize("name", ["knowledge", "geometry", "edits", "sequences"])
def test_sections_have_sentences_figures_and_tables(name: str) -> None:
    result = results()[f"study/{name}"]
    section = getattr(views, name)(result, {})
    assert section.sentences
    assert section.figures
    assert section.tables


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["is larger than that by edits to answers 1 away", "lost by edits is larger than that by a random key"]),
        (
            {"farther": -0.05, "key_less": -0.05},
            ["is smaller than that", "lost by edits is smaller than that by a random"],
        ),
        (
            {"farther": 0.0, "key_less": 0.0},
            ["is not shown to differ from that", "lost by edits is not shown to differ from that"],
        ),
        ({"matrix": 0.9}, ["a random matrix of the edit's norm loses 0.900 [0.890, 0.910] of recall, with R of 0.01"]),
        ({"correlation": float("nan")}, ["R or recall is the same for all edits"]),
    ],
)
def test_sentences_of_edits_read_right(changes: dict[str, float], said: list[str]) -> None:
    text = " ".join(views.edits(results(**changes)["study/edits"], {}).sentences)
    assert all(part in text for part in said), text


def test_sentences_of_rings_say_once_what_is_most() -> None:
    result = results()["study/geometry"]
    said = views.geometry(result, {}).sentences
    assert all("the most of all" not in sentence for sentence in said)
    frame = result.table("rings").assign(strongest=3, power=0.6)
    other = replace(result, tables={**result.tables, "rings": replace(result.tables["rings"], frame=frame)})
    assert all("and 0.600 has 3, the most of all" in sentence for sentence in views.geometry(other, {}).sentences)


def test_pictures_of_rings_have_their_number_above_them() -> None:
    section = views.geometry(results()["study/geometry"], {})
    above = [[note["text"] for note in figure.figure["layout"]["annotations"]] for figure in section.figures]
    assert above == [["ρ = 0.50"], ["before<br>ρ = −0.10", "distance 8<br>ρ = 0.20"]]


@pytest.mark.parametrize(("growth", "said"), [(0.2, "R grows"), (-0.2, "R falls"), (0.0, "R is not shown to change")])
def test_sentences_of_many_edits_read_right(growth: float, said: str) -> None:
    assert said in " ".join(views.sequences(results(growth=growth)["study/sequences"], {}).sentences)
