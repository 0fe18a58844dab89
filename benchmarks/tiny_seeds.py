"""How long the tiny preset takes through its drop: python benchmarks/tiny_seeds.py [SEEDS] [FOLDER].

Trains the preset once a seed (runs that stand are read, not trained again) and prints, for each, the plateau, the drop,
and the seconds of training after which L_mask, averaged over 200 steps, was first at or below 20 % of the plateau.
"""

import sys
from pathlib import Path

import pandas as pd
import torch

import mcinterp

SHARE = 0.2
WINDOW = 200


def main(seeds: str = "0,1,2,3,4", folder: str = "checkpoints/tiny-seeds") -> None:
    """Train and print one row a seed."""
    rows = [measure(int(seed), Path(folder) / f"seed-{seed}") for seed in seeds.split(",")]
    print(f"{torch.get_num_threads()} threads")
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".4g"))
    print(f"{sum(row['seconds to 20 %'] <= 300 for row in rows)} of {len(rows)} seeds within 300 s")


def measure(seed: int, path: Path) -> dict[str, object]:
    """One run's numbers."""
    run = mcinterp.train(path, mcinterp.load_preset("tiny", [f"training.seed={seed}"]), device="cpu")
    metrics, transition = run.metrics, run.transition
    smoothed = metrics["masked_mse"].rolling(WINDOW).mean()
    reached = metrics[smoothed <= SHARE * transition.plateau]
    return {
        "seed": seed,
        "plateau": transition.plateau,
        "drop starts": transition.start,
        "steepest": transition.steepest,
        "drop ends": transition.end,
        "last L_mask": float(smoothed.iloc[-1]),
        "share of plateau": float(smoothed.iloc[-1]) / transition.plateau,
        "step of 20 %": int(reached["step"].iloc[0]) if len(reached) else None,
        "seconds to 20 %": float(reached["seconds"].iloc[0]) if len(reached) else float("inf"),
        "seconds in all": float(metrics["seconds"].iloc[-1]),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
