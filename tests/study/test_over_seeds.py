"""Claims over seeds: verdicts by seed, the share that holds, and every number's spread, of forged claims."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forged_seeds import decided, finding, of_seeds, single
from scipy import stats

from mcinterp.results import Result
from mcinterp.study import Number, Rule
from mcinterp.study.over_seeds import mean_over_seeds, over_seeds

HIGH, LOW, ACROSS = Number(0.9, 0.8, 1.0, 64), Number(0.1, 0.0, 0.2, 64), Number(0.5, 0.4, 0.6, 64)


def claim(result: Result) -> pd.Series:
    return result.table("claims").iloc[0]


@pytest.mark.parametrize(
    ("numbers", "counts"),
    [
        ((HIGH,) * 5, (5, 0, 0)),
        ((LOW,) * 5, (0, 5, 0)),
        ((ACROSS,) * 5, (0, 0, 5)),
        ((HIGH, HIGH, LOW, ACROSS, HIGH), (3, 1, 1)),
        ((HIGH,), (1, 0, 0)),
    ],
)
def test_the_share_that_holds_has_its_exact_interval(numbers: tuple[Number, ...], counts: tuple[int, int, int]) -> None:
    found = over_seeds(of_seeds(*(decided(finding(number)) for number in numbers)), {})
    row, n = claim(found), len(numbers)
    assert (row["holds"], row["does_not_hold"], row["undecided"], row["seeds"]) == (*counts, n)
    # Clopper and Pearson's ends are quantiles of beta distributions.
    low = stats.beta.ppf(0.025, counts[0], n - counts[0] + 1) if counts[0] else 0.0
    high = stats.beta.ppf(0.975, counts[0] + 1, n - counts[0]) if counts[0] < n else 1.0
    assert row[["share", "share_low", "share_high"]].tolist() == pytest.approx([counts[0] / n, low, high])
    assert found.table("verdicts")["seed"].tolist() == list(range(n))


def test_five_of_five_seeds_say_no_more_than_that_half_may_hold() -> None:
    row = claim(over_seeds(of_seeds(*(decided(finding(HIGH)) for _ in range(5))), {}))
    assert row["share_low"] == pytest.approx(0.025 ** (1 / 5))


def test_a_seed_that_failed_counts_as_undecided() -> None:
    found = over_seeds(of_seeds(decided(finding(HIGH)), decided(finding(HIGH))), {7: "the loss diverged"})
    row = claim(found)
    assert (row["holds"], row["undecided"], row["seeds"]) == (2, 1, 3)
    assert row["share"] == pytest.approx(2 / 3)
    assert found.table("seeds").to_numpy().tolist() == [
        [0, "decided", ""],
        [1, "decided", ""],
        [7, "failed", "the loss diverged"],
    ]
    verdicts = found.table("verdicts")
    assert verdicts["verdict"].tolist() == ["holds", "holds", "undecided"]
    assert verdicts["holds"].isna().tolist() == [False, False, True]
    # Its value is missing, and the average of the others is none of all trainings.
    row = found.table("findings").iloc[0]
    assert (row["n"], row["seeds"], row["undecided"], row["verdict"]) == (2, 3, 1, "undecided")


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.8, 0.9, 1.0), "holds"),
        ((0.1, 0.15, 0.2), "does not hold"),
        ((0.3, 0.6, 0.9), "undecided"),
        ((0.8, 0.9), "undecided"),  # 12.7 standard errors
        ((0.9,), "undecided"),
        ((0.8, 0.9, math.nan), "undecided"),
        ((math.nan, math.nan), "undecided"),
    ],
)
def test_what_no_single_training_decides_is_decided_by_the_mean_over_seeds(
    values: tuple[float, ...], verdict: str
) -> None:
    found = over_seeds(of_seeds(*(decided(finding(single(value))) for value in values)), {})
    row = found.table("findings").iloc[0]
    assert (row["holds"], row["does_not_hold"], row["undecided"]) == (0, 0, len(values))
    assert row["verdict"] == claim(found)["over_seeds"] == verdict
    present = np.array([value for value in values if value == value])
    assert row["n"] == len(present)
    if len(present) > 1:
        half = stats.t.ppf(0.975, len(present) - 1) * present.std(ddof=1) / np.sqrt(len(present))
        assert row["value_low"] == pytest.approx(present.mean() - half)
        assert row["value_high"] == pytest.approx(present.mean() + half)
        assert row["sd"] == pytest.approx(present.std(ddof=1))
        assert (row["least"], row["most"]) == (present.min(), present.max())
    elif len(present):
        assert row["value"] == present[0]
        assert math.isnan(row["value_low"])
        assert math.isnan(row["sd"])


@pytest.mark.parametrize(
    ("counts", "together", "verdict"),
    [
        ([(2, 2)] * 5, (10, 10), "holds"),
        ([(0, 2)] * 5, (0, 10), "does not hold"),
        ([(2, 2)] * 2, (4, 4), "undecided"),  # 0.025 ** (1 / 4) is below ½
        ([(2, 2), (0, 2), (2, 2)], (4, 6), "undecided"),
        ([(10, 10), (0, 1)], (10, 11), "holds"),  # every sample counts the same, whichever seed it is of
    ],
)
def test_samples_that_are_counted_are_put_together_over_seeds(
    counts: list[tuple[int, int]], together: tuple[int, int], verdict: str
) -> None:
    found = over_seeds(of_seeds(*(decided(finding(Number.share(*each))) for each in counts)), {})
    row, (count, n) = found.table("findings").iloc[0], together
    low = stats.beta.ppf(0.025, count, n - count + 1) if count else 0.0
    high = stats.beta.ppf(0.975, count + 1, n - count) if count < n else 1.0
    assert row[["value", "value_low", "value_high"]].tolist() == pytest.approx([count / n, low, high])
    assert (row["n"], row["verdict"]) == (len(counts), verdict)


def test_a_seed_without_samples_leaves_the_count_of_all_undecided() -> None:
    shares = [Number.share(2, 2)] * 5 + [Number.share(0, 0)]
    row = over_seeds(of_seeds(*(decided(finding(each)) for each in shares)), {}).table("findings").iloc[0]
    assert (row["n"], row["value"], row["verdict"]) == (5, 1, "undecided")


def test_an_interval_by_hand() -> None:
    """1, 2, 3: mean 2, standard error 1/√3, t = 4.303 with two degrees of freedom."""
    number = mean_over_seeds(pd.Series([1.0, 2.0, 3.0]))
    assert (number.value, number.n) == (2.0, 3)
    assert number.high - number.value == pytest.approx(4.30265 / 3**0.5, rel=1e-5)


def test_the_mean_of_the_same_values_is_the_value_to_the_last_bit() -> None:
    number = mean_over_seeds(pd.Series([0.1, 0.1, 0.1]))
    assert (number.low, number.value, number.high) == (0.1, 0.1, 0.1)
    exact = finding(Number.exact(0.1), rule=Rule(high=0.1))
    found = over_seeds(of_seeds(*(decided(exact) for _ in range(3))), {})
    assert found.table("findings")["verdict"].tolist() == ["holds"]


@pytest.mark.parametrize(
    ("controls", "verdict"),
    [
        ((0.0, 0.0, 0.0), "holds"),
        ((0.01, -0.01, 0.0), "holds"),
        ((0.5, 0.5, 0.5), "undecided"),
        ((0.0, 0.0, 0.5), "undecided"),
        ((0.0, 0.0, math.nan), "undecided"),
    ],
)
def test_a_control_is_averaged_over_seeds_too(controls: tuple[float, ...], verdict: str) -> None:
    values = (0.8, 0.9, 1.0)
    claims = [decided(finding(single(v), control=c)) for v, c in zip(values, controls, strict=True)]
    row = over_seeds(of_seeds(*claims), {}).table("findings").iloc[0]
    assert row["verdict"] == verdict
    assert row["control"].startswith("nothing: of it: ")
    assert row["control"].endswith("(from -0.1 to 0.1)")


def test_a_finding_that_one_seed_lacks_is_undecided_over_seeds() -> None:
    both = [decided(finding(HIGH), finding(Number(v, v, v), "another")) for v in (0.8, 0.9)]
    found = over_seeds(of_seeds(*both, decided(finding(HIGH))), {}).table("findings")
    assert found["finding"].tolist() == ["a number", "another"]
    assert found["number"].tolist() == [1, 2]
    assert found["n"].tolist() == [3, 2]
    assert found["verdict"].tolist() == ["holds", "undecided"]
    assert found["undecided"].tolist() == [0, 1]


def test_findings_of_the_same_words_are_matched_in_their_order() -> None:
    claims = [decided(finding(Number.exact(v), "the same"), finding(Number.exact(v + 1), "the same")) for v in (1, 2)]
    found = over_seeds(of_seeds(*claims), {})
    assert found.table("findings")["value"].tolist() == [1.5, 2.5]
    assert found.table("values")[["seed", "number", "value"]].to_numpy().tolist() == [
        [0, 1, 1.0],
        [0, 2, 2.0],
        [1, 1, 2.0],
        [1, 2, 3.0],
    ]


def test_findings_of_the_same_words_in_two_claims_are_two() -> None:
    claims = [[decided(finding(HIGH)), decided(finding(LOW), name="it falls")] for _ in range(3)]
    found = over_seeds(of_seeds(*claims), {})
    assert found.table("claims")["over_seeds"].tolist() == ["holds", "does not hold"]
    assert found.table("findings")[["claim", "holds"]].to_numpy().tolist() == [["it rises", 3], ["it falls", 0]]


def test_claims_are_decided_over_seeds_by_all_of_their_findings() -> None:
    seeds = [decided(finding(HIGH), finding(single(v), "another")) for v in (0.2, 0.5, 0.8)]
    found = over_seeds(of_seeds(*seeds), {})
    assert found.table("findings")["verdict"].tolist() == ["holds", "undecided"]
    assert claim(found)["over_seeds"] == "undecided"


def test_the_tables_are_stored_with_the_ends_of_their_rules(tmp_path: Path) -> None:
    found = over_seeds(of_seeds(*(decided(finding(HIGH, control=0.0)) for _ in range(2))), {3: "no drop"})
    found.save(tmp_path / "replication")
    stored = Result.load(tmp_path / "replication")
    row = stored.table("findings").iloc[0]
    assert (row["rule_low"], row["rule_high"]) == (0.5, math.inf)
    assert stored.facts["title"] == "A <paper>"
    assert "steps" not in stored.facts
    for name, table in found.tables.items():
        assert list(stored.table(name).columns) == list(table.columns)
        assert all(meaning for meaning in table.columns.values())


def test_seeds_that_were_stored_give_the_same(tmp_path: Path) -> None:
    found = of_seeds(decided(finding(HIGH)), decided(finding(ACROSS, control=0.0), finding(single(0.7), "another")))
    for seed, result in found.items():
        result.save(tmp_path / str(seed))
    stored = {seed: Result.load(tmp_path / str(seed)) for seed in found}
    for name in ("claims", "verdicts", "findings"):
        assert over_seeds(stored, {}).table(name).equals(over_seeds(found, {}).table(name))
