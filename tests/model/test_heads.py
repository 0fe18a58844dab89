"""Heads as data: parsing laws and errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcinterp.errors import InputError
from mcinterp.model import Head, HeadSet

heads = st.builds(Head, st.integers(0, 3), st.integers(0, 7))


def parse(text: str, **classes: list[Head]) -> HeadSet:
    return HeadSet.parse(text, n_layers=4, n_heads=8, classes=classes)


@given(st.builds(Head, st.integers(0, 10**6), st.integers(0, 10**6)))
def test_a_head_reads_as_it_is_written(head: Head) -> None:
    assert Head.parse(str(head)) == Head.parse(str(head).lower()) == Head.parse(f" {head} ") == head


@given(st.lists(heads, min_size=1))
def test_a_set_reads_as_it_is_written(members: list[Head]) -> None:
    made = HeadSet.of("any", members)
    read = parse(",".join(map(str, members)))
    assert read.heads == made.heads == tuple(sorted(set(members)))
    assert read.name == str(made)
    assert parse(str(made)) == read


@given(st.lists(heads))
def test_by_layer_holds_every_head_once_in_order(members: list[Head]) -> None:
    made = HeadSet.of("any", members)
    layers = made.by_layer()
    assert list(layers) == sorted(layers)
    assert [Head(layer, head) for layer, own in layers.items() for head in own] == list(made)
    assert len(made) == len(set(members))


def test_the_named_sets() -> None:
    assert len(parse("all")) == 32
    assert parse("all").by_layer() == {layer: list(range(8)) for layer in range(4)}
    assert parse("none").heads == ()
    assert str(parse("layer:2")) == "L2H0,L2H1,L2H2,L2H3,L2H4,L2H5,L2H6,L2H7"
    assert parse("copy", copy=[Head(1, 0), Head(0, 3)]) == HeadSet("copy", (Head(0, 3), Head(1, 0)))


@pytest.mark.parametrize("text", ["", "L1", "H1", "L1H", "L-1H0", "L1H0H2", "1,0", "(2,1)", "L1.0H1", "L²H1"])
def test_what_is_not_a_head_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a head; write layer and head, both from 0, as L1H0"):
        Head.parse(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("L4H0", "this model has no head L4H0; layers are 0 … 3, heads 0 … 7"),
        ("L0H0,L3H8", "this model has no head L3H8"),
        ("layer:4", "'layer:4' names no layer of this model; layers are 0 … 3"),
        ("layer:x", "names no layer"),
        ("layer:²", "names no layer"),
        ("layer:", "names no layer"),
        ("copi", "nor a class; did you mean 'copy'?"),
        ("L0H0,copy", "'L0H0,copy' is neither heads such as L1H0,L2H3 nor a class"),
        ("", "'' is neither heads"),
        (",", "',' is neither heads"),
    ],
)
def test_what_names_no_heads_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, copy=[Head(0, 0)])
    assert sentence in str(caught.value)
