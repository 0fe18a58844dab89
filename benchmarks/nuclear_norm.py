"""How much faster many nuclear norms are minimised together: python benchmarks/nuclear_norm.py [ROUNDS] [THREADS].

Solves the same 7 × 7 rank-2 problems in turn with the batched solver and one by one through cvxpy with Clarabel, and
prints seconds, their ratio (median and range over the rounds) and how far the two objectives are apart.
"""

import sys
import time
from statistics import median

import numpy as np
import torch

from mcinterp.studies.matrix_completion.baselines import nuclear_norm_completion, nuclear_norm_reference
from mcinterp.studies.matrix_completion.config import TaskConfig
from mcinterp.studies.matrix_completion.task.completion import MatrixCompletion

SWEEP = [round(0.05 * step, 2) for step in range(2, 13)]


def main(rounds: str = "3", threads: str = "1") -> None:
    """Print one line a set of problems."""
    torch.set_num_threads(int(threads))
    compare("512 matrices at p_mask 0.3", *problems([0.3], 512), int(rounds))
    compare("64 at each of p_mask 0.10, 0.15, …, 0.60", *problems(SWEEP, 64), int(rounds))


def problems(shares: list[float], n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices and masks, (n · shares, 7, 7)."""
    tasks = [MatrixCompletion(TaskConfig(p_mask=share)) for share in shares]
    batches = [task.sample(n, torch.Generator().manual_seed(0)) for task in tasks]
    values, observed = (torch.cat([getattr(b, name) for b in batches]) for name in ("targets", "observed"))
    return values.view(-1, 7, 7).double(), observed.view(-1, 7, 7)


def compare(name: str, values: torch.Tensor, observed: torch.Tensor, rounds: int) -> None:
    """Time both solvers in turn."""
    nuclear_norm_completion(values[:8], observed[:8])
    nuclear_norm_reference(values[:1].numpy(), observed[:1].numpy())
    fast, slow = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        completed = nuclear_norm_completion(values, observed)
        middle = time.perf_counter()
        reference = nuclear_norm_reference(values.numpy(), observed.numpy())
        fast.append(middle - start)
        slow.append(time.perf_counter() - middle)
    ratios = [one / together for together, one in zip(fast, slow, strict=True)]
    norms = [np.linalg.norm(solution, "nuc", axis=(1, 2)) for solution in (completed.numpy(), reference)]
    print(
        f"{name}: together {median(fast):.3f} s, one by one {median(slow):.2f} s, ratio {median(ratios):.1f} "
        f"({min(ratios):.1f} to {max(ratios):.1f}); objectives differ by at most "
        f"{np.abs(norms[0] / norms[1] - 1).max():.0e} (relative)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
