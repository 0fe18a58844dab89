"""Which entries are right first in runs of several seeds: python benchmarks/stairs_over_seeds.py [RUN …].

Prints what the comparison says of each run, and how many bins come out apart from the others as they are and shuffled.
Runs that are not named are those of `mcinterp reproduce matrix-completion --preset tiny --seeds 5`, in
checkpoints/tiny-seeds.
"""

import sys
from pathlib import Path

import pandas as pd

import mcinterp
from mcinterp.studies.matrix_completion.views.stairs import sentences


def main(*runs: str) -> None:
    """Print each run's sentences and counts."""
    for folder in [Path(run) for run in runs] or sorted(Path("checkpoints/tiny-seeds").glob("seed-*")):
        found = mcinterp.entry_stairs(mcinterp.Run(folder))
        print(f"{folder.name}: {counts(found.table('bins'))}", *sentences(found), sep="\n- ")


def counts(bins: pd.DataFrame) -> str:
    """How many bins' intervals leave out 0."""
    known = bins[bins["apart_low"].notna()]
    outside = {
        name: int(((known[f"{name}_low"] > 0) | (known[f"{name}_high"] < 0)).sum())
        for name in ("apart", "shuffled_apart")
    }
    return f"of {len(known)} bins {outside['apart']} are apart from the others, shuffled {outside['shuffled_apart']}"


if __name__ == "__main__":
    main(*sys.argv[1:])
