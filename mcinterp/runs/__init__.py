"""A run on disk: config, metrics, checkpoints; written atomically, verified when read, resumable."""

from mcinterp.runs.checkpoint import Checkpoint
from mcinterp.runs.retrain import retrain
from mcinterp.runs.run import Run
from mcinterp.runs.train import densify, train

__all__ = ["Checkpoint", "Run", "densify", "retrain", "train"]
