"""One attention head over the analysed checkpoints: where it looks, and which heads look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from mcinterp.report.head_maps import OWN, HeadMaps, share_meanings
from mcinterp.report.numbers import listed, number, plural
from mcinterp.report.parts import Section
from mcinterp.report.scores import capital
from mcinterp.report.tables import table_view
from mcinterp.report.views.head.classes import kinds_of, labels
from mcinterp.report.views.head.course import Course, first_columns, meanings, missing
from mcinterp.report.views.timeline import taxonomy_colours

NEAREST = 5
DISTANCE = (
    "total variation between the two heads' averaged maps, averaged over queries: 0 the same, 1 nothing in common; of "
    "averages, without an interval"
)


def attention_section(course: Course, kept: HeadMaps) -> Section:
    """Where the head looks at every step, in numbers; the maps stand beside them."""
    rows = course.rows("attention", "heads")
    if rows.empty:
        return Section("attention", "Where it looks", [missing("attention maps of this head")])
    shares = kept.shares(course.head)
    if len(shares):
        rows = rows.merge(shares, how="left", on=["step", "mask"])
    shown = share_meanings(kept.groups)
    rows = first_columns(rows, ["step", "mask", *shown])
    sentences = [attention_sentence(course.head, rows, kept), kept.left_out()]
    words = {**meanings(course, "attention"), **shown}
    table = table_view(rows, words, "Where it looks, in numbers", hide={"head"}, folded=True)
    return Section("attention", "Where it looks", [text for text in sentences if text], tables=[table])


def attention_sentence(head: str, rows: pd.DataFrame, kept: HeadMaps) -> str:
    """What the numbers of the first family of inputs say of the first and the last step."""
    family = rows["mask"].iloc[0]
    own = rows[rows["mask"] == family]
    first, last, several = own.iloc[0], own.iloc[-1], len(own) > 1
    text = (
        f"{capital(kept.under(family))} (n = {number(last['n'])}) the attention of {head} has an entropy of "
        f"{number(last['entropy'])} nats at step {number(last['step'])}"
    )
    if several:
        text += f", after {number(first['entropy'])} at step {number(first['step'])}"
    if OWN not in own or pd.isna(last[OWN]):
        return f"{text}."
    before = f" (at step {number(first['step'])}: {', '.join(_shares(first, kept.groups))})" if several else ""
    position, *others = _shares(last, kept.groups)
    parts = [f"{share} elsewhere in its {name}" for name, share in zip(kept.groups, others, strict=True)]
    told = listed([f"{position} is on the query's own position", *parts])
    return f"{text}. Of its attention {told}{before}."


def _shares(row: pd.Series, groups: Sequence[str]) -> list[str]:
    return [number(row[name], 2) for name in share_meanings(groups)]


def nearest_section(course: Course, kept: HeadMaps) -> Section:
    """The heads whose attention is most alike."""
    near = kept.distances(course.head)
    if near.empty:
        return Section("nearest", "Nearest heads", [missing("attention maps of other heads")])
    first, last = kept.ends
    frame = near.head(NEAREST).drop(columns=["mask"] if first < last else ["mask", "first"])
    for kind in kinds_of(course.rows("taxonomy", "scores")):
        frame[kind] = [labels(replace(course, head=head), kind).get(last) for head in frame["head"]]
    names = {"last": f"distance at step {number(last)}", "first": f"distance at step {number(first)}"}
    words = {names["last"]: DISTANCE, names["first"]: "control: the same at the first step that has maps"}
    which = "Nearest heads by attention" if len(near) > NEAREST else "All other heads by attention"
    colours = taxonomy_colours(course.having("taxonomy"))
    table = table_view(frame.rename(columns=names), words, which, colours=colours)
    return Section("nearest", "Nearest heads", [nearest_sentence(course, kept, near, first, last)], tables=[table])


def nearest_sentence(course: Course, kept: HeadMaps, near: pd.DataFrame, first: int, last: int) -> str:
    """Which head is nearest, and what sampling alone and the first step give."""
    best, family = near.iloc[0], near["mask"].iloc[0]
    text = (
        f"At step {number(last)}, {kept.under(family)}, the attention of {best['head']} is nearest to that of "
        f"{course.head}: total variation {number(best['last'])} (0: the same, 1: nothing in common), where the median "
        f"over the {plural(len(near), 'other head')} is {number(near['last'].median())}"
    )
    halves = _halves(course, family, last)
    if pd.notna(halves):
        text += f" and the maps of {course.head} on two halves of the samples differ by {number(halves)}"
    if pd.notna(best["first"]):
        text += (
            f". As a control, at step {number(first)}, the first, {best['head']} was at {number(best['first'])} and "
            f"the median at {number(near['first'].median())}"
        )
    return f"{text}."


def _halves(course: Course, family: str, step: int) -> float:
    """How far sampling alone takes a map."""
    rows = course.rows("attention", "heads")
    if rows.empty or "split_half_distance" not in rows:
        return float("nan")
    own = rows[(rows["mask"] == family) & (rows["step"] == step)]
    return float(own["split_half_distance"].iloc[0]) if len(own) else float("nan")
