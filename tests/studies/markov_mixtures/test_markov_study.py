"""The whole study, shortened: what it trains, keeps, decides and shows."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from short_markov import Carry

from mcinterp.config import load_preset
from mcinterp.report import write_report
from mcinterp.results import Result, Table
from mcinterp.runs import Run
from mcinterp.studies.markov_mixtures import views
from mcinterp.studies.markov_mixtures.networks import ROLES, Network, variants
from mcinterp.studies.markov_mixtures.study import MEASURED
from mcinterp.studies.markov_mixtures.views import circuits, competition, implied, mixtures, phases

VIEWS = {
    "phases": phases.phases,
    "mixtures": mixtures.mixtures,
    "circuits": circuits.circuits,
    "competition": competition.competition,
    "implied": implied.implied,
}


def stored(folder: Path, name: str) -> Result:
    return Result.load(folder / "out" / "data" / "study" / name)


def replaced(result: Result, table: str, **values: object) -> Result:
    """With other values in all rows of a table."""
    frame = result.table(table).assign(**values)
    return Result(
        result.name,
        result.title,
        result.settings,
        result.facts,
        {**result.tables, table: Table(frame, result.tables[table].columns)},
    )


def test_networks_differ_from_the_presets_in_chains_steps_and_seeds() -> None:
    config = load_preset("markov-mixtures")
    found = variants(config)
    assert len(found) + 1 == sum(role.seeds for role in ROLES.values())
    assert {key[0]: each.task.chains for key, each in found.items()} == {
        "few": 8,
        "half": 16,
        "middle": 32,
        "many": 64,
        "tokens": 32,
    }
    assert [each.training.seed - config.training.seed for each in found.values()] == [0, 0, 1, 0, 1, 0]
    assert found["tokens", 1].task.rows == "shared"
    assert found["middle", 2].training.steps == config.training.steps
    # The same seed is the same chains, the first of them where there are fewer.
    assert found["few", 1].task.chain == config.task.chain != found["middle", 2].task.chain


@pytest.mark.parametrize("preset", ["markov-mixtures", "markov-paper"])
def test_presets_can_be_varied(preset: str) -> None:
    assert len(variants(load_preset(preset))) == 6


def test_every_network_is_measured_at_all_of_its_checkpoints(folder: Path) -> None:
    nearest = stored(folder, "phases").table("nearest")
    run = Run(folder / "run")
    own = nearest[nearest["context"] == "late"]
    assert own[own["network"] == "N = 8 (1)"]["step"].tolist() == run.steps
    assert own["network"].nunique() == 7
    assert set(nearest["n"]) == {24}
    for name in MEASURED:
        for table in stored(folder, name).tables.values():
            assert list(table.frame.columns) == list(table.columns)


def test_names_tell_networks_apart(folder: Path) -> None:
    run = Run(folder / "run")
    assert [Network(*key, run).name for key in (("few", 1), ("middle", 2), ("tokens", 1))] == [
        "N = 8",
        "N = 8 (2)",
        "N = 8, independent tokens",
    ]


def test_what_stands_is_neither_trained_nor_measured_again(folder: Path, carry_out: Carry, told: list[str]) -> None:
    assert sum("read" in line for line in told) == 7
    before = stored(folder, "claims").table("findings")
    said: list[str] = []
    carry_out(folder, said, 24)
    assert said[0].startswith("6 variants: 0 trained")
    assert not any("read" in line for line in said)
    pd.testing.assert_frame_equal(stored(folder, "claims").table("findings"), before)


def test_with_other_sequences_all_is_measured_anew(folder: Path, carry_out: Carry) -> None:
    said: list[str] = []
    carry_out(folder, said, 16)
    assert sum("read" in line for line in said) == 7
    assert set(stored(folder, "phases").table("nearest")["n"]) == {16}
    carry_out(folder, said, 24)


def test_of_networks_that_learned_next_to_nothing_little_holds(folder: Path) -> None:
    claims = stored(folder, "claims").table("claims")
    assert len(claims) == 10
    assert "holds" not in set(claims[claims["claim"] != "without context at first"]["verdict"])


def test_the_page_shows_every_result_and_no_hole(folder: Path) -> None:
    page = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    for name in MEASURED:
        assert f'id="{name}"' in page
    assert "NaN" not in page
    assert "nan nats" not in page
    assert "Steps at which a unigram and a bigram algorithm first were nearest" in page


TRUTHS = {
    "rises again by": (0.03, 0.02, 0.04),
    "falls by": (-0.03, -0.04, -0.02),
    "changes, but not for certain, by": (0.01, -0.02, 0.04),
}


@pytest.mark.parametrize("said", list(TRUTHS))
def test_a_rise_is_told_as_its_interval_has_it(folder: Path, said: str) -> None:
    ends = dict(zip(("rise", "rise_low", "rise_high"), TRUTHS[said], strict=True))
    section = competition.competition(replaced(stored(folder, "competition"), "rises", **ends), {})
    told = [sentence for sentence in section.sentences if "is least at step" in sentence]
    assert len(told) == 2
    assert all(said in sentence for sentence in told)
    assert all(other not in sentence for other in TRUTHS if other != said for sentence in told)


def test_networks_that_are_not_told_apart_are_not_told_as_near(folder: Path) -> None:
    result = replaced(stored(folder, "phases"), "nearest", verdict="not told apart")
    assert "not told apart (" in phases.phases(result, {}).sentences[0]
    assert "nats before" not in phases.phases(result, {}).sentences[0]
    near = replaced(result, "nearest", verdict="nearest")
    assert "not told apart" not in phases.phases(near, {}).sentences[0]


def test_onsets_that_never_came_are_told_so(folder: Path) -> None:
    result = replaced(stored(folder, "phases"), "onsets", unigram=math.nan, bigram=math.nan)
    assert "N = 2 never and never" in phases.phases(result, {}).sentences[1]


@pytest.mark.parametrize("found", [True, False])
def test_drops_are_told_where_they_are(folder: Path, found: bool) -> None:
    values = {"found": found, "on_steps": found, "successor": 20.0 if found else math.nan}
    result = replaced(stored(folder, "circuits"), "drops", start=10.0, steepest=12.0, end=14.0, **values)
    drops, linear, half, _ = circuits.circuits(result, {}).sentences
    assert ("N = 2 from step 10 to 14, steepest at 12" in drops) == found
    assert ("of no network" in drops) == (not found)
    assert ("it finds one of none" in linear) == (not found)
    assert ("N = 2 20" in half) == found


@pytest.mark.parametrize("name", MEASURED)
def test_a_view_needs_no_other_result(folder: Path, name: str) -> None:
    section = VIEWS[name](stored(folder, name), {})
    assert section.sentences
    assert section.figures or section.tables
    assert views.__doc__


def test_a_report_is_made_again_of_stored_results(folder: Path) -> None:
    before = (folder / "out" / "paper.html").read_text(encoding="utf-8")
    write_report(folder / "out")
    assert (folder / "out" / "paper.html").read_text(encoding="utf-8") == before
