"""Forking tokens of a model with exact laws: where they are, who finds them, and what noise makes of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mcinterp.analysis.judged import Judged
from mcinterp.report.figures.forking import fork_tree_figure, outcome_areas_figure
from mcinterp.report.numbers import interval, number, of_them, plural
from mcinterp.report.parts import FigureView, Section
from mcinterp.report.tables import table_view
from mcinterp.results import Result
from mcinterp.studies.forking_tokens.callers import NAIVE, STEP
from mcinterp.studies.forking_tokens.figures import callers_figure, change_figure, replicates_figure, survival_figure
from mcinterp.studies.forking_tokens.laws import LAWS
from mcinterp.studies.forking_tokens.sampled import SHOWN, example_text
from mcinterp.studies.forking_tokens.series import all_texts


def laws(result: Result, _: Mapping[str, Result]) -> Section:
    """Show a text with its exact laws and the tree at one of its forks, and how exact they are."""
    exact = result.table("exact").iloc[0]
    tables = [
        table_view(result.table("exact"), result.tables["exact"].columns, "How exact the laws are"),
        table_view(result.table("starts"), result.tables["starts"].columns, "By beginning", folded=True),
    ]
    sentences = [
        f"Everything that the model writes after {plural(int(exact['n']), 'beginning')} with a probability above "
        f"{number(exact['prune'])} was enumerated; {_value(exact, 'left_out')} of the probability was left out.",
        f"At the beginnings the model's law is {_value(exact, 'truth_apart')} from the graph's, in total variation.",
    ]
    return Section(result.name, result.title, sentences, _exact_figures(result), tables)


def _exact_figures(result: Result) -> list[FigureView]:
    texts = all_texts(result)
    number_of_text = example_text(texts)
    text, rows = texts[number_of_text], _rows(result, number_of_text)
    fork = int(np.argmax(text.change[:-1]))
    captions = (
        f"Text {number_of_text}, which has most forks: exact law of the outcome before each token (areas), and how far "
        "the token moves it, in total variation (bars).",
        f"The tree at its token {fork}, which moves the law most: branches as wide as their probabilities, the text's "
        "own in the colour of letters, and where they lead.",
    )
    bars = {"change": text.change.tolist()}
    areas = outcome_areas_figure(
        np.vstack([text.laws, text.last]), rows["token"].tolist(), result.facts["outcomes"], bars
    )
    before = " ".join(rows["token"].iloc[:fork])
    return [
        FigureView(captions[0], areas),
        FigureView(captions[1], fork_tree_figure(_tree(result, int(rows.index[fork])), before)),
    ]


def _rows(result: Result, text: int) -> pd.DataFrame:
    frame = result.table("tokens")
    return frame[frame["text"] == text]


def _tree(result: Result, row: int) -> pd.DataFrame:
    """The branches before a token of the table, as `fork_tree_figure` takes them."""
    arrays, names = result.arrays, result.facts["outcomes"]
    frame = result.table("tokens")
    at = np.flatnonzero(arrays["branch_row"] == row)
    own = str(frame["token"][row])
    rows = [
        {
            "number": place,
            "branch": own if arrays["branch_base"][branch] else _name(result, int(arrays["branch_token"][branch])),
            "base": bool(arrays["branch_base"][branch]),
            "weight": float(arrays["branch_weight"][branch]),
            "outcome": name,
            "share": float(share),
        }
        for place, branch in enumerate(at)
        for name, share in zip(names, arrays["branch_law"][branch], strict=True)
    ]
    return pd.DataFrame(rows)


def _name(result: Result, token: int) -> str:
    """A token's name."""
    return str(result.facts["tokens"][str(token)])


def forks(result: Result, others: Mapping[str, Result]) -> Section:
    """Show where the forks are."""
    tables = [
        table_view(result.table(name), result.tables[name].columns, caption)
        for name, caption in (
            ("forks", "Forks, and those of the graph"),
            ("kinds", "By kind of token"),
            ("change", "Where the change is"),
            ("halfway", "Likeliest outcome along texts"),
            ("entropy", "Entropy of the next token as a call"),
        )
    ]
    figures = []
    if LAWS in others:
        caption = (
            "How many tokens of each kind move the law of the outcome by how much; the axis of counts is logarithmic."
        )
        figures.append(FigureView(caption, change_figure(others[LAWS].table("tokens"))))
    return Section(result.name, result.title, [*_fork_sentences(result), _entropy_sentence(result)], figures, tables)


def _fork_sentences(result: Result) -> list[str]:
    effect = float(result.facts["effect"])
    rows = result.table("forks")
    row, change = rows[rows["effect"] == effect].iloc[0], result.table("change").iloc[0]
    first = (
        f"{int(row['forks']):,} of {plural(int(row['n']), 'token')} move the law by more than {effect:g}; the fifth of "
        f"each text's tokens that move it most make {_value(change, 'top_fifth')} of all change."
    )
    if not row["forks"]:
        return [first]
    return [
        first,
        f"At {_value(row, 'precision')} of these the graph's own law moves by half as much or more, and so does the "
        f"model's at {_value(row, 'recall')} of the tokens that are the graph's forks.",
    ]


