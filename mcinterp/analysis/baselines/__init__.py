"""Ways to complete a low-rank matrix from its observed entries, without a model: what a model is compared with."""
