"""Every table that the commands write, from a process of its own: python every_table.py ENCODER GPT TINY GRID OUT."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from mcinterp.cli import main

SAMPLES = ["--samples", "8", "--seed", "3", "--device", "cpu"]


def command(*words: str | Path) -> None:
    """Run a command of the command line."""
    sys.argv = ["mcinterp", *map(str, words)]
    try:
        main()
    except SystemExit as stopped:
        if stopped.code:
            raise


def everything(encoder: Path, gpt: Path, tiny: Path, grid: Path, out: Path) -> None:
    """Analyse the runs with every pass and comparison, and write the other commands' tables."""
    for run in (gpt, tiny):
        command("analyze", run, "--steps", "last", "--out", out / run.name, *SAMPLES)
    # Of these three it is the one with components retrained.
    command("analyze", encoder, "--passes", "components", "--steps", "last", "--out", out / encoder.name, *SAMPLES)
    as_csv = ["--format", "csv", *SAMPLES]
    words = ["--step", "all", "--heads", "none", "--heads", "L0H1,L1H0", "--heads", "column", "--method", "mean"]
    command("ablate", tiny, *words, "--method", "resample", *as_csv, "--out", out / "ablate.csv")
    command("switch", tiny, "--from", "first", *as_csv, "--out", out / "switch.csv")
    command("compare", tiny, f"{tiny}@first", encoder, "--out", out / "compare", *SAMPLES)
    threads = ["--threads", str(torch.get_num_threads())]  # which a sweep chooses itself, of all cores, if not told
    command("sweep", grid, "--out", out / "sweep", "--device", "cpu", "--format", "csv", *threads)


if __name__ == "__main__":
    everything(*map(Path, sys.argv[1:]))
