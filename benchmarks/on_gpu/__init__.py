"""The stages of `benchmarks/paper_on_gpu.py`, each in a module of its own."""
