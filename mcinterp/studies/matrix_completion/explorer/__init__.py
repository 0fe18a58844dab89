"""The page in which the model runs: mask, type, ablate, and slide through checkpoints."""
