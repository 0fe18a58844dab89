"""The command that follows any language model along walks through a graph of words: graph-trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcinterp.cli.language import opened_language
from mcinterp.cli.options import REPORTS, Device, Seed, SingleFile
from mcinterp.cli.progress import count_progress, say

if TYPE_CHECKING:
    from mcinterp.analysis.traced_language import TracePlan

LONGEST = 256
"""Tokens of a walk where the model has room for as many."""


def graph_trace(
    model: Annotated[
        str,
        typer.Argument(help="A folder of Hugging Face's, or a run or a checkpoint such as RUN@last.", metavar="MODEL"),
    ],
    graph: Annotated[str, typer.Option(help="ring:N, circulant:N, grid:RxC or hex:RxC.", metavar="GRAPH")],
    words: Annotated[
        Path, typer.Option(help="A file with a word a line, each one token of the model.", metavar="FILE")
    ],
    labellings: Annotated[
        int, typer.Option(help="Ways of dealing words to nodes; intervals are over them.", min=1)
    ] = 8,
    walks: Annotated[int, typer.Option(help="Walks of each, as many from every node.", min=1)] = 32,
    length: Annotated[
        int | None, typer.Option(help=f"Tokens of a walk; by default {LONGEST}, or what the model has room for.", min=4)
    ] = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; by default reports/graph-trace-MODEL.", metavar="DIR")
    ] = None,
    single_file: SingleFile = False,
    device: Device = "auto",
) -> None:
    """Let a model read walks through a graph of words, and see its states take the graph's shape.

    Prints the path of a page. The model is not trained. States are averaged by node and by length of context, over
    walks; what it will take is said before it begins.
    """
    from mcinterp.config.graphs import graph_named
    from mcinterp.language.words import read_words, single_tokens

    shape, listed = graph_named(graph), read_words(words)
    opened = opened_language(model, device, "graph-trace")
    tokens = single_tokens(opened, listed, shape.n)
    from mcinterp.analysis.traced_language import TracePlan

    room = LONGEST if opened.n_positions is None else opened.n_positions - (opened.begin_token is not None)
    plan = TracePlan(opened, shape, listed, tokens, labellings, walks, length or min(room, LONGEST), seed)
    say(_cost(plan))
    _report(plan, out or REPORTS / f"graph-trace-{Path(model).resolve().name.replace('@', '-')}", model, single_file)


def _cost(plan: TracePlan) -> str:
    """What reading takes, in a sentence."""
    return (
        f"{plan.labellings} labellings × {plan.walks} walks of {plan.length} tokens: {plan.n_tokens:,} tokens through "
        f"{plan.model.n_parameters:,} weights, about {plan.operations / 1e9:,.1f} billion operations, and "
        f"{plan.sum_bytes / 2**20:,.0f} MiB of sums"
    )


def _report(plan: TracePlan, folder: Path, model: str, single_file: bool) -> None:
    from mcinterp.analysis.runner import DATA
    from mcinterp.analysis.traced_language import graph_trace as traced
    from mcinterp.report.trace import write_trace_report
    from mcinterp.runs.checkpoint import package_versions

    with count_progress(plan.labellings * plan.walks, "walks") as done:
        result = traced(plan, done)
    provenance = {"model": model, **result.settings, **package_versions()}
    replace(result, provenance=provenance).save(folder / DATA / result.name)
    print(write_trace_report(folder, single_file))
