"""The hidden shelf of runs of several seeds: python benchmarks/shelf_over_seeds.py [RUN …].

Prints a column a run: the steps of the shelf and of the drop, and at the step that the comparison looks at the share
between matrices, what the answers go with, what that is worth, and what goes with heads. Runs that are not named are
those of `mcinterp reproduce matrix-completion --preset tiny --seeds 5`, in checkpoints/tiny-seeds.
"""

import sys
from pathlib import Path

import pandas as pd

import mcinterp
from mcinterp.report.numbers import interval
from mcinterp.studies.matrix_completion.passes.shelf_answers import BEST, CUBE, TRUTH
from mcinterp.studies.matrix_completion.passes.shelf_verdicts import explained_by

FOLLOWED = ("sum", CUBE, "triples", BEST, "X Xᵀ X", TRUTH)
HEADS = (("layer:0", "mean"), ("layer:1", "mean"), ("all", "uniform"))


def main(*runs: str) -> None:
    """Print the tables."""
    folders = [Path(run) for run in runs] or sorted(Path("checkpoints/tiny-seeds").glob("seed-*"))
    rows = [measured(mcinterp.Run(folder)) for folder in folders]
    for part in (0, 1, 2):
        frame = pd.DataFrame([row[part] for row in rows]).set_index("run").T
        print(frame.to_markdown(disable_numparse=True), end="\n\n")


def measured(run: mcinterp.Run) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """One run's numbers up to the end of its drop: the shelf, the candidates, the heads."""
    drop = run.transition
    found = mcinterp.hidden_shelf(run, [step for step in run.steps if not drop.found or step <= drop.end])
    tables = {name: frame[frame["step"] == found.facts["looked_at"]] for name, frame in frames(found).items()}
    answers, candidates = tables["answers"].iloc[0], tables["candidates"].set_index("candidate", drop=False)
    rows = [row for _, row in candidates.iterrows() if row["candidate"] != TRUTH]
    nearest, alike = explained_by(rows)
    return (
        {
            "run": run.name,
            "shelf": f"{found.facts['first']} to {found.facts['last']}"
            if found.facts["first"]
            else found.facts["state"],
            "kept around": f"{found.facts['before']}, {found.facts['after']}",
            "drop": f"{drop.start:.0f} to {drop.end:.0f}",
            "looked at": str(found.facts["looked_at"]),
            **{name: ends(answers, name) for name in ("between", "dealt_between", "symmetry", "other_symmetry")},
            **{name: ends(answers, name) for name in ("size", "gain", "possible", "short")},
        },
        {
            "run": run.name,
            "nearest": nearest,
            "not told apart": ", ".join(alike),
            **{name: ends(candidates.loc[name], "correlation") for name in FOLLOWED},
            f"{CUBE}, behind": ends(candidates.loc[CUBE], "behind"),
            f"{BEST}, control": ends(candidates.loc[BEST], "control"),
        },
        {"run": run.name, **carried(tables["heads"])},
    )


def frames(found: mcinterp.Result) -> dict[str, pd.DataFrame]:
    """The tables by name."""
    return {name: table.frame for name, table in found.tables.items()}


def carried(heads: pd.DataFrame) -> dict[str, str]:
    """What goes with layers, with uniform attention, and with the head that most goes with."""
    by = heads.set_index(["group", "method"])
    told = {f"{group}, {method}": ends(by.loc[(group, method)], "share") for group, method in HEADS}
    single = heads[heads["group"].str.fullmatch(r"L\d+H\d+") & (heads["method"] == "mean")]
    most = single.sort_values("share").iloc[-1]
    patched = by.loc[(most["group"], "patch")]
    told |= {"head": most["group"], "mean": ends(most, "share"), "patch": ends(patched, "share")}
    return told | {"control": ends(most, "other_share")}


def ends(row: pd.Series, name: str) -> str:
    """A number with its interval."""
    return interval(*(row[f"{name}{end}"] for end in ("", "_low", "_high")))


if __name__ == "__main__":
    main(*sys.argv[1:])