def _entropy_sentence(result: Result) -> str:
    row = result.table("entropy").iloc[0]
    if not row["calls"]:
        return "No token is uncertain."
    most = Judged.of(row, "precision", 0.5).say("Most", "Fewer than half", "About half")
    return (
        f"{most} of the {int(row['calls']):,} tokens that are uncertain are forks ({_value(row, 'precision')}), and "
        f"{_value(row, 'recall')} of the forks are uncertain."
    )


def sampled(result: Result, others: Mapping[str, Result]) -> Section:
    """Show who finds the forks by samples, and what noise looks like."""
    figures = [
        FigureView(
            "Precision and recall of three callers against the exact laws, by the number of samples (written beside "
            "the points), with 95 % intervals over beginnings.",
            callers_figure(result.table("callers")),
        ),
        FigureView(
            "Survival: probability that no token up to there is resampled into a branch with a law at least 0.2 away. "
            "By few samples it falls too fast, because noise alone sets branches apart.",
            survival_figure(result.table("survival")),
        ),
        *(_example_figures(result, others[LAWS]) if LAWS in others else ()),
    ]
    captions = {
        "callers": "Callers",
        "hazard": "Hazards",
        "same_law": "Branches with the same law",
        "null": "Series without any change",
    }
    tables = [table_view(result.table(key), result.tables[key].columns, title) for key, title in captions.items()]
    return Section(
        result.name, result.title, [*map(_caller_sentence, _authors(result)), _noise(result)], figures, tables
    )


def _example_figures(result: Result, exact: Result) -> list[FigureView]:
    rows = _rows(exact, int(result.facts["example"]))
    parts = zip(SHOWN, result.arrays["example_law"], result.arrays["example_posterior"], strict=True)
    return [
        FigureView(
            f"The text of the exact laws by {samples} samples a branch: the authors' weighted estimate (areas), and "
            f"the probability of a change from {samples} draws of each position's own law (bars).",
            outcome_areas_figure(law, rows["token"].tolist(), exact.facts["outcomes"], {"change": posterior.tolist()}),
        )
        for samples, law, posterior in parts
    ]


def _authors(result: Result) -> list[pd.Series]:
    """The rows of two callers at the authors' number of samples."""
    rows = result.table("callers")
    rows = rows[rows["samples"] == result.facts["authors"]]
    return [row for caller in (NAIVE, STEP) for _, row in rows[rows["caller"] == caller].iterrows()]


def _caller_sentence(row: pd.Series) -> str:
    names = {NAIVE: "steps of the weighted estimates", STEP: "changes of the segmentation"}
    if not row["calls"]:
        return f"With {row['samples']} samples there are no {names[row['caller']]}."
    return (
        f"With {row['samples']} samples {_value(row, 'precision')} of the {names[row['caller']]} are forks, "
        f"{_value(row, 'recall')} of the forks are found, and {_value(row, 'false')} of the tokens that change nothing "
        f"are called; fresh samples make {_value(row, 'found_again')} of the calls again."
    )


def _noise(result: Result) -> str:
    authors = result.facts["authors"]
    hazard, same, null = (
        result.table(name).set_index("samples").loc[authors] for name in ("hazard", "same_law", "null")
    )
    inflated = Judged.of(hazard, "inflation", 1.0).say("more than", "less than", "about as much as")
    return (
        f"The samples' hazards are {_value(hazard, 'inflation')} times the exact ones, {inflated} there is; "
        f"{of_them(int(same['apart']), int(same['n']), 'pair')} of branches with the same law look different. In "
        f"series without any change {null['naive']:.0%} of the tokens are steps, and the evidence for one is strong in "
        f"{_value(null, 'strong')} of the series."
    )


def generated(result: Result, _: Mapping[str, Result]) -> Section:
    """Show that the noise of generated samples is that of counting."""
    own, drawn = (_value(row, "slope") for _, row in result.table("slopes").iterrows())
    fit, control = result.table("fit").iloc[0], result.table("control").iloc[0]
    sentences = [
        f"The distance between two sets of samples falls with a power of {own} of their number where the model "
        f"generates them, and of {drawn} where they are drawn from the exact laws.",
        f"At {of_them(int(fit['apart']), int(fit['n']), 'place')} the samples differ from the exact law by a χ² test "
        "that errs once in twenty.",
        f"Along the same texts an untrained model says an outcome in {1 - control['other']:.0%} of its samples, and "
        f"the segmentation calls {of_them(int(control['calls']), int(control['n']), 'token')}.",
    ]
    caption = "Total variation between two sets of samples from the same place, mean over places with 95 % interval."
    figures = [FigureView(caption, replicates_figure(result.table("replicates")))]
    captions = {
        "replicates": "Two sets of samples from the same place",
        "slopes": "Powers of the number of samples",
        "fit": "Generated samples and the exact laws",
        "control": "An untrained model",
    }
    tables = [table_view(result.table(key), result.tables[key].columns, title) for key, title in captions.items()]
    return Section(result.name, result.title, sentences, figures, tables)


def _value(row: pd.Series, name: str) -> str:
    return interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
