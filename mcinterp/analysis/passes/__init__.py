"""Analyses of one checkpoint, and of one run's checkpoints together."""
