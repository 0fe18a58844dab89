"""How much memory an analysis takes and how it grows: python benchmarks/memory.py.

Each measurement is a fresh process: the largest resident memory after the analysis less that after the imports and the
model alone. Starting from 2 layers of 4 heads, d_model 64 and 256 matrices of 5 × 5, the heads (of the same size each,
so that d_model doubles as well), the layers, the matrices and the entries of a matrix are doubled one at a time. Stores
results/memory.csv.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

BASE = {"heads": 4, "layers": 2, "samples": 256, "size": 5}
DOUBLED = {"heads": 8, "layers": 4, "samples": 512, "size": 7}
ANALYSES = ("ablation", "patching", "probes", "taxonomy", "attention", "nuclear norm")
MEGABYTE = 1024


def main() -> None:
    """Measure every analysis at the base and with each number doubled."""
    from measure import store

    rows = []
    for name in ANALYSES:
        base = measured(name, BASE)
        row: dict[str, object] = {"analysis": name, "MB": base}
        for key, value in DOUBLED.items():
            row[f"{key} × 2"] = measured(name, {**BASE, key: value})
        for factor in (8, 32):
            row[f"samples × {factor}"] = measured(name, {**BASE, "samples": factor * BASE["samples"]})
        rows.append(row)
    store("memory", rows)


def measured(name: str, numbers: dict[str, int]) -> float:
    """Megabytes that one analysis adds, in a process of its own."""
    words = [sys.executable, __file__, name, *(f"{key}={value}" for key, value in numbers.items())]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def alone(name: str, numbers: dict[str, int]) -> None:
    """Run one analysis and print what it added."""
    import torch

    import mcinterp
    from mcinterp.analysis import ablation, attention_maps, head_taxonomy, linear_probes, patching
    from mcinterp.config import RunConfig
    from mcinterp.studies.matrix_completion.baselines import nuclear_norm_completion
    from mcinterp.studies.matrix_completion.config import ModelConfig, TaskConfig

    torch.set_num_threads(1)
    size, heads = numbers["size"], numbers["heads"]
    model = ModelConfig(n_layers=numbers["layers"], n_heads=heads, d_model=16 * heads, d_mlp=64 * heads, init_std=0.1)
    config = RunConfig(task=TaskConfig(rows=size, cols=size, rank=1), model=model)
    checkpoint = mcinterp.Checkpoint.untrained(config, seed=0)
    samples = numbers["samples"]
    singles = [f"L{layer}H{head}" for layer in range(numbers["layers"]) for head in range(heads)]

    def solve(n: int) -> None:
        batch = checkpoint.sample(n)
        shape = (n, size, size)
        nuclear_norm_completion(batch.targets.view(shape).double(), batch.observed.view(shape))

    runs = {
        "ablation": lambda n: ablation(checkpoint, singles, samples=n, controls=0),
        "patching": lambda n: patching(checkpoint, singles, samples=n),
        "probes": lambda n: linear_probes(checkpoint, n),
        "taxonomy": lambda n: head_taxonomy(checkpoint, n),
        "attention": lambda n: attention_maps(checkpoint, ["random"], n),
        "nuclear norm": solve,
    }
    # Two matrices first: libraries load and set up their threads and buffers.
    runs[name](2)
    before = peak()
    runs[name](samples)
    print(peak() - before)


def peak() -> float:
    """The largest resident memory of this process so far, megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


if __name__ == "__main__":
    if len(sys.argv) > 1:
        alone(sys.argv[1], {key: int(value) for key, value in (word.split("=") for word in sys.argv[2:])})
    else:
        sys.path.insert(0, str(Path(__file__).parent))
        main()
