"""A pass of one's own, with its section in the report: python examples/add_a_pass.py [RUN] [FOLDER].

The question: does the model treat X and −X alike, as matrices do? An odd function answers −f(X) to −X.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import torch

import mcinterp
from mcinterp.analysis.statistics import interval_columns, pooled_estimate
from mcinterp.declared import Pass
from mcinterp.report.numbers import interval, number
from mcinterp.report.parts import Section
from mcinterp.report.tables import table_view
from mcinterp.report.views import VIEWS
from mcinterp.results import Result, Table

COLUMNS = {
    "entries": "masked or observed",
    "n": "matrices",
    "seed": "seed of the batch",
    **interval_columns("even_share", "share of the answers' mean square that is even: 0 for an odd function of X"),
    **interval_columns("control_share", "control: the same with the answers to another matrix's negative, about ½"),
}


@torch.no_grad()
def negation(checkpoint: mcinterp.Checkpoint, samples: int = 256, seed: int = 0) -> Result:
    """Measure how far the answers to −X are from those to X with the other sign.

    With f the answers, (f(X) + f(−X)) / 2 is their even part. Its mean square over half that of both answers together
    is 0 where f is odd, 1 where it is even, and ½ in the mean where the two answers have nothing to do with each other.

    Args:
        checkpoint: what to look at.
        samples: matrices, at least 2.
        seed: of the batch.

    Returns:
        table `negation`, a row for masked and one for observed entries.
    """
    batch = checkpoint.sample(samples, seed)
    negative = checkpoint.task.counterpart(batch)
    answers = checkpoint.model.complete(batch.inputs).double()
    opposite = checkpoint.model.complete(negative.inputs).double()
    rows = []
    for entries, where in (("masked", batch.masked), ("observed", batch.observed)):
        found = {"entries": entries, "n": samples, "seed": seed}
        for name, other in (("even_share", opposite), ("control_share", opposite.roll(1, dims=0))):
            even, both = (answers + other).square(), 2 * (answers.square() + other.square())
            sums, counts = ((square * where).sum(1).cpu().numpy() for square in (even, both))
            found |= pooled_estimate(sums, counts).columns(name)
        rows.append(found)
    return Result(
        "negation",
        "Is the model odd?",
        {"samples": samples, "seed": seed},
        tables={"negation": Table.of(COLUMNS, rows)},
    )


def view(result: Result, others: Mapping[str, Result]) -> Section:
    """Say what came out, and show the table."""
    table = result.tables["negation"]
    masked = table.frame.set_index("entries").loc["masked"]
    share, control = (
        interval(*(masked[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in ("even_share", "control_share")
    )
    sentence = (
        f"At masked entries the even part of the answers makes {share} of their mean square (n = "
        f"{number(masked['n'])}; 0: the model is odd); with the answers of another matrix, {control}."
    )
    return Section(result.name, result.title, [sentence], tables=[table_view(table.frame, table.columns, "Negation")])


def register() -> None:
    """Make the pass one of those that a report runs, and its view the one that its section has."""
    mcinterp.PASSES["negation"] = Pass(
        "negation",
        "Does the model answer −f(X) to −X?",
        256,
        negation,
        asks=("counterpart", "answers_entries"),
    )
    VIEWS["negation"] = ("Is the model odd?", view)


def main(path: str = "checkpoints/tiny", folder: str = "reports/negation") -> None:
    """Analyse the run with this pass alone, and write its report."""
    register()
    run = mcinterp.Run(path)
    mcinterp.analyse(run, Path(folder), run.select_steps("auto"), passes=["negation"])
    print(mcinterp.write_report(Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
