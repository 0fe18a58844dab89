"""What the papers themselves report, as the page says it beside their claims."""

from __future__ import annotations

import pytest

from mcinterp.declared import load
from mcinterp.installed import own_studies
from mcinterp.study.claims import Claim, Evidence


def _reported(name: str) -> list[str]:
    claims: tuple[Claim, ...] = load(own_studies()[name].claims)(Evidence({}))
    return [claim.reported for claim in claims if claim.reported]


def test_it_is_said_where_a_number_is_known() -> None:
    assert _reported("matrix-completion")


@pytest.mark.parametrize("name", own_studies())
def test_it_is_a_number_in_words_that_a_sentence_ends_with(name: str) -> None:
    for reported in _reported(name):
        assert any(letter.isdigit() for letter in reported), reported
        assert reported == reported.strip(" ."), reported
