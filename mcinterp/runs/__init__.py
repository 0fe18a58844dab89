"""A run on disk: config, metrics, checkpoints; written atomically, verified when read, resumable."""

from mcinterp.runs.checkpoint import Checkpoint
from mcinterp.runs.grid import Sweep, load_sweep
from mcinterp.runs.imported import import_run
from mcinterp.runs.retrain import retrain
from mcinterp.runs.run import Run
from mcinterp.runs.sweep import run_sweep
from mcinterp.runs.train import densify, train

__all__ = ["Checkpoint", "Run", "Sweep", "densify", "import_run", "load_sweep", "retrain", "run_sweep", "train"]
