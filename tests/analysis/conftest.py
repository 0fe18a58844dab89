"""Checkpoints of every test here."""

from checkpoints import random_checkpoint

__all__ = ["random_checkpoint"]
