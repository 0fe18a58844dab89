"""When classes of heads form, beside the loss."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mcinterp.report.figures import over_steps_figure
from mcinterp.report.numbers import number
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.scores import Scores, batch, capital
from mcinterp.report.tables import table_view
from mcinterp.report.views.leads import leads_sentence
from mcinterp.report.views.plateau import start_words, transition_of
from mcinterp.results import Result

SHADED = "by step (shaded: the drop of the loss), with 95 % interval"


def view(result: Result, beside: Mapping[str, Result]) -> Section:
    """Show the scores of the heads that have a class in the end, over the loss on the same steps."""
    titles = {"lead": "Which heads move before the loss", "scores": "Every score of every head", "loss": "The loss"}
    return Section(
        result.name,
        result.title,
        sentences(result, beside),
        _figures(result, transition_of(beside)),
        [
            table_view(result.tables[name].frame, result.tables[name].columns, title, folded=name != "lead")
            for name, title in titles.items()
        ],
    )


def sentences(result: Result, beside: Mapping[str, Result]) -> list[str]:
    """Which classes have a head in the end, and when these heads begin to move."""
    lead = result.table("lead")
    return [
        f"{_classes(result)}.",
        leads_sentence(lead, result.facts["plateau_step"], _loss(result), start_words(beside))
        if len(lead) > 1
        else f"There is nothing to follow beside the loss ({_loss(result)}).",
    ]


def _classes(result: Result) -> str:
    """Every class that has heads at the last step, with how many."""
    frame = result.table("scores")
    last, members = frame["step"].max(), _followed(result)
    where = f"At step {number(last)}, judged on other samples than those shown here,"
    if members.empty:
        return f"{where} no head has a class"
    counts = frame[(frame["step"] == last) & frame["member"]].groupby("class", sort=False)["head"].agg(list)
    named = "; ".join(f"{name} ({', '.join(heads)})" for name, heads in counts.items())
    return f"{where} heads have the classes {named}" if len(counts) > 1 else f"{where} heads have one class: {named}"


def _followed(result: Result) -> pd.DataFrame:
    frame = result.table("scores")
    frame = frame[frame["followed"]]
    return frame.assign(curve=[f"{name} ({head})" for name, head in zip(frame["class"], frame["head"], strict=True)])


def _loss(result: Result) -> str:
    row, scores = result.table("loss").iloc[0], Scores.of(result)
    return f"{scores.said}, {batch(row['n'], row['seed'], scores.samples)}"


def _figures(result: Result, transition: Mapping[str, object]) -> list[FigureView]:
    followed, loss, scores = _followed(result), result.table("loss"), Scores.of(result)
    of_loss = FigureView(
        f"{capital(scores.meanings[scores.main])}, on the same steps, with 95 % interval.",
        over_steps_figure(loss.assign(curve="loss"), "loss", "curve", scores.full, transition),
    )
    if followed.empty:
        return [of_loss]
    caption = (
        f"Score of the best head of each class {SHADED}: 0 for uniform attention, 1 for a perfect member; dashed: what "
        "the taxonomy asks of a member."
    )
    return [
        FigureView(caption, over_steps_figure(followed, "score", "curve", "score", transition, ["threshold"])),
        of_loss,
    ]
