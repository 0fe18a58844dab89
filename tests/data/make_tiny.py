"""Make tests/data/tiny from a finished run of the tiny preset: python tests/data/make_tiny.py checkpoints/tiny.

Keeps the configuration, the checkpoints before, during and after the drop, and the metrics averaged over ten steps.
"""

import shutil
import sys
from pathlib import Path

import mcinterp
from mcinterp.runs.run import CONFIG, METRICS

STRETCH = 10


def main(source: str) -> None:
    """Write the folder anew."""
    run = mcinterp.Run(source)
    target = Path(__file__).parent / "tiny"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    shutil.copy(run.path / CONFIG, target)
    for step in run.select_steps("auto"):
        shutil.copytree(run.folder(step), target / run.folder(step).name)
    metrics = run.metrics
    thinned = metrics.groupby((metrics["step"] - 1) // STRETCH).mean()
    thinned["step"] = metrics["step"].groupby((metrics["step"] - 1) // STRETCH).last()
    thinned.round(9).to_csv(target / METRICS, index=False)


if __name__ == "__main__":
    main(sys.argv[1])
