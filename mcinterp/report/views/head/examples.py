"""The inputs on which a head matters most."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from mcinterp.analysis.judged import Judged
from mcinterp.report.drawn_samples import Answered, Sample, drawn, numbers
from mcinterp.report.numbers import interval, is_absent, number
from mcinterp.report.parts import Section, embed_json, visible
from mcinterp.report.scores import batch
from mcinterp.report.views.examples import EXAMPLE, NAME, Examples, framed

TITLE = "Where this head matters most"


def examples_section(examples: Examples, head: str) -> Section | None:
    """The inputs whose score rises most without a head, as answered with and without it; None where none is stored."""
    if "heads" not in examples.result.tables:
        return None
    rows = examples.result.table("heads")
    rows = rows[rows["head"] == head].sort_values("rank")
    if rows.empty:
        return None
    body = Markup().join(_example(examples, head, row) for _, row in rows.iterrows())
    shown = framed(examples.form.layout, Markup(), body, embed_json(examples.fixed))
    return Section(NAME, TITLE, _sentences(examples, head, rows.iloc[0]), drawing=examples.legend + shown)


def _sentences(examples: Examples, head: str, first: pd.Series) -> list[str]:
    one, several = examples.samples
    mean = interval(*(first[f"mean_rise{end}"] for end in ("", "_low", "_high")))
    n, step = number(int(first["n"])), number(examples.result.facts["chosen_at"])
    change = Judged.of(first, "mean_rise").say("raises", "lowers", "does not measurably change")
    about = (
        f"At step {step}, uniform attention of {head} alone {change} {examples.score} in the mean: by {mean} "
        f"({batch(first['n'], first['seed'], several)})."
    )
    if first["rise"] <= 0:
        return [about, f"It rises on none of them; shown is where it falls least, selected from {n}."]
    control = (
        "the layer has no other head to compare with"
        if is_absent(first["other_rise"])
        else f"beside each stands the median rise of the layer's other heads, each taken out alone on the same {one}"
    )
    return [about, f"Shown is where it rises most: selected as the largest of {n}, so not an average; {control}."]


def _example(examples: Examples, head: str, row: pd.Series) -> Markup:
    result = examples.result
    inputs, answers = result.table("head_inputs"), result.table("head_answers")
    sample = Sample.of(inputs[inputs["sample"] == row["sample"]])
    rows = answers[(answers["head"] == head) & (answers["rank"] == row["rank"])]
    answered = Answered.of(rows)
    panels = {
        "truth": sample.truth,
        "input": sample.given,
        "answer": numbers(rows["clean_answer"]),
        f"without {head}": answered.answer,
    }
    other = "" if is_absent(row["other_rise"]) else f"; other heads {_signed(row['other_rise'])}"
    name = f"{examples.samples[0]} {number(int(row['sample']))}"
    said = f"{examples.score} {number(row['clean'])} → {number(row['ablated'])} ({_signed(row['rise'])}{other})"
    return EXAMPLE.format(
        name=visible(name),
        score=visible(said),
        drawing=drawn(examples.form, sample, panels, answered, name),
        link=examples.link(int(result.facts["chosen_at"]), sample, head),
    )


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)
